/* What a choice's scratch is taken to be before its plan is made, and that choices which take too much are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "plan/choice.h"
#include "plan/plan.h"
#include "plan/scratch.h"
#include "random.h"

static uint64_t stream;

static wli_model *make_model(int64_t input_size, int64_t hidden_size, int64_t num_layers, int64_t proj_size,
                             bool bidirectional) {
    const wli_model_spec spec = { .dtype = WLSTM_F32,
                                  .num_layers = num_layers,
                                  .input_size = input_size,
                                  .hidden_size = hidden_size,
                                  .proj_size = proj_size,
                                  .bidirectional = bidirectional };
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    assert_int_equal(wli_model_reset(&model, 1), WLSTM_OK);
    return model;
}

/* Against the plans' own word; narrow cells, of which most is padding, too. */
static void the_estimate_is_what_plans_take(void **state) {
    (void)state;
    for (int n = 0; n < 150; n++) {
        const bool two = random_flag(&stream);
        const bool narrow = random_flag(&stream);
        const int64_t layers = random_between(&stream, 1, 3), projected = narrow || random_flag(&stream) ? 0 : 96;
        wli_model *model =
            make_model(random_between(&stream, 1, 400), random_between(&stream, narrow ? 1 : 100, narrow ? 8 : 300),
                       layers, projected, two);
        const wli_setting setting = { .model = model,
                                      .seq_len = random_between(&stream, 1, 300),
                                      .batch = random_between(&stream, 1, 60),
                                      .threads = (int)random_between(&stream, 1, 12),
                                      .backend = WLSTM_BACKEND_NATIVE };
        wli_candidate candidate = { .index = { 0 } };
        for (int axis = WLI_AXIS_SCHEDULE; axis <= WLI_AXIS_CHUNK_STEPS; axis++)
            candidate.index[axis] =
                (uint8_t)random_between(&stream, 0, random_flag(&stream) ? 0 : wli_axes[axis].count - 1);
        if (wli_candidate_legal(&setting, &candidate)) {
            const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
            wlstm_plan *plan;
            size_t bytes;
            assert_int_equal(wli_plan_make_choice(model, &setting, &choice, &plan), WLSTM_OK);
            assert_int_equal(wlstm_plan_memory(plan, NULL, &bytes), WLSTM_OK);
            const double told = (double)bytes, estimate = wli_scratch_bytes(&setting, &choice);
            if (estimate < 0.7 * told - (16 << 10) || estimate > 1.1 * told)
                fail_msg("%s: near %.0f expected, got %.0f", wlstm_plan_describe(plan), told, estimate);
            wlstm_plan_free(plan);
        }
        wli_model_release(model);
    }
}

/* However many parts and threads: gigabytes would be more than they bring. */
static void no_choice_takes_too_much(void **state) {
    (void)state;
    wli_model *model = make_model(1024, 1024, 4, 0, false);
    const wli_setting setting = { .model = model, .seq_len = 5000, .batch = 256, .threads = 64 };
    for (int schedule = WLI_WAVEFRONT; schedule <= WLI_GANG; schedule++)
        for (int parts = 1; parts < wli_axes[WLI_AXIS_PARTS].count; parts++) {
            const wli_candidate candidate = {
                .index = { [WLI_AXIS_SCHEDULE] = (uint8_t)schedule, [WLI_AXIS_PARTS] = (uint8_t)parts }
            };
            if (!wli_candidate_legal(&setting, &candidate)) continue;
            const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
            assert_true(wli_scratch_bytes(&setting, &choice) < 1e9);
        }
    wli_model_release(model);
}

/* However large the problem: somebody has to run it. */
static void the_default_is_always_legal(void **state) {
    (void)state;
    wli_model *model = make_model(7, 300, 3, 20, true);
    static const int64_t sizes[] = { 1, 1000, 1000000, INT64_C(1) << 40 };
    for (int t = 0; t < 4; t++)
        for (int b = 0; b < 4; b++) {
            if (sizes[t] > WLI_LARGEST_ROWS / sizes[b]) continue;
            const wli_setting setting = { .model = model, .seq_len = sizes[t], .batch = sizes[b], .threads = 16 };
            const wli_machine_model machine = wli_machine_model_guess(16);
            const wli_candidate by_default = { .index = { 0 } }, chosen = wli_choose(&setting, &machine);
            assert_true(wli_candidate_legal(&setting, &by_default));
            assert_true(wli_candidate_legal(&setting, &chosen));
        }
    wli_model_release(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_estimate_is_what_plans_take),
        cmocka_unit_test(no_choice_takes_too_much),
        cmocka_unit_test(the_default_is_always_legal),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
