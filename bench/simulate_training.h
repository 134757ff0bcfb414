/* wlstm-bench --family train --simulate-threads: a trainer's passes by more threads than this machine has. */
#ifndef BENCH_SIMULATE_TRAINING_H
#define BENCH_SIMULATE_TRAINING_H

#include "problems.h"

#include <stdio.h>

/* As simulate.h's. */
wlstm_status simulate_training(const bench_problem *problems, int count, wlstm_schedule schedule, const int *threads,
                               int num_threads, FILE *out);

#endif
