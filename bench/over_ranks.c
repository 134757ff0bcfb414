/* How much ranks gain: each problem by one process, then by all ranks, its rows and its layers.
 *
 *     WLSTM_NUM_THREADS=1 mpirun -n 2 build/bin/wlstm-bench-ranks t100b1i256h256l4 ...
 *
 * A line on rank 0 of messages between ranks 0 and 1, and one a problem: the least seconds of calls in turns, and whether the bits are the same. Ranks that have nothing to do
 * sleep. */
#include "problems.h"
#include "wavelstm_mpi.h"

#include "base/number_types.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ONE, ROWS, LAYERS, WAYS };
static const double least_seconds = 2;
static const int least_calls = 5;

typedef struct job {
    int rank, ranks;
    bench_problem problem;
    wlstm_lstm *lstm;
    wlstm_plan *plan;
    wlstm_mpi_pipeline *pipeline;
    void *x, *out[WAYS];
    size_t out_bytes;
} job;

/* Ends all ranks where one has failed. */
static void check(wlstm_status status) {
    int rank;
    if (status == WLSTM_OK) return;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) fprintf(stderr, "wlstm-bench-ranks: %s\n", wlstm_mpi_last_error());
    MPI_Finalize();
    exit(1);
}

static void check_own(wlstm_status own, const char *message) {
    check(wlstm_mpi_agree(MPI_COMM_WORLD, own, message));
}

static void meet_asleep(void) {
    MPI_Request request;
    int all = 0;
    MPI_Ibarrier(MPI_COMM_WORLD, &request);
    while (MPI_Test(&request, &all, MPI_STATUS_IGNORE), !all) (void)nanosleep(&(struct timespec){ 0, 200000 }, NULL);
}

/* Half of the least time that `bytes` take from rank 0 to rank 1 and back, of so many turns. */
static double time_message(int rank, int bytes, int turns) {
    char *message = calloc(1, (size_t)bytes);
    double least = INFINITY;
    check_own(message ? WLSTM_OK : WLSTM_ERROR_OUT_OF_MEMORY, "no memory");
    for (int turn = 0; turn < turns && rank < 2; turn++) {
        const double start = MPI_Wtime();
        if (rank == 0) MPI_Send(message, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
        MPI_Recv(message, bytes, MPI_BYTE, 1 - rank, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (rank == 1) MPI_Send(message, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
        least = fmin(least, MPI_Wtime() - start);
    }
    free(message);
    return least / 2;
}

/* For --network-us and --network-gbs of wlstm-bench --simulate-ranks. */
static void measure_messages(void) {
    int rank, ranks;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    if (ranks < 2) return;
    const int small = 64, large = 1 << 20;
    const double latency = time_message(rank, small, 2000), seconds = time_message(rank, large, 200);
    if (rank == 0)
        printf("messages: %.3f us, %.3f GB/s\n", 1e6 * latency, 1e-9 * large / fmax(seconds - latency, 1e-9));
}

/* The lstm whole, in memory of rank 0 and in a file for the stages. */
static void make(job *j, const char *path) {
    const wli_problem *of = &j->problem.problem;
    const int64_t T = of->seq_len, B = of->batch, directions = of->bidirectional ? 2 : 1;
    const int64_t out_size = directions * (of->proj_size > 0 ? of->proj_size : of->hidden_size);
    const size_t element = wli_dtype_size(of->dtype), x_count = (size_t)(T * B * of->input_size);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *stage = NULL;
    j->out_bytes = (size_t)(T * B * out_size) * element;
    j->x = calloc(x_count, element);
    for (int way = 0; way < WAYS; way++) j->out[way] = calloc(1, j->out_bytes);
    check_own(j->x && j->out[ONE] && j->out[ROWS] && j->out[LAYERS] ? WLSTM_OK : WLSTM_ERROR_OUT_OF_MEMORY,
              "no memory");
    for (size_t i = 0; i < x_count; i++) wli_put(of->dtype, j->x, i, sin((double)i));
    check_own(bench_problem_lstm(&j->problem, &j->lstm), NULL);
    options.max_seq_len = T, options.max_batch = B, options.precision = of->precision;
    check_own(wlstm_lstm_set_precision(j->lstm, of->precision), NULL);
    check_own(wlstm_plan_create(j->lstm, &options, &j->plan), NULL);
    if (of->bidirectional) return;
    check_own(j->rank == 0 ? wlstm_lstm_save(j->lstm, path, NULL) : WLSTM_OK, NULL);
    check(wlstm_mpi_load_layers(MPI_COMM_WORLD, path, NULL, &stage));
    check(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &j->pipeline));
    wlstm_lstm_free(stage);
    if (j->rank == 0) (void)unlink(path);
}

static void run(const job *j, int way) {
    const int64_t T = j->problem.problem.seq_len, B = j->problem.problem.batch;
    if (way == ROWS)
        check(wlstm_mpi_forward(MPI_COMM_WORLD, j->lstm, T, B, NULL, j->x, NULL, NULL, j->out[way], NULL, NULL));
    else if (way == LAYERS)
        check(wlstm_mpi_pipeline_execute(j->pipeline, T, B, NULL, j->x, NULL, NULL, j->out[way], NULL, NULL));
    else if (j->rank == 0 &&
             wlstm_plan_execute(j->plan, T, B, NULL, j->x, NULL, NULL, j->out[way], NULL, NULL) != WLSTM_OK)
        MPI_Abort(MPI_COMM_WORLD, 1);
}

static double time_call(const job *j, int way) {
    meet_asleep();
    MPI_Barrier(MPI_COMM_WORLD);
    const double start = MPI_Wtime();
    run(j, way);
    return MPI_Wtime() - start;
}

static void measure(const job *j) {
    double best[WAYS] = { INFINITY, INFINITY, INFINITY };
    const double until = MPI_Wtime() + least_seconds;
    int more = 1;
    for (int call = 0; more; call++) {
        for (int way = 0; way < WAYS; way++)
            if (way != LAYERS || j->pipeline) best[way] = fmin(best[way], time_call(j, way));
        more = call + 1 < least_calls || MPI_Wtime() < until;
        MPI_Bcast(&more, 1, MPI_INT, 0, MPI_COMM_WORLD);
    }
    if (j->rank > 0) return;
    const bool same = memcmp(j->out[ONE], j->out[ROWS], j->out_bytes) == 0 &&
                      (!j->pipeline || memcmp(j->out[ONE], j->out[LAYERS], j->out_bytes) == 0);
    printf("%s: one process %.3f ms; %d ranks: rows %.3f ms, %.2f times as fast", j->problem.name, 1e3 * best[ONE],
           j->ranks, 1e3 * best[ROWS], best[ONE] / best[ROWS]);
    if (j->pipeline) printf("; layers %.3f ms, %.2f times as fast", 1e3 * best[LAYERS], best[ONE] / best[LAYERS]);
    printf("; %s; %s\n", same ? "the same bits" : "other bits", wlstm_mpi_pipeline_describe(j->pipeline));
}

int main(int argc, char **argv) {
    int provided, id = (int)getpid();
    char path[64];
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Bcast(&id, 1, MPI_INT, 0, MPI_COMM_WORLD);
    snprintf(path, sizeof path, "/tmp/wlstm-bench-ranks-%d.safetensors", id);
    measure_messages();
    for (int i = 1; i < argc; i++) {
        job j = { .rank = 0 };
        MPI_Comm_rank(MPI_COMM_WORLD, &j.rank);
        MPI_Comm_size(MPI_COMM_WORLD, &j.ranks);
        check_own(bench_problem_parse(argv[i], &j.problem), NULL);
        make(&j, path);
        measure(&j);
        wlstm_mpi_pipeline_free(j.pipeline);
        wlstm_plan_free(j.plan);
        wlstm_lstm_free(j.lstm);
        free(j.x);
        for (int way = 0; way < WAYS; way++) free(j.out[way]);
    }
    MPI_Finalize();
    return 0;
}
