/* One lstm over the ranks of an MPI program: the rows of a batch dealt among them, then its layers, as a pipeline through which chunks of
 * time go. Arrays are rank 0's.
 *
 *     mpirun -n 2 11_mpi
 *
 * Rank 0 then runs everything alone: the bits are the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wavelstm_mpi.h>

enum { SEQ_LEN = 40, BATCH = 13, INPUT_SIZE = 16, HIDDEN_SIZE = 32, NUM_LAYERS = 4 };

static const char file[] = "11_mpi.safetensors";
static float x[SEQ_LEN][BATCH][INPUT_SIZE], alone[SEQ_LEN][BATCH][HIDDEN_SIZE];
static float over_rows[SEQ_LEN][BATCH][HIDDEN_SIZE], over_layers[SEQ_LEN][BATCH][HIDDEN_SIZE];

/* An error is all ranks': each comes here with the same, and rank 0 tells. */
static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) fprintf(stderr, "%s\n", wlstm_mpi_last_error());
    MPI_Finalize();
    exit(1);
}

/* What each rank does by itself becomes all ranks' error. */
static void check_own(wlstm_status own) {
    check(wlstm_mpi_agree(MPI_COMM_WORLD, own, NULL));
}

static wlstm_lstm *create(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    config.num_layers = NUM_LAYERS;
    check_own(wlstm_lstm_create(&config, &lstm)); /* seed 0: the same parameters on every rank */
    return lstm;
}

/* Each rank has a stage, its layers of the file and no others, and hands on 5 steps at once. */
static void run_layers(void) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *stage;
    wlstm_mpi_pipeline *pipeline;
    options.max_seq_len = SEQ_LEN;
    options.max_batch = BATCH;
    options.num_threads = 1; /* a rank a core */
    options.chunk_steps = 5;
    check(wlstm_mpi_load_layers(MPI_COMM_WORLD, file, NULL, &stage));
    check(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &pipeline));
    check(wlstm_mpi_pipeline_execute(pipeline, SEQ_LEN, BATCH, NULL, x, NULL, NULL, over_layers, NULL, NULL));
    wlstm_mpi_pipeline_free(pipeline);
    wlstm_lstm_free(stage);
}

int main(int argc, char **argv) {
    int rank, ranks, provided, same = 1;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);

    wlstm_lstm *lstm = create();
    for (int t = 0; t < SEQ_LEN && rank == 0; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }
    check(wlstm_mpi_forward(MPI_COMM_WORLD, lstm, SEQ_LEN, BATCH, NULL, x, NULL, NULL, over_rows, NULL, NULL));
    check_own(rank == 0 ? wlstm_lstm_save(lstm, file, NULL) : WLSTM_OK);
    run_layers();

    if (rank == 0) {
        remove(file);
        const wlstm_status status = wlstm_forward(lstm, SEQ_LEN, BATCH, NULL, x, NULL, NULL, alone, NULL, NULL);
        same = status == WLSTM_OK && memcmp(over_rows, alone, sizeof alone) == 0 &&
               memcmp(over_layers, alone, sizeof alone) == 0;
        printf("rows and layers on %d ranks: %s as on one\n", ranks, same ? "the same bits" : "not the same");
    }
    wlstm_lstm_free(lstm);
    MPI_Bcast(&same, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Finalize();
    return same ? 0 : 1;
}
