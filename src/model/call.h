/* One forward call's arguments, as wlstm_forward documents them: checked once at the door, then handed down. */
#ifndef WLI_CALL_H
#define WLI_CALL_H

#include "model/model.h"

/* The largest T*B: what it multiplies stays far from overflow. */
#define WLI_LARGEST_ROWS (INT64_C(1) << 40)

typedef struct wli_call {
    int64_t seq_len, batch;
    const int64_t *lengths; /* [B] or NULL */
    const void *x, *h_0, *c_0;
    void *out, *h_n, *c_n;
    /* [B] each row's own state, h [L, R] and behind it c [L, H]: read and replaced, while h_0, c_0, h_n and c_n are NULL. NULL: the
     * states are those four. */
    char *const *streams;
    int64_t pitch; /* rows of x and out from one time to the next, where the call has some of them; 0: batch */
    /* [T] of a packed call, whose rows are longest first: how many of them still run. x and out have the rows of each
     * time that still run, one time after the other, also if batch_first. NULL: the call is not packed. */
    const int64_t *batch_sizes;
} wli_call;

/* The largest call and the thread count that somebody's options name. Errors: INVALID_ARGUMENT, by the options' names. */
wlstm_status wli_check_room(int64_t max_seq_len, int64_t max_batch, int num_threads);

/* That a schedule in options is one. */
wlstm_status wli_check_schedule(wlstm_schedule schedule);

/* Checks T, B, lengths and the arrays, and that T, B are within the maxima; names what is wrong. */
wlstm_status wli_call_check(const wli_model *model, const wli_call *call, int64_t max_seq_len, int64_t max_batch);

/* The same of a packed call, whose B it sets. */
wlstm_status wli_call_check_packed(const wli_model *model, wli_call *call, int64_t max_seq_len, int64_t max_batch);

/* Sets B of a packed call whose T is in order: checks batch_sizes. */
wlstm_status wli_call_count_rows(wli_call *call);

/* Of a call whose T and B are in order: that no array it writes overlaps another, but for those that may be one. */
wlstm_status wli_call_check_overlap(const wli_model *model, const wli_call *call);

/* How rows of x and out are laid out: element (t, b) begins at t*time + b*row, in elements. */
typedef struct wli_strides {
    int64_t time, row;
} wli_strides;

/* [T, B, width], or [B, T, width] if batch_first. Packed rows are one after the other, those of wli_packed_rows_at. */
static inline wli_strides wli_call_strides(const wli_model *model, const wli_call *call, int64_t width) {
    wli_strides strides = { (call->pitch ? call->pitch : call->batch) * width, width };
    if (model->batch_first && !call->batch_sizes) strides = (wli_strides){ width, call->seq_len * width };
    return strides;
}

/* Where the rows of a packed call's x and out lie, in memory that does not grow with T: before a time of n rows lie a
 * row each of these for every time, and all of those from n on, which have ended. */
typedef struct wli_packed_rows {
    const int64_t *batch_sizes;
    int64_t *behind; /* [B+1] how many steps rows b, b+1, ... have in all */
} wli_packed_rows;

/* Of a packed call: fills behind. */
void wli_packed_rows_begin(wli_packed_rows *packed, const wli_call *call);

/* Which of the rows (t, b) is. */
static inline int64_t wli_packed_rows_at(const wli_packed_rows *packed, int64_t t, int64_t b) {
    const int64_t rows = packed->batch_sizes[t];
    return t * rows + packed->behind[rows] + b;
}

/* The rows [B, width] of one cell's h, or c: one after the other in a tensor, or each in its stream's state. */
typedef struct wli_state_rows {
    char *tensor; /* NULL: there is none */
    size_t row;   /* bytes from one of its rows to the next */
    char *const *streams;
    size_t at; /* bytes from the beginning of a stream's state */
} wli_state_rows;

/* Of h_0 or h_n, as `tensor` says, and of c_0 or c_n. */
static inline wli_state_rows wli_call_h(const wli_model *model, const wli_call *call, const wli_cell_weights *cell,
                                        const void *tensor) {
    const size_t element = wli_dtype_size(model->dtype), at = (size_t)cell->h_offset * element;
    if (call->streams) return (wli_state_rows){ .streams = call->streams, .at = at };
    if (!tensor) return (wli_state_rows){ 0 };
    return (wli_state_rows){ .tensor = (char *)(uintptr_t)tensor + at * (size_t)call->batch,
                             .row = (size_t)cell->state_size * element };
}

static inline wli_state_rows wli_call_c(const wli_model *model, const wli_call *call, const wli_cell_weights *cell,
                                        const void *tensor) {
    const size_t element = wli_dtype_size(model->dtype), at = (size_t)cell->c_offset * element;
    if (call->streams) return (wli_state_rows){ .streams = call->streams, .at = model->h_bytes + at };
    if (!tensor) return (wli_state_rows){ 0 };
    return (wli_state_rows){ .tensor = (char *)(uintptr_t)tensor + at * (size_t)call->batch,
                             .row = (size_t)cell->hidden_size * element };
}

static inline bool wli_state_given(const wli_state_rows *rows) {
    return rows->streams || rows->tensor;
}

static inline char *wli_state_row(const wli_state_rows *rows, int64_t row) {
    return rows->streams ? rows->streams[row] + rows->at : rows->tensor + (size_t)row * rows->row;
}

/* A row's length in a packed call. */
int64_t wli_packed_rows_length(const wli_call *call, int64_t row);

static inline int64_t wli_call_length(const wli_call *call, int64_t row) {
    if (call->batch_sizes) return wli_packed_rows_length(call, row);
    return call->lengths ? call->lengths[row] : call->seq_len;
}

#endif
