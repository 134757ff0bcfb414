/* The least time this machine could take for a problem, from what the probe reached. */
#ifndef MACHINE_LIMIT_H
#define MACHINE_LIMIT_H

#include "plan/problem.h"
#include "plan/rates.h"

double limit_forward_seconds(const wli_problem *problem, const wli_rates *rates);

/* One step of the first layer as an nn.LSTMCell. */
double limit_cell_seconds(const wli_problem *problem, const wli_rates *rates);

#endif
