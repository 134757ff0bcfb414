/* For each problem and thread count: what the busiest thread of each crew has to do in a pass forward and a pass back,
 * done here by one thread that waits for nobody (its share of the weights is then in the caches that a core of its own
 * would have); the crews' chunks are laid out on virtual threads, each an equal part of its crew's pass, and meetings
 * are added as bench/simulate.c does. Threads that read from beyond their caches do not slow each other down here. */
#include "simulate_training.h"

#include "api/module.h"
#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "check.h"
#include "machine.h"
#include "meetings.h"
#include "plan/predict.h"
#include "train/crews.h"
#include "train/passes.h"
#include <math.h>
#include <omp.h>

enum { REPEATS = 3, TURNS = 3 };
static const double seconds_a_timing = 0.2, seconds_a_crew = 0.05; /* or REPEATS, if they take longer */

typedef struct training {
    const bench_problem *given;
    wlstm_schedule schedule;
    wlstm_lstm *lstm;
    bench_arrays arrays, loss; /* loss: out and x are the gradients by them */
    meeting_costs meetings;
} training;

static void close_problem(training *t) {
    wlstm_lstm_free(t->lstm);
    bench_arrays_free(&t->arrays);
    bench_arrays_free(&t->loss);
    t->lstm = NULL, t->arrays = t->loss = (bench_arrays){ 0 };
}

static wlstm_status open_problem(training *t, const bench_problem *given) {
    const wli_problem *p = &given->problem;
    const int64_t width = (p->bidirectional ? 2 : 1) * (p->proj_size ? p->proj_size : p->hidden_size);
    t->given = given;
    wlstm_status status = bench_problem_lstm(given, &t->lstm);
    if (status == WLSTM_OK) status = bench_arrays_make(p, false, &t->arrays);
    if (status == WLSTM_OK) status = bench_arrays_make(p, false, &t->loss);
    for (int64_t k = 0; status == WLSTM_OK && k < p->seq_len * p->batch * width; k++)
        wli_put(p->dtype, t->loss.out, (size_t)k, wli_random_real(2, (uint64_t)k));
    return status;
}

/* Seconds of both passes by so many threads of this machine, the parameters new, or `seconds` if that is less. */
static wlstm_status time_passes(const training *t, int threads, double *seconds) {
    const wli_problem *p = &t->given->problem;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch, options.num_threads = threads;
    options.precision = p->precision, options.schedule = t->schedule;
    wlstm_trainer *trainer;
    wlstm_status status = wlstm_trainer_create(t->lstm, &options, &trainer);
    const double until = omp_get_wtime() + seconds_a_timing;
    for (int i = 0; status == WLSTM_OK && (i < REPEATS || omp_get_wtime() < until); i++) {
        const double start = omp_get_wtime();
        wli_trainer_changed(trainer);
        status = wlstm_trainer_forward(trainer, p->seq_len, p->batch, NULL, t->arrays.x, NULL, NULL, t->arrays.out,
                                       NULL, NULL, 1, 0, 0, NULL);
        if (status == WLSTM_OK)
            status = wlstm_trainer_backward(trainer, NULL, t->loss.out, NULL, NULL, t->loss.x, NULL, NULL, 0);
        *seconds = fmin(*seconds, omp_get_wtime() - start);
    }
    wlstm_trainer_free(trainer);
    return status;
}

/* In both passes: of a thread, the least of all repeats; of the meetings of its gang and crew. */
typedef struct crew_seconds {
    double forward, backward;
} crew_seconds;

static crew_seconds time_crew(const training *t, wlstm_trainer *trainer, wli_tape *tape, int threads, int64_t crew) {
    const wli_backward_call call = { .d_out = t->loss.out, .d_x = t->loss.x };
    crew_seconds least = { INFINITY, INFINITY };
    const double until = omp_get_wtime() + seconds_a_crew;
    for (int i = 0; i < REPEATS || omp_get_wtime() < until; i++) {
        wli_trainer_changed(trainer);
        wli_team_rehearse(trainer, tape, 1, 0, wli_forward_pass, NULL); /* the whole, for a tape of true values */
        const double start = omp_get_wtime();
        wli_team_rehearse(trainer, tape, threads, crew, wli_forward_pass, NULL);
        const double between = omp_get_wtime();
        wli_team_rehearse(trainer, tape, threads, crew, wli_backward_pass, &call);
        least.forward = fmin(least.forward, between - start);
        least.backward = fmin(least.backward, omp_get_wtime() - between);
    }
    return least;
}

/* Of the steps that a crew of so many threads meets in, and of its chunks. */
static crew_seconds meetings_of(const training *t, int64_t layers, const wli_deal *deal, int64_t threads,
                                int64_t chunks) {
    const bool projects = t->given->problem.proj_size > 0;
    const double steps = (double)(t->given->problem.seq_len * layers);
    const double gang = deal->shares > 1 ? wli_gang_barrier_seconds(t->meetings.barrier, deal->shares) : 0;
    const double all = threads > 1 ? wli_gang_barrier_seconds(t->meetings.barrier, threads) : 0;
    return (crew_seconds){ .forward = steps * (projects ? 3 : 2) * gang + (double)chunks * all,
                           .backward = steps * (projects ? 4 : 2) * gang + (double)(4 * chunks * layers) * all };
}

/* When the last of the crews is done, in the order in which they begin: each does a chunk after the crew before has done
 * it, back not before the crew behind has done the chunk before the last, as two buffers are between. done
 * [crews][chunks] is room. */
static double lay_out(const crew_seconds *of_crews, bool back, int64_t crews, int64_t chunks, double wait,
                      double *done) {
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t i = 0; i < crews; i++) {
            const crew_seconds *own = &of_crews[back ? crews - 1 - i : i];
            double start = chunk > 0 ? done[i * chunks + chunk - 1] : 0;
            if (i > 0) start = fmax(start, done[(i - 1) * chunks + chunk] + wait);
            if (back && i + 1 < crews && chunk > 1) start = fmax(start, done[(i + 1) * chunks + chunk - 2] + wait);
            done[i * chunks + chunk] = start + (back ? own->backward : own->forward) / (double)chunks;
        }
    double last = 0;
    for (int64_t i = 0; i < crews; i++) last = fmax(last, done[(i + 1) * chunks - 1]);
    return last;
}

static wlstm_status predict(const training *t, int threads, double one, FILE *out, double *speed_up) {
    const wli_problem *p = &t->given->problem;
    const wli_call call = { .seq_len = p->seq_len, .batch = p->batch, .x = t->arrays.x, .out = t->arrays.out };
    wlstm_trainer *trainer;
    wlstm_status status =
        wli_trainer_make(t->lstm->module.model, p->seq_len, p->batch, 0, threads, t->schedule, &trainer);
    if (status != WLSTM_OK) return status;
    wli_tape *tape = wli_tape_begin(trainer, trainer->own_tape, &call, true);
    const int used = wli_team_threads(trainer, tape);
    const int64_t crews = wli_crews_for(trainer, tape, used), T = p->seq_len;
    const int64_t steps = wli_crew_chunk(crews, T, p->batch), whole = wli_backward_chunk(trainer, T, p->batch);
    const int64_t back_steps = whole < steps ? whole : steps;
    const int64_t chunks = (T + steps - 1) / steps, back_chunks = (T + back_steps - 1) / back_steps;
    const int64_t parts = wli_deal_for(trainer, p->batch, used / crews, 0).parts;
    wli_deal deal = { 0 };
    crew_seconds *of_crews = wli_calloc((size_t)crews * sizeof *of_crews);
    double *done = wli_calloc((size_t)(crews * back_chunks) * sizeof *done);
    if (!of_crews || !done) status = wli_out_of_memory("the simulation's costs", 0);
    for (int64_t crew = 0; crew < crews && status == WLSTM_OK; crew++) {
        const wli_span own = wli_span_of(used, crew, crews), layers = wli_crew_layers(trainer, used, crew, crews);
        deal = wli_deal_for(trainer, p->batch, own.end - own.first, parts);
        const crew_seconds met = meetings_of(t, layers.end - layers.first, &deal, own.end - own.first, back_chunks);
        of_crews[crew] = time_crew(t, trainer, tape, used, crew);
        of_crews[crew].forward += met.forward, of_crews[crew].backward += met.backward;
    }
    if (status == WLSTM_OK) {
        const double all = lay_out(of_crews, false, crews, chunks, t->meetings.wait, done) +
                           lay_out(of_crews, true, crews, back_chunks, t->meetings.wait, done) +
                           (used > 1 ? 2 * t->meetings.region : 0);
        char plan[64];
        snprintf(plan, sizeof plan, "%d x %d x %d x %d, chunk %d", (int)crews, (int)deal.directions, (int)deal.parts,
                 (int)deal.shares, (int)steps);
        *speed_up = one / all;
        fprintf(out, "%-24s %7d %6d  %-26s %11.1f %8.2f", t->given->name, threads, used, plan, 1e6 * all, *speed_up);
    }
    wli_free(of_crews);
    wli_free(done);
    wlstm_trainer_free(trainer);
    return status;
}

static wlstm_status simulate_problem(const training *t, const int *threads, int num_threads, FILE *out) {
    double one = INFINITY, two = INFINITY, speed_up = 0;
    bool times_two = false;
    for (int i = 0; i < num_threads; i++) times_two |= threads[i] == 2 && omp_get_num_procs() >= 2;
    wlstm_status status = WLSTM_OK;
    /* In turns, as bench/simulate.c. */
    for (int turn = 0; turn < (times_two ? TURNS : 1) && status == WLSTM_OK; turn++) {
        status = time_passes(t, 1, &one);
        if (status == WLSTM_OK && times_two) status = time_passes(t, 2, &two);
    }
    for (int i = 0; i < num_threads && status == WLSTM_OK; i++) {
        status = predict(t, threads[i], one, out, &speed_up);
        if (status == WLSTM_OK && threads[i] == 2 && times_two)
            fprintf(out, "   measured %.2f, predicted/measured %.2f", one / two, speed_up / (one / two));
        fprintf(out, "\n");
        fflush(out);
    }
    return status;
}

wlstm_status simulate_training(const bench_problem *problems, int count, wlstm_schedule schedule, const int *threads,
                               int num_threads, FILE *out) {
    training t = { .schedule = schedule, .meetings = meetings_measure() };
    fprintf(
        out,
        "Simulated: a trainer's pass forward and back by more threads, with costs measured on this machine's cores\n"
        "(bench/simulate_training.c). plan: crews x directions x parts x units, steps of a chunk\n\n");
    meetings_print(&t.meetings, out);
    fprintf(out, "\n%-24s %7s %6s  %-26s %11s %8s\n", "problem", "threads", "used", "plan", "us", "speed-up");
    wlstm_status status = WLSTM_OK;
    for (int i = 0; i < count && status == WLSTM_OK; i++) {
        status = open_problem(&t, &problems[i]);
        if (status == WLSTM_OK) status = simulate_problem(&t, threads, num_threads, out);
        close_problem(&t);
    }
    return status;
}
