#include "kernels/operands.h"

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

/* a [rows][depth] -> operands [rows, stride] and pointers to its rows. */
static void make_operands(const wli_native *native, int64_t rows, int64_t depth, size_t stride_bytes,
                          const void *const *a, wli_gathered *gathered) {
    for (int64_t r = 0; r < rows; r++) {
        char *row = (char *)gathered->dense + (size_t)r * stride_bytes;
        native->operands(a[r], depth, row);
        gathered->rows[r] = row;
    }
}

const void *const *wli_operand_rows(const wli_native *native, int64_t rows, int64_t depth, size_t element,
                                    const void *const *a, wli_gathered *gathered) {
    const int64_t fewest_rows = 8, bad_distance = 4096;
    if (native->operands) {
        make_operands(native, rows, depth, (size_t)wli_gate_stride(depth, element) * element, a, gathered);
        return gathered->rows;
    }
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
