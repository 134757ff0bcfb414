/* Elementwise comparison of tensors, as torch.testing.assert_close does it. */
#ifndef TEST_SUPPORT_COMPARE_H
#define TEST_SUPPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wavelstm.h>

size_t dtype_size(wlstm_dtype dtype);
double tensor_at(wlstm_dtype dtype, const void *values, int64_t index);

/* |actual - expected| <= atol + rtol * |expected| with assert_close's defaults for the dtype (f32 1.3e-6 and 1e-5, f64
 * 1e-7 and 1e-7); NaN equals NaN, an infinity itself. If not, prints `what` and the first differing elements. */
bool tensors_close(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count);

/* The same bits; prints as tensors_close. */
bool tensors_identical(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count);

#endif
