#include "check_training.h"

#include "api/module.h"
#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "reference/backward.h"
#include <inttypes.h>
#include <math.h>

static const double affordable_flops = 0.1e9; /* some tenths of a second of the reference, forward and back */

typedef struct arrays {
    void *x, *out, *d_out, *d_x, *expected_x, *expected_parameters;
} arrays;

static wlstm_status make(const wli_problem *problem, int64_t rows, int64_t width, uint64_t seed, void **values) {
    const wlstm_dtype dtype = problem->dtype;
    size_t bytes = SIZE_MAX;
    *values = wli_size_product(rows, width, (int64_t)wli_dtype_size(dtype), &bytes) ? wli_alloc(bytes) : NULL;
    if (!*values) return wli_out_of_memory("the benchmark's arrays", bytes);
    for (int64_t k = 0; k < rows * width; k++) wli_put(dtype, *values, (size_t)k, wli_random_real(seed, (uint64_t)k));
    return WLSTM_OK;
}

/* The sum of many terms has the digits of the largest. */
static wlstm_status compare(const char *array, wlstm_dtype dtype, const void *actual, const void *expected,
                            int64_t count) {
    double largest = 0;
    for (int64_t k = 0; k < count; k++) largest = fmax(largest, fabs(wli_get(dtype, expected, (size_t)k)));
    const double allowed = (dtype == WLSTM_F64 ? 1e-11 : 1e-4) * largest;
    for (int64_t k = 0; k < count; k++) {
        const double got = wli_get(dtype, actual, (size_t)k), wanted = wli_get(dtype, expected, (size_t)k);
        if (!(fabs(got - wanted) <= allowed))
            return wli_fail(WLSTM_ERROR_BACKEND, "wrong result: %s[%" PRId64 "]: %.9g expected, got %.9g", array, k,
                            wanted, got);
    }
    return WLSTM_OK;
}

static wlstm_status run(wlstm_lstm *lstm, wlstm_trainer *trainer, const wli_problem *part, const arrays *all) {
    const int64_t T = part->seq_len, B = part->batch;
    const wli_call call = { .seq_len = T, .batch = B, .x = all->x, .out = all->out };
    const wli_gradients expected = { .d_out = all->d_out,
                                     .d_x = all->expected_x,
                                     .d_parameters = all->expected_parameters };
    void *gradients;
    int64_t count;
    wlstm_status status =
        wlstm_trainer_forward(trainer, T, B, NULL, all->x, NULL, NULL, all->out, NULL, NULL, 1, 0, 0, NULL);
    if (status == WLSTM_OK)
        status = wlstm_trainer_backward(trainer, NULL, all->d_out, NULL, NULL, all->d_x, NULL, NULL, 0);
    if (status == WLSTM_OK) status = wli_reference_backward(lstm->module.model, &call, NULL, &expected);
    if (status == WLSTM_OK) status = wlstm_trainer_gradients(trainer, &gradients, &count);
    if (status == WLSTM_OK) status = compare("d_x", part->dtype, all->d_x, all->expected_x, T * B * part->input_size);
    if (status == WLSTM_OK) status = compare("gradients", part->dtype, gradients, all->expected_parameters, count);
    return status;
}

wlstm_status check_training(wlstm_lstm *lstm, wlstm_trainer *trainer, const wli_problem *problem) {
    const double row_step = 3 * wli_problem_flops(problem) / ((double)problem->seq_len * (double)problem->batch);
    const int64_t most = row_step < affordable_flops ? (int64_t)(affordable_flops / row_step) : 1;
    const int64_t width =
        (problem->bidirectional ? 2 : 1) * (problem->proj_size ? problem->proj_size : problem->hidden_size);
    wli_problem part = *problem;
    part.batch = part.batch < 7 ? part.batch : 7;
    if (part.batch > most) part.batch = most;
    if (part.seq_len > most / part.batch) part.seq_len = most / part.batch;
    const int64_t rows = part.seq_len * part.batch;
    int64_t count;
    arrays all = { 0 };
    wlstm_status status = wlstm_trainer_gradients(trainer, NULL, &count);
    if (status == WLSTM_OK) status = make(&part, rows, part.input_size, 1, &all.x);
    if (status == WLSTM_OK) status = make(&part, rows, width, 2, &all.out);
    if (status == WLSTM_OK) status = make(&part, rows, width, 3, &all.d_out);
    if (status == WLSTM_OK) status = make(&part, rows, part.input_size, 4, &all.d_x);
    if (status == WLSTM_OK) status = make(&part, rows, part.input_size, 5, &all.expected_x);
    if (status == WLSTM_OK) status = make(&part, count, 1, 6, &all.expected_parameters);
    if (status == WLSTM_OK) status = run(lstm, trainer, &part, &all);
    void *const memory[] = { all.x, all.out, all.d_out, all.d_x, all.expected_x, all.expected_parameters };
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) wli_free(memory[i]);
    return status;
}
