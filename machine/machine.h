/* This machine's limits, FMA peak and read bandwidth by working-set size, and what synchronizing threads, the cell's arithmetic and
 * other libraries' gemms cost; measured in the process that uses them. */
#ifndef MACHINE_H
#define MACHINE_H

#include "meetings.h"
#include "plan/rates.h"

#include <stdio.h>

typedef struct machine machine;

/* Probes at each of the thread counts, which ascend; under a second in all for one or two counts. NULL when there is no
 * memory. */
machine *machine_probe(const int *threads, int count);
void machine_free(machine *probed);

/* The rates at one of the thread counts probed. */
const wli_rates *machine_at(const machine *probed, int threads);

/* What synchronizing two threads costs: in the rates of more than one thread, but for a gang's wait. */
const meeting_costs *machine_meetings(const machine *probed);

/* How many times the least time equal runs of multiply-adds on so many threads take on average: what disturbs them. */
double machine_stretch(int threads);

/* All of it, and the instruction sets: of the highest FMA peak, and of the library's kernels. */
void machine_print(const machine *probed, FILE *out);

#endif
