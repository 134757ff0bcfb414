/* wlstm-bench's virtual threads, with made-up costs: small graphs whose times are known, and the library's choice for many
 * threads, which must be no slower than its choice for fewer, on a machine whose rates are not those that the choice believes
 * in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "plan/choice.h"
#include "plan/predict.h"
#include "plan/problem.h"
#include "replay.h"

static const int64_t full_length[64] = { 12, 12, 12, 12 };

static replay_times replay(wli_graph graph, wli_schedule schedule, wli_grid grid, int64_t threads,
                           const replay_costs *costs) {
    const replay_plan plan = { graph, schedule, grid, threads };
    replay_times times;
    assert_true(replay_run(&plan, costs, &times));
    return times;
}

static void small_graphs_take_what_they_must(void **state) {
    (void)state;
    const double steps[] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    replay_costs costs = { .step = steps, .meetings = 1 };
    wli_graph stack = { .layers = 4, .parts = 1, .chunk_steps = 3, .directions = 1, .lengths = full_length };
    const wli_grid one = { 1, 1, 1, 1 }, two_layers = { 2, 1, 1, 1 }, four_layers = { 4, 1, 1, 1 };
    /* 4 layers x 12 steps; a gang of layers starts 3 steps after the one below. */
    assert_float_equal(replay(stack, WLI_SERIAL, one, 1, &costs).all, 48, 1e-9);
    assert_float_equal(replay(stack, WLI_GANG, four_layers, 4, &costs).all, 12 + 3 * 3, 1e-9);
    /* Of two gangs the second waits for its first input and its last one, and once until a buffer between layers is free. */
    assert_float_equal(replay(stack, WLI_GANG, two_layers, 2, &costs).all, 24 + 2 * 3, 1e-9);
    assert_float_equal(replay(stack, WLI_WAVEFRONT, one, 4, &costs).all, 12 + 3 * 3, 1e-9);
    assert_float_equal(replay(stack, WLI_GANG, two_layers, 2, &costs).critical_path, 12 + 3 * 3, 1e-9);
    assert_float_equal(replay(stack, WLI_GANG, two_layers, 2, &costs).work, 48, 1e-9);
    /* Meetings are of gangs of several, once a step; a task costs each of the 16 items of one thread. */
    costs.barrier = 0.5;
    assert_float_equal(replay(stack, WLI_GANG, (wli_grid){ 1, 1, 1, 2 }, 2, &costs).all, 48 * 1.5, 1e-9);
    assert_float_equal(replay(stack, WLI_GANG, one, 1, &costs).all, 48, 1e-9);
    costs.task = 0.25;
    assert_float_equal(replay(stack, WLI_WAVEFRONT, one, 1, &costs).all, 48 + 16 * 0.25, 1e-9);
    /* Both directions of a layer side by side, then those of the next. */
    const wli_graph both = { .layers = 2, .parts = 1, .chunk_steps = 3, .directions = 2, .lengths = full_length };
    assert_float_equal(replay(both, WLI_GANG, (wli_grid){ 1, 2, 1, 1 }, 2, &costs).all, 24, 1e-9);
    /* Parts never meet. */
    const wli_graph parts = { .layers = 1, .parts = 4, .chunk_steps = 12, .directions = 1, .lengths = full_length };
    assert_float_equal(replay(parts, WLI_GANG, (wli_grid){ 1, 1, 4, 1 }, 4, &costs).all, 12, 1e-9);
    assert_float_equal(replay(parts, WLI_GANG, (wli_grid){ 1, 1, 2, 1 }, 2, &costs).all, 24, 1e-9);
}

/* Seconds on a slower machine than the choice's: 30 GFLOP/s a core, no slice of weights ever read for free. */
static double replayed_seconds(const wli_model *model, const wli_problem *problem, int threads) {
    const wli_setting setting = {
        .model = model, .seq_len = problem->seq_len, .batch = problem->batch, .threads = threads
    };
    const wli_machine_model guess = wli_machine_model_guess(threads);
    const wli_candidate candidate = wli_choose(&setting, &guess);
    const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
    const int64_t layers = choice.gang_layers, directions = choice.gang_directions;
    wli_grid grid = { 1, 1, 1, 1 };
    if (choice.schedule == WLI_GANG)
        grid = (wli_grid){ layers, directions, choice.parts, choice.threads / (layers * directions * choice.parts) };
    const int64_t part_rows = (problem->batch + choice.parts - 1) / choice.parts, fit = choice.gate_rows / part_rows;
    int64_t *lengths = malloc((size_t)problem->batch * sizeof *lengths);
    const int64_t cells = model->num_layers * model->num_directions;
    double *steps = malloc((size_t)(cells * choice.parts) * sizeof *steps);
    assert_non_null(lengths);
    assert_non_null(steps);
    for (int64_t r = 0; r < problem->batch; r++) lengths[r] = problem->seq_len;
    for (int64_t chain = 0; chain < cells * choice.parts; chain++) {
        const wli_cell_weights *cell = &model->cells[chain / choice.parts];
        const double weights = 4 * (double)cell->hidden_size / (double)grid.shares;
        const double flops = 2 * weights * (double)(cell->input_size + cell->state_size) * (double)part_rows;
        steps[chain] = flops / 30e9 + weights * (double)cell->state_size * 4 / 40e9;
    }
    const wli_graph graph = { .layers = model->num_layers,
                              .parts = choice.parts,
                              .chunk_steps = fit < choice.chunk_steps ? fit : choice.chunk_steps,
                              .directions = model->num_directions,
                              .lengths = lengths };
    const replay_costs costs = { .step = steps,
                                 .barrier = wli_gang_barrier_seconds(0.4e-6, grid.shares),
                                 .meetings = 1,
                                 .wait = 0.2e-6,
                                 .task = 2e-6,
                                 .region = 3e-6 };
    const double seconds = replay(graph, (wli_schedule)choice.schedule, grid, choice.threads, &costs).all;
    free(lengths);
    free(steps);
    assert_true(choice.threads <= threads);
    return seconds;
}

static wli_model *model_of(const char *name, wli_problem *problem) {
    wli_model *model;
    assert_int_equal(wli_problem_parse(name, problem), WLSTM_OK);
    const wli_model_spec spec = { .dtype = problem->dtype,
                                  .num_layers = problem->num_layers,
                                  .input_size = problem->input_size,
                                  .hidden_size = problem->hidden_size,
                                  .bidirectional = problem->bidirectional };
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    return model;
}

static void more_threads_are_not_slower(void **state) {
    (void)state;
    static const char *const names[] = { "t100b1i256h256l4",   "t100b8i512h512l6",   "t100b16i256h256l8",
                                         "t25b64i1024h1024l1", "t200b1i80h320l2-bi", "t150b1i256h256l1",
                                         "t10b3i100h20l4" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wli_problem problem;
        wli_model *model = model_of(names[i], &problem);
        const double one = replayed_seconds(model, &problem, 1);
        double fewer = one;
        for (int threads = 2; threads <= 128; threads *= 2) {
            const double seconds = replayed_seconds(model, &problem, threads);
            if (seconds > one) fail_msg("%s: %d threads take %g s, one takes %g s", names[i], threads, seconds, one);
            if (threads == 64 && i < 4 && seconds > fewer)
                fail_msg("%s: 64 threads take %g s, 32 take %g s", names[i], seconds, fewer);
            fewer = seconds;
        }
        if (i < 4) assert_true(one / fewer > 6);
        wli_model_release(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(small_graphs_take_what_they_must),
                                        cmocka_unit_test(more_threads_are_not_slower) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
