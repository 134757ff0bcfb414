/* wavelstm over the ranks of an MPI program: the rows of a batch, in training too, or the layers of a stack, on more
 * than one machine.
 *
 *     mpirun -n 4 program
 *
 *     wlstm_lstm *stage;                                 // this rank's layers of the file, and no others
 *     wlstm_mpi_pipeline *pipeline;
 *     wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
 *     options.max_seq_len = 100, options.max_batch = 1;
 *     if (wlstm_mpi_load_layers(MPI_COMM_WORLD, "model.safetensors", NULL, &stage) != WLSTM_OK ||
 *         wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &pipeline) != WLSTM_OK ||
 *         wlstm_mpi_pipeline_execute(pipeline, 100, 1, NULL, x, NULL, NULL, out, NULL, NULL) != WLSTM_OK)
 *         fprintf(stderr, "%s\n", wlstm_mpi_last_error());  // the same on all ranks
 *
 * Letters are those of wavelstm.h. Each function but wlstm_mpi_last_error and wlstm_mpi_pipeline_describe is
 * collective: all ranks of the communicator call it, in the same order, between MPI_Init_thread with
 * MPI_THREAD_FUNNELED or more and MPI_Finalize, each on the thread that MPI calls main. But in training seq_len and
 * batch are the same on all ranks, and arrays and lengths are rank 0's, what the others give for them not being read.
 * The ranks' messages meet nobody else's, and are done when a call returns.
 *
 * Results have the bits of one process: rows and chunks of time change none of the native kernels' (wavelstm.h says so of
 * threads, schedules and batches), on machines of one instruction set. To be sure of that whatever a plan cache holds:
 * deterministic in the options of a pipeline; WLSTM_BACKEND=native for rows.
 *
 * An error is every rank's: a missing file, a bad argument or an allocation that fails on one rank is the status that
 * all return, before anybody waits for that rank. Then handles are NULL and arrays hold nothing of use, on all ranks. MPI's
 * own errors go to the communicator's error handler, which ends the job by default, as does a rank that is killed. */
#ifndef WAVELSTM_MPI_H
#define WAVELSTM_MPI_H

#include <mpi.h>
#include <wavelstm.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------------------------------- errors */

/* What the ranks bring: the status of the lowest rank whose own is an error, else WLSTM_OK, on all ranks. message: a
 * sentence to an own that is an error; NULL: wlstm_last_error(). For what each rank does by itself:
 *
 *     status = wlstm_mpi_agree(comm, wlstm_lstm_load(path, NULL, &lstm), NULL);
 *
 * INVALID_ARGUMENT where MPI does not run or comm is MPI_COMM_NULL, as of every function here. */
wlstm_status wlstm_mpi_agree(MPI_Comm comm, wlstm_status own, const char *message);

/* The last failure that ranks agreed on, in one sentence that begins with the rank whose it is ("rank 2: ...") and is the
 * same on all. "" before the first. Valid until the next failure. */
const char *wlstm_mpi_last_error(void);

/* ---------------------------------------------------------------------------------------------------------- rows */

/* wlstm_forward with the rows of the batch over the ranks, each of which has the whole lstm (of the same file, or
 * created alike): rank 0 deals the rows so that all have equally many steps to do, sends each rank its own, and gathers
 * the results. Each rank runs wlstm_forward, with its own threads; one without rows idles. Rows that are on their ranks
 * already need no MPI: wlstm_forward runs them.
 *
 * Arrays as wlstm_forward's, rank 0's. seq_len, batch and every size of the lstm are at most 2^31 - 1. Memory: on each
 * rank its part of each array, on rank 0 besides the whole ones. Errors: as wlstm_forward, INVALID_ARGUMENT (an lstm
 * or sizes unlike rank 0's). */
wlstm_status wlstm_mpi_forward(MPI_Comm comm, wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths,
                               const void *x, const void *h_0, const void *c_0, void *out, void *h_n, void *c_n);

/* ------------------------------------------------------------------------------------------------------ training */

/* wlstm_trainer_backward with the rows of the batch over the ranks: each has a trainer of the same parameters, and has
 * run its rows forward, as many as it likes, also none, with first_row where they are in the whole batch. Then the
 * parameters' gradients are the sum over ranks on all of them, so that the same update gives all the same parameters.
 * Those of a cell are summed, by MPI_Iallreduce, as soon as they are complete, while the pass goes on.
 *
 * A sum: where the loss is a mean over the whole batch, d_out is divided by all rows, of all ranks, and the gradients
 * are one process's but for rounding. Where each rank's loss is a mean over its own rows, divide it by the ranks for
 * the average that PyTorch's DistributedDataParallel takes.
 *
 *     tape, d_out ... d_c_0     each rank's own
 *     accumulate                1: what this rank's gradients were goes into the sum: those of passes by
 *                               wlstm_trainer_backward, that were not summed yet. On each rank as it likes
 *     deterministic             1: sums in the order of the ranks, after the pass, so that their bits do not depend on
 *                               the algorithm that MPI picks; the same on all ranks
 *
 * It takes the place of a function of wlstm_trainer_watch_gradients. Memory: with deterministic a double for each
 * parameter. Errors: as wlstm_trainer_backward, INVALID_ARGUMENT (deterministic, or a trainer's parameters in all
 * or its last layer, unlike rank 0's, as many parameters as 2^31 less the ranks), OUT_OF_MEMORY; the gradients are of no use then, and tapes may be used up. */
wlstm_status wlstm_mpi_trainer_backward(MPI_Comm comm, wlstm_trainer *trainer, void *tape, const void *d_out,
                                        const void *d_h_n, const void *d_c_n, void *d_x, void *d_h_0, void *d_c_0,
                                        int accumulate, int deterministic);

/* -------------------------------------------------------------------------------------------------------- layers */

/* This rank's stage: its layers of the nn.LSTM in a file, as wlstm_lstm_load with first_layer and num_layers, the layers
 * dealt in order so that the largest share of the work is as small as can be, on as few ranks as that takes. *stage is NULL
 * on the ranks that none is left for. The caller frees it. path and options are each rank's own, of the same model; of
 * options first_layer and num_layers are the part of the file to be dealt. Each rank reads the file's header and its own
 * layers. Errors: as wlstm_lstm_load, UNSUPPORTED (two directions: each layer waits for both ends of the one below, so
 * that they go over ranks by rows alone). */
wlstm_status wlstm_mpi_load_layers(MPI_Comm comm, const char *path, const wlstm_load_options *options,
                                   wlstm_lstm **stage);

typedef struct wlstm_mpi_pipeline wlstm_mpi_pipeline; /* one rank's part of a stack whose layers are over ranks */

/* A pipeline of the stages: rank 0's reads x, each other's the h of the rank before; the last ranks may have none (NULL).
 * options are each rank's for its own plan, with max_seq_len and max_batch of the whole call; chunk_steps is how many
 * time steps are handed on at once (rank 0's counts; 0: chosen). It keeps what it needs of the stage, which may be freed
 * first, and of the communicator. The caller frees it before MPI_Finalize. Memory: the plan's, of chunk_steps; two chunks of x or h
 * and two of h; h and c of the stage's layers twice. Errors: as wlstm_plan_create, INVALID_ARGUMENT (stages that do not
 * follow each other, or unlike in dtype or batch_first; a chunk of more than 2^31 - 1 elements), UNSUPPORTED (two
 * directions; WLSTM_BF16, whose c would be rounded at each chunk, not at a call's end alone). */
wlstm_status wlstm_mpi_pipeline_create(MPI_Comm comm, wlstm_lstm *stage, const wlstm_plan_options *options,
                                       wlstm_mpi_pipeline **pipeline);

/* out, (h_n, c_n) = lstm(x, (h_0, c_0)) for the whole stack, for 1 <= seq_len <= max_seq_len and 0 <= batch <= max_batch:
 * a chunk of time goes through one rank's layers while the rank before does the next chunk. Arrays as wlstm_forward's, of
 * all layers, rank 0's. Allocates nothing (MPI may). Errors: INVALID_ARGUMENT, BACKEND. */
wlstm_status wlstm_mpi_pipeline_execute(wlstm_mpi_pipeline *pipeline, int64_t seq_len, int64_t batch,
                                        const int64_t *lengths, const void *x, const void *h_0, const void *c_0,
                                        void *out, void *h_n, void *c_n);

/* One line for people: "stage 1 of 2, chunks of 10 steps; " and what wlstm_plan_describe says of this rank's plan;
 * "no stage" on a rank without one; "" for NULL. Lives as long as the pipeline. */
const char *wlstm_mpi_pipeline_describe(const wlstm_mpi_pipeline *pipeline);

/* Frees this rank's part. NULL is allowed. */
void wlstm_mpi_pipeline_free(wlstm_mpi_pipeline *pipeline);

/* ------------------------------------------------------------------------------------------------ the tuned cache */

/* Gives all ranks what rank 0's process knows of tuned plans, its files read by it alone: before the first plan, no other
 * rank of that kind of machine reads any. A rank of another kind keeps to its own files. Errors: OUT_OF_MEMORY. */
wlstm_status wlstm_mpi_plan_cache_broadcast(MPI_Comm comm);

#ifdef __cplusplus
}
#endif

#endif
