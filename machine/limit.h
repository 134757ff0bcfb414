/* The least time this machine could take for a problem, from what the probe reached. */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include "machine.h"
#include "plan/problem.h"

double limit_forward_seconds(const wli_problem *problem, const machine_rates *rates);

/* One step of the first layer as an nn.LSTMCell. */
double limit_cell_seconds(const wli_problem *problem, const machine_rates *rates);

#endif
