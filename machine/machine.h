/* This machine's limits: FMA peak and read bandwidth by working-set size, measured in the process that uses them. */
#ifndef MACHINE_H
#define MACHINE_H

#include "plan/rates.h"

#include <stdio.h>

typedef struct machine machine;

/* Probes at each of the thread counts, which ascend; under a second in all for one or two counts. NULL when there is no
 * memory. */
machine *machine_probe(const int *threads, int count);
void machine_free(machine *probed);

/* The rates at one of the thread counts probed. */
const wli_rates *machine_at(const machine *probed, int threads);

void machine_print(const machine *probed, FILE *out);

#endif
