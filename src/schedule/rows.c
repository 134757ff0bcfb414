#include "schedule/rows.h"

/* Row a comes before row b. */
static bool before(const wli_call *call, int64_t a, int64_t b) {
    return call->lengths[a] != call->lengths[b] ? call->lengths[a] > call->lengths[b] : a < b;
}

void wli_rows_sort(wli_rows *rows, const wli_call *call) {
    const int64_t batch = call->batch;
    rows->batch = batch;
    for (int64_t r = 0; r < batch; r++) rows->order[r] = r;
    /* Shell's sort: in place, as execution allocates nothing and qsort may. */
    for (int64_t gap = call->lengths ? batch / 2 : 0; gap > 0; gap /= 2)
        for (int64_t r = gap; r < batch; r++) {
            int64_t row = rows->order[r], hole = r;
            for (; hole >= gap && before(call, row, rows->order[hole - gap]); hole -= gap)
                rows->order[hole] = rows->order[hole - gap];
            rows->order[hole] = row;
        }
    for (int64_t r = 0; r < batch; r++) rows->lengths[r] = wli_call_length(call, rows->order[r]);
}
