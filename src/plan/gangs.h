/* Which gangs to share the work among: layers x directions x parts of the batch x units, all ways weighed against each other by
 * the time that one step takes. */
#ifndef WLI_GANGS_H
#define WLI_GANGS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct wli_gangs {
    int64_t layers, directions, parts, units; /* gangs, and the threads of each */
    int64_t chunk_steps;
    double seconds;
} wli_gangs;

typedef struct wli_gangs_problem {
    int64_t seq_len, batch, layers;
    int directions, threads;
    int64_t most_units; /* that one cell can be shared among */
    bool projects;
    double barrier_seconds, region_seconds; /* the barrier's for two threads */
    /* Seconds of a step of all layers and directions with `rows` rows, projected `steps` steps at once, on one thread, which owns
     * 1/units of the units; `threads` are at work, parts of them on the same weights. */
    double (*stack_seconds)(const void *context, int64_t rows, int64_t steps, int64_t units, int64_t parts,
                            int64_t threads);
    const void *context;
} wli_gangs_problem;

/* What a barrier costs among so many threads: all of them take one cache line in turn. */
double wli_gang_barrier_seconds(double of_two, int64_t units);

/* The fastest of all ways that take no more than the problem's threads, and the fewest threads of equals. */
wli_gangs wli_best_gangs(const wli_gangs_problem *problem);

#endif
