/* wlstm-bench --simulate-ranks: rows and layers over more ranks than this machine has, with costs measured here. */
#ifndef BENCH_SIMULATE_RANKS_H
#define BENCH_SIMULATE_RANKS_H

#include "problems.h"

#include <stdio.h>

typedef struct bench_cluster {
    int threads;               /* of a rank */
    int per_machine;           /* ranks that share a machine's caches and memory */
    double latency, bandwidth; /* seconds a message, bytes a second of each rank's link */
} bench_cluster;

/* A line for each problem and number of ranks on `out`. The status of what failed, if anything did. */
wlstm_status simulate_ranks(const bench_problem *problems, int count, const int64_t *ranks, int num_ranks,
                            const bench_cluster *cluster, FILE *out);

#endif
