#include "guarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"

enum { GUARD_BYTES = 256 };

guarded guarded_make(size_t bytes) {
    guarded g = { malloc(bytes + 2 * GUARD_BYTES), bytes, NULL };
    if (!g.block) abort();
    memset(g.block, 0xFF, bytes + 2 * GUARD_BYTES);
    g.values = g.block + GUARD_BYTES;
    return g;
}

static bool all_ones(const unsigned char *from, size_t bytes) {
    for (size_t k = 0; k < bytes; k++)
        if (from[k] != 0xFF) return false;
    return true;
}

void guarded_free(guarded *g) {
    assert_true(all_ones(g->block, GUARD_BYTES));
    assert_true(all_ones(g->block + GUARD_BYTES + g->bytes, GUARD_BYTES));
    free(g->block);
}

void check_gaps(wlstm_dtype dtype, const void *values, int64_t rows, int64_t columns, int64_t stride) {
    const size_t size = dtype_size(dtype);
    for (int64_t r = 0; r + 1 < rows; r++)
        assert_true(all_ones((const unsigned char *)values + (size_t)(r * stride + columns) * size,
                             (size_t)(stride - columns) * size));
}
