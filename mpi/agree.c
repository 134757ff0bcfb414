#include "parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct verdict {
    int status;
    char sentence[sizeof((wlm_failure *)0)->sentence + 32];
} verdict;

static _Thread_local char last_error[sizeof((verdict *)0)->sentence];

const char *wlstm_mpi_last_error(void) {
    return last_error;
}

void wlm_fail(wlm_failure *failure, wlstm_status status, const char *format, ...) {
    if (failure->status != WLSTM_OK) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(failure->sentence, sizeof failure->sentence, format, arguments);
    va_end(arguments);
    failure->status = status;
}

void wlm_out_of_memory(wlm_failure *failure, const char *what) {
    wlm_fail(failure, WLSTM_ERROR_OUT_OF_MEMORY, "%s: no memory", what);
}

bool wlm_note(wlm_failure *failure, wlstm_status status) {
    if (status != WLSTM_OK) wlm_fail(failure, status, "%s", wlstm_last_error());
    return failure->status == WLSTM_OK;
}

wlstm_status wlm_settle(MPI_Comm comm, const wlm_failure *failure) {
    return wlstm_mpi_agree(comm, failure->status, failure->sentence);
}

wlstm_status wlm_refuse_alone(const char *sentence) {
    snprintf(last_error, sizeof last_error, "%s", sentence);
    return WLSTM_ERROR_INVALID_ARGUMENT;
}

wlstm_status wlm_check_comm(MPI_Comm comm) {
    int begun = 0, ended = 0;
    MPI_Initialized(&begun);
    MPI_Finalized(&ended);
    return !begun                  ? wlm_refuse_alone("comm: MPI_Init_thread expected before the first call")
           : ended                 ? wlm_refuse_alone("comm: no call after MPI_Finalize expected")
           : comm == MPI_COMM_NULL ? wlm_refuse_alone("comm: a communicator expected, got MPI_COMM_NULL")
                                   : WLSTM_OK;
}

/* The lowest rank that failed has the word. */
wlstm_status wlstm_mpi_agree(MPI_Comm comm, wlstm_status own, const char *message) {
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    int rank, ranks;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    int first = own == WLSTM_OK ? ranks : rank;
    MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, comm);
    if (first == ranks) return WLSTM_OK;
    verdict all = { 0 };
    if (rank == first) {
        all.status = (int)own;
        snprintf(all.sentence, sizeof all.sentence, "rank %d: %.*s", rank, (int)sizeof((wlm_failure *)0)->sentence - 1,
                 message ? message : wlstm_last_error());
    }
    MPI_Bcast(&all, (int)sizeof all, MPI_BYTE, first, comm);
    memcpy(last_error, all.sentence, sizeof last_error);
    return (wlstm_status)all.status;
}
