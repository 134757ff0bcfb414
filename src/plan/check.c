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

wlstm_status wli_call_check(const wli_call *call, int64_t max_seq_len, int64_t max_batch) {
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
    return check_lengths(call);
}
