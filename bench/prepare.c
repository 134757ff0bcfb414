#include "case.h"

#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "check_training.h"
#include "scratch_file.h"
#include <omp.h>
#include <stdio.h>

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

bool case_fail(bench_case *benchmark) {
    benchmark->failed = true;
    snprintf(benchmark->error, sizeof benchmark->error, "%s", wlstm_last_error());
    fprintf(stderr, "wlstm-bench: %s: %s\n", benchmark->name, benchmark->error);
    return false;
}

wlstm_status case_lstm(bench_case *benchmark) {
    return bench_problem_lstm(benchmark->given, &benchmark->lstm);
}

wlstm_status case_plan(const bench_case *benchmark, wlstm_lstm *lstm, wlstm_plan **plan) {
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
    wlstm_status status = case_plan(benchmark, source, &plan);
    if (status == WLSTM_OK) status = bench_arrays_make(&benchmark->problem, true, &arrays);
    if (status == WLSTM_OK) status = check_forward(benchmark->lstm, plan, &benchmark->problem, &arrays);
    wlstm_plan_free(plan);
    bench_arrays_free(&arrays);
    return status;
}

static wlstm_status prepare_forward(bench_case *benchmark) {
    wlstm_status status = case_lstm(benchmark);
    if (status == WLSTM_OK) status = case_plan(benchmark, benchmark->lstm, &benchmark->plan);
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
    wlstm_status status = case_lstm(benchmark);
    return status == WLSTM_OK && !benchmark->checked ? check_plan_of(benchmark, benchmark->lstm) : status;
}

static wlstm_status prepare_load(bench_case *benchmark) {
    wlstm_lstm *loaded = NULL;
    wlstm_status status = case_lstm(benchmark);
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
    wlstm_status status = case_lstm(benchmark);
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
    wlstm_status status = case_lstm(benchmark);
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

bool case_prepare(void *context) {
    static wlstm_status (*const preparations[])(bench_case *) = { prepare_forward, prepare_cell,    prepare_create,
                                                                  prepare_load,    prepare_streams, prepare_train };
    bench_case *benchmark = context;
    if (benchmark->failed) return false;
    if (prepared == benchmark) return true;
    if (prepared) release(prepared);
    prepared = benchmark;
    if (!probe_once(benchmark)) return case_fail(benchmark);
    omp_set_num_threads(benchmark->threads); /* a cell has no plan options */
    if (preparations[benchmark->family](benchmark) != WLSTM_OK) return case_fail(benchmark);
    benchmark->checked = true;
    return true;
}

void case_release(const bench_case *benchmark) {
    if (prepared != benchmark) return;
    release(prepared);
    prepared = NULL;
}
