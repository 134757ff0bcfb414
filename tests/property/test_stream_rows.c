/* A call whose states are rows of their own does what the same call does whose states are tensors, by every backend and
 * schedule; and so does one of some rows of larger x and out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "compare.h"
#include "plan/plan.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 60, MOST_ROWS = 9 };

static uint64_t stream;

/* states [cells, B, width] from or to row b's [cells, width], dense. */
static void move_row(const problem *p, void *states, int64_t width, int64_t b, char *row, bool out_of_row) {
    const size_t bytes = (size_t)width * dtype_size(p->config.dtype);
    for (int64_t l = 0; l < problem_blocks(p); l++) {
        char *in_tensor = (char *)states + (size_t)(l * p->batch + b) * bytes;
        memcpy(out_of_row ? in_tensor : row, out_of_row ? row : in_tensor, bytes);
        row += bytes;
    }
}

static void move_states(const problem *p, void *h, void *c, char *const *rows, bool out_of_rows) {
    const size_t h_bytes = (size_t)(problem_blocks(p) * problem_width(p)) * dtype_size(p->config.dtype);
    for (int64_t b = 0; b < p->batch; b++) {
        move_row(p, h, problem_width(p), b, rows[b], out_of_rows);
        move_row(p, c, p->config.hidden_size, b, rows[b] + h_bytes, out_of_rows);
    }
}

/* The rows [.., T, B, width] of p's x, out or the like, among those of a call of three rows more, of which one is
 * before. */
static char *wide(const problem *p, const void *narrow, int64_t width) {
    const size_t row = (size_t)width * dtype_size(p->config.dtype), T = (size_t)p->seq_len, B = (size_t)p->batch;
    char *memory = test_allocate(p->config.dtype, p->seq_len * (p->batch + 3) * width);
    for (size_t t = 0; t < T && narrow; t++)
        for (size_t b = 0; b < B; b++)
            memcpy(memory + (p->config.batch_first ? (b + 1) * T + t : t * (B + 3) + b + 1) * row,
                   (const char *)narrow + (p->config.batch_first ? b * T + t : t * B + b) * row, row);
    return memory;
}

static void pick(const problem *p, const char *memory, int64_t width, void *narrow) {
    const size_t row = (size_t)width * dtype_size(p->config.dtype), T = (size_t)p->seq_len, B = (size_t)p->batch;
    for (size_t t = 0; t < T; t++)
        for (size_t b = 0; b < B; b++)
            memcpy((char *)narrow + (p->config.batch_first ? b * T + t : t * B + b) * row,
                   memory + (p->config.batch_first ? (b + 1) * T + t : t * (B + 3) + b + 1) * row, row);
}

static outcome run_rows(const problem *p, wlstm_plan *plan) {
    const size_t element = dtype_size(p->config.dtype), one = p->config.batch_first ? (size_t)p->seq_len : 1;
    outcome o = outcome_create(p);
    char *rows[MOST_ROWS], *x = wide(p, p->x, p->config.input_size), *out = wide(p, NULL, problem_out_width(p));
    const int64_t count = (problem_h_count(p) + problem_c_count(p)) / p->batch;
    for (int64_t b = 0; b < p->batch; b++) rows[b] = test_allocate(p->config.dtype, count);
    move_states(p, p->h_0, p->c_0, rows, false);
    const wli_call call = { .seq_len = p->seq_len,
                            .batch = p->batch,
                            .lengths = p->lengths,
                            .x = x + one * (size_t)p->config.input_size * element,
                            .out = out + one * (size_t)problem_out_width(p) * element,
                            .streams = rows,
                            .pitch = p->batch + 3 };
    assert_int_equal(wli_plan_run(plan, &call), WLSTM_OK);
    pick(p, out, problem_out_width(p), o.out);
    move_states(p, o.h_n, o.c_n, rows, true);
    for (int64_t b = 0; b < p->batch; b++) test_release(rows[b]);
    test_release(x), test_release(out);
    return o;
}

static void rows_are_tensors(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        problem p = problem_draw(&stream);
        p.with_states = true;
        if (random_flag(&stream)) p.seq_len = 1;
        problem_build(&p, &stream);
        for (int backend = WLSTM_BACKEND_REFERENCE; backend <= WLSTM_BACKEND_NATIVE; backend++) {
            wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
            wlstm_plan *plan;
            outcome expected;
            options.max_seq_len = p.seq_len, options.max_batch = p.batch, options.backend = (wlstm_backend)backend;
            options.num_threads = (int)random_between(&stream, 1, 3);
            options.schedule = (wlstm_schedule)random_between(&stream, WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_GANGS);
            const wlstm_status status = wlstm_plan_create(p.lstm, &options, &plan);
            if (status == WLSTM_ERROR_UNSUPPORTED) continue;
            assert_int_equal(status, WLSTM_OK);
            assert_int_equal(problem_execute(&p, plan, &expected), WLSTM_OK);
            outcome o = run_rows(&p, plan);
            assert_true(outcomes_agree(&p, wlstm_plan_describe(plan), &o, &expected, true));
            outcome_free(&o);
            outcome_free(&expected);
            wlstm_plan_free(plan);
        }
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_are_tensors) };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
