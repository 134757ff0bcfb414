#include "pipeline.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What each rank tells the others of its stage and options. */
typedef struct told {
    int there, dtype, batch_first, directions;
    int64_t input_size, out_size, cells, max_seq_len, max_batch, chunk_steps;
    double cost; /* of a row's step */
} told;

static void *allocate(int64_t count, size_t bytes, wlm_failure *failure) {
    size_t all;
    void *memory = NULL;
    if (!__builtin_mul_overflow((size_t)count, bytes, &all) && all < INT64_MAX) memory = malloc(all > 0 ? all : 1);
    if (!memory) wlm_out_of_memory(failure, "pipeline");
    return memory;
}

/* Whether the stages make a stack: the same on all ranks, as all know the same. */
static void check_stages(wlstm_mpi_pipeline *p, const told *all, wlm_failure *failure) {
    const told *root = &all[0];
    for (p->stages = 0; p->stages < p->ranks && all[p->stages].there; p->stages++) {
    }
    if (p->stages == 0)
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "stage: the lowest layers on rank 0 expected, got NULL");
    for (int r = 0; r < p->ranks; r++) {
        const told *own = &all[r];
        if (own->max_seq_len != root->max_seq_len || own->max_batch != root->max_batch)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "options: max_seq_len %" PRId64 ", max_batch %" PRId64 " on all ranks expected, got %" PRId64
                     ", %" PRId64 " on rank %d",
                     root->max_seq_len, root->max_batch, own->max_seq_len, own->max_batch, r);
        if (own->there && r >= p->stages)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "stage: none behind the first rank that has none expected, got one on rank %d", r);
        if (r >= p->stages) continue;
        if (own->directions != 1)
            wlm_fail(failure, WLSTM_ERROR_UNSUPPORTED,
                     "stage: one direction expected, got two on rank %d: a layer of two waits for both ends of the one "
                     "below, so put its rows over ranks (wlstm_mpi_forward)",
                     r);
        if (own->dtype == WLSTM_BF16)
            wlm_fail(
                failure, WLSTM_ERROR_UNSUPPORTED,
                "stage: arrays of f32 or f64 expected, got WLSTM_BF16 on rank %d: c would be rounded at each chunk of "
                "time, not at the end of a call alone, so put its rows over ranks (wlstm_mpi_forward)",
                r);
        if (own->dtype != root->dtype || own->batch_first != root->batch_first)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "stage: dtype and batch_first of rank 0 expected, got others on rank %d", r);
        if (r > 0 && own->input_size != all[r - 1].out_size)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "stage: input_size %" PRId64 ", as wide as the h of rank %d, expected, got %" PRId64 " on rank %d",
                     all[r - 1].out_size, r - 1, own->input_size, r);
    }
}

static void check_chunk(wlstm_mpi_pipeline *p, const told *all, wlm_failure *failure) {
    const int64_t T = all[0].max_seq_len, B = all[0].max_batch;
    p->max_seq_len = T, p->max_batch = B;
    double most = 0;
    for (int r = 0; r < p->stages; r++) most = all[r].cost > most ? all[r].cost : most;
    p->chunk = all[0].chunk_steps > 0 ? all[0].chunk_steps : wlm_choose_chunk(T, B, p->stages, most);
    if (p->chunk > T) p->chunk = T;
    for (int r = 0; r < p->stages; r++) {
        const int64_t wide = all[r].input_size > all[r].out_size ? all[r].input_size : all[r].out_size;
        if (wide > INT_MAX / B / p->chunk || all[r].cells > INT_MAX / B)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "chunk_steps, max_batch: chunks of at most %d elements expected, got %" PRId64 " * %" PRId64
                     " * %" PRId64 " on rank %d",
                     INT_MAX, p->chunk, B, wide, r);
    }
}

static void allocate_root(wlstm_mpi_pipeline *p, const told *all, wlm_failure *failure) {
    int64_t cells = 0, most = 0;
    p->first_cell = allocate(p->stages + 1, sizeof *p->first_cell, failure);
    for (int r = 0; r < p->stages && p->first_cell; r++) {
        p->first_cell[r] = cells, p->first_cell[r + 1] = cells += all[r].cells;
        most = all[r].cells > most ? all[r].cells : most;
    }
    p->whole = p->stage, p->whole.cells = cells, p->whole.out_size = all[p->stages - 1].out_size;
    p->whole.h_sizes = allocate(2 * cells, sizeof *p->whole.h_sizes, failure);
    p->whole.c_sizes = p->whole.h_sizes ? p->whole.h_sizes + cells : NULL;
    p->row_of = allocate(p->max_batch, sizeof *p->row_of, failure);
    p->row_room = allocate(p->max_batch, sizeof *p->row_room, failure);
    p->room = allocate(most * p->max_batch, sizeof *p->room, failure);
    p->block_lengths = allocate(most * p->max_batch, sizeof *p->block_lengths, failure);
    p->results = allocate(wlm_chunks(p, p->max_seq_len), sizeof(MPI_Request), failure);
    p->moves = allocate(p->stages, sizeof(MPI_Request), failure);
}

static void allocate_stage(wlstm_mpi_pipeline *p, wlstm_lstm *stage, wlstm_plan_options *options,
                           wlm_failure *failure) {
    const wlm_shape *shape = &p->stage;
    const size_t element = wlm_element_bytes(shape->dtype);
    const int64_t rows = p->chunk * p->max_batch;
    const int64_t h = wlm_sum(shape->h_sizes, shape->cells), c = wlm_sum(shape->c_sizes, shape->cells);
    for (int i = 0; i < 2; i++) {
        p->in[i] = allocate(rows, element * (size_t)shape->input_size, failure);
        p->out[i] = allocate(rows, element * (size_t)shape->out_size, failure);
    }
    p->h = allocate(p->max_batch, element * (size_t)h, failure);
    p->c = allocate(p->max_batch, element * (size_t)c, failure);
    p->h_end = allocate(p->max_batch, element * (size_t)h, failure);
    p->c_end = allocate(p->max_batch, element * (size_t)c, failure);
    p->chunk_lengths = allocate(p->max_batch, sizeof *p->chunk_lengths, failure);
    if (failure->status != WLSTM_OK) return;
    options->max_seq_len = p->chunk, options->chunk_steps = 0;
    if (!wlm_note(failure, wlstm_plan_create(stage, options, &p->plan))) return;
    snprintf(p->description, sizeof p->description, "stage %d of %d, chunks of %" PRId64 " steps; %s", p->rank + 1,
             p->stages, p->chunk, wlstm_plan_describe(p->plan));
}

/* The sizes of all cells to rank 0. Gatherv would need arrays of the counts. */
static void gather_sizes(wlstm_mpi_pipeline *p) {
    MPI_Request sent[2] = { MPI_REQUEST_NULL, MPI_REQUEST_NULL };
    if (p->rank < p->stages) {
        MPI_Isend(p->stage.h_sizes, (int)p->stage.cells, MPI_INT64_T, 0, 0, p->comm, &sent[0]);
        MPI_Isend(p->stage.c_sizes, (int)p->stage.cells, MPI_INT64_T, 0, 1, p->comm, &sent[1]);
    }
    for (int r = 0; r < p->stages && p->rank == 0; r++) {
        const int64_t at = p->first_cell[r];
        const int count = (int)(p->first_cell[r + 1] - at);
        MPI_Recv(p->whole.h_sizes + at, count, MPI_INT64_T, r, 0, p->comm, MPI_STATUS_IGNORE);
        MPI_Recv(p->whole.c_sizes + at, count, MPI_INT64_T, r, 1, p->comm, MPI_STATUS_IGNORE);
    }
    MPI_Waitall(2, sent, MPI_STATUSES_IGNORE);
}

/* Of one direction. */
static double cost_of(const wlm_shape *stage) {
    double cost = 0;
    for (int64_t cell = 0; cell < stage->cells; cell++)
        cost += wlm_layer_cost(cell > 0 ? stage->h_sizes[cell - 1] : stage->input_size, stage->c_sizes[cell],
                               stage->h_sizes[cell]);
    return cost;
}

static wlstm_status make(MPI_Comm comm, wlstm_lstm *stage, wlstm_plan_options *options, wlstm_mpi_pipeline *p,
                         told *all, wlm_failure *failure) {
    wlstm_status status = wlm_settle(comm, failure);
    if (status != WLSTM_OK) return status;
    const told own = { .there = stage != NULL,
                       .dtype = (int)p->stage.dtype,
                       .batch_first = p->stage.batch_first,
                       .directions = p->stage.directions,
                       .input_size = p->stage.input_size,
                       .out_size = p->stage.out_size,
                       .cells = p->stage.cells,
                       .max_seq_len = options->max_seq_len,
                       .max_batch = options->max_batch,
                       .chunk_steps = options->chunk_steps,
                       .cost = cost_of(&p->stage) };
    MPI_Allgather(&own, (int)sizeof own, MPI_BYTE, all, (int)sizeof own, MPI_BYTE, comm);
    check_stages(p, all, failure);
    if (failure->status == WLSTM_OK) check_chunk(p, all, failure);
    if (failure->status == WLSTM_OK) {
        p->lengths = allocate(p->max_batch, sizeof *p->lengths, failure);
        if (p->rank == 0) allocate_root(p, all, failure);
        if (stage) allocate_stage(p, stage, options, failure);
    }
    status = wlm_settle(comm, failure);
    if (status != WLSTM_OK) return status;
    MPI_Comm_dup(comm, &p->comm);
    gather_sizes(p);
    return WLSTM_OK;
}

static void check_options(const wlstm_plan_options *options, wlm_failure *failure) {
    const int64_t sizes[] = { options->max_seq_len, options->max_batch, options->chunk_steps };
    static const char *const names[] = { "max_seq_len", "max_batch", "chunk_steps" };
    for (int i = 0; i < 3; i++)
        if (sizes[i] < (i < 2) || (i < 2 && sizes[i] > INT_MAX))
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "%s: %d to %d expected, got %" PRId64, names[i], i < 2,
                     INT_MAX, sizes[i]);
}

/* Of a row's h and c, which are sent in one piece, MPI counts the elements by an int. */
static void read_stage(const wlstm_lstm *stage, wlm_shape *shape, wlm_failure *failure) {
    wlm_shape_read(stage, shape, failure);
    if (failure->status == WLSTM_OK &&
        (wlm_sum(shape->h_sizes, shape->cells) > INT_MAX || wlm_sum(shape->c_sizes, shape->cells) > INT_MAX))
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "stage: h and c of at most %d elements a row expected, got more", INT_MAX);
}

wlstm_status wlstm_mpi_pipeline_create(MPI_Comm comm, wlstm_lstm *stage, const wlstm_plan_options *options,
                                       wlstm_mpi_pipeline **pipeline) {
    if (pipeline) *pipeline = NULL;
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    wlm_failure failure = { 0 };
    wlstm_plan_options own = WLSTM_PLAN_OPTIONS_INIT;
    int rank, ranks;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    if (!pipeline) wlm_fail(&failure, WLSTM_ERROR_INVALID_ARGUMENT, "pipeline: a pointer expected, got NULL");
    wlm_take_options("WLSTM_PLAN_OPTIONS_INIT", offsetof(wlstm_plan_options, chunk_steps) + sizeof(int64_t), sizeof own,
                     options, &own, &failure);
    if (failure.status == WLSTM_OK) check_options(&own, &failure);
    wlstm_mpi_pipeline *p = calloc(1, sizeof *p);
    told *all = calloc((size_t)ranks, sizeof *all);
    if (!p || !all) wlm_out_of_memory(&failure, "pipeline");
    if (p) {
        p->comm = MPI_COMM_NULL, p->rank = rank, p->ranks = ranks;
        snprintf(p->description, sizeof p->description, "no stage");
        if (stage) read_stage(stage, &p->stage, &failure);
    }
    const wlstm_status status = make(comm, stage, &own, p, all, &failure);
    free(all);
    if (status == WLSTM_OK)
        *pipeline = p;
    else
        wlstm_mpi_pipeline_free(p);
    return status;
}

const char *wlstm_mpi_pipeline_describe(const wlstm_mpi_pipeline *pipeline) {
    return pipeline ? pipeline->description : "";
}

void wlstm_mpi_pipeline_free(wlstm_mpi_pipeline *p) {
    if (!p) return;
    if (p->comm != MPI_COMM_NULL) MPI_Comm_free(&p->comm);
    wlstm_plan_free(p->plan);
    void *const memory[] = { p->stage.h_sizes, p->whole.h_sizes, p->first_cell, p->in[0],    p->in[1],
                             p->out[0],        p->out[1],        p->h,          p->c,        p->h_end,
                             p->c_end,         p->lengths,       p->row_of,     p->row_room, p->chunk_lengths,
                             p->room,          p->block_lengths, p->results,    p->moves,    p };
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) free(memory[i]);
}
