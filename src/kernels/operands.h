/* Rows of A as a product can use them: where they are, or made operands or copied side by side. */
#ifndef WLI_OPERANDS_H
#define WLI_OPERANDS_H

#include "kernels/native.h"

/* Room for the copies. */
typedef struct wli_gathered {
    void *dense;       /* [rows, wli_gate_stride(depth)] */
    const void **rows; /* [rows] */
} wli_gathered;

/* a: [rows] pointers to [depth]. The native product's operands; where it takes rows as they are, these, or copies of
 * them where their distance would put them all into the same sets of the L1. */
const void *const *wli_operand_rows(const wli_native *native, int64_t rows, int64_t depth, size_t element,
                                    const void *const *a, wli_gathered *gathered);

/* The rows as one matrix [rows, depth] without gaps: in place where they lie so, else copied. */
const void *wli_dense_rows(int64_t rows, int64_t depth, size_t element, const void *const *a, wli_gathered *gathered);

#endif
