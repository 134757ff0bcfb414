/* What a rank has to compute is timed here (rank_costs.c): the whole call, its share of the rows, its layers in chunks.
 * The messages are then laid between, by a network on which each rank has a link of its own, that carries one message
 * after the other. MPI moves little between calls, so that a message that comes while its receiver computes is taken
 * when that is done.
 *
 *   rows     rank 0 sends each rank its x, one after the other, does its own and takes the outs, as mpi/batch.c has it
 *   layers   a stage begins a chunk when it is done with the one before, has taken the chunk from below, and the last
 *            but one of its own was taken, as mpi/stream.c has it. The last one's go to rank 0
 *
 * A call begins and ends with meetings of all ranks, a message for each doubling of them. */
#include "simulate_ranks.h"

#include "rank_costs.h"

#include "base/allocator.h"
#include "base/number_types.h"
#include "base/status.h"
#include "deal.h"

#include <math.h>

enum { MEETINGS_OF_ROWS = 5, MEETINGS_OF_LAYERS = 3 };

/* What a stage costs, and when it did what. */
typedef struct stage {
    double cost;     /* seconds of all its chunks */
    double taken[2]; /* its last two chunks from below */
    double done;     /* its last chunk */
} stage;

typedef struct simulation {
    const bench_problem *of;
    const bench_cluster *cluster;
    double one; /* seconds of the call on one rank */
    double *costs;
    int64_t *first;
    stage *stages;
    int64_t timed; /* so many stages */
} simulation;

static int64_t layers_of(const bench_problem *of) {
    return of->problem.num_layers;
}

static double element_bytes(const simulation *s) {
    return (double)wli_dtype_size(s->of->problem.dtype);
}

/* Seconds of layers first to last - 1 for all steps of B rows, by so many ranks of which a machine has its share. */
static wlstm_status time_part(const simulation *s, int64_t first, int64_t last, int64_t chunk, int64_t B, int64_t ranks,
                              double *seconds) {
    const bench_cluster *cluster = s->cluster;
    const bench_part part = { .of = s->of,
                              .first = first,
                              .last = last,
                              .batch = B,
                              .chunk = chunk,
                              .threads = cluster->threads,
                              .ranks = ranks < cluster->per_machine ? (int)ranks : cluster->per_machine };
    return bench_part_time(&part, seconds);
}

static double meetings(const simulation *s, int count, int64_t ranks) {
    return count * ceil(log2((double)ranks)) * s->cluster->latency;
}

static wlstm_status simulate_rows(const simulation *s, int64_t ranks, double *all) {
    const wli_problem *of = &s->of->problem;
    const int64_t B = of->batch, used = B < ranks ? B : ranks, most = (B + used - 1) / used;
    const int64_t directions = of->bidirectional ? 2 : 1,
                  width = directions * bench_layer_input(s->of, layers_of(s->of));
    const double row = (double)of->seq_len * element_bytes(s) / s->cluster->bandwidth; /* seconds, of a width of one */
    double share = s->one, sent = 0;
    const wlstm_status status =
        used > 1 ? time_part(s, 0, layers_of(s->of), of->seq_len, most, used, &share) : WLSTM_OK;
    for (int64_t r = 1; r < used; r++) sent += (double)(B / used + (r < B % used)) * row * (double)of->input_size;
    *all = sent + share;
    double begins = 0;
    for (int64_t r = 1; r < used; r++) {
        const double rows = (double)(B / used + (r < B % used));
        begins += rows * row * (double)of->input_size;
        const double there = begins + share * rows / (double)most + 2 * s->cluster->latency;
        *all = fmax(*all, there) + rows * row * (double)width;
    }
    *all += meetings(s, MEETINGS_OF_ROWS, ranks);
    return status;
}

/* Each stage's cost, those of layers alike timed once. */
static wlstm_status time_stages(const simulation *s, int64_t stages, int64_t chunk) {
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < stages && status == WLSTM_OK; i++) {
        const int64_t first = s->first[i], last = s->first[i + 1];
        const bool like_below = i > 0 && !s->of->cells && first - s->first[i - 1] == last - first &&
                                bench_layer_input(s->of, s->first[i - 1]) == bench_layer_input(s->of, first);
        if (like_below)
            s->stages[i].cost = s->stages[i - 1].cost;
        else
            status = time_part(s, first, last, chunk, s->of->problem.batch, stages, &s->stages[i].cost);
    }
    return status;
}

/* As mpi/layers.c: how many stages there are, and what the largest costs for a row's step. */
static int64_t deal_layers(const simulation *s, int64_t ranks, double *largest) {
    const int64_t layers = layers_of(s->of);
    for (int64_t l = 0; l < layers; l++)
        s->costs[l] =
            wlm_layer_cost(bench_layer_input(s->of, l), bench_hidden(s->of, l), bench_layer_input(s->of, l + 1));
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

/* A chunk of these steps through all stages; when its out is at rank 0. `turn` is which of the two buffers. */
static double pass_chunk(const simulation *s, int64_t stages, int64_t steps, int turn) {
    const wli_problem *of = &s->of->problem;
    const double part = (double)steps / (double)of->seq_len;
    double there = 0;
    for (int64_t i = 0; i < stages; i++) {
        stage *own = &s->stages[i];
        own->taken[turn] = fmax(there, own->done);
        double begins = own->taken[turn];
        if (i + 1 < stages) begins = fmax(begins, own[1].taken[turn]); /* the last but one, as yet */
        own->done = begins + part * own->cost;
        const double bytes = (double)(steps * of->batch * bench_layer_input(s->of, s->first[i + 1])) * element_bytes(s);
        there = i + 1 < stages ? fmax(own->done, own[1].done) : own->done;
        if (stages > 1) there += s->cluster->latency + bytes / s->cluster->bandwidth;
    }
    return there;
}

static wlstm_status simulate_layers(simulation *s, int64_t ranks, double *all, int64_t *used, int64_t *chunk) {
    const int64_t T = s->of->problem.seq_len;
    double largest;
    *used = deal_layers(s, ranks, &largest);
    *chunk = wlm_choose_chunk(T, s->of->problem.batch, (int)*used, largest);
    const wlstm_status status = *used == s->timed ? WLSTM_OK : time_stages(s, *used, *chunk);
    s->timed = *used, *all = 0;
    for (int64_t i = 0; i < *used; i++) s->stages[i] = (stage){ .cost = s->stages[i].cost };
    for (int64_t step = 0, k = 0; step < T && status == WLSTM_OK; step += *chunk, k++)
        *all = pass_chunk(s, *used, T - step < *chunk ? T - step : *chunk, (int)(k % 2));
    *all += meetings(s, MEETINGS_OF_LAYERS, ranks);
    return status;
}

static wlstm_status simulate_problem(simulation *s, const int64_t *ranks, int num_ranks, FILE *out) {
    const wli_problem *of = &s->of->problem;
    wlstm_status status = time_part(s, 0, layers_of(s->of), of->seq_len, of->batch, 1, &s->one);
    for (int i = 0; i < num_ranks && status == WLSTM_OK; i++) {
        double rows = INFINITY, layers = INFINITY;
        int64_t used = 0, chunk = 0;
        char how[64] = "two directions";
        status = simulate_rows(s, ranks[i], &rows);
        if (status == WLSTM_OK && !of->bidirectional) status = simulate_layers(s, ranks[i], &layers, &used, &chunk);
        if (status != WLSTM_OK) break;
        if (!of->bidirectional)
            snprintf(how, sizeof how, "%lld ranks, chunks of %lld", (long long)used, (long long)chunk);
        fprintf(out, "%-24s %6lld %11.1f %8.2f %11.1f %8.2f  %s\n", s->of->name, (long long)ranks[i], 1e6 * rows,
                s->one / rows, of->bidirectional ? 0 : 1e6 * layers, of->bidirectional ? 0 : s->one / layers, how);
        fflush(out);
    }
    return status;
}

wlstm_status simulate_ranks(const bench_problem *problems, int count, const int64_t *ranks, int num_ranks,
                            const bench_cluster *cluster, FILE *out) {
    wlstm_status status = WLSTM_OK;
    fprintf(out,
            "Simulated: ranks of %d threads, %d on a machine, on a network of %.3g us and %.3g GB/s a link, with costs "
            "measured on this machine (bench/simulate_ranks.c).\nSpeed-ups are over one rank.\n\n"
            "%-24s %6s %11s %8s %11s %8s\n",
            cluster->threads, cluster->per_machine, 1e6 * cluster->latency, 1e-9 * cluster->bandwidth, "problem",
            "ranks", "rows, us", "speed-up", "layers, us", "speed-up");
    for (int p = 0; p < count && status == WLSTM_OK; p++) {
        simulation s = { .of = &problems[p], .cluster = cluster };
        size_t most = (size_t)layers_of(s.of) + 1;
        for (int i = 0; i < num_ranks; i++) most = (size_t)ranks[i] + 1 > most ? (size_t)ranks[i] + 1 : most;
        s.costs = wli_calloc(most * sizeof *s.costs), s.first = wli_calloc(most * sizeof *s.first);
        s.stages = wli_calloc(most * sizeof *s.stages);
        status = s.costs && s.first && s.stages ? simulate_problem(&s, ranks, num_ranks, out)
                                                : wli_out_of_memory("the simulation's ranks", most);
        wli_free(s.costs);
        wli_free(s.first);
        wli_free(s.stages);
    }
    return status;
}
