/* What a rank has to compute is timed here, by itself: the whole call, its share of the rows, a chunk of its layers. The messages are
 * then laid between, by a network on which each rank has a link of its own, that carries one message after the other.
 *
 *   rows     rank 0 sends each rank its x, one after the other, and has the outs back on the same link
 *   layers   a stage begins a chunk when it is done with the one before, has the chunk from below, and the last but one of its own is
 *            on its way: as mpi/stream.c has it. Rank 0's is the first; the last one's chunks go back to rank 0
 *
 * Ranks are on machines of their own: what they would take from each other on one (caches, memory) is not in it. */
#include "simulate_ranks.h"

#include "base/allocator.h"
#include "base/number_types.h"
#include "base/status.h"
#include "deal.h"

#include <math.h>
#include <omp.h>
#include <string.h>

enum { REPEATS = 5 };
static const double seconds_a_timing = 0.3; /* or REPEATS, if they take longer */

typedef struct simulation {
    const bench_problem *of;
    int threads;
    bench_network network;
    double one;                    /* seconds of the call on one rank */
    double *costs, *stages, *link; /* of layers; of stages, a chunk; when a stage's link is free */
    int64_t *first;
} simulation;

static int64_t layers_of(const bench_problem *of) {
    return of->problem.num_layers;
}

static int64_t hidden_of(const bench_problem *of, int64_t layer) {
    return of->cells ? of->hidden_sizes[layer] : of->problem.hidden_size;
}

/* The width of what the layer reads. */
static int64_t input_of(const bench_problem *of, int64_t layer) {
    if (layer == 0) return of->problem.input_size;
    return of->problem.proj_size > 0 ? of->problem.proj_size : hidden_of(of, layer - 1);
}

static double element_bytes(const simulation *s) {
    return (double)wli_dtype_size(s->of->problem.dtype);
}

/* The least seconds of a call of layers first to last - 1 for T steps of B rows. */
static wlstm_status time_call(const simulation *s, int64_t first, int64_t last, int64_t T, int64_t B, double *seconds) {
    const int64_t directions = s->of->problem.bidirectional ? 2 : 1;
    bench_problem part = *s->of;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *lstm = NULL;
    wlstm_plan *plan = NULL;
    part.problem.input_size = input_of(s->of, first), part.problem.num_layers = last - first;
    part.problem.hidden_size = hidden_of(s->of, last - 1);
    if (part.cells) {
        memmove(part.hidden_sizes, part.hidden_sizes + first, (size_t)(last - first) * sizeof part.hidden_sizes[0]);
        part.cells = (int)(last - first);
    }
    void *x = wli_calloc((size_t)(T * B * part.problem.input_size) * (size_t)element_bytes(s));
    void *out = wli_calloc((size_t)(T * B * directions * part.problem.hidden_size) * (size_t)element_bytes(s));
    options.max_seq_len = T, options.max_batch = B, options.num_threads = s->threads;
    options.precision = s->of->problem.precision;
    wlstm_status status = x && out ? bench_problem_lstm(&part, &lstm) : wli_out_of_memory("the simulation's arrays", 0);
    if (status == WLSTM_OK) status = wlstm_plan_create(lstm, &options, &plan);
    *seconds = INFINITY;
    const double until = omp_get_wtime() + seconds_a_timing;
    for (int i = 0; status == WLSTM_OK && (i < REPEATS || omp_get_wtime() < until); i++) {
        const double start = omp_get_wtime();
        status = wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, out, NULL, NULL);
        *seconds = fmin(*seconds, omp_get_wtime() - start);
    }
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    wli_free(x);
    wli_free(out);
    return status;
}

/* When a message of these bytes is there, that is ready at `ready`; the link is busy until it has left. */
static double send(const simulation *s, double *link, double ready, double bytes) {
    *link = fmax(*link, ready) + bytes / s->network.bandwidth;
    return *link + s->network.latency;
}

static wlstm_status simulate_rows(const simulation *s, int64_t ranks, double *all, int64_t *used) {
    const wli_problem *of = &s->of->problem;
    const int64_t B = of->batch, most = (B + ranks - 1) / ranks, directions = of->bidirectional ? 2 : 1;
    const int64_t width = directions * input_of(s->of, layers_of(s->of));
    const double row = (double)of->seq_len * element_bytes(s);
    double share, out_of_root = 0, into_root = 0;
    const wlstm_status status = time_call(s, 0, layers_of(s->of), of->seq_len, most, &share);
    *used = B < ranks ? B : ranks;
    *all = share; /* rank 0's own, its links meanwhile being MPI's */
    for (int64_t r = 1; r < *used && status == WLSTM_OK; r++) {
        const double rows = (double)(B / *used + (r < B % *used)) * row;
        const double begins = send(s, &out_of_root, 0, rows * (double)of->input_size);
        *all = fmax(*all, send(s, &into_root, begins + share * rows / ((double)most * row), rows * (double)width));
    }
    return status;
}

/* Each stage's seconds of a chunk, those of layers alike timed once. */
static wlstm_status time_stages(const simulation *s, int64_t stages, int64_t chunk) {
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < stages && status == WLSTM_OK; i++) {
        const int64_t first = s->first[i], last = s->first[i + 1];
        const bool like_below = i > 0 && !s->of->cells && s->first[i] - s->first[i - 1] == last - first &&
                                input_of(s->of, s->first[i - 1]) == input_of(s->of, first);
        if (like_below)
            s->stages[i] = s->stages[i - 1];
        else
            status = time_call(s, first, last, chunk, s->of->problem.batch, &s->stages[i]);
    }
    return status;
}

/* As mpi/layers.c: how many stages there are, and what the largest costs for a row's step. */
static int64_t deal_layers(const simulation *s, int64_t ranks, double *largest) {
    const int64_t layers = layers_of(s->of);
    for (int64_t l = 0; l < layers; l++)
        s->costs[l] = wlm_layer_cost(input_of(s->of, l), hidden_of(s->of, l), input_of(s->of, l + 1));
    wlm_deal_in_order(s->costs, layers, (int)ranks, s->first);
    int64_t stages = 0;
    *largest = 0;
    for (; stages < ranks && s->first[stages] < s->first[stages + 1]; stages++) {
        double cost = 0;
        for (int64_t l = s->first[stages]; l < s->first[stages + 1]; l++) cost += s->costs[l];
        *largest = fmax(*largest, cost);
    }
    return stages;
}

static wlstm_status simulate_layers(const simulation *s, int64_t ranks, double *all, int64_t *used, int64_t *chunk) {
    const wli_problem *of = &s->of->problem;
    double largest;
    const int64_t T = of->seq_len, stages = deal_layers(s, ranks, &largest);
    *used = stages, *chunk = wlm_choose_chunk(T, of->batch, (int)stages, largest);
    const wlstm_status status = time_stages(s, stages, *chunk);
    double *const done = s->costs; /* dealt; of each stage's last chunk now */
    for (int64_t i = 0; i < stages; i++) done[i] = s->link[i] = 0;
    *all = 0;
    for (int64_t step = 0; step < T && status == WLSTM_OK; step += *chunk) {
        const double part = (double)(T - step < *chunk ? T - step : *chunk) / (double)*chunk;
        double there = 0;
        for (int64_t i = 0; i < stages; i++) {
            const double bytes =
                part * (double)(*chunk * of->batch * input_of(s->of, s->first[i + 1])) * element_bytes(s);
            /* Two buffers: what left two chunks ago is gone when the link is free of the one before. */
            const double free = s->link[i] - bytes / s->network.bandwidth;
            done[i] = fmax(fmax(done[i], there), free) + part * s->stages[i];
            there = i + 1 < stages || stages > 1 ? send(s, &s->link[i], done[i], bytes) : done[i];
        }
        *all = there;
    }
    return status;
}

static wlstm_status simulate_problem(simulation *s, const int64_t *ranks, int num_ranks, FILE *out) {
    const wli_problem *of = &s->of->problem;
    wlstm_status status = time_call(s, 0, layers_of(s->of), of->seq_len, of->batch, &s->one);
    for (int i = 0; i < num_ranks && status == WLSTM_OK; i++) {
        double rows = INFINITY, layers = INFINITY;
        int64_t rows_used = 0, layers_used = 0, chunk = 0;
        char how[64] = "two directions";
        status = simulate_rows(s, ranks[i], &rows, &rows_used);
        if (status == WLSTM_OK && !of->bidirectional)
            status = simulate_layers(s, ranks[i], &layers, &layers_used, &chunk);
        if (status != WLSTM_OK) break;
        if (!of->bidirectional)
            snprintf(how, sizeof how, "%lld ranks, chunks of %lld", (long long)layers_used, (long long)chunk);
        fprintf(out, "%-24s %6lld %11.1f %8.2f %11.1f %8.2f  %s\n", s->of->name, (long long)ranks[i], 1e6 * rows,
                s->one / rows, of->bidirectional ? 0 : 1e6 * layers, of->bidirectional ? 0 : s->one / layers, how);
        fflush(out);
    }
    return status;
}

wlstm_status simulate_ranks(const bench_problem *problems, int count, const int64_t *ranks, int num_ranks, int threads,
                            bench_network network, FILE *out) {
    wlstm_status status = WLSTM_OK;
    fprintf(out,
            "Simulated: ranks of %d threads on a network of %.3g us and %.3g GB/s a link, with costs measured on this "
            "machine (bench/simulate_ranks.c).\nSpeed-ups are over one rank.\n\n%-24s %6s %11s %8s %11s %8s\n",
            threads, 1e6 * network.latency, 1e-9 * network.bandwidth, "problem", "ranks", "rows, us", "speed-up",
            "layers, us", "speed-up");
    for (int p = 0; p < count && status == WLSTM_OK; p++) {
        simulation s = { .of = &problems[p], .threads = threads, .network = network };
        size_t most = (size_t)layers_of(s.of) + 1;
        for (int i = 0; i < num_ranks; i++) most = (size_t)ranks[i] + 1 > most ? (size_t)ranks[i] + 1 : most;
        s.costs = wli_calloc(most * sizeof *s.costs), s.stages = wli_calloc(most * sizeof *s.stages);
        s.link = wli_calloc(most * sizeof *s.link), s.first = wli_calloc(most * sizeof *s.first);
        status = s.costs && s.stages && s.link && s.first ? simulate_problem(&s, ranks, num_ranks, out)
                                                          : wli_out_of_memory("the simulation's ranks", most);
        wli_free(s.costs);
        wli_free(s.stages);
        wli_free(s.link);
        wli_free(s.first);
    }
    return status;
}
