#include "families.h"

#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "check_training.h"
#include "limit.h"
#include "scratch_file.h"
#include "shim.h"
#include <omp.h>
#include <stdio.h>
#include <string.h>

struct bench_case {
    bench_family family;
    const bench_problem *given;
    wli_problem problem; /* of the cell or of one step, in those families */
    bench_way way;
    int threads;
    bench_threads *shared;
    char name[WLI_PROBLEM_NAME_BYTES + 80];
    bool checked, failed;
    char error[512];
    /* there while it is the prepared one */
    wlstm_lstm *lstm; /* create: the next call's, without a plan */
    wlstm_plan *plan;
    wlstm_cell *cell;
    wlstm_trainer *trainer;
    wlstm_streams *streams;
    int64_t *ids; /* [B] of the streams, in random order */
    const char *path;
    bench_arrays arrays;
    bench_arrays loss; /* train: out and x are the gradients by them */
    void *bias;        /* and a parameter that each call sets anew */
    const char *bias_name;
    int64_t bias_count;
};

/* Large problems are large, so one at a time is in memory. */
static bench_case *prepared;

static void release(bench_case *benchmark) {
    wlstm_plan_free(benchmark->plan);
    wlstm_lstm_free(benchmark->lstm);
    wlstm_cell_free(benchmark->cell);
    wlstm_trainer_free(benchmark->trainer);
    wlstm_streams_free(benchmark->streams);
    bench_arrays_free(&benchmark->loss);
    wli_free(benchmark->bias);
    wli_free(benchmark->ids);
    bench_arrays_free(&benchmark->arrays);
    if (benchmark->path) scratch_file_remove();
    benchmark->plan = NULL, benchmark->lstm = NULL, benchmark->cell = NULL, benchmark->path = NULL;
    benchmark->streams = NULL, benchmark->ids = NULL;
    benchmark->trainer = NULL, benchmark->bias = NULL;
}

static bool fail(bench_case *benchmark) {
    benchmark->failed = true;
    snprintf(benchmark->error, sizeof benchmark->error, "%s", wlstm_last_error());
    fprintf(stderr, "wlstm-bench: %s: %s\n", benchmark->name, benchmark->error);
    return false;
}

static const char *last_failure(void *context) {
    return ((bench_case *)context)->error;
}

/* -------------------------------------------------------------------------------------------------- preparation */

static wlstm_status make_lstm(bench_case *benchmark) {
    return bench_problem_lstm(benchmark->given, &benchmark->lstm);
}

static wlstm_status make_plan(const bench_case *benchmark, wlstm_lstm *lstm, wlstm_plan **plan) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = benchmark->problem.seq_len, options.max_batch = benchmark->problem.batch;
    options.num_threads = benchmark->threads;
    options.precision = benchmark->problem.precision;
    if (benchmark->way.backend != UNNAMED) options.backend = (wlstm_backend)benchmark->way.backend;
    if (benchmark->way.schedule != UNNAMED) options.schedule = (wlstm_schedule)benchmark->way.schedule;
    return wlstm_plan_create(lstm, &options, plan);
}

/* A plan of `source`, the parameters' way into it being what is timed, against the reference with the lstm's own. */
static wlstm_status check_plan_of(bench_case *benchmark, wlstm_lstm *source) {
    bench_arrays arrays = { 0 };
    wlstm_plan *plan = NULL;
    wlstm_status status = make_plan(benchmark, source, &plan);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, true, &arrays);
    if (status == WLSTM_OK) status = check_forward(benchmark->lstm, plan, &benchmark->problem, &arrays);
    wlstm_plan_free(plan);
    bench_arrays_free(&arrays);
    return status;
}

static wlstm_status prepare_forward(bench_case *benchmark) {
    wlstm_status status = make_lstm(benchmark);
    if (status == WLSTM_OK) status = make_plan(benchmark, benchmark->lstm, &benchmark->plan);
    if (status == WLSTM_OK)
        status = bench_arrays_make(&benchmark->problem, !benchmark->given->cells, &benchmark->arrays);
    if (status == WLSTM_OK && !benchmark->checked)
        status = check_forward(benchmark->lstm, benchmark->plan, &benchmark->problem, &benchmark->arrays);
    return status;
}

static wlstm_status prepare_cell(bench_case *benchmark) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = benchmark->problem.input_size, config.hidden_size = benchmark->problem.hidden_size;
    config.bias = benchmark->problem.bias, config.dtype = benchmark->problem.dtype;
    wlstm_status status = wlstm_cell_create(&config, &benchmark->cell);
    if (status == WLSTM_OK) status = wlstm_cell_set_precision(benchmark->cell, benchmark->problem.precision);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, true, &benchmark->arrays);
    /* Each time, as it also gives h and c their start. */
    return status == WLSTM_OK ? check_cell(benchmark->cell, &benchmark->problem, &benchmark->arrays) : status;
}

static wlstm_status prepare_create(bench_case *benchmark) {
    wlstm_status status = make_lstm(benchmark);
    return status == WLSTM_OK && !benchmark->checked ? check_plan_of(benchmark, benchmark->lstm) : status;
}

static wlstm_status prepare_load(bench_case *benchmark) {
    wlstm_lstm *loaded = NULL;
    wlstm_status status = make_lstm(benchmark);
    if (status == WLSTM_OK) status = scratch_file_make(&benchmark->path);
    if (status == WLSTM_OK) status = wlstm_lstm_save(benchmark->lstm, benchmark->path, NULL);
    if (status == WLSTM_OK && !benchmark->checked) {
        status = wlstm_lstm_load(benchmark->path, NULL, &loaded);
        if (status == WLSTM_OK) status = check_plan_of(benchmark, loaded);
        wlstm_lstm_free(loaded);
    }
    return status;
}

/* Each stream a place of its own in the order of a call, which is not that of their memory. */
static wlstm_status open_streams(bench_case *benchmark) {
    const int64_t B = benchmark->problem.batch;
    wlstm_status status = WLSTM_OK;
    benchmark->ids = wli_alloc((size_t)B * sizeof *benchmark->ids);
    if (!benchmark->ids) return wli_out_of_memory("the benchmark's ids", (size_t)B * sizeof *benchmark->ids);
    for (int64_t i = 0; i < B && status == WLSTM_OK; i++) {
        const int64_t place = (int64_t)(wli_random_bits(1, (uint64_t)i) % (uint64_t)(i + 1));
        status = wlstm_streams_open(benchmark->streams, &benchmark->ids[i]);
        const int64_t id = benchmark->ids[i];
        benchmark->ids[i] = benchmark->ids[place], benchmark->ids[place] = id;
    }
    return status;
}

static wlstm_status prepare_streams(bench_case *benchmark) {
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = benchmark->problem.batch, options.num_threads = benchmark->threads;
    options.precision = benchmark->problem.precision;
    wlstm_status status = make_lstm(benchmark);
    if (status == WLSTM_OK) status = wlstm_streams_create(benchmark->lstm, &options, &benchmark->streams);
    if (status == WLSTM_OK) status = open_streams(benchmark);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, false, &benchmark->arrays);
    /* Each time, as it also gives the states their start. */
    return status == WLSTM_OK ? check_streams(benchmark->lstm, benchmark->streams, benchmark->ids, &benchmark->problem,
                                              &benchmark->arrays)
                              : status;
}

/* The last parameter of the first cell but a projection's: its biases, or weight_hh. */
static wlstm_status take_parameter(bench_case *benchmark) {
    const int64_t index = benchmark->problem.bias ? 3 : 1;
    int ndim;
    int64_t shape[2];
    wlstm_status status = wlstm_lstm_parameter_info(benchmark->lstm, index, &benchmark->bias_name, &ndim, shape);
    if (status != WLSTM_OK) return status;
    benchmark->bias_count = shape[0] * shape[1];
    const size_t bytes = (size_t)benchmark->bias_count * wli_dtype_size(benchmark->problem.dtype);
    if (!(benchmark->bias = wli_alloc(bytes))) return wli_out_of_memory("the benchmark's arrays", bytes);
    return wlstm_lstm_get_parameter(benchmark->lstm, benchmark->bias_name, benchmark->bias, benchmark->bias_count);
}

static wlstm_status prepare_train(bench_case *benchmark) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    options.max_seq_len = benchmark->problem.seq_len, options.max_batch = benchmark->problem.batch;
    options.num_threads = benchmark->threads;
    options.precision = benchmark->problem.precision;
    if (benchmark->way.schedule != UNNAMED) options.schedule = (wlstm_schedule)benchmark->way.schedule;
    wlstm_status status = make_lstm(benchmark);
    if (status == WLSTM_OK) status = wlstm_trainer_create(benchmark->lstm, &options, &benchmark->trainer);
    if (status == WLSTM_OK) status = take_parameter(benchmark);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, false, &benchmark->arrays);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, false, &benchmark->loss);
    if (status == WLSTM_OK && !benchmark->checked)
        status = check_training(benchmark->lstm, benchmark->trainer, &benchmark->problem);
    if (status != WLSTM_OK) return status;
    const wli_problem *p = &benchmark->problem;
    const int64_t width = (p->bidirectional ? 2 : 1) * (p->proj_size ? p->proj_size : p->hidden_size);
    for (int64_t k = 0; k < p->seq_len * p->batch * width; k++)
        wli_put(p->dtype, benchmark->loss.out, (size_t)k, wli_random_real(2, (uint64_t)k));
    return WLSTM_OK;
}

/* The limit is for what is computed, not for making plans. */
static bool probe_once(const bench_case *benchmark) {
    bench_threads *shared = benchmark->shared;
    if (shared->probed || benchmark->family == FAMILY_CREATE || benchmark->family == FAMILY_LOAD ||
        benchmark->family == FAMILY_TRAIN)
        return true; /* no limit is told */
    shared->probed = machine_probe(shared->counts, shared->count);
    if (!shared->probed) wli_fail(WLSTM_ERROR_OUT_OF_MEMORY, "the machine probe: 256 MiB expected, got less");
    return shared->probed != NULL;
}

static bool prepare(void *context) {
    static wlstm_status (*const preparations[])(bench_case *) = { prepare_forward, prepare_cell,    prepare_create,
                                                                  prepare_load,    prepare_streams, prepare_train };
    bench_case *benchmark = context;
    if (benchmark->failed) return false;
    if (prepared == benchmark) return true;
    if (prepared) release(prepared);
    prepared = benchmark;
    if (!probe_once(benchmark)) return fail(benchmark);
    omp_set_num_threads(benchmark->threads); /* a cell has no plan options */
    if (preparations[benchmark->family](benchmark) != WLSTM_OK) return fail(benchmark);
    benchmark->checked = true;
    return true;
}

/* -------------------------------------------------------------------------------------------------- timed calls */

static bool call_forward(void *context) {
    bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const bench_arrays *arrays = &benchmark->arrays;
    return wlstm_plan_execute(benchmark->plan, problem->seq_len, problem->batch, NULL, arrays->x, NULL, NULL,
                              arrays->out, arrays->h_n, arrays->c_n) == WLSTM_OK ||
           fail(benchmark);
}

static bool call_cell(void *context) {
    bench_case *benchmark = context;
    const bench_arrays *arrays = &benchmark->arrays;
    return wlstm_cell_forward(benchmark->cell, benchmark->problem.batch, arrays->x, arrays->h_n, arrays->c_n,
                              arrays->h_n, arrays->c_n) == WLSTM_OK ||
           fail(benchmark);
}

static bool call_streams(void *context) {
    bench_case *benchmark = context;
    return wlstm_streams_step(benchmark->streams, benchmark->problem.batch, benchmark->ids, benchmark->arrays.x,
                              benchmark->arrays.out) == WLSTM_OK ||
           fail(benchmark);
}

/* Packed weights stay with an lstm, so each call needs one that has none. */
static bool before_create(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm_free(benchmark->lstm);
    return make_lstm(benchmark) == WLSTM_OK || fail(benchmark);
}

static bool plan_and_free(bench_case *benchmark, wlstm_lstm *lstm) {
    wlstm_plan *plan;
    if (make_plan(benchmark, lstm, &plan) != WLSTM_OK) fail(benchmark);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    return !benchmark->failed;
}

static bool call_create(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm *lstm = benchmark->lstm;
    benchmark->lstm = NULL;
    return plan_and_free(benchmark, lstm);
}

static bool call_load(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm *lstm;
    if (wlstm_lstm_load(benchmark->path, NULL, &lstm) != WLSTM_OK) return fail(benchmark);
    return plan_and_free(benchmark, lstm);
}

/* A parameter that was set makes all parameters new. */
static bool call_train(void *context) {
    bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const bench_arrays *arrays = &benchmark->arrays, *loss = &benchmark->loss;
    return (wlstm_trainer_set_parameter(benchmark->trainer, benchmark->bias_name, benchmark->bias,
                                        benchmark->bias_count) == WLSTM_OK &&
            wlstm_trainer_forward(benchmark->trainer, problem->seq_len, problem->batch, NULL, arrays->x, NULL, NULL,
                                  arrays->out, NULL, NULL, 1, 0, 0, NULL) == WLSTM_OK &&
            wlstm_trainer_backward(benchmark->trainer, NULL, loss->out, NULL, NULL, loss->x, NULL, NULL, 0) ==
                WLSTM_OK) ||
           fail(benchmark);
}

/* -------------------------------------------------------------------------------------------------- counters */

static size_t count_calls(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
    const bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const wli_rates *rates = machine_at(benchmark->shared->probed, benchmark->threads);
    const double sequences = (double)problem->batch / seconds;
    const bool cell = benchmark->family == FAMILY_CELL;
    const double limit = (cell ? limit_cell_seconds : limit_forward_seconds)(problem, rates);
    const bool own = cell || benchmark->family == FAMILY_STREAMS;
    const double flops = own ? wli_problem_flops(problem) : bench_problem_flops(benchmark->given);
    counters[0] = (shim_counter){ "GFLOPS", flops / seconds / 1e9 };
    counters[1] = (shim_counter){ "sequences/s", sequences };
    counters[2] = (shim_counter){ "steps/s", sequences * (double)problem->seq_len };
    counters[3] = (shim_counter){ "limit", limit / seconds };
    return benchmark->given->cells ? 3 : 4; /* the limit knows layers of one size */
}

/* Three times a forward pass's operations: to the input and to the parameters it is as many each. */
static size_t count_passes(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
    const bench_case *benchmark = context;
    const double sequences = (double)benchmark->problem.batch / seconds;
    counters[0] = (shim_counter){ "GFLOPS", 3 * wli_problem_flops(&benchmark->problem) / seconds / 1e9 };
    counters[1] = (shim_counter){ "sequences/s", sequences };
    counters[2] = (shim_counter){ "steps/s", sequences * (double)benchmark->problem.seq_len };
    return 3;
}

static size_t count_parameters(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
    const bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const double D = problem->bidirectional ? 2 : 1, rows = (double)problem->seq_len * (double)problem->batch;
    const double biases = problem->bias ? 8 * (double)problem->hidden_size * D * (double)problem->num_layers : 0;
    /* Each weight is a multiply-add a row and step. */
    const double parameters = wli_problem_flops(problem) / rows / 2 + biases;
    counters[0] = (shim_counter){ "GB/s", parameters * (double)wli_dtype_size(problem->dtype) / seconds / 1e9 };
    return 1;
}

static const shim_benchmark benchmarks[FAMILIES] = {
    [FAMILY_FORWARD] = { prepare, NULL, call_forward, count_calls, last_failure },
    [FAMILY_CELL] = { prepare, NULL, call_cell, count_calls, last_failure },
    [FAMILY_CREATE] = { prepare, before_create, call_create, count_parameters, last_failure },
    [FAMILY_LOAD] = { prepare, NULL, call_load, count_parameters, last_failure },
    [FAMILY_STREAMS] = { prepare, NULL, call_streams, count_calls, last_failure },
    [FAMILY_TRAIN] = { prepare, NULL, call_train, count_passes, last_failure },
};

/* "/KEY:NAME", or nothing. */
static void print_way(const char *key, const char *const *names, int value, char text[32]) {
    text[0] = '\0';
    if (value != UNNAMED) snprintf(text, 32, "/%s:%s", key, names[value]);
}

bench_case *bench_case_make(bench_family family, const bench_problem *problem, bench_way way, int threads,
                            bench_threads *shared) {
    bench_case *benchmark = wli_calloc(sizeof *benchmark);
    if (!benchmark) return NULL;
    char backend[32], schedule[32];
    print_way("backend", backend_names, way.backend, backend);
    print_way("schedule", schedule_names, way.schedule, schedule);
    snprintf(benchmark->name, sizeof benchmark->name, "%s/%s%s%s/threads:%d", family_names[family], problem->name,
             backend, schedule, threads);
    benchmark->family = family;
    benchmark->given = problem;
    benchmark->problem = problem->problem;
    if (family == FAMILY_CELL)
        benchmark->problem.seq_len = benchmark->problem.num_layers = 1, benchmark->problem.bidirectional = false;
    if (family == FAMILY_STREAMS) benchmark->problem.seq_len = 1;
    benchmark->way = way;
    benchmark->threads = threads;
    benchmark->shared = shared;
    shim_register(benchmark->name, &benchmarks[family], benchmark);
    return benchmark;
}

bool bench_case_failed(const bench_case *benchmark) {
    return benchmark->failed;
}

void bench_case_free(bench_case *benchmark) {
    if (!benchmark) return;
    if (prepared == benchmark) {
        release(benchmark);
        prepared = NULL;
    }
    wli_free(benchmark);
}
