/* The rows of a batch over ranks: dealt and sent by rank 0, run by each, gathered by rank 0. */
#include "parts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

/* What every rank knows of one call, and its own part of the arrays, [T, n, ...] for its n rows. */
typedef struct share {
    MPI_Comm comm;
    int rank, ranks;
    wlm_shape shape;
    wlm_header header;
    int64_t *lengths, *order, *rows, *first; /* [B] each, first [ranks + 1]: wlm_deal_rows */
    int64_t count, *own_lengths;             /* n, [n] */
    void *x, *h_0, *c_0, *out, *h_n, *c_n;
    MPI_Aint *room; /* [cells * most rows of a rank], and as many block_lengths */
    int *block_lengths;
    int *whole_counts, *part_counts, *zeros; /* [ranks], as MPI_Alltoallw takes them; zeros for displacements */
    MPI_Datatype *whole_types, *part_types;
} share;

/* An array's place in a row of the batch: a step of x or out, or the cells' states. */
typedef struct kind {
    int64_t size;         /* of a step; 0: */
    const int64_t *sizes; /* of the cells */
} kind;

static void *allocate(int64_t count, int64_t elements, size_t element, wlm_failure *failure) {
    size_t bytes;
    void *memory = NULL;
    if (!__builtin_mul_overflow((size_t)count, (size_t)elements, &bytes) &&
        !__builtin_mul_overflow(bytes, element, &bytes) && bytes < INT64_MAX)
        memory = malloc(bytes > 0 ? bytes : 1);
    if (!memory) wlm_out_of_memory(failure, "this rank's part of the arrays");
    return memory;
}

/* The lstm's sizes are rank 0's and fit an int, as MPI counts by it. */
static void check_alike(share *s, wlm_failure *failure) {
    int64_t own[6] = { 0 }, of_root[6] = { 0 };
    if (failure->status == WLSTM_OK) {
        const int64_t sizes[6] = { s->shape.dtype,
                                   s->shape.batch_first,
                                   s->shape.input_size,
                                   s->shape.out_size,
                                   wlm_sum(s->shape.h_sizes, s->shape.cells),
                                   wlm_sum(s->shape.c_sizes, s->shape.cells) };
        for (int i = 0; i < 6; i++) own[i] = of_root[i] = sizes[i];
        for (int i = 2; i < 6; i++)
            if (own[i] > INT_MAX)
                wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                         "lstm: sizes of at most %d over ranks expected, got %" PRId64, INT_MAX, own[i]);
    }
    MPI_Bcast(of_root, (int)sizeof of_root, MPI_BYTE, 0, s->comm);
    static const char *const names[6] = { "dtype",       "batch_first",           "input_size",
                                          "size of out", "sum of the sizes of h", "sum of the hidden sizes" };
    for (int i = 0; i < 6 && failure->status == WLSTM_OK; i++)
        if (own[i] != of_root[i])
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "lstm: %s %" PRId64 " as on rank 0 expected, got %" PRId64,
                     names[i], of_root[i], own[i]);
}

static void allocate_deal(share *s, wlm_failure *failure) {
    const int64_t B = s->header.batch;
    s->lengths = allocate(B, 1, sizeof *s->lengths, failure);
    s->order = allocate(B, 1, sizeof *s->order, failure);
    s->rows = allocate(B, 1, sizeof *s->rows, failure);
    s->own_lengths = allocate(B / s->ranks + 1, 1, sizeof *s->own_lengths, failure);
    s->first = allocate(s->ranks + 1, 1, sizeof *s->first, failure);
    s->whole_counts = allocate(s->ranks, 1, sizeof *s->whole_counts, failure);
    s->part_counts = allocate(s->ranks, 1, sizeof *s->part_counts, failure);
    s->zeros = allocate(s->ranks, 1, sizeof *s->zeros, failure);
    s->whole_types = allocate(s->ranks, 1, sizeof *s->whole_types, failure);
    s->part_types = allocate(s->ranks, 1, sizeof *s->part_types, failure);
}

static void allocate_part(share *s, wlm_failure *failure) {
    const wlm_shape *shape = &s->shape;
    const int64_t n = s->count, steps = s->header.seq_len * n;
    const int64_t h = wlm_sum(shape->h_sizes, shape->cells), c = wlm_sum(shape->c_sizes, shape->cells);
    const int64_t most = s->header.batch / s->ranks + 1;
    const size_t element = wlm_element_bytes(shape->dtype);
    if (shape->cells > INT_MAX / most)
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "batch: fewer rows a rank for %" PRId64 " cells expected, got %" PRId64, shape->cells, most);
    s->x = allocate(steps, shape->input_size, element, failure);
    s->out = allocate(steps, shape->out_size, element, failure);
    if (s->header.h_0) s->h_0 = allocate(n, h, element, failure);
    if (s->header.c_0) s->c_0 = allocate(n, c, element, failure);
    if (s->header.h_n) s->h_n = allocate(n, h, element, failure);
    if (s->header.c_n) s->c_n = allocate(n, c, element, failure);
    if (s->rank > 0) return;
    s->room = allocate(shape->cells, most, sizeof *s->room, failure);
    s->block_lengths = allocate(shape->cells, most, sizeof *s->block_lengths, failure);
}

static void free_share(share *s) {
    void *const memory[] = { s->shape.h_sizes, s->lengths, s->order,       s->rows,          s->own_lengths,
                             s->first,         s->x,       s->h_0,         s->c_0,           s->out,
                             s->h_n,           s->c_n,     s->room,        s->block_lengths, s->whole_counts,
                             s->part_counts,   s->zeros,   s->whole_types, s->part_types };
    for (size_t i = 0; i < sizeof memory / sizeof memory[0]; i++) free(memory[i]);
}

/* Rank r's rows in rank 0's array. */
static MPI_Datatype type_of_rows(const share *s, kind of, int r) {
    const int64_t *rows = s->rows + s->first[r], count = s->first[r + 1] - s->first[r];
    if (of.sizes)
        return wlm_states_type(s->shape.dtype, of.sizes, s->shape.cells, s->header.batch, rows, count, s->room,
                               s->block_lengths);
    const wlm_rows some = { .dtype = s->shape.dtype,
                            .batch_first = s->shape.batch_first,
                            .seq_len = s->header.seq_len,
                            .batch = s->header.batch,
                            .size = of.size,
                            .steps = s->header.seq_len,
                            .count = count,
                            .rows = rows };
    return wlm_rows_type(&some, s->room);
}

/* This rank's own, dense: as many pieces of as many elements. */
static MPI_Datatype type_of_part(const share *s, kind of) {
    const int64_t elements = of.sizes ? wlm_sum(of.sizes, s->shape.cells) : of.size;
    MPI_Datatype piece, pieces, type;
    MPI_Type_contiguous((int)elements, wlm_element_type(s->shape.dtype), &piece);
    MPI_Type_contiguous((int)s->count, piece, &pieces);
    MPI_Type_contiguous(of.sizes ? 1 : (int)s->header.seq_len, pieces, &type);
    MPI_Type_commit(&type);
    MPI_Type_free(&piece);
    MPI_Type_free(&pieces);
    return type;
}

/* From rank 0's `whole` to every rank's `part`, or back. Ranks that have nothing for each other send nothing. */
static void move(share *s, kind of, bool back, void *whole, void *part) {
    MPI_Datatype part_type = type_of_part(s, of);
    for (int r = 0; r < s->ranks; r++) {
        s->whole_counts[r] = s->rank == 0 && s->first[r + 1] > s->first[r];
        s->whole_types[r] = s->whole_counts[r] ? type_of_rows(s, of, r) : MPI_BYTE;
        s->part_counts[r] = r == 0 && s->count > 0;
        s->part_types[r] = r == 0 ? part_type : MPI_BYTE;
        s->zeros[r] = 0;
    }
    if (back)
        MPI_Alltoallw(part, s->part_counts, s->zeros, s->part_types, whole, s->whole_counts, s->zeros, s->whole_types,
                      s->comm);
    else
        MPI_Alltoallw(whole, s->whole_counts, s->zeros, s->whole_types, part, s->part_counts, s->zeros, s->part_types,
                      s->comm);
    for (int r = 0; r < s->ranks; r++)
        if (s->whole_counts[r]) MPI_Type_free(&s->whole_types[r]);
    MPI_Type_free(&part_type);
}

/* Rank 0's lengths, or all alike, to every rank, and the rows over ranks. */
static void deal(share *s, const wlm_call *call) {
    const int64_t B = s->header.batch;
    if (s->header.lengths) {
        for (int64_t b = 0; b < B && s->rank == 0; b++) s->lengths[b] = call->lengths[b];
        MPI_Bcast(s->lengths, (int)B, MPI_INT64_T, 0, s->comm);
    }
    wlm_deal_rows(s->header.lengths ? s->lengths : NULL, B, s->ranks, s->order, s->rows, s->first);
    s->count = s->first[s->rank + 1] - s->first[s->rank];
    for (int64_t i = 0; i < s->count && s->header.lengths; i++)
        s->own_lengths[i] = s->lengths[s->rows[s->first[s->rank] + i]];
}

/* Of a share whose memory all ranks have. */
static void run(share *s, wlstm_lstm *lstm, const wlm_call *call, wlm_failure *failure) {
    const kind x = { .size = s->shape.input_size }, out = { .size = s->shape.out_size },
               h = { .sizes = s->shape.h_sizes }, c = { .sizes = s->shape.c_sizes };
    move(s, x, false, (void *)(uintptr_t)call->x, s->x);
    if (s->header.h_0) move(s, h, false, (void *)(uintptr_t)call->h_0, s->h_0);
    if (s->header.c_0) move(s, c, false, (void *)(uintptr_t)call->c_0, s->c_0);
    if (s->count > 0)
        (void)wlm_note(failure,
                       wlstm_forward(lstm, s->header.seq_len, s->count, s->header.lengths ? s->own_lengths : NULL, s->x,
                                     s->h_0, s->c_0, s->out, s->h_n, s->c_n));
    move(s, out, true, call->out, s->out);
    if (s->header.h_n) move(s, h, true, call->h_n, s->h_n);
    if (s->header.c_n) move(s, c, true, call->c_n, s->c_n);
}

wlstm_status wlstm_mpi_forward(MPI_Comm comm, wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths,
                               const void *x, const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    const wlm_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n };
    wlm_failure failure = { 0 };
    share s = { .comm = comm };
    MPI_Comm_rank(comm, &s.rank);
    MPI_Comm_size(comm, &s.ranks);
    wlm_shape_read(lstm, &s.shape, &failure);
    if (wlm_call_begin(comm, &s.shape, INT_MAX, INT_MAX, &call, &s.header, &failure)) {
        check_alike(&s, &failure);
        allocate_deal(&s, &failure);
    }
    wlstm_status status = wlm_settle(comm, &failure);
    if (status == WLSTM_OK && batch > 0) {
        deal(&s, &call);
        allocate_part(&s, &failure);
        status = wlm_settle(comm, &failure);
        if (status == WLSTM_OK) {
            run(&s, lstm, &call, &failure);
            status = wlm_settle(comm, &failure);
        }
    }
    free_share(&s);
    return status;
}
