/* wlstm-bench --simulate-threads: plans for more threads than this machine has, with costs measured here. */
#ifndef BENCH_SIMULATE_H
#define BENCH_SIMULATE_H

#include "problems.h"

#include <stdio.h>

/* Of plans with the schedule, where the problem can have it. A line for each problem and thread count on `out`; for two threads, where the machine has them, the measured speed-up beside
 * the predicted one. The status of what failed, if anything did. */
wlstm_status simulate(const bench_problem *problems, int count, wlstm_schedule schedule, const int *threads,
                      int num_threads, FILE *out);

#endif
