/* wlstm-run: runs a model file on an input array, as torch.nn.LSTM would.
 *
 * read the arguments -> try the results' names -> load the model -> read the arrays -> plan, execute (and in full
 * precision, to compare) -> write the results, all or none. Over ranks another program does that. */
#include "base/status.h"
#include "run_job.h"
#include "run_ranks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wlstm_status load_model(const run_arguments *given, run *this_run) {
    char dtype_name[16];
    wlstm_status status = run_inspect(given, this_run, dtype_name);
    if (status != WLSTM_OK) return status;
    const wlstm_load_options options = run_load_options(given);
    status = wlstm_lstm_load(given->model, &options, &this_run->lstm);
    if (status != WLSTM_OK) return status;
    this_run->config.struct_size = sizeof this_run->config;
    status = wlstm_lstm_get_config(this_run->lstm, &this_run->config);
    if (status == WLSTM_OK) run_note_dtype(this_run, dtype_name);
    return status;
}

static wlstm_status execute(const run_arguments *given, run *this_run) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_status status = run_allocate_results(given, this_run);
    if (status != WLSTM_OK) return status;
    const run_call call = run_call_of(this_run);
    options.max_seq_len = call.seq_len;
    options.max_batch = call.batch > 0 ? call.batch : 1;
    options.num_threads = given->threads;
    options.effort = given->effort;
    options.schedule = given->schedule;
    options.precision = given->precision;
    status = wlstm_plan_create(this_run->lstm, &options, &this_run->plan);
    if (status != WLSTM_OK) return status;
    this_run->how = wlstm_plan_describe(this_run->plan);
    if (given->compare) return run_compare(this_run->lstm, &options, this_run->plan, &call, &this_run->comparison);
    return run_execute(this_run->plan, &call);
}

int main(int argc, char **argv) {
    run_arguments given;
    bool finished;
    int wrong = run_parse_arguments(argc, argv, &given, &finished);
    if (wrong != 0) return wrong;
    run this_run = { 0 };
    wlstm_status status = WLSTM_OK;
    if (finished) {
        if (fflush(stdout) != 0)
            status = wli_fail(WLSTM_ERROR_FILE, "standard output: cannot write: %s", strerror(errno));
    } else if (given.ranks != RUN_ALONE) {
        status = run_over_ranks(argv);
    } else {
        status = run_try_results(&given);
        if (status == WLSTM_OK) status = load_model(&given, &this_run);
        if (status == WLSTM_OK) status = run_load_arrays(&given, &this_run);
        if (status == WLSTM_OK) status = execute(&given, &this_run);
        if (status == WLSTM_OK) status = run_store(&given, &this_run);
        run_free(&this_run);
    }
    if (status != WLSTM_OK) fprintf(stderr, "wlstm-run: %s\n", wlstm_last_error());
    return status == WLSTM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
