/* wlstm-run's call, and what a precision costs: its results beside those of full precision. */
#ifndef RUN_COMPARE_H
#define RUN_COMPARE_H

#include "wavelstm.h"

enum { RUN_RESULTS = 3 }; /* out, h_n, c_n */

typedef struct run_call {
    wlstm_dtype dtype;
    int64_t seq_len, batch;
    const int64_t *lengths;
    const void *x, *h_0, *c_0;
    void *results[RUN_RESULTS]; /* NULL: not wanted */
    size_t counts[RUN_RESULTS]; /* elements */
} run_call;

/* Elements that differ nowhere (NaN beside NaN too) count as 0, those of which one alone is not finite as infinity. */
typedef struct run_difference {
    double largest, mean; /* of |value - full| */
    double relative;      /* the root of the sum of squares of value - full over that of full */
} run_difference;

typedef struct run_comparison {
    run_difference of[RUN_RESULTS];
    double seconds, full_seconds; /* of the quicker of two calls */
} run_comparison;

/* wlstm_plan_execute. */
wlstm_status run_execute(wlstm_plan *plan, const run_call *call);

/* The same, and again by a plan of these options with full precision, into memory of its own; all results wanted. */
wlstm_status run_compare(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan *plan, const run_call *call,
                         run_comparison *comparison);

/* A line an array and one of the times, on stdout. */
void run_print_comparison(const run_comparison *comparison);

#endif
