#include "compare.h"

#include "reference/compare.h"
#include <stdio.h>
#include <string.h>

enum { MAX_PRINTED = 4 };

size_t dtype_size(wlstm_dtype dtype) {
    return wli_dtype_size(dtype);
}

double tensor_at(wlstm_dtype dtype, const void *values, int64_t index) {
    return wli_get(dtype, values, (size_t)index);
}

static bool report(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count,
                   bool bitwise) {
    const size_t size = dtype_size(dtype);
    int64_t different = 0;
    for (int64_t i = 0; i < count; ++i) {
        const double a = wli_get(dtype, actual, (size_t)i), e = wli_get(dtype, expected, (size_t)i);
        const bool same =
            bitwise ? !memcmp((const char *)actual + (size_t)i * size, (const char *)expected + (size_t)i * size, size)
                    : wli_close_enough(dtype, WLSTM_PRECISION_FULL, a, e);
        if (same) continue;
        if (different == 0) fprintf(stderr, "%s:\n", what);
        if (different++ < MAX_PRINTED) {
            fprintf(stderr, "    [%lld] is %.9g, expected %.9g, off by %.3g\n", (long long)i, a, e, a - e);
        }
    }
    if (different) fprintf(stderr, "    %lld of %lld elements differ\n", (long long)different, (long long)count);
    return different == 0;
}

bool tensors_close(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count) {
    return report(what, dtype, actual, expected, count, false);
}

bool tensors_identical(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count) {
    return report(what, dtype, actual, expected, count, true);
}
