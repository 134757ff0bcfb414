/* A backward pass of rows over ranks: a cell's gradients are summed while the cells below are still on their way. */
#include "parts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

enum { IN_FLIGHT = 16 };

/* What has to be alike on all ranks. */
typedef struct told {
    int in_order, dtype, deterministic;
    int64_t count, of_first_cell;
} told;

typedef struct sum {
    MPI_Comm comm;
    int rank, ranks;
    wlm_failure failure;
    bool met; /* the ranks know whether all are well, by `status` */
    wlstm_status status;
    told own;
    char *values; /* [count] */
    size_t element;
    MPI_Datatype type;
    MPI_Request requests[IN_FLIGHT];
    int64_t begun;
    /* Of deterministic: [ranks] how many elements each rank adds and where they begin; [ranks] how many come from each
     * rank and where they go, in parts [ranks, own]. */
    int *counts, *places, *own_counts, *own_places;
    void *parts;
} sum;

static void check_alike(sum *s) {
    told root = s->own;
    MPI_Bcast(&root, (int)sizeof root, MPI_BYTE, 0, s->comm);
    if (!root.in_order || s->failure.status != WLSTM_OK) return;
    if (root.count != s->own.count || root.dtype != s->own.dtype || root.of_first_cell != s->own.of_first_cell)
        wlm_fail(&s->failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "trainer: one of the lstm and dtype of rank 0's, with %" PRId64
                 " parameters, expected, got one with %" PRId64 " or unlike in its layers",
                 root.count, s->own.count);
    if (root.deterministic != s->own.deterministic)
        wlm_fail(&s->failure, WLSTM_ERROR_INVALID_ARGUMENT, "deterministic: %d as on rank 0 expected, got %d",
                 root.deterministic, s->own.deterministic);
}

/* All ranks come here once, whatever has become of their pass: those whose own goes on with its first gradients. */
static void meet(sum *s) {
    s->met = true;
    s->own.in_order = s->failure.status == WLSTM_OK;
    check_alike(s);
    s->status = wlm_settle(s->comm, &s->failure);
}

/* A wlstm_gradients_function. The ranks have the same cells in the same order, so that their sums meet. */
static void ready(void *context, wlstm_dtype dtype, void *values, int64_t count) {
    sum *s = context;
    if (!s->met) {
        s->type = wlm_element_type(dtype), s->element = wlm_element_bytes(dtype);
        s->own.dtype = (int)dtype, s->own.of_first_cell = count;
        meet(s);
    }
    if (s->status != WLSTM_OK || s->own.deterministic) return;
    MPI_Request *request = &s->requests[s->begun++ % IN_FLIGHT];
    int done, which[IN_FLIGHT];
    MPI_Wait(request, MPI_STATUS_IGNORE);
    MPI_Iallreduce(MPI_IN_PLACE, values, (int)count, s->type, MPI_SUM, s->comm, request);
    MPI_Testsome(IN_FLIGHT, s->requests, &done, which, MPI_STATUSES_IGNORE); /* so that the others go on */
}

static void allocate_parts(sum *s) {
    const int64_t most = s->own.count / s->ranks + 1;
    s->counts = malloc(4 * (size_t)s->ranks * sizeof *s->counts);
    s->parts = malloc((size_t)most * (size_t)s->ranks * sizeof(double));
    if (!s->counts || !s->parts) {
        wlm_out_of_memory(&s->failure, "deterministic: the gradients of all ranks");
        return;
    }
    s->places = s->counts + s->ranks, s->own_counts = s->places + s->ranks, s->own_places = s->own_counts + s->ranks;
    for (int64_t r = 0; r < s->ranks; r++) {
        s->places[r] = (int)(s->own.count * r / s->ranks);
        s->counts[r] = (int)(s->own.count * (r + 1) / s->ranks) - s->places[r];
    }
    for (int r = 0; r < s->ranks; r++) {
        s->own_counts[r] = s->counts[s->rank];
        s->own_places[r] = r * s->counts[s->rank];
    }
}

#define ADD_IN_ORDER(Real, name)                                                                                       \
    static void name(const void *parts, int64_t ranks, int64_t count, void *to) {                                      \
        const Real *part = parts;                                                                                      \
        Real *total = to;                                                                                              \
        for (int64_t i = 0; i < count; i++) total[i] = part[i];                                                        \
        for (int64_t r = 1; r < ranks; r++)                                                                            \
            for (int64_t i = 0; i < count; i++) total[i] += part[r * count + i];                                       \
    }
ADD_IN_ORDER(float, add_f32)
ADD_IN_ORDER(double, add_f64)

/* Each rank adds a share of all gradients, rank 0's first, and all have the sums. */
static void sum_in_order(const sum *s) {
    char *own = s->values + (size_t)s->places[s->rank] * s->element;
    MPI_Alltoallv(s->values, s->counts, s->places, s->type, s->parts, s->own_counts, s->own_places, s->type, s->comm);
    (s->type == MPI_DOUBLE ? add_f64 : add_f32)(s->parts, s->ranks, s->counts[s->rank], own);
    MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, s->values, s->counts, s->places, s->type, s->comm);
}

wlstm_status wlstm_mpi_trainer_backward(MPI_Comm comm, wlstm_trainer *trainer, void *tape, const void *d_out,
                                        const void *d_h_n, const void *d_c_n, void *d_x, void *d_h_0, void *d_c_0,
                                        int accumulate, int deterministic) {
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    sum s = { .comm = comm, .own.deterministic = deterministic != 0 };
    void *values = NULL;
    MPI_Comm_rank(comm, &s.rank);
    MPI_Comm_size(comm, &s.ranks);
    for (int i = 0; i < IN_FLIGHT; i++) s.requests[i] = MPI_REQUEST_NULL;
    (void)wlm_note(&s.failure, wlstm_trainer_gradients(trainer, &values, &s.own.count));
    s.values = values;
    if (s.own.count > INT_MAX - s.ranks) /* places behind the parts of all ranks are ints too */
        wlm_fail(&s.failure, WLSTM_ERROR_INVALID_ARGUMENT, "trainer: at most %d parameters expected, got %" PRId64,
                 INT_MAX - s.ranks, s.own.count);
    if (deterministic && s.failure.status == WLSTM_OK) allocate_parts(&s);
    if (s.failure.status == WLSTM_OK && wlm_note(&s.failure, wlstm_trainer_watch_gradients(trainer, ready, &s))) {
        (void)wlm_note(&s.failure,
                       wlstm_trainer_backward(trainer, tape, d_out, d_h_n, d_c_n, d_x, d_h_0, d_c_0, accumulate));
        (void)wlstm_trainer_watch_gradients(trainer, NULL, NULL);
    }
    if (!s.met) meet(&s);
    if (s.status == WLSTM_OK && deterministic) sum_in_order(&s);
    MPI_Waitall(IN_FLIGHT, s.requests, MPI_STATUSES_IGNORE);
    free(s.counts);
    free(s.parts);
    return s.status;
}
