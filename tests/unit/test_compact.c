/* What a compact lstm or cell refuses, and in which words; what its plans, and those made before, go on with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <wavelstm.h>

#include "api/module.h"
#include "plan/cache.h"
#include "plan/decision.h"
#include "scratch_dir.h"
#include "small_models.h"

enum { T = 6, B = 3, I = 5, H = 4 };

static float x[T * B * I];

#define assert_refused(call, sentence)                                                                                 \
    do {                                                                                                               \
        assert_int_equal(call, WLSTM_ERROR_UNSUPPORTED);                                                               \
        assert_string_equal(wlstm_last_error(), sentence);                                                             \
    } while (0)

static wlstm_lstm *compact_lstm(wlstm_precision precision) {
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_set_precision(lstm, precision), WLSTM_OK);
    assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
    return lstm;
}

static void what_needs_parameters_is_refused(void **state) {
    (void)state;
    static const char sentence[] = "lstm: one with its parameters expected, got a compact one, which has packed "
                                   "weights alone (load it again, not compact)";
    wlstm_lstm *lstm = compact_lstm(WLSTM_PRECISION_DEFAULT);
    float values[4 * H * I], out[T * B * H];
    const char *name;
    int ndim;
    int64_t shape[2];
    assert_refused(wlstm_lstm_get_parameter(lstm, "weight_ih_l0", values, 4 * H * I), sentence);
    assert_refused(wlstm_lstm_set_parameter(lstm, "weight_ih_l0", x, 4 * H * I), sentence);
    assert_refused(wlstm_lstm_reset_parameters(lstm, 1), sentence);
    assert_refused(wlstm_lstm_save(lstm, scratch_path("model.safetensors"), NULL), sentence);
    assert_int_equal(scratch_count(), 0);
    assert_int_equal(wlstm_lstm_get_parameter(lstm, "weight", values, 1), WLSTM_ERROR_MISSING);
    assert_int_equal(wlstm_lstm_num_parameters(lstm), 8);
    assert_int_equal(wlstm_lstm_parameter_info(lstm, 1, &name, &ndim, shape), WLSTM_OK);
    assert_string_equal(name, "weight_hh_l0");
    assert_true(ndim == 2 && shape[0] == 4 * H && shape[1] == H);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_compact(NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    wlstm_lstm_free(lstm);
}

static void cells_are_compact_too(void **state) {
    (void)state;
    wlstm_cell *cell = create_cell(I, H, 1, WLSTM_F32), *bottom = create_cell(I, I, 1, WLSTM_F32), *loaded;
    const wlstm_cell *cells[] = { bottom, cell };
    const char *path = scratch_path("cell.safetensors");
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_lstm *lstm;
    float h[B * H], c[B * H], h_compact[B * H], c_compact[B * H];
    assert_int_equal(wlstm_cell_save(cell, path, NULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, B, x, NULL, NULL, h, c), WLSTM_OK);
    assert_int_equal(wlstm_cell_compact(cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, B, x, NULL, NULL, h_compact, c_compact), WLSTM_OK);
    assert_memory_equal(h, h_compact, sizeof h);
    assert_memory_equal(c, c_compact, sizeof c);
    assert_refused(wlstm_lstm_create_from_cells(cells, 2, &lstm),
                   "cells[1]: one with its parameters expected, got a compact one");
    assert_null(lstm);
    assert_refused(wlstm_cell_get_parameter(cell, "bias_ih", h, 4 * H),
                   "cell: one with its parameters expected, got a compact one, which has packed weights alone (load it "
                   "again, not compact)");
    options.compact = 1;
    assert_int_equal(wlstm_cell_load(path, &options, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(loaded, B, x, NULL, NULL, h_compact, c_compact), WLSTM_OK);
    assert_memory_equal(h, h_compact, sizeof h);
    wlstm_cell_free(loaded);
    assert_int_equal(wlstm_lstm_load(path, &options, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, 1, B, NULL, x, NULL, NULL, h_compact, NULL, NULL), WLSTM_OK);
    assert_memory_equal(h, h_compact, sizeof h);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
    wlstm_cell_free(bottom);
    assert_int_equal(unlink(path), 0);
}

static wlstm_status plan_by(wlstm_lstm *lstm, wlstm_precision precision, wlstm_backend backend) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = T, options.max_batch = B, options.precision = precision, options.backend = backend;
    const wlstm_status status = wlstm_plan_create(lstm, &options, &plan);
    assert_int_equal(!plan, status != WLSTM_OK);
    wlstm_plan_free(plan);
    return status;
}

static void another_precision_or_backend_is_refused_by_name(void **state) {
    (void)state;
    static const char sentence[] =
        "precision: default or int8, for which the compact lstm has packed its weights, expected, got full";
    wlstm_lstm *lstm = compact_lstm(WLSTM_PRECISION_INT8);
    assert_refused(plan_by(lstm, WLSTM_PRECISION_FULL, WLSTM_BACKEND_AUTO), sentence);
    assert_refused(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_FULL), sentence);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_DEFAULT), WLSTM_OK);
    assert_int_equal(plan_by(lstm, WLSTM_PRECISION_DEFAULT, WLSTM_BACKEND_AUTO), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_INT8), WLSTM_OK);
    assert_int_equal(plan_by(lstm, WLSTM_PRECISION_INT8, WLSTM_BACKEND_NATIVE), WLSTM_OK);
    assert_refused(plan_by(lstm, WLSTM_PRECISION_DEFAULT, WLSTM_BACKEND_REFERENCE),
                   "backend: auto or native, for which a compact lstm has packed its weights, expected, got reference");
    assert_refused(plan_by(lstm, WLSTM_PRECISION_DEFAULT, WLSTM_BACKEND_ONEDNN),
                   "backend: auto or native, for which a compact lstm has packed its weights, expected, got onednn");
    wlstm_lstm_free(lstm);
}

static void a_load_takes_the_precision(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config), *loaded;
    const char *path = scratch_path("model.safetensors");
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    float out[T * B * H], from_file[T * B * H];
    assert_int_equal(wlstm_lstm_save(lstm, path, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_INT8), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    options.precision = WLSTM_PRECISION_INT8;
    for (options.compact = 0; options.compact < 2; options.compact++) {
        assert_int_equal(wlstm_lstm_load(path, &options, &loaded), WLSTM_OK);
        assert_int_equal(wlstm_forward(loaded, T, B, NULL, x, NULL, NULL, from_file, NULL, NULL), WLSTM_OK);
        assert_memory_equal(from_file, out, sizeof out);
        wlstm_lstm_free(loaded);
    }
    options.convert = 1, options.dtype = WLSTM_F64;
    for (options.compact = 0; options.compact < 2; options.compact++)
        assert_refused(wlstm_lstm_load(path, &options, &loaded),
                       "precision: default or full expected with parameters of f64, got int8, which is for f32");
    options.precision = (wlstm_precision)7;
    assert_int_equal(wlstm_lstm_load(path, &options, &loaded), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_null(loaded);
    wlstm_lstm_free(lstm);
    assert_int_equal(unlink(path), 0);
}

/* They share the parameters, which stay with them. */
static void plans_made_before_go_on(void **state) {
    (void)state;
    for (int backend = WLSTM_BACKEND_REFERENCE; backend <= WLSTM_BACKEND_NATIVE; backend++) {
        const wlstm_lstm_config config = small_config();
        wlstm_lstm *lstm = create_lstm(&config);
        wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
        wlstm_plan *plan;
        float before[T * B * H], after[T * B * H], compact[T * B * H];
        options.max_seq_len = T, options.max_batch = B, options.backend = (wlstm_backend)backend;
        const wlstm_status status = wlstm_plan_create(lstm, &options, &plan);
        if (status == WLSTM_OK) {
            assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, before, NULL, NULL), WLSTM_OK);
            assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
            assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, after, NULL, NULL), WLSTM_OK);
            assert_memory_equal(after, before, sizeof before);
            assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, compact, NULL, NULL), WLSTM_OK);
        }
        wlstm_lstm_free(lstm);
        if (status == WLSTM_OK)
            assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, after, NULL, NULL), WLSTM_OK);
        wlstm_plan_free(plan);
    }
}

/* A cached choice of the problem that needs other weights, by an axis and value that a compact lstm has not. */
static void check_passed_over(wlstm_lstm *lstm, wli_axis_id axis, uint8_t value) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wli_cache_entry entry = { .threads = 1, .effort = WLSTM_EFFORT_PATIENT };
    wlstm_plan *plan;
    wli_problem_of(lstm->module.model, WLSTM_PRECISION_FULL, T, B, &entry.problem);
    entry.candidate.index[axis] = value;
    wli_cache_keep(&entry);
    const wli_setting setting = { .model = lstm->module.model, .seq_len = T, .batch = B, .threads = 1 };
    assert_false(wli_candidate_legal(&setting, &entry.candidate));
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1, options.effort = WLSTM_EFFORT_MEASURE;
    assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_OK);
    assert_non_null(strstr(wlstm_plan_describe(plan), "project and step native"));
    assert_non_null(strstr(wlstm_plan_describe(plan), "estimated"));
    wlstm_plan_free(plan);
    entry.candidate.index[axis] = 0;
    wli_cache_keep(&entry);
    options.max_batch = 2 * B;
    assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_OK);
    wlstm_plan_free(plan);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
}

/* No plan packs anew what is not there. */
static void other_weights_are_not_made(void **state) {
    (void)state;
    wlstm_lstm *lstm = compact_lstm(WLSTM_PRECISION_FULL);
    const wli_setting setting = { .model = lstm->module.model, .seq_len = T, .batch = B, .threads = 1 };
    wli_choice choice = wli_decide_by_model(&setting).choice;
    wlstm_plan *plan;
    choice.native = wli_native_get(WLI_PRODUCT_S8);
    assert_refused(wli_plan_make_choice(lstm->module.model, &setting, &choice, &plan),
                   "plan: one by the weights that a compact lstm has packed expected, got one that needs them packed "
                   "anew");
    assert_null(plan);
    wlstm_lstm_free(lstm);
}

/* Narrow cells take narrower ones where a machine has them. */
static void vectors_are_those_of_a_plan_of_one_row(void **state) {
    (void)state;
    wlstm_lstm_config config = small_config();
    for (config.hidden_size = 1; config.hidden_size <= 40; config.hidden_size++) {
        wlstm_lstm *lstm = create_lstm(&config);
        const wli_setting one_row = {
            .model = lstm->module.model, .seq_len = 1, .batch = 1, .threads = 1, .backend = WLSTM_BACKEND_NATIVE
        };
        const int expected = wli_decide_by_model(&one_row).choice.native->lanes;
        assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
        assert_int_equal(lstm->module.model->packed_lanes, expected);
        wlstm_lstm_free(lstm);
    }
}

static void cached_choices_that_need_other_weights_are_passed_over(void **state) {
    (void)state;
    wlstm_lstm_config config = small_config();
    config.hidden_size = 40;
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
    check_passed_over(lstm, WLI_AXIS_PROJECT, WLI_GEMM_MATMUL);
    check_passed_over(lstm, WLI_AXIS_STEP, WLI_GEMM_INNER_PRODUCT);
    check_passed_over(lstm, WLI_AXIS_LANES, 1);
    wlstm_lstm_free(lstm);
}

static int set_up(void **state) {
    for (int k = 0; k < T * B * I; ++k) x[k] = (float)(k % 11 - 5) / 7;
    /* The cache is used, and nothing of it on a disk. */
    if (scratch_create(state) != 0) return -1;
    return setenv("WLSTM_CACHE", scratch_path("cache"), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_needs_parameters_is_refused),
        cmocka_unit_test(cells_are_compact_too),
        cmocka_unit_test(another_precision_or_backend_is_refused_by_name),
        cmocka_unit_test(a_load_takes_the_precision),
        cmocka_unit_test(plans_made_before_go_on),
        cmocka_unit_test(vectors_are_those_of_a_plan_of_one_row),
        cmocka_unit_test(cached_choices_that_need_other_weights_are_passed_over),
        cmocka_unit_test(other_weights_are_not_made),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove_all);
}
