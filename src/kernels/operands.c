#include "kernels/operands.h"

#include "kernels/layout.h"
#include <string.h>

/* a [rows][depth] -> dense [rows, stride] and pointers to its rows. */
static void gather(int64_t rows, int64_t depth, int64_t stride, size_t element, const void *const *a,
                   wli_gathered *gathered) {
    for (int64_t r = 0; r < rows; r++) {
        char *row = (char *)gathered->dense + (size_t)(r * stride) * element;
        memcpy(row, a[r], (size_t)depth * element);
        gathered->rows[r] = row;
    }
}

static ptrdiff_t distance(const void *from, const void *to) {
    return (ptrdiff_t)((intptr_t)to - (intptr_t)from);
}

const void *const *wli_spread_rows(int64_t rows, int64_t depth, size_t element, const void *const *a,
                                   wli_gathered *gathered) {
    const int64_t fewest_rows = 8, bad_distance = 4096;
    if (rows < fewest_rows || distance(a[0], a[1]) % bad_distance != 0) return a;
    gather(rows, depth, wli_gate_stride(depth, element), element, a, gathered);
    return gathered->rows;
}

const void *wli_dense_rows(int64_t rows, int64_t depth, size_t element, const void *const *a, wli_gathered *gathered) {
    int64_t r = 1;
    while (r < rows && distance(a[r - 1], a[r]) == depth * (ptrdiff_t)element) r++;
    if (r >= rows) return a[0];
    gather(rows, depth, depth, element, a, gathered);
    return gathered->dense;
}
