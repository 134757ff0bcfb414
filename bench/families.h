/* What is timed: six families of benchmarks, each over problems and thread counts. */
#ifndef BENCH_FAMILIES_H
#define BENCH_FAMILIES_H

#include "check.h"
#include "machine.h"
#include "problems.h"

#include <stdbool.h>

typedef enum bench_family {
    FAMILY_FORWARD, /* one forward call by a plan */
    FAMILY_CELL,    /* one streaming step of the first layer as an nn.LSTMCell */
    FAMILY_CREATE,  /* a new lstm's first plan, weights packed, and freed again */
    FAMILY_LOAD,    /* a safetensors file to a ready plan, and freed again */
    FAMILY_STREAMS, /* one step of as many streams as the batch has rows */
    FAMILY_TRAIN,   /* one forward and backward pass of a trainer, and the use of new parameters */
    FAMILIES
} bench_family;

extern const char *const family_names[FAMILIES + 1]; /* NULL behind them */

/* The thread counts, ascending, and the machine's limits there, probed when first asked for. */
typedef struct bench_threads {
    const int *counts;
    int count;
    machine *probed;
} bench_threads;

/* How the plan is to run; UNNAMED: as the plan chooses. */
enum { UNNAMED = -1 };
typedef struct bench_way {
    int backend, schedule; /* a wlstm_backend, a wlstm_schedule */
} bench_way;

extern const char *const backend_names[], *const schedule_names[]; /* NULL behind them */

typedef struct bench_case bench_case;

/* One benchmark, registered as FAMILY/PROBLEM/backend:B/schedule:S/threads:N, without what is unnamed; the problem stays where it
 * is. NULL when there is no memory. */
bench_case *bench_case_make(bench_family family, const bench_problem *problem, bench_way way, int threads,
                            bench_threads *shared);

/* Whether it was wrong or could not be run. */
bool bench_case_failed(const bench_case *benchmark);
void bench_case_free(bench_case *benchmark);

#endif
