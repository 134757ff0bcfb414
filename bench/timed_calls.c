#include "case.h"

#include "limit.h"

bool call_forward(void *context) {
    bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const bench_arrays *arrays = &benchmark->arrays;
    return wlstm_plan_execute(benchmark->plan, problem->seq_len, problem->batch, NULL, arrays->x, NULL, NULL,
                              arrays->out, arrays->h_n, arrays->c_n) == WLSTM_OK ||
           case_fail(benchmark);
}

bool call_cell(void *context) {
    bench_case *benchmark = context;
    const bench_arrays *arrays = &benchmark->arrays;
    return wlstm_cell_forward(benchmark->cell, benchmark->problem.batch, arrays->x, arrays->h_n, arrays->c_n,
                              arrays->h_n, arrays->c_n) == WLSTM_OK ||
           case_fail(benchmark);
}

bool call_streams(void *context) {
    bench_case *benchmark = context;
    return wlstm_streams_step(benchmark->streams, benchmark->problem.batch, benchmark->ids, benchmark->arrays.x,
                              benchmark->arrays.out) == WLSTM_OK ||
           case_fail(benchmark);
}

/* Packed weights stay with an lstm, so each call needs one that has none. */
bool before_create(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm_free(benchmark->lstm);
    return case_lstm(benchmark) == WLSTM_OK || case_fail(benchmark);
}

static bool plan_and_free(bench_case *benchmark, wlstm_lstm *lstm) {
    wlstm_plan *plan;
    if (case_plan(benchmark, lstm, &plan) != WLSTM_OK) case_fail(benchmark);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    return !benchmark->failed;
}

bool call_create(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm *lstm = benchmark->lstm;
    benchmark->lstm = NULL;
    return plan_and_free(benchmark, lstm);
}

bool call_load(void *context) {
    bench_case *benchmark = context;
    wlstm_lstm *lstm;
    if (wlstm_lstm_load(benchmark->path, NULL, &lstm) != WLSTM_OK) return case_fail(benchmark);
    return plan_and_free(benchmark, lstm);
}

/* A parameter that was set makes all parameters new. */
bool call_train(void *context) {
    bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const bench_arrays *arrays = &benchmark->arrays, *loss = &benchmark->loss;
    return (wlstm_trainer_set_parameter(benchmark->trainer, benchmark->bias_name, benchmark->bias,
                                        benchmark->bias_count) == WLSTM_OK &&
            wlstm_trainer_forward(benchmark->trainer, problem->seq_len, problem->batch, NULL, arrays->x, NULL, NULL,
                                  arrays->out, NULL, NULL, 1, 0, 0, NULL) == WLSTM_OK &&
            wlstm_trainer_backward(benchmark->trainer, NULL, loss->out, NULL, NULL, loss->x, NULL, NULL, 0) ==
                WLSTM_OK) ||
           case_fail(benchmark);
}

size_t count_calls(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
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
size_t count_passes(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
    const bench_case *benchmark = context;
    const double sequences = (double)benchmark->problem.batch / seconds;
    counters[0] = (shim_counter){ "GFLOPS", 3 * wli_problem_flops(&benchmark->problem) / seconds / 1e9 };
    counters[1] = (shim_counter){ "sequences/s", sequences };
    counters[2] = (shim_counter){ "steps/s", sequences * (double)benchmark->problem.seq_len };
    return 3;
}

size_t count_parameters(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]) {
    const bench_case *benchmark = context;
    const wli_problem *problem = &benchmark->problem;
    const double D = problem->bidirectional ? 2 : 1, rows = (double)problem->seq_len * (double)problem->batch;
    const double biases = problem->bias ? 8 * (double)problem->hidden_size * D * (double)problem->num_layers : 0;
    /* Each weight is a multiply-add a row and step. */
    const double parameters = wli_problem_flops(problem) / rows / 2 + biases;
    counters[0] = (shim_counter){ "GB/s", parameters * (double)wli_dtype_size(problem->dtype) / seconds / 1e9 };
    return 1;
}
