/* A plan's graph of items run on virtual threads: the same graph and the same order as the library's, with costs instead of
 * work. */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

#include "schedule/schedules.h"

/* In seconds. */
typedef struct replay_costs {
    /* [chains of the graph] one step of an item by one thread of its gang, its share of the projection included. */
    const double *step;
    double barrier; /* one meeting of a gang, of which there are `meetings` a step */
    int meetings;
    double wait;         /* a gang that waits for another sees that it is done */
    double task, region; /* a task of the wavefront; a parallel region */
} replay_costs;

typedef struct replay_plan {
    wli_graph graph;
    wli_schedule schedule;
    wli_grid grid; /* but WAVEFRONT */
    int64_t threads;
} replay_plan;

typedef struct replay_times {
    double all;           /* from the first item to the last */
    double critical_path; /* the longest chain of items that wait for each other: what unlimited threads would take */
    double work;          /* of all threads together, in items and meetings */
} replay_times;

/* false when there is no memory. */
bool replay_run(const replay_plan *plan, const replay_costs *costs, replay_times *times);

#endif
