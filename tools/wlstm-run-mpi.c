/* wlstm-run --ranks: the same over the ranks of an MPI program, which only this program is linked with. wlstm-run makes way for it.
 *
 * The first rank reads and writes the files, but for the model, and it alone speaks: what fails anywhere is agreed on. */
#include "base/status.h"
#include "options.h"
#include "run_job.h"
#include "wavelstm_mpi.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct place {
    int rank, ranks;
    wlstm_mpi_pipeline *pipeline;
    char how[640];
} place;

static wlstm_status agree(wlstm_status own) {
    return wlstm_mpi_agree(MPI_COMM_WORLD, own, NULL);
}

// Options of the run, where wlstm_forward and plans look for them. Before the library's first use.
static void set_environment(const run_arguments *given) {
    static const char *const schedules[] = { "auto", "serial", "wavefront", "gangs" };
    char threads[16];
    snprintf(threads, sizeof threads, "%d", given->threads);
    if (given->threads > 0) (void)setenv("WLSTM_NUM_THREADS", threads, 1);
    if (given->schedule != WLSTM_SCHEDULE_AUTO) (void)setenv("WLSTM_SCHEDULE", schedules[given->schedule], 1);
    if (given->effort != WLSTM_EFFORT_DEFAULT)
        (void)setenv("WLSTM_EFFORT", cli_efforts[given->effort - WLSTM_EFFORT_ESTIMATE], 1);
}

// The whole model, or this rank's layers of it. The first rank has the facts: its own, and how many layers there are.
static wlstm_status load_model(const run_arguments *given, const place *here, run *this_run) {
    char dtype_name[16] = "";
    wlstm_status status = agree(here->rank == 0 ? run_inspect(given, this_run, dtype_name) : WLSTM_OK);
    if (status != WLSTM_OK) return status;
    const wlstm_load_options options = run_load_options(given);
    if (given->ranks == RUN_LAYERS)
        status = wlstm_mpi_load_layers(MPI_COMM_WORLD, given->model, &options, &this_run->lstm);
    else
        status = agree(wlstm_lstm_load(given->model, &options, &this_run->lstm));
    if (status != WLSTM_OK) return status;
    this_run->config.struct_size = sizeof this_run->config;
    if (this_run->lstm != NULL) status = wlstm_lstm_get_config(this_run->lstm, &this_run->config);
    status = agree(status);
    if (status != WLSTM_OK) return status;
    if (given->ranks == RUN_LAYERS)
        MPI_Allreduce(MPI_IN_PLACE, &this_run->config.num_layers, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    if (here->rank == 0) run_note_dtype(this_run, dtype_name);
    return WLSTM_OK;
}

static wlstm_status load_arrays(const run_arguments *given, const place *here, run *this_run) {
    wlstm_status status = here->rank == 0 ? run_load_arrays(given, this_run) : WLSTM_OK;
    if (here->rank == 0 && status == WLSTM_OK) status = run_allocate_results(given, this_run);
    return agree(status);
}

static wlstm_status run_pipeline(const run_call *call, place *here, wlstm_lstm *stage) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = call->seq_len;
    options.max_batch = call->batch > 0 ? call->batch : 1;
    const wlstm_status status = wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &here->pipeline);
    if (status != WLSTM_OK) return status;
    snprintf(here->how, sizeof here->how, "layers over %d ranks: %s", here->ranks,
             wlstm_mpi_pipeline_describe(here->pipeline));
    return wlstm_mpi_pipeline_execute(here->pipeline, call->seq_len, call->batch, call->lengths, call->x, call->h_0,
                                      call->c_0, call->results[0], call->results[1], call->results[2]);
}

static wlstm_status execute(const run_arguments *given, place *here, run *this_run) {
    run_call call = { .seq_len = 0 };
    if (here->rank == 0) call = run_call_of(this_run);
    MPI_Bcast(&call.seq_len, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
    MPI_Bcast(&call.batch, 1, MPI_INT64_T, 0, MPI_COMM_WORLD);
    snprintf(here->how, sizeof here->how, "rows over %d ranks", here->ranks);
    this_run->how = here->how;
    if (given->ranks == RUN_LAYERS) return run_pipeline(&call, here, this_run->lstm);
    return wlstm_mpi_forward(MPI_COMM_WORLD, this_run->lstm, call.seq_len, call.batch, call.lengths, call.x, call.h_0,
                             call.c_0, call.results[0], call.results[1], call.results[2]);
}

static wlstm_status run_all(const run_arguments *given, place *here) {
    run this_run = { 0 };
    wlstm_status status = agree(here->rank == 0 ? run_try_results(given) : WLSTM_OK);
    if (status == WLSTM_OK) status = wlstm_mpi_plan_cache_broadcast(MPI_COMM_WORLD);
    if (status == WLSTM_OK) status = load_model(given, here, &this_run);
    if (status == WLSTM_OK) status = load_arrays(given, here, &this_run);
    if (status == WLSTM_OK) status = execute(given, here, &this_run);
    if (status == WLSTM_OK) status = agree(here->rank == 0 ? run_store(given, &this_run) : WLSTM_OK);
    wlstm_mpi_pipeline_free(here->pipeline);
    run_free(&this_run);
    return status;
}

int main(int argc, char **argv) {
    place here = { .rank = 0 };
    run_arguments given;
    bool finished;
    int provided;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &here.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &here.ranks);
    if (here.rank > 0 && (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL))
        MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    int wrong = run_parse_arguments(argc, argv, &given, &finished);
    if (wrong == 0 && !finished) {
        set_environment(&given);
        wrong = run_all(&given, &here) == WLSTM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
        if (wrong != 0) fprintf(stderr, "wlstm-run: %s\n", wlstm_mpi_last_error());
    }
    MPI_Finalize();
    return wrong;
}
