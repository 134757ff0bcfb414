/* No number without a right result: what is timed is first compared with the reference backend. */
#ifndef BENCH_CHECK_H
#define BENCH_CHECK_H

#include "plan/problem.h"

/* What a forward call reads and writes; a cell's step does with T = 1, h_n and c_n being its h and c. Rows of a batch
 * are copies of the first `patterns` ones, in turn. */
typedef struct bench_arrays {
    int64_t patterns;
    void *x;   /* [T, B, I] */
    void *out; /* [T, B, D*R] */
    void *h_n; /* [D*L, B, R], or NULL */
    void *c_n; /* [D*L, B, H], or NULL */
} bench_arrays;

/* With h_n and c_n where `state` says so: those of layers of unlike sizes have no such shape, and out alone is compared. */
wlstm_status bench_arrays_make(const wli_problem *problem, bool state, bench_arrays *arrays);
void bench_arrays_free(bench_arrays *arrays);

/* OK if the plan, made for the whole problem, gives what the reference gives for the lstm; the last error names the first
 * element that differs. */
wlstm_status check_forward(wlstm_lstm *lstm, wlstm_plan *plan, const wli_problem *problem, bench_arrays *arrays);

/* The same for a step of the cell, in place in h_n and c_n. The problem is the cell's: one step, layer and direction. */
wlstm_status check_cell(wlstm_cell *cell, const wli_problem *problem, bench_arrays *arrays);

/* The same for a step of all the streams, from where they begin; x and out are theirs in the order of ids. */
wlstm_status check_streams(wlstm_lstm *lstm, wlstm_streams *streams, const int64_t *ids, const wli_problem *problem,
                           bench_arrays *arrays);

#endif
