/* The machine probe's kernels, probe.c compiled once per instruction set. */
#ifndef MACHINE_PROBE_H
#define MACHINE_PROBE_H

#include "base/number_types.h"
#include <stdint.h>

/* Ways to go through a working set again and again; which is the fastest depends on its size. */
typedef enum probe_read {
    PROBE_ONE_STREAM,          /* back and forth */
    PROBE_FOUR_STREAMS,        /* a quarter of the set each, back and forth */
    PROBE_FOUR_STREAMS_ONWARD, /* always in the same direction */
    PROBE_READS
} probe_read;

enum { PROBE_BLOCK = 512 };

typedef struct probe_kernels {
    const char *isa;
    /* `rounds` rounds of independent multiply-adds, so many operations each; the results depend on start. */
    double (*multiply_add[WLI_COMPUTING])(int64_t rounds, double start);
    double flops_a_round[WLI_COMPUTING];
    /* Reads all of [bytes], a multiple of PROBE_BLOCK aligned to it, `passes` times. */
    uint64_t (*read)(const void *from, size_t bytes, int passes, probe_read way);
} probe_kernels;

extern const probe_kernels probe_baseline;
#if defined(__x86_64__)
extern const probe_kernels probe_avx2, probe_avx512;
#endif

#endif
