#include "run_arrays.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/text.h"
#include "io/convert.h"

#include <stdio.h>

const char *run_dtype_name(wlstm_dtype dtype) {
    return dtype == WLSTM_BF16 ? "bfloat16" : wli_numbers[dtype].numpy;
}

wlstm_status run_allocate(const char *what, wlstm_dtype dtype, int ndim, const int64_t *shape, void **values) {
    size_t bytes = wli_dtype_size(dtype);
    char text[WLI_SHAPE_TEXT];
    *values = NULL;
    for (int d = 0; d < ndim; d++)
        if (bytes > INT64_MAX || !wli_size_product((int64_t)bytes, shape[d], 1, &bytes))
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a size that fits expected, got %s", what,
                            wli_shape_text(ndim, shape, text));
    *values = wli_alloc(bytes > 0 ? bytes : 1);
    return *values == NULL ? wli_out_of_memory(what, bytes) : WLSTM_OK;
}

// An array of integers, or of other numbers.
static wlstm_status read_array(const char *argument, const char *path, bool integers, const char *expected,
                               wli_npy *array) {
    wlstm_status status = wli_npy_read(path, array);
    if (status != WLSTM_OK || integers == !wli_numbers[array->dtype].to_doubles) return status;
    status = wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: %s expected, got %s (%s)", argument, expected,
                      wli_numbers[array->dtype].numpy, path);
    wli_npy_free(array);
    return status;
}

wlstm_status run_read_floats(const char *argument, const char *path, wlstm_dtype dtype, wli_npy *array) {
    wlstm_status status = read_array(argument, path, false, "float16, float32 or float64", array);
    const wli_number_type wanted = (wli_number_type)dtype;
    if (status == WLSTM_OK && array->dtype == WLI_BF16 && wanted != WLI_BF16) { /* may be integers */
        wli_npy_free(array);
        return wli_fail(
            WLSTM_ERROR_INVALID_ARGUMENT,
            "%s: float16, float32 or float64 expected, got uint16, which is bfloat16 with --dtype bf16 (%s)", argument,
            path);
    }
    if (status != WLSTM_OK || array->dtype == wanted) return status;
    fprintf(stderr, "wlstm-run: note: %s: %s converted to %s\n", argument, wli_numbers[array->dtype].numpy,
            run_dtype_name(dtype));
    void *converted;
    status = run_allocate(argument, dtype, array->ndim, array->shape, &converted);
    if (status == WLSTM_OK) {
        wli_convert(array->dtype, array->values, dtype, converted, wli_npy_count(array));
        wli_free(array->values);
        array->values = converted;
        array->dtype = wanted;
    } else {
        wli_npy_free(array);
    }
    return status;
}

wlstm_status run_read_integers(const char *argument, const char *path, wli_npy *array) {
    wlstm_status status = read_array(argument, path, true, "int32 or int64", array);
    if (status != WLSTM_OK || array->dtype == WLI_I64) return status;
    size_t count = wli_npy_count(array);
    const int32_t *narrow = array->values;
    int64_t *wide = count <= SIZE_MAX / sizeof *wide - 1 ? wli_alloc((count + 1) * sizeof *wide) : NULL;
    if (wide == NULL) {
        wli_npy_free(array);
        return wli_out_of_memory(argument, count * sizeof *wide);
    }
    for (size_t k = 0; k < count; k++) wide[k] = narrow[k];
    wli_free(array->values);
    array->values = wide;
    array->dtype = WLI_I64;
    return WLSTM_OK;
}

wlstm_status run_check_shape(const char *argument, const wli_npy *array, int ndim, const int64_t *shape,
                             const char *because) {
    int same = array->ndim == ndim;
    for (int d = 0; d < ndim && same; d++) same = array->shape[d] == shape[d];
    if (same) return WLSTM_OK;
    char expected[WLI_SHAPE_TEXT], got[WLI_SHAPE_TEXT];
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: shape %s expected, got %s (%s)", argument,
                    wli_shape_text(ndim, shape, expected), wli_shape_text(array->ndim, array->shape, got), because);
}
