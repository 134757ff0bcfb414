/* One benchmark from the inside: what its family prepares, and then calls and counts. */
#ifndef BENCH_CASE_H
#define BENCH_CASE_H

#include "families.h"
#include "shim.h"

struct bench_case {
    bench_family family;
    const bench_problem *given;
    wli_problem problem; /* of the cell or of one step, in those families */
    bench_way way;
    int threads;
    bench_threads *shared;
    char name[WLI_PROBLEM_NAME_BYTES + 80];
    bool checked, failed;
    char error[512];
    /* there while it is the prepared one */
    wlstm_lstm *lstm; /* create: the next call's, without a plan */
    wlstm_plan *plan;
    wlstm_cell *cell;
    wlstm_trainer *trainer;
    wlstm_streams *streams;
    int64_t *ids; /* [B] of the streams, in random order */
    const char *path;
    bench_arrays arrays;
    bench_arrays loss; /* train: out and x are the gradients by them */
    void *bias;        /* and a parameter that each call sets anew */
    const char *bias_name;
    int64_t bias_count;
};

/* Keeps the last error, and prints it; false. */
bool case_fail(bench_case *benchmark);

wlstm_status case_lstm(bench_case *benchmark);
wlstm_status case_plan(const bench_case *benchmark, wlstm_lstm *lstm, wlstm_plan **plan);

/* Has what the family's call needs in memory, that of one benchmark at a time; at first its results are checked. */
bool case_prepare(void *context);

/* Of a benchmark that ends: what is in memory. */
void case_release(const bench_case *benchmark);

/* The timed call of each family, and its counters. */
bool call_forward(void *context);
bool call_cell(void *context);
bool before_create(void *context);
bool call_create(void *context);
bool call_load(void *context);
bool call_streams(void *context);
bool call_train(void *context);
size_t count_calls(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]);
size_t count_passes(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]);
size_t count_parameters(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]);

#endif
