#include "parts.h"

#include <limits.h>
#include <stdlib.h>

wlstm_status wlstm_mpi_plan_cache_broadcast(MPI_Comm comm) {
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    wlm_failure failure = { 0 };
    char *text = NULL;
    size_t bytes = 0;
    int rank;
    MPI_Comm_rank(comm, &rank);
    if (rank == 0 && wlm_note(&failure, wlstm_plan_cache_export_text(NULL, 0, &bytes))) {
        text = malloc(bytes);
        if (!text) wlm_out_of_memory(&failure, "plan cache");
        if (text) (void)wlm_note(&failure, wlstm_plan_cache_export_text(text, bytes, &bytes));
    }
    int64_t size = bytes < INT_MAX ? (int64_t)bytes : 0;
    MPI_Bcast(&size, 1, MPI_INT64_T, 0, comm);
    if (rank > 0 && !(text = malloc((size_t)size + 1))) wlm_out_of_memory(&failure, "plan cache");
    wlstm_status status = wlm_settle(comm, &failure);
    if (status == WLSTM_OK) {
        MPI_Bcast(text, (int)size, MPI_BYTE, 0, comm);
        /* FORMAT: a machine of another kind, which keeps to its own. */
        const wlstm_status own = rank > 0 ? wlstm_plan_cache_import_text(text, (size_t)size) : WLSTM_OK;
        if (own != WLSTM_ERROR_FORMAT) (void)wlm_note(&failure, own);
        status = wlm_settle(comm, &failure);
    }
    free(text);
    return status;
}
