/* What the parts of the library over MPI share. It stands on the public header alone.
 *
 *     agree.c    an error that is all ranks'        shape.c    the sizes of an lstm        deal.c     who does what
 *     call.c     one call's arguments               rows.c     rows of arrays as MPI types
 *     batch.c    rows over ranks                    layers.c   a rank's layers of a file
 *     pipeline.c layers over ranks, made            stream.c   and run                     tuning.c   the tuned cache
 *     gradients.c  of rows over ranks, summed */
#ifndef WLM_PARTS_H
#define WLM_PARTS_H

#include "deal.h"
#include "wavelstm_mpi.h"

#include <stdbool.h>

/* ---------------------------------------------------------------------------------------------------- a failure */

/* A rank's own first failure, on its way to being agreed on; all zeros: none yet. */
typedef struct wlm_failure {
    wlstm_status status;
    char sentence[512];
} wlm_failure;

void wlm_fail(wlm_failure *failure, wlstm_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));
void wlm_out_of_memory(wlm_failure *failure, const char *what);

/* Takes a status of the library with its sentence. Whether nothing has failed so far. */
bool wlm_note(wlm_failure *failure, wlstm_status status);

/* wlstm_mpi_agree. */
wlstm_status wlm_settle(MPI_Comm comm, const wlm_failure *failure);

/* INVALID_ARGUMENT, of this rank alone where there is nothing to meet the others by. */
wlstm_status wlm_refuse_alone(const char *sentence);

/* Whether ranks can meet on it. */
wlstm_status wlm_check_comm(MPI_Comm comm);

/* --------------------------------------------------------------------------------------------------- an lstm */

/* Takes a struct of the program's header over the defaults, which *own [bytes] has on entry; its struct_size is then today's. The
 * first header that knew this library had `first` bytes. */
void wlm_take_options(const char *initializer, size_t first, size_t bytes, const void *given, void *own,
                      wlm_failure *failure);

/* A cell is one (layer, direction), as in h_0 and c_0. */
typedef struct wlm_shape {
    wlstm_dtype dtype;
    int batch_first, directions;
    int64_t input_size, out_size; /* of a step of x and of out */
    int64_t cells;
    int64_t *h_sizes, *c_sizes; /* [cells] R and H, in one piece */
} wlm_shape;

/* free() what h_sizes points at. */
void wlm_shape_read(const wlstm_lstm *lstm, wlm_shape *shape, wlm_failure *failure);

static inline size_t wlm_element_bytes(wlstm_dtype dtype) {
    return dtype == WLSTM_F64 ? sizeof(double) : dtype == WLSTM_BF16 ? sizeof(uint16_t) : sizeof(float);
}

static inline MPI_Datatype wlm_element_type(wlstm_dtype dtype) {
    return dtype == WLSTM_F64 ? MPI_DOUBLE : dtype == WLSTM_BF16 ? MPI_UINT16_T : MPI_FLOAT;
}

static inline int64_t wlm_sum(const int64_t *sizes, int64_t count) {
    int64_t sum = 0;
    for (int64_t i = 0; i < count; i++) sum += sizes[i];
    return sum;
}

/* ------------------------------------------------------------------------------------------------------ a call */

typedef struct wlm_call {
    int64_t seq_len, batch;
    const int64_t *lengths;
    const void *x, *h_0, *c_0;
    void *out, *h_n, *c_n;
} wlm_call;

/* What rank 0 tells the others: whether its arguments are in order, its sizes, which arrays there are. */
typedef struct wlm_header {
    int64_t seq_len, batch;
    int in_order, lengths, h_0, c_0, h_n, c_n;
} wlm_header;

/* Rank 0 checks its arguments, which are those of `shape`, and tells; the others compare their sizes with it. Whether rank 0's are in
 * order, so that it has more to tell; a failure may be there on any rank all the same. Collective. */
bool wlm_call_begin(MPI_Comm comm, const wlm_shape *shape, int64_t max_seq_len, int64_t max_batch, const wlm_call *call,
                    wlm_header *header, wlm_failure *failure);

/* ------------------------------------------------------------------------------------------------ rows as types */

/* These `count` rows of an array [T, B, size], or [B, T, size]; rows NULL: the first `count`. Steps first to first + steps - 1.
 * room [count] is scratch. Committed: MPI_Type_free. */
typedef struct wlm_rows {
    wlstm_dtype dtype;
    int batch_first;
    int64_t seq_len, batch, size, first_step, steps, count;
    const int64_t *rows;
} wlm_rows;
MPI_Datatype wlm_rows_type(const wlm_rows *rows, MPI_Aint *room);

/* These rows of the cells' [B, size] blocks, which stand one after the other. room and lengths [cells * count] are scratch. */
MPI_Datatype wlm_states_type(wlstm_dtype dtype, const int64_t *sizes, int64_t cells, int64_t batch, const int64_t *rows,
                             int64_t count, MPI_Aint *room, int *lengths);

#endif
