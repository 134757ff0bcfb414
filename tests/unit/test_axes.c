/* The table of choices, what is legal when, and the cost model over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/cache.h"
#include "plan/choice.h"
#include "plan/fingerprint.h"
#include "plan/gate_rows.h"
#include "plan/predict.h"
#include "random.h"

static uint64_t stream;

/* A model of random kind, for wli_model_release. */
static wli_model *draw_model(void) {
    wli_model *model;
    wli_model_spec spec = { .dtype = random_flag(&stream) ? WLSTM_F32 : WLSTM_F64,
                            .num_layers = random_between(&stream, 1, 3),
                            .input_size = random_between(&stream, 1, 600),
                            .hidden_size = random_between(&stream, 2, 600),
                            .proj_size = random_between(&stream, 0, 3) ? 0 : 1,
                            .bias = true,
                            .bidirectional = random_flag(&stream) };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    return model;
}

static wli_setting draw_setting(const wli_model *model) {
    static const wlstm_backend backends[] = { WLSTM_BACKEND_AUTO, WLSTM_BACKEND_NATIVE, WLSTM_BACKEND_ONEDNN };
    wli_setting setting = { .model = model,
                            .seq_len = random_between(&stream, 1, 400),
                            .batch = random_between(&stream, 1, 300),
                            .threads = (int)random_between(&stream, 1, 64),
                            .backend = backends[random_between(&stream, 0, model->dtype == WLSTM_F32 ? 2 : 1)],
                            .deterministic = random_flag(&stream),
                            .schedule = random_flag(&stream) ? (wlstm_schedule)random_between(&stream, 0, 3)
                                                             : WLSTM_SCHEDULE_AUTO,
                            .chunk_steps = random_flag(&stream) ? random_between(&stream, 1, 500) : 0 };
    if (strstr(wlstm_build_info(), "no oneDNN") && setting.backend == WLSTM_BACKEND_ONEDNN)
        setting.backend = WLSTM_BACKEND_AUTO;
    if (setting.backend == WLSTM_BACKEND_ONEDNN) setting.deterministic = false;
    return setting;
}

static wli_candidate draw_candidate(void) {
    wli_candidate candidate;
    for (int a = 0; a < WLI_AXES; a++)
        candidate.index[a] = (uint8_t)random_between(&stream, 0, random_flag(&stream) ? 0 : wli_axes[a].count - 1);
    return candidate;
}

static void the_table_is_in_order(void **state) {
    (void)state;
    for (int a = 0; a < WLI_AXES; a++) {
        const wli_axis *axis = &wli_axes[a];
        assert_true(axis->count >= 2 && axis->count <= 255);
        assert_true(!axis->words != !axis->numbers);
        assert_true(axis->field % sizeof(int64_t) == 0 && axis->field < sizeof(wli_choice));
        for (int b = 0; b < a; b++) {
            assert_string_not_equal(axis->name, wli_axes[b].name);
            assert_int_not_equal(axis->field, wli_axes[b].field);
        }
        for (int i = 1; axis->numbers && i < axis->count; i++) assert_true(axis->numbers[i] > axis->numbers[i - 1]);
        assert_true(!axis->numbers || axis->numbers[0] == 0);
    }
    assert_true(wli_axes_hash() != 0);
}

static void what_is_legal_can_run(void **state) {
    (void)state;
    int legal = 0;
    for (int n = 0; n < 6000; n++) {
        wli_model *model = draw_model();
        const wli_setting s = draw_setting(model);
        const wli_candidate candidate = draw_candidate();
        if (wli_candidate_legal(&s, &candidate)) {
            const wli_choice c = wli_candidate_resolve(&s, &candidate);
            const int64_t part_rows = (s.batch + c.parts - 1) / c.parts;
            legal++;
            assert_non_null(c.native);
            assert_in_range(c.threads, 1, s.threads);
            assert_in_range(c.parts, 1, s.batch);
            assert_in_range(c.chunk_steps, 1, s.seq_len);
            assert_true(c.gate_rows >= part_rows && c.gate_rows <= s.seq_len * part_rows &&
                        c.gate_rows % part_rows == 0);
            assert_in_range(c.gang_layers, 1, model->num_layers);
            assert_in_range(c.gang_directions, 1, model->num_directions);
            if (c.schedule == WLI_GANG) assert_int_equal(c.threads % (c.gang_layers * c.gang_directions * c.parts), 0);
            if (c.schedule == WLI_SERIAL) assert_int_equal(c.threads, 1);
            if (c.project != WLI_GEMM_NATIVE || c.step != WLI_GEMM_NATIVE) assert_int_equal(model->dtype, WLSTM_F32);
            /* Its rows of G lie close, which those of a share cannot. */
            if (c.project == WLI_GEMM_INNER_PRODUCT || c.step == WLI_GEMM_INNER_PRODUCT)
                assert_int_equal(wli_choice_shares(&c), 1);
            const wli_schedule named = s.schedule ? (wli_schedule)(s.schedule - 1) : (wli_schedule)c.schedule;
            assert_true(c.schedule == named || !wli_schedule_possible(&s, named));
            if (s.chunk_steps) assert_int_equal(c.chunk_steps, s.chunk_steps < s.seq_len ? s.chunk_steps : s.seq_len);
            if (s.deterministic || s.backend == WLSTM_BACKEND_NATIVE)
                assert_true(c.project == WLI_GEMM_NATIVE && c.step == WLI_GEMM_NATIVE);
            if (s.deterministic)
                assert_true(wli_native_rounds_alike(wli_setting_product(&s), candidate.index[WLI_AXIS_LANES]));
            const wli_machine_model machine = wli_machine_model_guess(s.threads);
            const double seconds = wli_predict(&s, &c, &machine);
            assert_true(isfinite(seconds) && seconds > 0);
        }
        wli_model_release(model);
    }
    assert_true(legal > 100);
}

static void what_is_out_of_range_is_not_legal(void **state) {
    (void)state;
    wli_model *model = draw_model();
    const wli_setting setting = { .model = model, .seq_len = 10, .batch = 8, .threads = 4 };
    for (int a = 0; a < WLI_AXES; a++)
        for (int index = wli_axes[a].count; index < 256; index++) {
            wli_candidate candidate = { { 0 } };
            candidate.index[a] = (uint8_t)index;
            assert_false(wli_candidate_legal(&setting, &candidate));
        }
    wli_model_release(model);
}

static void the_untuned_choice_is_legal(void **state) {
    (void)state;
    for (int n = 0; n < 1000; n++) {
        wli_model *model = draw_model();
        const wli_setting setting = draw_setting(model);
        const wli_machine_model machine = wli_machine_model_guess(setting.threads);
        const wli_candidate chosen = wli_choose(&setting, &machine);
        assert_true(wli_candidate_legal(&setting, &chosen));
        wli_model_release(model);
    }
}

static void candidates_print_their_values(void **state) {
    (void)state;
    char text[WLI_CANDIDATE_TEXT];
    wli_candidate candidate = { { 0 } };
    wli_candidate_print(&candidate, text);
    assert_string_equal(text, "defaults");
    candidate.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT, candidate.index[WLI_AXIS_CHUNK_STEPS] = 4;
    wli_candidate_print(&candidate, text);
    assert_string_equal(text, "schedule wavefront, chunk_steps 4");
    for (int a = 0; a < WLI_AXES; a++) candidate.index[a] = (uint8_t)(wli_axes[a].count - 1);
    wli_candidate_print(&candidate, text);
    assert_true(strlen(text) < WLI_CANDIDATE_TEXT - 1);
    assert_non_null(strstr(text, "lanes quarter"));
}

/* The search times part of a long sequence: what is longer than that part does not count there. */
static void chunks_are_no_longer_than_the_sequence(void **state) {
    (void)state;
    wli_model *model;
    const wli_model_spec spec = { .num_layers = 2, .input_size = 30, .hidden_size = 40 };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    const wli_setting setting = { .model = model, .seq_len = 100, .batch = 1, .threads = 2 };
    const wli_machine_model machine = wli_machine_model_guess(2);
    wli_candidate candidate = { { 0 } };
    candidate.index[WLI_AXIS_SCHEDULE] = WLI_GANG, candidate.index[WLI_AXIS_GANG_LAYERS] = 1;
    assert_true(wli_candidate_legal(&setting, &candidate));
    wli_choice choice = wli_candidate_resolve(&setting, &candidate);
    choice.gate_rows = choice.chunk_steps = 100;
    const double seconds = wli_predict(&setting, &choice, &machine);
    choice.gate_rows = choice.chunk_steps = 4096;
    assert_true(wli_predict(&setting, &choice, &machine) == seconds);
    wli_model_release(model);
}

static wli_choice choose(const char *name, const wli_machine_model *machine) {
    wli_problem problem;
    wli_model *model;
    assert_int_equal(wli_problem_parse(name, &problem), WLSTM_OK);
    const wli_model_spec spec = { .dtype = problem.dtype,
                                  .num_layers = problem.num_layers,
                                  .input_size = problem.input_size,
                                  .hidden_size = problem.hidden_size };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    const wli_setting setting = { .model = model, .seq_len = problem.seq_len, .batch = problem.batch, .threads = 2 };
    const wli_candidate chosen = wli_choose(&setting, machine);
    const wli_choice choice = wli_candidate_resolve(&setting, &chosen);
    wli_model_release(model);
    return choice;
}

/* What two threads pay to meet decides how they share a problem, and whether they do. */
static void the_choice_follows_what_meeting_costs(void **state) {
    (void)state;
    const wli_machine_model guess = wli_machine_model_guess(2);
    wli_machine_model machine = guess;
    /* A barrier a step between halves of the units; dear, parts of the batch that never meet. */
    machine.all.barrier = 1e-9;
    wli_choice choice = choose("t100b4i512h512l1", &machine);
    assert_true(choice.schedule == WLI_GANG && choice.parts == 1 && choice.threads == 2);
    machine.all.barrier = 1e-3;
    choice = choose("t100b4i512h512l1", &machine);
    assert_true(choice.schedule == WLI_GANG && choice.parts == 2 && choice.threads == 2);
    /* Three layers do not divide among two gangs: tasks, while they are cheap. */
    machine.all.task = 1e-9;
    assert_int_equal(choose("t100b1i256h256l3", &machine).schedule, WLI_WAVEFRONT);
    machine.all.task = 1e-3;
    assert_int_not_equal(choose("t100b1i256h256l3", &machine).schedule, WLI_WAVEFRONT);
    /* A region that takes longer than the problem is not entered; nor did one thread's rates have a say. */
    machine = guess, machine.one.region = machine.one.barrier = machine.one.task = 1;
    assert_int_equal(choose("t100b4i512h512l1", &machine).threads, 2);
    machine.all.region = 1;
    assert_int_equal(choose("t100b4i512h512l1", &machine).threads, 1);
}

/* A layer of two directions begins when the one below has ended: tasks of it are two wide, however many layers and threads. */
static void two_directions_are_no_wider_than_two(void **state) {
    (void)state;
    wli_model *model;
    const wli_model_spec spec = { .num_layers = 6, .input_size = 32, .hidden_size = 32, .bidirectional = true };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    const wli_setting setting = { .model = model, .seq_len = 500, .batch = 4, .threads = 12 };
    wli_machine_model machine = wli_machine_model_guess(12);
    machine.all.task = machine.all.region = 0;
    wli_candidate serial = { { 0 } }, tasks = serial;
    tasks.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT;
    const wli_choice alone = wli_candidate_resolve(&setting, &serial), two = wli_candidate_resolve(&setting, &tasks);
    assert_int_equal(two.threads, 2 * two.parts);
    const double share =
        wli_predict(&setting, &two, &machine) * 2 * (double)two.parts / wli_predict(&setting, &alone, &machine);
    assert_true(share >= 0.99 && share <= 1.05); /* of the work; reading may cost more beside others */
    wli_model_release(model);
}

/* Half of AVX-512's vectors where the units fill one and no more, or fewer stand alone. */
static void small_cells_take_half_vectors(void **state) {
    (void)state;
    const wli_machine_model machine = wli_machine_model_guess(2);
    for (int f64 = 0; f64 < 2; f64++) {
        const wli_product product = f64 ? WLI_PRODUCT_F64 : WLI_PRODUCT_F32;
        const int half = wli_native_rounds_alike(product, 1) ? wli_native_at(product, 1)->lanes : 0;
        for (int H = 1; H <= 20; H++)
            for (int batch = 1; batch <= 2; batch++) {
                char name[64];
                snprintf(name, sizeof name, "t100b%di64h%dl2%s", batch, H, f64 ? "-f64" : "");
                const bool fits = H <= half && (batch == 1 || H > half / 2);
                assert_ptr_equal(choose(name, &machine).native, wli_native_at(product, fits));
            }
    }
}

/* Threads share whole panels, so that two are no help to three, even where synchronizing costs nothing: then the batch. Thirty-two they share. */
static void panels_are_shared_whole(void **state) {
    (void)state;
    const int lanes = wli_native_get(WLI_PRODUCT_F32)->lanes;
    wli_machine_model machine = wli_machine_model_guess(2);
    machine.all.barrier = machine.all.region = 1e-12;
    for (int panels = 3; panels <= 32; panels += 29) {
        char name[64];
        snprintf(name, sizeof name, "t1000b4i64h%dl1", panels * lanes);
        const wli_choice choice = choose(name, &machine);
        assert_int_equal(choice.threads, 2);
        assert_int_equal(choice.parts, panels == 3 ? 2 : 1);
    }
}

/* A small problem is worth two threads where the cell's arithmetic of its dtype takes long. */
static void the_choice_follows_what_the_cell_costs(void **state) {
    (void)state;
    static const char *const names[] = { "t10b2i4h16l1", "t10b2i4h16l1-f64" };
    for (int f64 = 0; f64 < 2; f64++) {
        wli_machine_model machine = wli_machine_model_guess(2);
        machine.all.region = 10e-6; /* more than the products take, whatever the vectors */
        machine.one.cell[WLSTM_F32] = machine.one.cell[WLSTM_F64] = 1e-9;
        assert_int_equal(choose(names[f64], &machine).threads, 1);
        machine.one.cell[!f64] = 10e-6; /* the other one's */
        assert_int_equal(choose(names[f64], &machine).threads, 1);
        machine.one.cell[f64] = 10e-6;
        assert_int_equal(choose(names[f64], &machine).threads, 2);
    }
}

/* Where oneDNN is named: its faster gemm, and threads as they gain; unnamed the native kernels stay, whatever it reaches. */
static void the_choice_follows_what_libraries_cost(void **state) {
    (void)state;
    if (!wli_multiply_matmul.serves(WLI_PRODUCT_F32)) skip();
    wli_model *model;
    const wli_model_spec spec = { .num_layers = 4, .input_size = 256, .hidden_size = 256 };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    wli_setting setting = {
        .model = model, .seq_len = 100, .batch = 16, .threads = 2, .backend = WLSTM_BACKEND_ONEDNN
    };
    for (int faster = WLI_GEMM_MATMUL; faster <= WLI_GEMM_INNER_PRODUCT; faster++) {
        wli_machine_model machine = wli_machine_model_guess(2);
        machine.one.libraries[faster].flops *= 10;
        const wli_candidate named = wli_choose(&setting, &machine);
        const wli_choice choice = wli_candidate_resolve(&setting, &named);
        assert_true(choice.project == faster && choice.step == faster && choice.threads == 2);
        setting.backend = WLSTM_BACKEND_AUTO;
        const wli_candidate unnamed = wli_choose(&setting, &machine);
        assert_int_equal(unnamed.index[WLI_AXIS_PROJECT] + unnamed.index[WLI_AXIS_STEP], 0);
        /* For who measures it is the more likely one. */
        const wli_choice native = wli_candidate_resolve(&setting, &unnamed);
        assert_true(wli_predict(&setting, &choice, &machine) < wli_predict(&setting, &native, &machine));
        machine.one.libraries[faster].call = 1;
        assert_true(wli_predict(&setting, &choice, &machine) > wli_predict(&setting, &native, &machine));
        setting.backend = WLSTM_BACKEND_ONEDNN;
    }
    /* One row of one layer has units to share alone, which an inner product cannot. */
    setting.batch = 1;
    wli_model_release(model);
    const wli_model_spec one_layer = { .num_layers = 1, .input_size = 512, .hidden_size = 512 };
    assert_int_equal(wli_model_create(&one_layer, &model), WLSTM_OK);
    setting.model = model;
    const wli_machine_model guess = wli_machine_model_guess(2);
    const wli_candidate shared = wli_choose(&setting, &guess);
    const wli_choice choice = wli_candidate_resolve(&setting, &shared);
    assert_true(choice.step == WLI_GEMM_MATMUL && wli_choice_shares(&choice) == 2);
    wli_model_release(model);
}

/* One thread's probed rates are not those of several. */
static void rates_of_fewer_threads_do_not_count(void **state) {
    (void)state;
    const wli_rates one = wli_rates_guess(1);
    wli_cache_keep_rates(&one, 1);
    assert_int_equal(wli_machine_model_get(1).all.threads, 1);
    assert_int_equal(wli_machine_model_get(2).all.threads, 2);
}

/* Two threads' meetings and one thread's cell, whatever the count. */
static void guessed_costs_are_the_same_for_any_threads(void **state) {
    (void)state;
    const wli_rates one = wli_rates_guess(1), many = wli_rates_guess(64);
    assert_true(one.region == many.region && one.barrier == many.barrier && one.task == many.task);
    assert_true(one.barrier > 0 && one.barrier < one.task && one.task < one.region);
    for (int d = 0; d < 2; d++) {
        const wlstm_dtype dtype = d ? WLSTM_F64 : WLSTM_F32;
        assert_true(wli_rates_cell(&one, dtype) > 0);
        assert_true(wli_rates_cell(&one, dtype) == wli_rates_cell(&many, dtype));
    }
}

/* Layers that each fit the half of the L3 that is ours and fill it together: a chunk's rows share what comes from memory. */
static void chunks_are_long_where_layers_compete(void **state) {
    (void)state;
    enum { H = 256, BYTES = 4 * H * 2 * H * 4, NARROW = 16, L2_BYTES = 256 << 10 };
    const double cache = 0.5 * (double)wli_fingerprint_get()->caches[2];
    const int64_t fill = (int64_t)ceil(cache / BYTES);
    const wli_cell_weights cell = { .input_size = H, .hidden_size = H, .state_size = H };
    wli_cell_weights *cells = calloc((size_t)fill, sizeof *cells);
    assert_non_null(cells);
    for (int64_t l = 0; l < fill; l++) cells[l] = cell;
    wli_model model = { .dtype = WLSTM_F32, .num_layers = fill, .num_directions = 1, .cells = cells };
    const wli_setting setting = { .model = &model };
    assert_int_equal(wli_choose_gate_rows(&setting, 1),
                     BYTES < cache ? (wli_wide_core() ? 384 : 128) : L2_BYTES / (4 * H * 4));
    assert_int_equal(wli_choose_gate_rows(&setting, 5000), 5000);
    for (int64_t l = 0; l < fill; l++) cells[l].hidden_size = cells[l].state_size = NARROW; /* no longer fill it */
    assert_int_equal(wli_choose_gate_rows(&setting, 1), L2_BYTES / (4 * NARROW * 4));
    free(cells);
}

static void bandwidth_lies_between_the_sizes(void **state) {
    (void)state;
    wli_rates rates = { .threads = 1 };
    for (int s = 0; s < WLI_RATE_SIZES; s++) rates.bandwidths[s] = 100.0 * (WLI_RATE_SIZES - s);
    assert_true(wli_rates_bandwidth(&rates, 0) == rates.bandwidths[0]);
    assert_true(wli_rates_bandwidth(&rates, 1e18) == rates.bandwidths[WLI_RATE_SIZES - 1]);
    const double between = wli_rates_bandwidth(&rates, 48 << 10);
    assert_true(between < rates.bandwidths[0] && between > rates.bandwidths[1]);
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(what_is_legal_can_run),
        cmocka_unit_test(what_is_out_of_range_is_not_legal),
        cmocka_unit_test(the_untuned_choice_is_legal),
        cmocka_unit_test(candidates_print_their_values),
        cmocka_unit_test(guessed_costs_are_the_same_for_any_threads),
        cmocka_unit_test(chunks_are_long_where_layers_compete),
        cmocka_unit_test(bandwidth_lies_between_the_sizes),
        cmocka_unit_test(chunks_are_no_longer_than_the_sequence),
        cmocka_unit_test(the_choice_follows_what_meeting_costs),
        cmocka_unit_test(the_choice_follows_what_libraries_cost),
        cmocka_unit_test(two_directions_are_no_wider_than_two),
        cmocka_unit_test(small_cells_take_half_vectors),
        cmocka_unit_test(panels_are_shared_whole),
        cmocka_unit_test(the_choice_follows_what_the_cell_costs),
        cmocka_unit_test(rates_of_fewer_threads_do_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
