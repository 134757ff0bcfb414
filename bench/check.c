/* The reference is slow scalar C, a hundredth of what is benchmarked, so large problems are checked in part. What makes
 * the parts speak for the whole:
 *
 *   rows   All rows of the batch are compared, but they are copies of a few patterns, so the reference computes only
 *          these: a row's result does not depend on its neighbours. The number of patterns is odd where it is smaller
 *          than the batch, so that rows mixed up within a kernel's block of 2, 4 or 8 meet another pattern.
 *   time   With one direction the whole problem is run as it will be timed, and two windows of time are compared: the
 *          first steps, and the last, which the reference starts from the state that a shorter run of the same plan
 *          ends with. With two directions every step depends on the whole sequence, so the plan runs a shorter one,
 *          of twice a window's length; so it does where there is no state to start from.
 *
 * Where the reference can do all steps of all patterns in time, the window is the whole. */
#include "check.h"

#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "reference/compare.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double window_flops = 0.25e9; /* about a fifth of a second of the reference */
enum { MOST_PATTERNS = 7, FEWEST_STEPS = 8, SHORTEST_WINDOW = 2 };

/* ------------------------------------------------------------------------------------------------------ arrays */

static size_t element_bytes(const wli_problem *problem) {
    return wli_dtype_size(problem->dtype);
}

static int64_t directions(const wli_problem *problem) {
    return problem->bidirectional ? 2 : 1;
}

static int64_t state_size(const wli_problem *problem) {
    return problem->proj_size ? problem->proj_size : problem->hidden_size;
}

/* [a, b, c] of the problem's dtype, every element NaN. */
static wlstm_status make_array(const wli_problem *problem, int64_t a, int64_t b, int64_t c, void **values) {
    size_t count, bytes = SIZE_MAX;
    *values = wli_size_product(a, b, c, &count) && !__builtin_mul_overflow(count, element_bytes(problem), &bytes)
                  ? wli_alloc(bytes)
                  : NULL;
    if (!*values) return wli_out_of_memory("the benchmark's arrays", bytes);
    memset(*values, 0xFF, bytes);
    return WLSTM_OK;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static double row_step_flops(const wli_problem *problem) {
    return wli_problem_flops(problem) / ((double)problem->seq_len * (double)problem->batch);
}

static int64_t count_patterns(const wli_problem *problem) {
    const double affordable =
        window_flops / (row_step_flops(problem) * (double)smaller(problem->seq_len, FEWEST_STEPS));
    int64_t patterns = smaller(problem->batch, MOST_PATTERNS);
    while (patterns > 1 && ((double)patterns > affordable || (patterns < problem->batch && patterns % 2 == 0)))
        patterns--;
    return patterns;
}

static int64_t count_steps(const wli_problem *problem, int64_t patterns) {
    const double flops = (problem->bidirectional ? 2 : 1) * window_flops;
    const double affordable = flops / (row_step_flops(problem) * (double)patterns);
    const int64_t steps = affordable < (double)problem->seq_len ? (int64_t)affordable : problem->seq_len;
    return steps > SHORTEST_WINDOW ? steps : smaller(SHORTEST_WINDOW, problem->seq_len);
}

/* values [outer, batch, width] from U(-1, 1), row b being a copy of row b % patterns. */
static void fill(wlstm_dtype dtype, void *values, int64_t outer, int64_t batch, int64_t width, int64_t patterns,
                 uint64_t seed) {
    for (int64_t o = 0; o < outer; o++)
        for (int64_t b = 0; b < batch; b++)
            for (int64_t k = 0; k < width; k++) {
                const int64_t to = (o * batch + b) * width + k;
                wli_put(dtype, values, (size_t)to,
                        wli_random_real(seed, (uint64_t)((o * patterns + b % patterns) * width + k)));
            }
}

static wlstm_status make_arrays(const wli_problem *problem, int64_t patterns, bool state, bench_arrays *arrays) {
    const int64_t T = problem->seq_len, B = problem->batch, D = directions(problem), R = state_size(problem);
    const int64_t blocks = D * problem->num_layers;
    *arrays = (bench_arrays){ .patterns = patterns };
    wlstm_status status = make_array(problem, T, B, problem->input_size, &arrays->x);
    if (status == WLSTM_OK) status = make_array(problem, T, B, D * R, &arrays->out);
    if (status == WLSTM_OK && state) status = make_array(problem, blocks, B, R, &arrays->h_n);
    if (status == WLSTM_OK && state) status = make_array(problem, blocks, B, problem->hidden_size, &arrays->c_n);
    return status;
}

wlstm_status bench_arrays_make(const wli_problem *problem, bool state, bench_arrays *arrays) {
    wlstm_status status = make_arrays(problem, count_patterns(problem), state, arrays);
    if (status == WLSTM_OK)
        fill(problem->dtype, arrays->x, problem->seq_len, problem->batch, problem->input_size, arrays->patterns, 1);
    return status;
}

void bench_arrays_free(bench_arrays *arrays) {
    wli_free(arrays->x);
    wli_free(arrays->out);
    wli_free(arrays->h_n);
    wli_free(arrays->c_n);
    *arrays = (bench_arrays){ 0 };
}

/* ------------------------------------------------------------------------------------------------------ compare */

/* actual [outer, batch, width] against expected [outer, patterns, width], all of it finite: NaN is what nobody wrote.
 * first_outer is what the message adds to the first index. */
static wlstm_status compare(const char *tensor, const wli_problem *problem, const void *actual, const void *expected,
                            int64_t outer, int64_t batch, int64_t width, int64_t patterns, int64_t first_outer) {
    const wlstm_dtype dtype = problem->dtype;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t b = 0; b < batch; b++)
            for (int64_t k = 0; k < width; k++) {
                const double got = wli_get(dtype, actual, (size_t)((o * batch + b) * width + k));
                const double wanted = wli_get(dtype, expected, (size_t)((o * patterns + b % patterns) * width + k));
                if (!isfinite(wanted) || !wli_close_enough(dtype, problem->precision, got, wanted))
                    return wli_fail(WLSTM_ERROR_BACKEND,
                                    "wrong result: %s[%" PRId64 ", %" PRId64 ", %" PRId64 "]: %.9g expected, got %.9g",
                                    tensor, o + first_outer, b, k, wanted, got);
            }
    return WLSTM_OK;
}

/* ------------------------------------------------------------------------------------------------------ windows */

/* A stretch of time as the reference computes it: batch is the number of patterns, seq_len the window's length. */
typedef struct window {
    wli_problem problem;
    int64_t first_step;
    bench_arrays arrays;
    void *h_0, *c_0; /* NULL: zeros */
} window;

static void window_free(window *part) {
    bench_arrays_free(&part->arrays);
    wli_free(part->h_0);
    wli_free(part->c_0);
}

/* to [outer, patterns, row_bytes] = the first rows of from [outer, batch, row_bytes]. */
static void gather(void *to, const void *from, int64_t outer, int64_t batch, int64_t patterns, size_t row_bytes) {
    for (int64_t o = 0; o < outer; o++)
        memcpy((char *)to + (size_t)(o * patterns) * row_bytes, (const char *)from + (size_t)(o * batch) * row_bytes,
               (size_t)patterns * row_bytes);
}

/* The steps [first_step, first_step + steps) of x. */
static wlstm_status window_make(const wli_problem *whole, const bench_arrays *arrays, int64_t first_step, int64_t steps,
                                window *part) {
    *part = (window){ .problem = *whole, .first_step = first_step };
    part->problem.seq_len = steps;
    part->problem.batch = arrays->patterns;
    wlstm_status status = make_arrays(&part->problem, arrays->patterns, arrays->h_n != NULL, &part->arrays);
    if (status != WLSTM_OK) return status;
    const size_t row_bytes = (size_t)whole->input_size * element_bytes(whole);
    gather(part->arrays.x, (const char *)arrays->x + (size_t)(first_step * whole->batch) * row_bytes, steps,
           whole->batch, arrays->patterns, row_bytes);
    return WLSTM_OK;
}

/* The state the window starts from, out of a whole batch's. */
static wlstm_status window_start_from(window *part, int64_t batch, const void *h, const void *c) {
    const wli_problem *p = &part->problem;
    const int64_t blocks = directions(p) * p->num_layers, R = state_size(p), H = p->hidden_size;
    wlstm_status status = make_array(p, blocks, p->batch, R, &part->h_0);
    if (status == WLSTM_OK) status = make_array(p, blocks, p->batch, H, &part->c_0);
    if (status != WLSTM_OK) return status;
    gather(part->h_0, h, blocks, batch, p->batch, (size_t)R * element_bytes(p));
    gather(part->c_0, c, blocks, batch, p->batch, (size_t)H * element_bytes(p));
    return WLSTM_OK;
}

static wlstm_status window_compute(wlstm_lstm *lstm, const window *part) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = part->problem.seq_len, options.max_batch = part->problem.batch;
    options.num_threads = 1;
    options.backend = WLSTM_BACKEND_REFERENCE;
    options.precision = part->problem.precision;
    wlstm_plan *reference;
    wlstm_status status = wlstm_plan_create(lstm, &options, &reference);
    if (status == WLSTM_OK)
        status = wlstm_plan_execute(reference, part->problem.seq_len, part->problem.batch, NULL, part->arrays.x,
                                    part->h_0, part->c_0, part->arrays.out, part->arrays.h_n, part->arrays.c_n);
    wlstm_plan_free(reference);
    return status;
}

/* out of the window's steps and, if the run ended with them, h_n and c_n. */
static wlstm_status window_compare(const window *part, const bench_arrays *arrays, int64_t batch, bool ends) {
    const wli_problem *p = &part->problem;
    const int64_t blocks = directions(p) * p->num_layers, width = directions(p) * state_size(p);
    const size_t skipped = (size_t)(part->first_step * batch * width) * element_bytes(p);
    wlstm_status status = compare("out", p, (const char *)arrays->out + skipped, part->arrays.out, p->seq_len, batch,
                                  width, p->batch, part->first_step);
    if (status == WLSTM_OK && ends)
        status = compare("h_n", p, arrays->h_n, part->arrays.h_n, blocks, batch, state_size(p), p->batch, 0);
    if (status == WLSTM_OK && ends)
        status = compare("c_n", p, arrays->c_n, part->arrays.c_n, blocks, batch, p->hidden_size, p->batch, 0);
    return status;
}

static wlstm_status execute(wlstm_plan *plan, const wli_problem *problem, int64_t steps, const bench_arrays *arrays) {
    return wlstm_plan_execute(plan, steps, problem->batch, NULL, arrays->x, NULL, NULL, arrays->out, arrays->h_n,
                              arrays->c_n);
}

wlstm_status check_forward(wlstm_lstm *lstm, wlstm_plan *plan, const wli_problem *problem, bench_arrays *arrays) {
    const int64_t T = problem->seq_len, steps = count_steps(problem, arrays->patterns);
    /* The second window starts from a state. */
    const bool whole = problem->bidirectional || !arrays->h_n, two_windows = steps < T && !whole;
    window head, tail = { 0 };
    wlstm_status status = window_make(problem, arrays, 0, steps, &head);
    if (status == WLSTM_OK) status = window_compute(lstm, &head);
    if (status == WLSTM_OK && two_windows) {
        status = window_make(problem, arrays, T - steps, steps, &tail);
        if (status == WLSTM_OK) status = execute(plan, problem, T - steps, arrays);
        if (status == WLSTM_OK) status = window_start_from(&tail, problem->batch, arrays->h_n, arrays->c_n);
        if (status == WLSTM_OK) status = window_compute(lstm, &tail);
    }
    if (status == WLSTM_OK) status = execute(plan, problem, whole ? steps : T, arrays);
    if (status == WLSTM_OK) status = window_compare(&head, arrays, problem->batch, !two_windows && arrays->h_n);
    if (status == WLSTM_OK && two_windows) status = window_compare(&tail, arrays, problem->batch, true);
    window_free(&head);
    window_free(&tail);
    return status;
}

/* ------------------------------------------------------------------------------------------------------ cell */

/* An lstm of one layer with the cell's parameters, for the reference. */
static wlstm_status copy_parameters(const wlstm_cell *cell, const wli_problem *problem, wlstm_lstm *lstm) {
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < wlstm_cell_num_parameters(cell) && status == WLSTM_OK; i++) {
        const char *name;
        char lstm_name[64];
        int ndim;
        int64_t shape[2];
        void *values = NULL;
        status = wlstm_cell_parameter_info(cell, i, &name, &ndim, shape);
        if (status == WLSTM_OK) status = make_array(problem, shape[0], shape[1], 1, &values);
        if (status == WLSTM_OK) status = wlstm_cell_get_parameter(cell, name, values, shape[0] * shape[1]);
        if (status == WLSTM_OK) {
            snprintf(lstm_name, sizeof lstm_name, "%s_l0", name);
            status = wlstm_lstm_set_parameter(lstm, lstm_name, values, shape[0] * shape[1]);
        }
        wli_free(values);
    }
    return status;
}

wlstm_status check_cell(wlstm_cell *cell, const wli_problem *problem, bench_arrays *arrays) {
    const int64_t B = problem->batch, H = problem->hidden_size;
    const wlstm_lstm_config config = wli_problem_config(problem);
    window step;
    wlstm_lstm *lstm = NULL;
    wlstm_status status = window_make(problem, arrays, 0, 1, &step);
    fill(problem->dtype, arrays->h_n, 1, B, H, arrays->patterns, 2);
    fill(problem->dtype, arrays->c_n, 1, B, H, arrays->patterns, 3);
    if (status == WLSTM_OK) status = window_start_from(&step, B, arrays->h_n, arrays->c_n);
    if (status == WLSTM_OK) status = wlstm_lstm_create(&config, &lstm);
    if (status == WLSTM_OK) status = copy_parameters(cell, problem, lstm);
    if (status == WLSTM_OK) status = window_compute(lstm, &step);
    if (status == WLSTM_OK)
        status = wlstm_cell_forward(cell, B, arrays->x, arrays->h_n, arrays->c_n, arrays->h_n, arrays->c_n);
    if (status == WLSTM_OK) status = compare("h", problem, arrays->h_n, step.arrays.h_n, 1, B, H, arrays->patterns, 0);
    if (status == WLSTM_OK) status = compare("c", problem, arrays->c_n, step.arrays.c_n, 1, B, H, arrays->patterns, 0);
    wlstm_lstm_free(lstm);
    window_free(&step);
    return status;
}

/* ------------------------------------------------------------------------------------------------------ streams */

wlstm_status check_streams(wlstm_lstm *lstm, wlstm_streams *streams, const int64_t *ids, const wli_problem *problem,
                           bench_arrays *arrays) {
    window step;
    wlstm_status status = window_make(problem, arrays, 0, 1, &step);
    if (status == WLSTM_OK) status = window_compute(lstm, &step);
    if (status == WLSTM_OK) status = wlstm_streams_step(streams, problem->batch, ids, arrays->x, arrays->out);
    if (status == WLSTM_OK) status = window_compare(&step, arrays, problem->batch, false);
    window_free(&step);
    return status;
}
