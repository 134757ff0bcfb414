#include "run_compare.h"

#include "base/allocator.h"
#include "base/number_types.h"
#include "base/status.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

static const char *const names[RUN_RESULTS] = { "out", "h_n", "c_n" };

wlstm_status run_execute(wlstm_plan *plan, const run_call *call) {
    return wlstm_plan_execute(plan, call->seq_len, call->batch, call->lengths, call->x, call->h_0, call->c_0,
                              call->results[0], call->results[1], call->results[2]);
}

static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// The first call finds memory and caches cold.
static wlstm_status time_twice(wlstm_plan *plan, const run_call *call, double *seconds) {
    wlstm_status status = WLSTM_OK;
    *seconds = INFINITY;
    for (int k = 0; k < 2 && status == WLSTM_OK; k++) {
        const double start = now();
        status = run_execute(plan, call);
        *seconds = fmin(*seconds, now() - start);
    }
    return status;
}

static run_difference differ(wlstm_dtype dtype, const void *values, const void *full, size_t count) {
    double largest = 0, sum = 0, squares = 0, full_squares = 0;
    for (size_t k = 0; k < count; k++) {
        const double a = wli_get(dtype, values, k), b = wli_get(dtype, full, k);
        if (a == b || (isnan(a) && isnan(b))) {
            if (isfinite(b)) full_squares += b * b;
            continue;
        }
        const double difference = isfinite(a) && isfinite(b) ? fabs(a - b) : INFINITY;
        largest = fmax(largest, difference), sum += difference;
        squares += difference * difference;
        if (isfinite(b)) full_squares += b * b;
    }
    return (run_difference){ largest, count > 0 ? sum / (double)count : 0,
                             squares > 0 ? sqrt(squares) / sqrt(full_squares) : 0 };
}

wlstm_status run_compare(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan *plan, const run_call *call,
                         run_comparison *comparison) {
    wlstm_plan_options full_options = *options;
    wlstm_plan *full_plan = NULL;
    run_call full = *call;
    const size_t element = wli_dtype_size(call->dtype);
    wlstm_status status = WLSTM_OK;
    for (int k = 0; k < RUN_RESULTS; k++) full.results[k] = NULL;
    for (int k = 0; k < RUN_RESULTS && status == WLSTM_OK; k++)
        if (!(full.results[k] = wli_alloc(call->counts[k] * element + 1)))
            status = wli_out_of_memory("results in full precision", call->counts[k] * element);
    full_options.precision = WLSTM_PRECISION_FULL;
    if (status == WLSTM_OK) status = wlstm_plan_create(lstm, &full_options, &full_plan);
    if (status == WLSTM_OK) status = time_twice(plan, call, &comparison->seconds);
    if (status == WLSTM_OK) status = time_twice(full_plan, &full, &comparison->full_seconds);
    for (int k = 0; k < RUN_RESULTS && status == WLSTM_OK; k++)
        comparison->of[k] = differ(call->dtype, call->results[k], full.results[k], call->counts[k]);
    wlstm_plan_free(full_plan);
    for (int k = 0; k < RUN_RESULTS; k++) wli_free(full.results[k]);
    return status;
}

void run_print_comparison(const run_comparison *comparison) {
    for (int k = 0; k < RUN_RESULTS; k++)
        printf("beside full precision: %s: largest difference %.3g, mean %.3g, relative %.3g\n", names[k],
               comparison->of[k].largest, comparison->of[k].mean, comparison->of[k].relative);
    printf("beside full precision: %.3g s, full %.3g s\n", comparison->seconds, comparison->full_seconds);
}
