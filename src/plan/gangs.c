#include "plan/gangs.h"

static int64_t ceil_divide(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* One more of `count` things to share is no gain where the largest share stays as large. */
static bool is_gain(int64_t things, int64_t count) {
    return count == 1 || ceil_divide(things, count) < ceil_divide(things, count - 1);
}

double wli_gang_barrier_seconds(double of_two, int64_t units) {
    return units > 1 ? of_two * (0.5 + 0.25 * (double)units) : 0;
}

/* A way takes the place of *best if it is faster, with its best chunk. */
static void consider(const wli_gangs_problem *problem, wli_gangs way, wli_gangs *best) {
    const double T = (double)problem->seq_len, cells = (double)(problem->layers * problem->directions);
    const int64_t threads = way.layers * way.directions * way.parts * way.units;
    const int64_t rows = ceil_divide(problem->batch, way.parts);
    const double barrier = wli_gang_barrier_seconds(problem->barrier_seconds, way.units) * (problem->projects ? 2 : 1);
    const double own =
        (double)(ceil_divide(problem->layers, way.layers) * ceil_divide(problem->directions, way.directions));
    for (int64_t S = way.layers > 1 ? 1 : problem->seq_len; S <= problem->seq_len; S *= 2) {
        /* A step of one layer and direction. Gangs of layers start one after the other, a chunk apart, and wait once a chunk. */
        const double cell =
            problem->stack_seconds(problem->context, rows, S, way.units, way.parts, threads) / cells + barrier;
        const double waits =
            way.layers > 1 ? (double)ceil_divide(problem->seq_len, S) * own * problem->barrier_seconds : 0;
        way.seconds = (T * own + (double)((way.layers - 1) * S)) * cell + waits;
        if (threads > 1) way.seconds += problem->region_seconds;
        way.chunk_steps = S;
        if (best->units == 0 || way.seconds < best->seconds) *best = way;
    }
}

wli_gangs wli_best_gangs(const wli_gangs_problem *problem) {
    const int64_t N = problem->threads, L = problem->directions == 1 ? problem->layers : 1;
    wli_gangs best = { 0 };
    for (int64_t layers = 1; layers <= L && layers <= N; layers++)
        for (int64_t directions = 1; directions <= problem->directions && layers * directions <= N; directions++)
            for (int64_t parts = 1; parts <= problem->batch && layers * directions * parts <= N; parts++) {
                const int64_t gangs = layers * directions * parts;
                if (!is_gain(L, layers) || !is_gain(problem->batch, parts)) continue;
                for (int64_t units = 1; units <= N / gangs && units <= problem->most_units; units *= 2)
                    consider(problem, (wli_gangs){ layers, directions, parts, units, 0, 0 }, &best);
                const int64_t most = N / gangs < problem->most_units ? N / gangs : problem->most_units;
                consider(problem, (wli_gangs){ layers, directions, parts, most, 0, 0 }, &best);
            }
    return best;
}
