#include "rank_costs.h"

#include "base/allocator.h"
#include "base/number_types.h"
#include "base/status.h"

#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { REPEATS = 5 };
static const double seconds_a_timing = 0.3; /* or REPEATS, if they take longer */

typedef struct rank rank;

/* What the ranks share. */
typedef struct timing {
    const bench_part *part;
    rank *ranks;
    pthread_mutex_t begins;
    pthread_barrier_t meeting;
    double least;
    bool ends;
} timing;

struct rank {
    timing *in;
    int number;
    pthread_t thread;
    wlstm_lstm *lstm;
    wlstm_plan *plan;
    char *x, *out;
    void *h, *c;
    size_t x_step, out_step; /* bytes */
    double seconds;
    wlstm_status status;
    char sentence[512];
};

int64_t bench_hidden(const bench_problem *of, int64_t layer) {
    return of->cells ? of->hidden_sizes[layer] : of->problem.hidden_size;
}

int64_t bench_layer_input(const bench_problem *of, int64_t layer) {
    if (layer == 0) return of->problem.input_size;
    return of->problem.proj_size > 0 ? of->problem.proj_size : bench_hidden(of, layer - 1);
}

static wlstm_status make(rank *r) {
    const bench_part *part = r->in->part;
    const int64_t directions = part->of->problem.bidirectional ? 2 : 1, layers = part->last - part->first;
    const int64_t T = part->of->problem.seq_len, B = part->batch;
    const size_t element = wli_dtype_size(part->of->problem.dtype);
    bench_problem own = *part->of;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    int64_t hidden = 0;
    own.problem.input_size = bench_layer_input(part->of, part->first), own.problem.num_layers = layers;
    own.problem.hidden_size = bench_hidden(part->of, part->last - 1);
    if (own.cells) {
        memmove(own.hidden_sizes, own.hidden_sizes + part->first, (size_t)layers * sizeof own.hidden_sizes[0]);
        own.cells = (int)layers;
    }
    for (int64_t l = part->first; l < part->last; l++) hidden += directions * bench_hidden(part->of, l);
    r->x_step = (size_t)(B * own.problem.input_size) * element;
    r->out_step = (size_t)(B * directions * own.problem.hidden_size) * element;
    r->x = wli_calloc((size_t)T * r->x_step), r->out = wli_calloc((size_t)T * r->out_step);
    r->h = wli_calloc((size_t)(B * hidden) * element), r->c = wli_calloc((size_t)(B * hidden) * element);
    if (!r->x || !r->out || !r->h || !r->c) return wli_out_of_memory("the simulation's arrays", 0);
    options.max_seq_len = part->chunk, options.max_batch = B, options.num_threads = part->threads;
    options.precision = part->of->problem.precision;
    const wlstm_status status = bench_problem_lstm(&own, &r->lstm);
    return status == WLSTM_OK ? wlstm_plan_create(r->lstm, &options, &r->plan) : status;
}

static wlstm_status run(const rank *r) {
    const int64_t T = r->in->part->of->problem.seq_len, chunk = r->in->part->chunk, B = r->in->part->batch;
    void *h = chunk < T ? r->h : NULL, *c = chunk < T ? r->c : NULL;
    wlstm_status status = WLSTM_OK;
    for (int64_t first = 0; first < T && status == WLSTM_OK; first += chunk)
        status = wlstm_plan_execute(r->plan, T - first < chunk ? T - first : chunk, B, NULL,
                                    r->x + (size_t)first * r->x_step, h, c, r->out + (size_t)first * r->out_step, h, c);
    return status;
}

/* The last turn is over: what it took, and whether there is another. */
static void count_turn(timing *t, int turn, double until) {
    double slowest = 0;
    for (int i = 0; i < t->part->ranks; i++) {
        slowest = fmax(slowest, t->ranks[i].seconds);
        t->ends = t->ends || t->ranks[i].status != WLSTM_OK;
    }
    if (turn > 0) t->least = fmin(t->least, slowest); /* the first one meets new memory */
    t->ends = t->ends || (turn >= REPEATS && omp_get_wtime() > until);
}

static void *take_turns(void *argument) {
    rank *r = argument;
    timing *t = r->in;
    pthread_mutex_lock(&t->begins);
    pthread_mutex_unlock(&t->begins);
    if (!t->ends) r->status = make(r);
    const double until = omp_get_wtime() + seconds_a_timing;
    for (int turn = 0; !t->ends; turn++) {
        pthread_barrier_wait(&t->meeting);
        const double start = omp_get_wtime();
        if (r->status == WLSTM_OK) r->status = run(r);
        r->seconds = omp_get_wtime() - start;
        pthread_barrier_wait(&t->meeting);
        if (r->number == 0) count_turn(t, turn, until);
        pthread_barrier_wait(&t->meeting);
    }
    if (r->status != WLSTM_OK) snprintf(r->sentence, sizeof r->sentence, "%s", wlstm_last_error());
    wlstm_plan_free(r->plan);
    wlstm_lstm_free(r->lstm);
    void *const memory[] = { r->x, r->out, r->h, r->c };
    for (int i = 0; i < 4; i++) wli_free(memory[i]);
    return NULL;
}

wlstm_status bench_part_time(const bench_part *part, double *seconds) {
    timing t = { .part = part, .least = INFINITY, .begins = PTHREAD_MUTEX_INITIALIZER };
    wlstm_status status = WLSTM_OK;
    int begun = 1;
    t.ranks = wli_calloc((size_t)part->ranks * sizeof *t.ranks);
    if (!t.ranks) return wli_out_of_memory("the simulation's ranks", 0);
    if (pthread_barrier_init(&t.meeting, NULL, (unsigned)part->ranks) != 0) {
        wli_free(t.ranks);
        return wli_out_of_memory("the simulation's ranks", 0);
    }
    for (int i = 0; i < part->ranks; i++) t.ranks[i].in = &t, t.ranks[i].number = i;
    pthread_mutex_lock(&t.begins);
    while (begun < part->ranks && pthread_create(&t.ranks[begun].thread, NULL, take_turns, &t.ranks[begun]) == 0)
        begun++;
    t.ends = begun < part->ranks; /* who has begun would wait in vain */
    pthread_mutex_unlock(&t.begins);
    take_turns(&t.ranks[0]);
    for (int i = 1; i < begun; i++) pthread_join(t.ranks[i].thread, NULL);
    if (begun < part->ranks) status = wli_out_of_memory("the simulation's threads", 0);
    for (int i = 0; i < begun && status == WLSTM_OK; i++)
        if (t.ranks[i].status != WLSTM_OK) status = wli_fail(t.ranks[i].status, "%s", t.ranks[i].sentence);
    *seconds = t.least;
    pthread_barrier_destroy(&t.meeting);
    wli_free(t.ranks);
    return status;
}
