/* A problem: an nn.LSTM and what it is to be run on. An outcome: what came of running it. Used by all property tests.
 * In this file R, D, L are as in wavelstm.h. A test program has nothing to do without memory, so helpers abort there. */
#ifndef TEST_SUPPORT_PROBLEM_H
#define TEST_SUPPORT_PROBLEM_H

#include <stdbool.h>
#include <stdint.h>
#include <wavelstm.h>

typedef struct problem {
    wlstm_lstm_config config;
    int64_t seq_len, batch;
    bool with_states, with_lengths;
    wlstm_lstm *lstm;
    bool owns_lstm;
    void *x;          /* [T, B, I], or [B, T, I] if batch_first */
    void *h_0, *c_0;  /* [D*L, B, R], [D*L, B, H]; NULL without states */
    int64_t *lengths; /* [B], NULL without lengths */
    char name[128];
} problem;

typedef struct outcome {
    void *out, *h_n, *c_n; /* [T, B, D*R] (or batch_first), [D*L, B, R], [D*L, B, H] */
} outcome;

/* Backends as tests count them: the public ones, and both gemms by oneDNN's matmul, which only tuning chooses. */
enum { TEST_MATMUL = WLSTM_BACKEND_NATIVE + 1, TEST_BACKENDS };

/* wlstm_plan_create, for any of them. */
wlstm_status test_plan_create(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan **plan);

/* Memory between pages that nobody may touch (pages.h), as that of all tensors of problems and outcomes is; 0 elements
 * give a pointer too. */
void *test_allocate(wlstm_dtype dtype, int64_t count);
void test_release(void *values);

/* Options at random, nothing built yet: the test may fix some of them first. Sizes up to 40, 3 layers, 12 steps. */
problem problem_draw(uint64_t *stream);

/* The lstm with random parameters, x, and, if asked for, h_0 and c_0 and lengths. */
void problem_build(problem *p, uint64_t *stream);
void problem_free(problem *p);

int64_t problem_width(const problem *p);     /* R */
int64_t problem_out_width(const problem *p); /* D*R */
int64_t problem_blocks(const problem *p);    /* D*L */
int64_t problem_x_count(const problem *p);
int64_t problem_out_count(const problem *p);
int64_t problem_h_count(const problem *p);
int64_t problem_c_count(const problem *p);

/* Row `row` of the batch as a problem of its own, batch 1, its first `seq_len` steps; the lstm is the whole's. */
problem problem_row(const problem *whole, int64_t row, int64_t seq_len);

outcome outcome_create(const problem *p);
void outcome_free(outcome *o);

/* Row `row` of an outcome of `whole`, its first `seq_len` steps. */
outcome outcome_row(const problem *whole, const outcome *o, int64_t row, int64_t seq_len);

/* wlstm_forward, or wlstm_plan_execute, into fresh outcome memory filled with a wrong value first. */
wlstm_status problem_forward(const problem *p, outcome *o);
wlstm_status problem_execute(const problem *p, wlstm_plan *plan, outcome *o);

/* A plan just large enough, by one backend. */
wlstm_status problem_plan(const problem *p, wlstm_backend backend, int num_threads, wlstm_plan **plan);

/* plan, execute, free. */
wlstm_status problem_run(const problem *p, wlstm_backend backend, outcome *o);

/* out, h_n and c_n of a are close to (or, if bitwise, identical with) those of b, a problem's of this shape. */
bool outcomes_agree(const problem *p, const char *what, const outcome *a, const outcome *b, bool bitwise);

const char *backend_name(wlstm_backend backend);

#endif
