/* The arguments of a forward call, checked once at the door. */
#include "model/call.h"

#include "base/status.h"
#include <inttypes.h>

wlstm_status wli_check_room(int64_t max_seq_len, int64_t max_batch, int num_threads) {
    const bool no_steps = max_seq_len < 1;
    if (no_steps || max_batch < 1)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at least 1 expected, got %" PRId64,
                        no_steps ? "max_seq_len" : "max_batch", no_steps ? max_seq_len : max_batch);
    if (max_seq_len > WLI_LARGEST_ROWS / max_batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "max_seq_len * max_batch: at most 2^40 expected, got %" PRId64 " * %" PRId64, max_seq_len,
                        max_batch);
    if (num_threads < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "num_threads: 0 (the default) or more expected, got %d",
                        num_threads);
    return WLSTM_OK;
}

wlstm_status wli_check_schedule(wlstm_schedule schedule) {
    if (schedule >= WLSTM_SCHEDULE_AUTO && schedule <= WLSTM_SCHEDULE_GANGS) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "schedule: a wlstm_schedule expected, got %d", (int)schedule);
}

static wlstm_status check_lengths(const wli_call *call) {
    for (int64_t b = 0; b < call->batch && call->lengths; b++)
        if (call->lengths[b] < 1 || call->lengths[b] > call->seq_len)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "lengths[%" PRId64 "]: 1 to %" PRId64 " expected, got %" PRId64, b, call->seq_len,
                            call->lengths[b]);
    return WLSTM_OK;
}

/* The arrays of a call; the first WRITTEN are written to. */
enum { OUT, H_N, C_N, WRITTEN, X = WRITTEN, H_0, C_0, LENGTHS, BATCH_SIZES, ARRAYS };
static const char *const lstm_names[ARRAYS] = { "out", "h_n", "c_n", "x", "h_0", "c_0", "lengths", "batch_sizes" };
static const char *const cell_names[ARRAYS] = { "h_out", "", "c_out", "x", "h", "c", "", "" };

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

/* Of x and out. */
static int64_t rows_of(const wli_call *call) {
    int64_t rows = 0;
    if (!call->batch_sizes) return call->seq_len * call->batch;
    for (int64_t t = 0; t < call->seq_len; t++) rows += call->batch_sizes[t];
    return rows;
}

/* Pair by pair, where are_apart was not sure: names the first two that overlap and may not. Not inlined, for the sake of short calls,
 * which are_apart answers. */
__attribute__((noinline)) static wlstm_status check_pairs(const wli_model *model, const wli_call *call) {
    const char *const *names = model->is_cell ? cell_names : lstm_names;
    const int64_t B = call->batch, rows = rows_of(call);
    const bool one_cell = model->num_layers * model->num_directions == 1;
    const int may_be_one[WRITTEN] = { one_cell ? H_0 : OUT, H_0, C_0 };
    const span spans[ARRAYS] = {
        span_of(call->out, rows, model->out_bytes), span_of(call->h_n, B, model->h_bytes),
        span_of(call->c_n, B, model->c_bytes),      span_of(call->x, rows, model->x_bytes),
        span_of(call->h_0, B, model->h_bytes),      span_of(call->c_0, B, model->c_bytes),
        span_of(call->lengths, B, sizeof(int64_t)), span_of(call->batch_sizes, call->seq_len, sizeof(int64_t)),
    };
    for (int written = 0; written < WRITTEN; written++)
        for (int other = written + 1; other < ARRAYS; other++) {
            const bool allowed = other == may_be_one[written];
            if (!overlap(spans[written], spans[other]) || (allowed && spans[written].begin == spans[other].begin))
                continue;
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "%s: %s%san array of its own expected, got one that overlaps %s", names[written],
                            allowed ? names[other] : "", allowed ? " itself or " : "", names[other]);
        }
    return WLSTM_OK;
}

/* Whether two arrays do not meet, by where each begins and how far its last byte is from there. */
static bool apart(const void *a, size_t a_last, const void *b, size_t b_last) {
    return (uintptr_t)b - (uintptr_t)a + b_last > a_last + b_last;
}

/* Whether all arrays are surely apart, or one where they may be: in a few instructions, as a small cell's step is short. False says
 * nothing. */
static bool are_apart(const wli_model *model, const wli_call *call) {
    const void *out = call->out, *h_n = call->h_n, *c_n = call->c_n, *x = call->x, *h_0 = call->h_0, *c_0 = call->c_0;
    const size_t B = (size_t)call->batch, rows = (size_t)call->seq_len * B;
    const size_t out_last = rows * model->out_bytes - 1, x_last = rows * model->x_bytes - 1;
    const size_t h_last = B * model->h_bytes - 1, c_last = B * model->c_bytes - 1;
    const bool one_cell = model->num_layers * model->num_directions == 1;
    if (call->lengths || call->batch_sizes) return false;
    if (!apart(out, out_last, x, x_last) || !apart(out, out_last, c_0, c_last)) return false;
    if (!(out == h_0 && one_cell) && !apart(out, out_last, h_0, h_last)) return false;
    if (c_n && !(apart(c_n, c_last, out, out_last) && apart(c_n, c_last, x, x_last) &&
                 apart(c_n, c_last, h_0, h_last) && (c_n == c_0 || apart(c_n, c_last, c_0, c_last))))
        return false;
    return !h_n ||
           (apart(h_n, h_last, out, out_last) && apart(h_n, h_last, c_n, c_last) && apart(h_n, h_last, x, x_last) &&
            apart(h_n, h_last, c_0, c_last) && (h_n == h_0 || apart(h_n, h_last, h_0, h_last)));
}

wlstm_status wli_call_check_overlap(const wli_model *model, const wli_call *call) {
    return are_apart(model, call) ? WLSTM_OK : check_pairs(model, call);
}

static wlstm_status check_seq_len(const wli_call *call, int64_t max_seq_len) {
    if (call->seq_len < 1)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: at least 1 expected, got %" PRId64, call->seq_len);
    if (call->seq_len > max_seq_len)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: at most the plan's %" PRId64 " expected, got %" PRId64,
                        max_seq_len, call->seq_len);
    return WLSTM_OK;
}

wlstm_status wli_call_check(const wli_model *model, const wli_call *call, int64_t max_seq_len, int64_t max_batch) {
    wlstm_status status = check_seq_len(call, max_seq_len);
    if (status != WLSTM_OK) return status;
    if (call->batch < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "batch: at least 0 expected, got %" PRId64, call->batch);
    if (call->batch > max_batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at most the plan's %" PRId64 " expected, got %" PRId64,
                        call->batch_sizes ? "batch_sizes[0]" : "batch", max_batch, call->batch);
    if (call->batch > 0 && call->seq_len > WLI_LARGEST_ROWS / call->batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "seq_len * batch: at most 2^40 expected, got %" PRId64 " * %" PRId64, call->seq_len,
                        call->batch);
    if (call->batch > 0 && (!call->x || !call->out))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: an array expected, got NULL", call->x ? "out" : "x");
    status = wli_call_check_overlap(model, call);
    return status == WLSTM_OK ? check_lengths(call) : status;
}

wlstm_status wli_call_count_rows(wli_call *call) {
    if (!call->batch_sizes)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "batch_sizes: the number of rows at each of the %" PRId64 " times expected, got NULL",
                        call->seq_len);
    for (int64_t t = 0, before = INT64_MAX; t < call->seq_len; before = call->batch_sizes[t++]) {
        const int64_t rows = call->batch_sizes[t];
        if (rows < 1)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "batch_sizes[%" PRId64 "]: at least 1 row expected, got %" PRId64
                            "; seq_len is the length of the longest",
                            t, rows);
        if (rows > before)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "batch_sizes[%" PRId64 "]: at most the %" PRId64
                            " rows of the time before expected, got %" PRId64 "; rows are packed longest first",
                            t, before, rows);
    }
    call->batch = call->batch_sizes[0];
    return WLSTM_OK;
}

wlstm_status wli_call_check_packed(const wli_model *model, wli_call *call, int64_t max_seq_len, int64_t max_batch) {
    wlstm_status status = check_seq_len(call, max_seq_len);
    if (status == WLSTM_OK) status = wli_call_count_rows(call);
    return status == WLSTM_OK ? wli_call_check(model, call, max_seq_len, max_batch) : status;
}

int64_t wli_packed_rows_length(const wli_call *call, int64_t row) {
    int64_t low = 0, high = call->seq_len; /* it runs at times before low, and not from high on */
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (call->batch_sizes[middle] > row)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void wli_packed_rows_begin(wli_packed_rows *packed, const wli_call *call) {
    packed->batch_sizes = call->batch_sizes;
    packed->behind[call->batch] = 0;
    for (int64_t b = call->batch - 1; b >= 0; b--)
        packed->behind[b] = packed->behind[b + 1] + wli_packed_rows_length(call, b);
}
