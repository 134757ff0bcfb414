/* The rows of a batch over the ranks of an MPI program. Rows never meet, so nothing is sent until the results are wanted.
 * Each rank makes the same lstm (or loads the same file), and a plan for its own rows and threads.
 *
 *     mpirun -n 2 11_mpi
 *
 * Rank 0 then runs the whole batch alone: with `deterministic` the ranks of like machines have the same bits. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpi.h>
#include <wavelstm.h>

enum { SEQ_LEN = 20, BATCH = 13, INPUT_SIZE = 16, HIDDEN_SIZE = 32, NUM_LAYERS = 2, ROW_OUT = SEQ_LEN * HIDDEN_SIZE };

/* batch_first: a row is one piece of memory. */
static float x[BATCH][SEQ_LEN][INPUT_SIZE], out[BATCH][ROW_OUT], gathered[BATCH][ROW_OUT], alone[BATCH][ROW_OUT];

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    MPI_Abort(MPI_COMM_WORLD, 1);
}

static int first_row(int rank, int ranks) {
    return BATCH * rank / ranks;
}

/* Rows first to last - 1 into result[0...]. */
static void run_rows(wlstm_lstm *lstm, int first, int last, float (*result)[ROW_OUT]) {
    if (first == last) return; /* more ranks than rows */
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = SEQ_LEN;
    options.max_batch = last - first;
    options.num_threads = 1; /* a rank a core */
    options.deterministic = 1;
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &options, &plan));
    check(wlstm_plan_execute(plan, SEQ_LEN, last - first, NULL, x[first], NULL, NULL, result, NULL, NULL));
    wlstm_plan_free(plan);
}

int main(int argc, char **argv) {
    int rank, ranks, same = 1;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);

    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    config.num_layers = NUM_LAYERS;
    config.batch_first = 1;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm)); /* seed 0: the same parameters on every rank */

    const int first = first_row(rank, ranks), last = first_row(rank + 1, ranks);
    for (int b = rank == 0 ? 0 : first; b < (rank == 0 ? BATCH : last); ++b) { /* rank 0 will need all of it */
        for (int t = 0; t < SEQ_LEN; ++t) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[b][t][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }
    run_rows(lstm, first, last, out);

    int *counts = malloc(2 * (size_t)ranks * sizeof *counts), *begins = counts + ranks;
    if (!counts) MPI_Abort(MPI_COMM_WORLD, 1);
    for (int r = 0; r < ranks; ++r) {
        begins[r] = first_row(r, ranks) * ROW_OUT;
        counts[r] = first_row(r + 1, ranks) * ROW_OUT - begins[r];
    }
    MPI_Gatherv(out, counts[rank], MPI_FLOAT, gathered, counts, begins, MPI_FLOAT, 0, MPI_COMM_WORLD);

    if (rank == 0) {
        run_rows(lstm, 0, BATCH, alone);
        same = memcmp(gathered, alone, sizeof alone) == 0;
        printf("%d rows on %d ranks: %s as on one\n", BATCH, ranks, same ? "the same bits" : "not the same");
    }
    free(counts);
    wlstm_lstm_free(lstm);
    MPI_Bcast(&same, 1, MPI_INT, 0, MPI_COMM_WORLD);
    MPI_Finalize();
    return same ? 0 : 1;
}
