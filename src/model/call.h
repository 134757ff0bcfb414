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
} wli_call;

/* Checks T, B, lengths and the arrays, and that T, B are within the maxima; names what is wrong. */
wlstm_status wli_call_check(const wli_model *model, const wli_call *call, int64_t max_seq_len, int64_t max_batch);

/* Of a call whose T and B are in order: that no array it writes overlaps another, but for those that may be one. */
wlstm_status wli_call_check_overlap(const wli_model *model, const wli_call *call);

/* How rows of x and out are laid out: element (t, b) begins at t*time + b*row, in elements. */
typedef struct wli_strides {
    int64_t time, row;
} wli_strides;

/* [T, B, width], or [B, T, width] if batch_first. */
static inline wli_strides wli_call_strides(const wli_model *model, const wli_call *call, int64_t width) {
    wli_strides strides = { call->batch * width, width };
    if (model->batch_first) strides = (wli_strides){ width, call->seq_len * width };
    return strides;
}

static inline int64_t wli_call_length(const wli_call *call, int64_t row) {
    return call->lengths ? call->lengths[row] : call->seq_len;
}

#endif
