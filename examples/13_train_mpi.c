/* Trains the demo's weather forecaster (12_train.c) with the windows of each step over the ranks of an MPI program, and
 * dropout between its layers.
 *
 *     mpirun -n 2 13_train_mpi examples/demo
 *
 * Each rank goes forward and back through its windows; the gradients are summed over ranks, and all take the same step.
 * Rank 0 then trains on all windows alone: the losses are the same but for rounding. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm_mpi.h>

#include "demo/forecaster.h"

/* The sums over windows are taken in another order, and rounding grows from step to step. */
enum { STEPS = 40, SEED = 1 };
static const double TOLERANCE = 1e-4;

/* An error is all ranks': each comes here with the same, and rank 0 tells. */
static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) fprintf(stderr, "13_train_mpi: %s\n", wlstm_mpi_last_error());
    MPI_Finalize();
    exit(1);
}

/* The nn.LSTM, of the same parameters on every rank (seed 0). */
static wlstm_status create_trainer(size_t rows, wlstm_trainer **trainer) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm;
    config.input_size = FEATURES, config.hidden_size = HIDDEN, config.num_layers = LAYERS, config.dropout = 0.2;
    options.max_seq_len = WINDOW, options.max_batch = rows > 0 ? (int64_t)rows : 1;
    options.num_threads = 1; /* a rank a core */
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status == WLSTM_OK) status = wlstm_trainer_create(lstm, &options, trainer);
    wlstm_lstm_free(lstm);
    return status;
}

/* losses [STEPS], of all windows, on each rank of comm. */
static void train(MPI_Comm comm, const char *path, const float *features, size_t days, double *losses) {
    int rank, ranks;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    const size_t first = (size_t)(BATCH * rank / ranks), end = (size_t)(BATCH * (rank + 1) / ranks);
    windows w = windows_allocate(first, end - first);
    linear head;
    wlstm_trainer *trainer;
    check(wlstm_mpi_agree(comm, linear_read(path, &head), NULL));
    check(wlstm_mpi_agree(comm, create_trainer(w.rows, &trainer), NULL));
    for (int step = 0; step < STEPS; ++step) {
        windows_gather(&w, features, days, step);
        /* The rank's first window counts as one of the whole batch, so that dropout is what one process draws. */
        const wlstm_status own = wlstm_trainer_forward(trainer, WINDOW, (int64_t)w.rows, NULL, w.x, NULL, NULL, w.out,
                                                       NULL, NULL, 1, SEED + (uint64_t)step, (int64_t)w.first, NULL);
        check(wlstm_mpi_agree(comm, own, NULL));
        losses[step] = windows_loss(&w, &head);
        check(wlstm_mpi_trainer_backward(comm, trainer, NULL, w.d_out, NULL, NULL, NULL, NULL, NULL, 0, 0));
        MPI_Allreduce(MPI_IN_PLACE, head.gradients, HEAD, MPI_FLOAT, MPI_SUM, comm);
        MPI_Allreduce(MPI_IN_PLACE, &losses[step], 1, MPI_DOUBLE, MPI_SUM, comm);
        check(wlstm_mpi_agree(comm, forecaster_clip(trainer, &head), NULL));
        check(wlstm_mpi_agree(comm, wlstm_trainer_update(trainer, &forecaster_optimizer), NULL));
        linear_update(&head, step + 1);
    }
    wlstm_trainer_free(trainer);
    windows_free(&w);
}

int main(int argc, char **argv) {
    int rank, ranks, provided, same = 1;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (argc != 2) {
        if (rank == 0) fprintf(stderr, "usage: mpirun -n 2 13_train_mpi examples/demo\n");
        MPI_Finalize();
        return 2;
    }
    char path[1024];
    weather w;
    double losses[STEPS], alone[STEPS], largest = 0;
    weather_read(argv[1], HIDDEN, LAYERS, &w);
    w.start = 0, w.steps = w.series.rows; /* the features of all days */
    float *features = weather_features(&w);
    join_path(path, argv[1], "initial.safetensors");

    train(MPI_COMM_WORLD, path, features, w.held_back, losses);
    if (rank == 0) {
        train(MPI_COMM_SELF, path, features, w.held_back, alone);
        for (int step = 0; step < STEPS; ++step)
            largest = fmax(largest, fabs(losses[step] - alone[step]) / alone[step]);
        same = largest <= TOLERANCE && losses[STEPS - 1] < losses[0];
        printf("loss %.4f, after %d steps %.4f on %d ranks; largest difference from one: %.1e of the loss (allowed: "
               "%.0e)\n",
               losses[0], STEPS, losses[STEPS - 1], ranks, largest, TOLERANCE);
    }
    free(features);
    weather_free(&w);
    MPI_Bcast(&same, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Finalize();
    return same ? 0 : 1;
}
