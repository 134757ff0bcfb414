/* What the cell's arithmetic costs, as the library's own kernel does it. */
#ifndef MACHINE_CELL_COST_H
#define MACHINE_CELL_COST_H

#include "wavelstm.h"

/* Seconds of one thread for one vector of units: four gates, c and h, on data in the L1. The least of several rounds. */
double cell_cost_measure(wlstm_dtype dtype);

#endif
