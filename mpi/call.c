/* The arguments of a call, which are rank 0's: checked there, as wlstm_forward checks its own. */
#include "parts.h"

#include <inttypes.h>
#include <limits.h>

/* The arrays of a call; the first WRITTEN are written to. */
enum { OUT, H_N, C_N, WRITTEN, X = WRITTEN, H_0, C_0, LENGTHS, ARRAYS };

typedef struct span {
    const char *name;
    uintptr_t begin;
    size_t bytes;
} span;

/* Of no bytes where it is not there. More bytes than there can be are the most. */
static span span_of(const char *name, const void *array, int64_t rows, int64_t elements, size_t element_bytes) {
    size_t bytes;
    if (__builtin_mul_overflow((size_t)rows, (size_t)elements, &bytes) ||
        __builtin_mul_overflow(bytes, element_bytes, &bytes) || bytes > INT64_MAX)
        bytes = INT64_MAX;
    return (span){ name, (uintptr_t)array, array ? bytes : 0 };
}

static bool overlap(span a, span b) {
    return b.begin - a.begin < a.bytes || a.begin - b.begin < b.bytes;
}

static void check_apart(const wlm_shape *shape, const wlm_call *call, wlm_failure *failure) {
    const int64_t B = call->batch, rows = call->seq_len * B;
    const int64_t h = wlm_sum(shape->h_sizes, shape->cells), c = wlm_sum(shape->c_sizes, shape->cells);
    const size_t element = wlm_element_bytes(shape->dtype);
    const span spans[ARRAYS] = { span_of("out", call->out, rows, shape->out_size, element),
                                 span_of("h_n", call->h_n, B, h, element),
                                 span_of("c_n", call->c_n, B, c, element),
                                 span_of("x", call->x, rows, shape->input_size, element),
                                 span_of("h_0", call->h_0, B, h, element),
                                 span_of("c_0", call->c_0, B, c, element),
                                 span_of("lengths", call->lengths, B, 1, sizeof(int64_t)) };
    for (int written = 0; written < WRITTEN; written++)
        for (int other = written + 1; other < ARRAYS; other++) {
            const bool may_be_one = (written == H_N && other == H_0) || (written == C_N && other == C_0);
            if (overlap(spans[written], spans[other]) && !(may_be_one && spans[written].begin == spans[other].begin))
                wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                         "%s: %s%san array of its own expected, got one that overlaps %s", spans[written].name,
                         may_be_one ? spans[other].name : "", may_be_one ? " itself or " : "", spans[other].name);
        }
}

static void check_sizes(int64_t max_seq_len, int64_t max_batch, const wlm_call *call, wlm_failure *failure) {
    if (call->seq_len < 1 || call->seq_len > max_seq_len)
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: 1 to %" PRId64 " expected, got %" PRId64, max_seq_len,
                 call->seq_len);
    if (call->batch < 0 || call->batch > max_batch)
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "batch: 0 to %" PRId64 " expected, got %" PRId64, max_batch,
                 call->batch);
    if (failure->status == WLSTM_OK && call->batch > 0 && call->seq_len > (INT64_C(1) << 40) / call->batch)
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "seq_len * batch: at most 2^40 expected, got %" PRId64 " * %" PRId64, call->seq_len, call->batch);
}

static void check_arrays(const wlm_shape *shape, const wlm_call *call, wlm_failure *failure) {
    if (call->batch > 0 && (!call->x || !call->out))
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "%s: an array expected, got NULL", call->x ? "out" : "x");
    check_apart(shape, call, failure);
    for (int64_t b = 0; b < call->batch && call->lengths; b++)
        if (call->lengths[b] < 1 || call->lengths[b] > call->seq_len)
            wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                     "lengths[%" PRId64 "]: 1 to %" PRId64 " expected, got %" PRId64, b, call->seq_len,
                     call->lengths[b]);
}

bool wlm_call_begin(MPI_Comm comm, const wlm_shape *shape, int64_t max_seq_len, int64_t max_batch, const wlm_call *call,
                    wlm_header *header, wlm_failure *failure) {
    int rank;
    MPI_Comm_rank(comm, &rank);
    if (failure->status == WLSTM_OK) check_sizes(max_seq_len, max_batch, call, failure);
    if (rank == 0) {
        if (failure->status == WLSTM_OK) check_arrays(shape, call, failure);
        *header = (wlm_header){ .seq_len = call->seq_len,
                                .batch = call->batch,
                                .in_order = failure->status == WLSTM_OK,
                                .lengths = call->lengths != NULL,
                                .h_0 = call->h_0 != NULL,
                                .c_0 = call->c_0 != NULL,
                                .h_n = call->h_n != NULL,
                                .c_n = call->c_n != NULL };
    }
    MPI_Bcast(header, (int)sizeof *header, MPI_BYTE, 0, comm);
    if (header->in_order && (header->seq_len != call->seq_len || header->batch != call->batch))
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "seq_len, batch: %" PRId64 ", %" PRId64 " as on rank 0 expected, got %" PRId64 ", %" PRId64,
                 header->seq_len, header->batch, call->seq_len, call->batch);
    return header->in_order;
}
