/* What wlstm-run does around the run itself: the model's facts, the arrays in and out, the results, all or none. */
#ifndef RUN_JOB_H
#define RUN_JOB_H

#include "io/npy.h"
#include "run_arguments.h"
#include "run_compare.h"

/* Everything between the arguments and the results. Letters as in wavelstm.h. */
typedef struct run {
    wlstm_lstm *lstm;
    wlstm_plan *plan;
    wlstm_lstm_config config;
    bool cell;                    /* the file holds an nn.LSTMCell */
    bool unlike;                  /* its layers' hidden sizes differ */
    bool batched;                 /* the input is 3-D */
    int64_t seq_len, batch;       /* T, B */
    wli_npy x, h_0, c_0, lengths; /* values NULL when not given */
    int out_ndim, state_ndim;
    int64_t out_shape[3], h_shape[3], c_shape[3];
    void *out, *h_n, *c_n;
    run_comparison comparison; /* if asked for */
    const char *how;           /* it was run, for the report */
} run;

/* What cannot be written shows before the work. */
wlstm_status run_try_results(const run_arguments *given);

/* What the file has: whether an nn.LSTMCell, which is known by its names, or unlike layers, and the dtype of its weight_ih as the file
 * names it. */
wlstm_status run_inspect(const run_arguments *given, run *this_run, char dtype_name[16]);

wlstm_load_options run_load_options(const run_arguments *given);

/* Says on stderr that parameters were converted, where they were. */
void run_note_dtype(const run *this_run, const char *dtype_name);

/* x, h_0, c_0 and lengths, which must fit the config and each other; the results' shapes follow from x's. */
wlstm_status run_load_arrays(const run_arguments *given, run *this_run);

/* Memory for out, and for h_n and c_n where they are wanted. */
wlstm_status run_allocate_results(const run_arguments *given, run *this_run);

/* The call, of arrays that are there. */
run_call run_call_of(const run *this_run);

/* Writes the results, all or none, and says on stdout what was done. */
wlstm_status run_store(const run_arguments *given, const run *this_run);

void run_free(run *this_run);

#endif
