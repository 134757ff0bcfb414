#include <stdio.h>

#include <wavelstm_mpi.h>

int main(int argc, char **argv) {
    static const float x[5 * 3 * 2] = { 1 };
    static float out[5 * 3 * 4], h_n[3 * 4];
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    int rank, provided;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    config.input_size = 2;
    config.hidden_size = 4;
    wlstm_status status = wlstm_mpi_agree(MPI_COMM_WORLD, wlstm_lstm_create(&config, &lstm), NULL);
    if (status == WLSTM_OK) status = wlstm_mpi_forward(MPI_COMM_WORLD, lstm, 5, 3, NULL, x, NULL, NULL, out, h_n, NULL);
    if (rank == 0 && status != WLSTM_OK) fprintf(stderr, "%s\n", wlstm_mpi_last_error());
    if (rank == 0 && status == WLSTM_OK) printf("h_n[0] = %.6f by wavelstm %s\n", h_n[0], wlstm_version());
    wlstm_lstm_free(lstm);
    MPI_Finalize();
    return status != WLSTM_OK;
}
