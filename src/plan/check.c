/* The arguments of a forward call, checked once at the door. */
#include "plan/plan.h"

#include "status.h"
#include <inttypes.h>

static wlstm_status check_lengths(const wli_call *call) {
    for (int64_t b = 0; b < call->batch && call->lengths; b++)
        if (call->lengths[b] < 1 || call->lengths[b] > call->seq_len)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "lengths[%" PRId64 "]: 1 to %" PRId64 " expected, got %" PRId64, b, call->seq_len,
                            call->lengths[b]);
    return WLSTM_OK;
}

/* The arrays of a call; the first WRITTEN are written to. */
enum { OUT, H_N, C_N, WRITTEN, X = WRITTEN, H_0, C_0, LENGTHS, ARRAYS };
static const char *const lstm_names[ARRAYS] = { "out", "h_n", "c_n", "x", "h_0", "c_0", "lengths" };
static const char *const cell_names[ARRAYS] = { "h_out", "", "c_out", "x", "h", "c", "" };

typedef struct span {
    uintptr_t begin;
    size_t bytes;
} span;

/* Of no bytes where it is not there. More bytes than there can be are the most. */
static span span_of(const void *array, int64_t rows, size_t row_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow((size_t)rows, row_bytes, &bytes) || bytes > INT64_MAX) bytes = INT64_MAX;
    return (span){ (uintptr_t)array, array ? bytes : 0 };
}

static bool overlap(span a, span b) {
    return b.begin - a.begin < a.bytes || a.begin - b.begin < b.bytes;
}

static wlstm_status overlapping(const wli_model *model, int written, int other, bool may_be_one) {
    const char *const *names = model->is_cell ? cell_names : lstm_names;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: %s%san array of its own expected, got one that overlaps %s",
                    names[written], may_be_one ? names[other] : "", may_be_one ? " itself or " : "", names[other]);
}

wlstm_status wli_call_check_overlap(const wli_model *model, const wli_call *call) {
    const int64_t B = call->batch, rows = call->seq_len * B;
    const bool one_cell = model->num_layers * model->num_directions == 1;
    const int may_be_one[WRITTEN] = { one_cell ? H_0 : OUT, H_0, C_0 };
    const span spans[ARRAYS] = {
        span_of(call->out, rows, model->out_bytes), span_of(call->h_n, B, model->h_bytes),
        span_of(call->c_n, B, model->c_bytes),      span_of(call->x, rows, model->x_bytes),
        span_of(call->h_0, B, model->h_bytes),      span_of(call->c_0, B, model->c_bytes),
        span_of(call->lengths, B, sizeof(int64_t)),
    };
    for (int written = 0; written < WRITTEN; written++)
        for (int other = written + 1; other < ARRAYS; other++) {
            if (!overlap(spans[written], spans[other])) continue;
            const bool allowed = other == may_be_one[written];
            if (!allowed || spans[written].begin != spans[other].begin)
                return overlapping(model, written, other, allowed);
        }
    return WLSTM_OK;
}

wlstm_status wli_call_check(const wli_model *model, const wli_call *call, int64_t max_seq_len, int64_t max_batch) {
    if (call->seq_len < 1)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: at least 1 expected, got %" PRId64, call->seq_len);
    if (call->batch < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "batch: at least 0 expected, got %" PRId64, call->batch);
    if (call->seq_len > max_seq_len)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: at most the plan's %" PRId64 " expected, got %" PRId64,
                        max_seq_len, call->seq_len);
    if (call->batch > max_batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "batch: at most the plan's %" PRId64 " expected, got %" PRId64,
                        max_batch, call->batch);
    if (call->batch > 0 && call->seq_len > WLI_LARGEST_ROWS / call->batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "seq_len * batch: at most 2^40 expected, got %" PRId64 " * %" PRId64, call->seq_len,
                        call->batch);
    if (call->batch > 0 && (!call->x || !call->out))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: an array expected, got NULL", call->x ? "out" : "x");
    const wlstm_status status = wli_call_check_overlap(model, call);
    return status == WLSTM_OK ? check_lengths(call) : status;
}
