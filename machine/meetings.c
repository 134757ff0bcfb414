#include "meetings.h"

#include "plan/rates.h"
#include "schedule/barrier.h"
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

/* Where others keep the cores busy a meeting may take a time slice: short rounds, of which some fall between those, and no more
 * of them than there is time for. What always waited for a core says nothing of meetings. */
enum { ROUNDS = 500, MEETINGS = 20 };
static const double longest_seconds = 0.03; /* of each kind */
static const double no_meeting = 25;        /* times the guess */
enum { ONE_OF = 10 };                       /* rounds is quicker than what is taken for the time of all */

static double regions(void) {
    volatile int sink = 0;
    const double start = omp_get_wtime();
    for (int i = 0; i < MEETINGS; i++) {
#pragma omp parallel num_threads(2)
        if (omp_get_thread_num() == 0) sink = i;
    }
    (void)sink;
    return (omp_get_wtime() - start) / MEETINGS;
}

/* Of the first thread, whose second meeting it is when the clock starts. */
static double barriers(void) {
    wli_barrier barrier = { 0 };
    double seconds = 0;
#pragma omp parallel num_threads(2)
    {
        const int team = omp_get_num_threads();
        wli_barrier_wait(&barrier, team);
        const double start = omp_get_wtime();
        for (int i = 0; i < MEETINGS; i++) wli_barrier_wait(&barrier, team);
        if (omp_get_thread_num() == 0) seconds = (omp_get_wtime() - start) / MEETINGS;
    }
    return seconds;
}

/* Two threads wait for each other in turn. */
static double waits(void) {
    static wli_counter counters[2];
    double seconds = 0;
    atomic_store(&counters[0].value, 0);
    atomic_store(&counters[1].value, 0);
#pragma omp parallel num_threads(2)
    {
        const int me = omp_get_thread_num(), team = omp_get_num_threads();
        const double start = omp_get_wtime();
        for (int i = 1; i <= MEETINGS && team == 2; i++) {
            if (me == 1) wli_counter_wait(&counters[0], i);
            atomic_store_explicit(&counters[me].value, i, memory_order_release);
            if (me == 0) wli_counter_wait(&counters[1], i);
        }
        if (me == 0) seconds = (omp_get_wtime() - start) / (2 * MEETINGS);
    }
    return seconds;
}

/* The shape of a wavefront of four layers. */
static double tasks(void) {
    enum { LAYERS = 4, CHUNKS = MEETINGS / LAYERS };
    static char tokens[LAYERS][CHUNKS];
    (void)tokens; /* some compilers do not count a use in a depend clause */
    const double start = omp_get_wtime();
#pragma omp parallel num_threads(2)
#pragma omp single
    for (int chunk = 0; chunk < CHUNKS; chunk++)
        for (int l = 0; l < LAYERS; l++) {
            const int below = l > 0 ? l - 1 : l, before = chunk > 0 ? chunk - 1 : chunk;
            const int above = l + 1 < LAYERS ? l + 1 : l, then = chunk > 1 ? chunk - 2 : chunk;
            (void)below, (void)before, (void)above, (void)then;
#pragma omp task depend(in                                                                                             \
                        : tokens[l][before], tokens[below][chunk], tokens[above][then]) depend(inout                   \
                                                                                               : tokens[l][chunk])
            (void)0;
        }
    return (omp_get_wtime() - start) / MEETINGS;
}

/* Whether OpenMP gives two threads a core each: the process may be bound to one, or limited to one thread. */
static bool two_meet(void) {
    int team = 1;
#pragma omp parallel num_threads(2)
    if (omp_get_thread_num() == 0) team = omp_get_num_threads();
    return team == 2 && omp_get_num_procs() > 1;
}

static int ascending(const void *a, const void *b) {
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

double meetings_quick_round(double *seconds, int rounds, double guess) {
    qsort(seconds, (size_t)rounds, sizeof *seconds, ascending);
    int still = 0;
    while (still < rounds && seconds[still] <= 0) still++;
    if (still == rounds) return guess;
    const double quick = seconds[still + (rounds - still) / ONE_OF];
    return quick < no_meeting * guess ? quick : guess;
}

static double quick_of(double (*round)(void), double guess) {
    double seconds[ROUNDS];
    const double until = omp_get_wtime() + longest_seconds;
    int n = 0;
    do seconds[n++] = round();
    while (n < ROUNDS && omp_get_wtime() < until);
    return meetings_quick_round(seconds, n, guess);
}

meeting_costs meetings_measure(void) {
    const wli_rates guess = wli_rates_guess(2);
    if (!two_meet()) return (meeting_costs){ guess.region, guess.barrier, guess.barrier, guess.task };
    return (meeting_costs){ .region = quick_of(regions, guess.region),
                            .barrier = quick_of(barriers, guess.barrier),
                            .wait = quick_of(waits, guess.barrier),
                            .task = quick_of(tasks, guess.task) };
}

void meetings_print(const meeting_costs *costs, FILE *out) {
    fprintf(out,
            "Two threads, nanoseconds: parallel region %.0f, barrier of a gang %.0f, wait for another gang %.0f, "
            "task of a wavefront %.0f\n",
            1e9 * costs->region, 1e9 * costs->barrier, 1e9 * costs->wait, 1e9 * costs->task);
}
