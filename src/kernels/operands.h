/* Rows of A as a product can use them: where they are, or copied side by side. */
#ifndef WLI_OPERANDS_H
#define WLI_OPERANDS_H

#include <stddef.h>
#include <stdint.h>

/* Room for the copies. */
typedef struct wli_gathered {
    void *dense;       /* [rows, wli_gate_stride(depth)] */
    const void **rows; /* [rows] */
} wli_gathered;

/* a: [rows] pointers to [depth]. The rows themselves, or copies of them where their distance would put them all into
 * the same sets of the L1. */
const void *const *wli_spread_rows(int64_t rows, int64_t depth, size_t element, const void *const *a,
                                   wli_gathered *gathered);

/* The rows as one matrix [rows, depth] without gaps: in place where they lie so, else copied. */
const void *wli_dense_rows(int64_t rows, int64_t depth, size_t element, const void *const *a, wli_gathered *gathered);

#endif
