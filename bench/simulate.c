/* For each problem and thread count: the plan that the library would choose; each gang's items run here, on one core, which
 * takes a gang's share of the units (what it reads again and again is then in the caches that a core of its own would have); the
 * graph is replayed with these times. What one core cannot show is added from the probes:
 *
 *   meetings   a barrier of more than two threads as plan/predict.c has it, the rest as measured with two threads
 *   bandwidth  items that read weights from beyond the L2 share it: the virtual machine is pairs of cores as this one's, each pair
 *              with an L3 of its own and the probe's bandwidth of two threads; memory serves up to eight pairs at that rate and
 *              no more beyond
 *
 * What limits a prediction is what it gains most from the absence of. */
#include "simulate.h"

#include "base/allocator.h"
#include "base/status.h"
#include "machine.h"
#include "plan/choice.h"
#include "plan/predict.h"
#include "plan/problem.h"
#include "replay.h"
#include <math.h>
#include <omp.h>
#include <string.h>
#include <unistd.h>

enum { PAIRS_OF_MEMORY = 8, REPEATS = 3, TURNS = 3 };
static const double seconds_a_timing = 0.2, seconds_a_gang = 0.05; /* or REPEATS, if they take longer */

typedef struct simulation {
    wlstm_schedule schedule;
    const char *name;
    wli_problem problem;
    wli_model *model;
    wli_cell_kernels *cells;
    int64_t num_cells;
    void *x, *out;
    const machine *machine; /* at 1 and 2 threads */
} simulation;

/* ------------------------------------------------------------------------------------------------- the problem here */

static void close_problem(simulation *s) {
    wli_free(s->cells);
    wli_model_release(s->model);
    wli_free(s->x);
    wli_free(s->out);
    s->cells = NULL, s->model = NULL, s->x = NULL, s->out = NULL, s->num_cells = 0;
}

static wli_setting setting_of(const simulation *s, int threads) {
    return (wli_setting){ .model = s->model,
                          .seq_len = s->problem.seq_len,
                          .batch = s->problem.batch,
                          .threads = threads,
                          .schedule = s->schedule,
                          .precision = s->problem.precision };
}

static wli_choice choose(const simulation *s, int threads) {
    const wli_setting setting = setting_of(s, threads);
    const wli_machine_model guess = wli_machine_model_guess(threads);
    const wli_candidate candidate = wli_choose(&setting, &guess);
    return wli_candidate_resolve(&setting, &candidate);
}

static wlstm_status open_problem(simulation *s, const bench_problem *given) {
    const wli_problem *problem = &given->problem;
    const wli_model_spec shape = { .dtype = problem->dtype,
                                   .num_layers = problem->num_layers,
                                   .input_size = problem->input_size,
                                   .proj_size = problem->proj_size,
                                   .hidden_size = problem->hidden_size,
                                   .hidden_sizes = given->cells ? given->hidden_sizes : NULL,
                                   .bias = problem->bias,
                                   .bidirectional = problem->bidirectional };
    const int64_t T = problem->seq_len, B = problem->batch, directions = problem->bidirectional ? 2 : 1;
    s->name = given->name, s->problem = *problem;
    wlstm_status status = wli_model_create(&shape, &s->model);
    if (status == WLSTM_OK) status = wli_model_reset(&s->model, 0);
    if (status != WLSTM_OK) return status;
    const int64_t cells = s->model->num_layers * directions;
    const size_t element = wli_dtype_size(problem->dtype);
    size_t x_bytes = 0, out_bytes = 0;
    if (wli_size_product(T * B, problem->input_size, (int64_t)element, &x_bytes)) s->x = wli_calloc(x_bytes);
    if (wli_size_product(T * B, directions * problem->hidden_size, (int64_t)element, &out_bytes))
        s->out = wli_calloc(out_bytes);
    s->cells = wli_calloc((size_t)cells * sizeof *s->cells);
    if (!s->x || !s->out || !s->cells) return wli_out_of_memory("the simulation's arrays", x_bytes + out_bytes);
    const wli_native *native = choose(s, 1).native; /* which do not depend on the threads */
    for (; s->num_cells < cells && status == WLSTM_OK; s->num_cells += status == WLSTM_OK)
        status = wli_cell_kernels_make(&(wli_cell_spec){ .weights = &s->model->cells[s->num_cells],
                                                         .dtype = s->model->dtype,
                                                         .shelf = &s->model->derived,
                                                         .place = s->num_cells,
                                                         .native = native,
                                                         .project = &wli_multiply_native,
                                                         .step = &wli_multiply_native,
                                                         .project_rows = T * B,
                                                         .step_rows = B },
                                       &s->cells[s->num_cells]);
    return status;
}

/* What runs the untuned choice for so many threads. */
static wli_sequence_spec spec_of(const simulation *s, int threads) {
    const wli_choice choice = choose(s, threads);
    return (wli_sequence_spec){ s->model, s->cells, s->problem.seq_len, s->problem.batch, choice };
}

static wli_call call_of(const simulation *s) {
    return (wli_call){ .seq_len = s->problem.seq_len, .batch = s->problem.batch, .x = s->x, .out = s->out };
}

/* Seconds of one call by the plan for `threads` threads, on this machine, or `seconds` if that is less. */
static wlstm_status time_plan(const simulation *s, int threads, double *seconds) {
    const wli_sequence_spec spec = spec_of(s, threads);
    const wli_call call = call_of(s);
    wli_sequence *sequence;
    wlstm_status status = wli_sequence_make(&spec, &sequence);
    const double until = omp_get_wtime() + seconds_a_timing;
    for (int i = 0; status == WLSTM_OK && (i < REPEATS || omp_get_wtime() < until); i++) {
        const double start = omp_get_wtime();
        status = wli_sequence_run(sequence, &call);
        *seconds = fmin(*seconds, omp_get_wtime() - start);
    }
    wli_sequence_destroy(sequence);
    return status;
}

/* ------------------------------------------------------------------------------------------------- costs of the items */

/* The measured steps of a plan's chains, and the plan as it is replayed. */
typedef struct measurement {
    replay_plan plan;
    double *steps, *sums; /* [chains] seconds: of a step, the least of all repeats; of all steps in one repeat */
    int64_t *lengths;
    int64_t gang;
} measurement;

/* The items of one gang, by one of its threads alone: seconds a step of each of its chains. */
static void measure_gang(const wli_run *run, measurement *m) {
    const bool tasks = m->plan.schedule == WLI_WAVEFRONT;
    const wli_order order = tasks ? WLI_BY_FRONT : wli_grid_order(&m->plan.grid);
    const int64_t gangs = tasks ? 1 : m->plan.grid.layers * m->plan.grid.directions * m->plan.grid.parts;
    const int64_t chains = wli_graph_chains(&run->graph);
    const int64_t shares = tasks ? 1 : m->plan.grid.shares;
    const wli_share share = { 0, 1, shares, (int)shares, NULL };
    const double until = omp_get_wtime() + seconds_a_gang;
    for (int repeat = 0; repeat < REPEATS || omp_get_wtime() < until; repeat++) {
        wli_node node;
        memset(m->sums, 0, (size_t)chains * sizeof *m->sums);
        for (bool more = wli_graph_first(&run->graph, &node); more; more = wli_graph_next(&run->graph, order, &node)) {
            if (wli_grid_owner(&m->plan.grid, gangs, &node) != m->gang) continue;
            const double start = omp_get_wtime();
            (void)wli_node_run(run, &run->sequence->workers[0], &node, &share);
            m->sums[wli_graph_chain(&run->graph, &node)] += omp_get_wtime() - start;
        }
        for (int64_t chain = 0; chain < chains; chain++) {
            const double step = m->sums[chain] / (double)run->call->seq_len;
            if (step > 0 && (m->steps[chain] == 0 || step < m->steps[chain])) m->steps[chain] = step;
        }
    }
}

static wlstm_status measure_gangs(const wli_run *run, void *context) {
    measurement *m = context;
    m->plan.graph = run->graph;
    m->plan.grid = wli_grid_of(run);
    m->plan.schedule = (wli_schedule)run->sequence->spec.choice.schedule;
    m->plan.threads = run->sequence->spec.choice.threads;
    if (m->plan.schedule == WLI_SERIAL || m->plan.threads == 1) m->plan.grid = (wli_grid){ 1, 1, 1, 1 };
    if (m->plan.schedule == WLI_WAVEFRONT) m->plan.grid = (wli_grid){ 1, 1, 1, 1 };
    m->steps = wli_calloc((size_t)wli_graph_chains(&run->graph) * sizeof *m->steps);
    m->lengths = wli_calloc((size_t)run->call->batch * sizeof *m->lengths);
    m->sums = wli_calloc((size_t)wli_graph_chains(&run->graph) * sizeof *m->sums);
    if (!m->steps || !m->sums || !m->lengths) return wli_out_of_memory("the simulation's costs", 0);
    memcpy(m->lengths, run->graph.lengths, (size_t)run->call->batch * sizeof *m->lengths);
    m->plan.graph.lengths = m->lengths;
    const int64_t gangs = m->plan.grid.layers * m->plan.grid.directions * m->plan.grid.parts;
    for (m->gang = 0; m->gang < gangs; m->gang++) measure_gang(run, m);
    return WLSTM_OK;
}

static double l3_bytes(void) {
#if defined(_SC_LEVEL3_CACHE_SIZE)
    const long bytes = sysconf(_SC_LEVEL3_CACHE_SIZE);
    if (bytes > 0) return (double)bytes;
#endif
    return 8 << 20;
}

/* Seconds that a step takes longer as others read too. */
static double contention(const simulation *s, const measurement *m, int64_t chain) {
    const wli_cell_weights *cell = &s->cells[chain / m->plan.graph.parts].weights[0];
    const double weights =
        4 * (double)cell->hidden_size * (double)cell->state_size + (double)cell->proj_size * (double)cell->hidden_size;
    const double bytes = weights * (double)wli_dtype_size(s->model->dtype) / (double)m->plan.grid.shares;
    const double threads = (double)m->plan.threads, l3 = l3_bytes();
    if (threads < 2) return 0;
    const double alone = wli_rates_bandwidth(machine_at(s->machine, 1), bytes);
    double shared = wli_rates_bandwidth(machine_at(s->machine, 2), 2 * bytes) / 2;
    if (2 * bytes > l3 && threads > 2 * PAIRS_OF_MEMORY) shared *= 2 * PAIRS_OF_MEMORY / threads;
    const double reading = bytes / alone, step = m->steps[chain];
    return shared < alone ? (bytes / shared - reading) * fmin(1, reading / step) : 0;
}

/* ------------------------------------------------------------------------------------------------- one prediction */

static wlstm_status predict(const simulation *s, int threads, double one, FILE *out, double *speed_up) {
    const wli_sequence_spec spec = spec_of(s, threads);
    const wli_call call = call_of(s);
    const meeting_costs *meetings = machine_meetings(s->machine);
    measurement m = { 0 };
    wli_sequence *sequence;
    replay_times times = { 0 }, no_meetings = { 0 }, no_contention = { 0 };
    wlstm_status status = wli_sequence_make(&spec, &sequence);
    if (status == WLSTM_OK) status = wli_sequence_run_by(sequence, &call, measure_gangs, &m);
    if (status == WLSTM_OK) {
        const int64_t chains = wli_graph_chains(&m.plan.graph);
        const wli_grid *grid = &m.plan.grid;
        replay_costs costs = { .step = m.steps,
                               .barrier = wli_gang_barrier_seconds(meetings->barrier, grid->shares),
                               .meetings = s->problem.proj_size ? 2 : 1,
                               .wait = meetings->wait,
                               .task = meetings->task,
                               .region = meetings->region };
        bool made = replay_run(&m.plan, &costs, &no_contention);
        for (int64_t chain = 0; chain < chains; chain++) m.steps[chain] += contention(s, &m, chain);
        made = made && replay_run(&m.plan, &costs, &times);
        costs.barrier = costs.wait = costs.task = costs.region = 0;
        made = made && replay_run(&m.plan, &costs, &no_meetings);
        if (!made) status = wli_out_of_memory("the simulation's replay", 0);
        const double sync = 1 - no_meetings.all / times.all, bandwidth = 1 - no_contention.all / times.all;
        const double idle = 1 - times.work / (times.all * (double)m.plan.threads);
        const char *limit = sync > bandwidth && sync > idle ? "sync" : bandwidth > idle ? "bandwidth" : "critical path";
        if (fmax(sync, fmax(bandwidth, idle)) < 0.05) limit = threads > m.plan.threads ? "no more to share" : "work";
        char plan[64];
        if (spec.choice.schedule == WLI_WAVEFRONT)
            snprintf(plan, sizeof plan, "wavefront, chunk %d", (int)m.plan.graph.chunk_steps);
        else
            snprintf(plan, sizeof plan, "%d x %d x %d x %d, chunk %d", (int)grid->layers, (int)grid->directions,
                     (int)grid->parts, (int)grid->shares, (int)m.plan.graph.chunk_steps);
        *speed_up = one / times.all;
        fprintf(out, "%-24s %7d %6d  %-26s %11.1f %8.2f  %-16s %3.0f %3.0f %3.0f", s->name, threads,
                (int)m.plan.threads, plan, 1e6 * times.all, *speed_up, limit, 100 * idle, 100 * bandwidth, 100 * sync);
    }
    wli_sequence_destroy(sequence);
    wli_free(m.steps);
    wli_free(m.sums);
    wli_free(m.lengths);
    return status;
}

static wlstm_status simulate_problem(simulation *s, const int *threads, int num_threads, FILE *out) {
    double one = INFINITY, two = INFINITY, speed_up = 0;
    bool times_two = false;
    for (int i = 0; i < num_threads; i++) times_two |= threads[i] == 2 && omp_get_num_procs() >= 2;
    wlstm_status status = WLSTM_OK;
    /* In turns: what neighbours take from one of two threads for a second or so would be half of a speed-up. */
    for (int turn = 0; turn < (times_two ? TURNS : 1) && status == WLSTM_OK; turn++) {
        status = time_plan(s, 1, &one);
        if (status == WLSTM_OK && times_two) status = time_plan(s, 2, &two);
    }
    for (int i = 0; i < num_threads && status == WLSTM_OK; i++) {
        status = predict(s, threads[i], one, out, &speed_up);
        if (status == WLSTM_OK && threads[i] == 2 && times_two)
            fprintf(out, "   measured %.2f, predicted/measured %.2f", one / two, speed_up / (one / two));
        fprintf(out, "\n");
        fflush(out);
    }
    return status;
}

wlstm_status simulate(const bench_problem *problems, int count, wlstm_schedule schedule, const int *threads,
                      int num_threads, FILE *out) {
    const int probed[] = { 1, 2 };
    simulation s = { .schedule = schedule };
    machine *rates = machine_probe(probed, 2);
    if (!rates) return wli_out_of_memory("the machine probe", 0);
    s.machine = rates;
    fprintf(out, "Simulated: plans for more threads, with costs measured on this machine's cores (bench/simulate.c).\n"
                 "plan: gangs of layers x directions x parts x units; lost, %% of the time: idle, bandwidth, sync\n\n");
    meetings_print(machine_meetings(rates), out);
    fprintf(out, "\n%-24s %7s %6s  %-26s %11s %8s  %-16s %s\n", "problem", "threads", "used", "plan", "us", "speed-up",
            "limited by", "lost");
    wlstm_status status = WLSTM_OK;
    for (int i = 0; i < count && status == WLSTM_OK; i++) {
        status = open_problem(&s, &problems[i]);
        if (status == WLSTM_OK) status = simulate_problem(&s, threads, num_threads, out);
        close_problem(&s);
    }
    machine_free(rates);
    return status;
}
