/* What a rank has to compute, timed here: a part of a problem, whole or in chunks of time as a stage has it, by as many
 * ranks at once as share a machine's caches and memory. */
#ifndef BENCH_RANK_COSTS_H
#define BENCH_RANK_COSTS_H

#include "problems.h"

typedef struct bench_part {
    const bench_problem *of;
    int64_t first, last; /* layers first to last - 1 */
    int64_t batch;
    int64_t chunk; /* steps of a call of several, which carry h and c on; the problem's steps: one call */
    int threads;   /* of a rank */
    int ranks;     /* at once */
} bench_part;

int64_t bench_hidden(const bench_problem *of, int64_t layer);

/* The width of what a layer reads, or of what the last one gives where it is behind that. */
int64_t bench_layer_input(const bench_problem *of, int64_t layer);

/* The least seconds that the slowest of the ranks took for all steps. */
wlstm_status bench_part_time(const bench_part *part, double *seconds);

#endif
