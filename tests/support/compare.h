/* Elementwise comparison of tensors, as torch.testing.assert_close does it. */
#ifndef TEST_SUPPORT_COMPARE_H
#define TEST_SUPPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wavelstm.h>

size_t dtype_size(wlstm_dtype dtype);
double tensor_at(wlstm_dtype dtype, const void *values, int64_t index);

/* Whether each element is close to the expected one (reference/compare.h). If not, prints `what` and the first that
 * differ. */
bool tensors_close(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count);

/* The same bits; prints as tensors_close. */
bool tensors_identical(const char *what, wlstm_dtype dtype, const void *actual, const void *expected, int64_t count);

#endif
