/* For tests that mpirun starts: what is wrong on one rank ends all of them. */
#ifndef TEST_SUPPORT_RANKS_H
#define TEST_SUPPORT_RANKS_H

#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>

#include "random.h"

typedef struct ranks {
    int rank, count;
    uint64_t stream; /* of random_test_stream, the same on all */
} ranks;

static inline ranks ranks_begin(int *argc, char ***argv) {
    ranks r = { 0 };
    int provided;
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(MPI_COMM_WORLD, &r.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &r.count);
    if (r.rank == 0) r.stream = random_test_stream();
    MPI_Bcast(&r.stream, 1, MPI_UINT64_T, 0, MPI_COMM_WORLD);
    return r;
}

#define require(condition, ...)                                                                                        \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            int rank_of_failure;                                                                                       \
            MPI_Comm_rank(MPI_COMM_WORLD, &rank_of_failure);                                                           \
            fprintf(stderr, "%s:%d: rank %d: %s: ", __FILE__, __LINE__, rank_of_failure, #condition);                  \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
            MPI_Abort(MPI_COMM_WORLD, 1);                                                                              \
        }                                                                                                              \
    } while (0)

#endif
