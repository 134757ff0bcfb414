/* This machine's limits: FMA peak and read bandwidth by working-set size, measured in the process that uses them. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include "wavelstm.h"

#include <stddef.h>
#include <stdio.h>

/* Working sets of 32 KiB to 256 MiB, doubling. */
enum { MACHINE_SIZES = 14, MACHINE_SMALLEST = 32 << 10 };

typedef struct machine_rates {
    int threads;
    double flops_f32, flops_f64; /* a second, all threads together */
    double
        bandwidths[MACHINE_SIZES]; /* bytes a second, all together, each reading its share of the set again and again */
} machine_rates;

typedef struct machine machine;

/* Probes at each of the thread counts, which ascend; under a second in all for one or two counts. NULL when there is no memory. */
machine *machine_probe(const int *threads, int count);
void machine_free(machine *probed);

/* The rates at one of the thread counts probed. */
const machine_rates *machine_at(const machine *probed, int threads);

double machine_flops(const machine_rates *rates, wlstm_dtype dtype);

/* Between the sizes probed by interpolation over log(bytes), outside them the nearest one's. */
double machine_bandwidth(const machine_rates *rates, double bytes);

void machine_print(const machine *probed, FILE *out);

#endif
