#include "schedule/rows.h"

/* Row a comes before row b. */
static bool before(const wli_call *call, int64_t a, int64_t b) {
    return call->lengths[a] != call->lengths[b] ? call->lengths[a] > call->lengths[b] : a < b;
}

void wli_rows_sort(wli_rows *rows, const wli_call *call) {
    const int64_t batch = call->batch;
    rows->batch = batch;
    for (int64_t r = 0; r < batch; r++) rows->order[r] = r;
    /* Shell's sort: in place, as execution allocates nothing and qsort may. Gaps 1, 4, 13, ...: with even ones
     * alone, rows short and long in turn would be left to the last. */
    int64_t gap = 1;
    while (gap < batch / 3) gap = 3 * gap + 1;
    for (gap = call->lengths ? gap : 0; gap > 0; gap /= 3)
        for (int64_t r = gap; r < batch; r++) {
            int64_t row = rows->order[r], hole = r;
            for (; hole >= gap && before(call, row, rows->order[hole - gap]); hole -= gap)
                rows->order[hole] = rows->order[hole - gap];
            rows->order[hole] = row;
        }
    for (int64_t r = 0; r < batch; r++) rows->lengths[r] = wli_call_length(call, rows->order[r]);
}

static void swap(int64_t *values, int64_t a, int64_t b) {
    const int64_t value = values[a];
    values[a] = values[b], values[b] = value;
}

void wli_rows_deal(wli_rows *rows, int64_t parts) {
    if (rows->batch == 0 || rows->lengths[0] == rows->lengths[rows->batch - 1]) return;
    for (int64_t first = parts; first < rows->batch; first += 2 * parts) {
        const int64_t end = first + parts < rows->batch ? first + parts : rows->batch;
        for (int64_t a = first, b = end - 1; a < b; a++, b--) {
            swap(rows->order, a, b);
            swap(rows->lengths, a, b);
        }
    }
}
