/* Any tensor of a model file: what is beside the lstm, as the weight of an nn.Linear after it. */
#include "base/status.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "model/missing_tensor.h"
#include <inttypes.h>
#include <string.h>

/* Where the caller's arguments do not need the file to be seen as wrong. */
static wlstm_status check_arguments(const char *path, const char *name, wlstm_dtype dtype, const void *values,
                                    int64_t count) {
    if (!path || !name)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", path ? "name" : "path");
    wlstm_status status = wli_check_dtype(dtype);
    if (status != WLSTM_OK) return status;
    if (!values && count != 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: 0 expected where values is NULL, got %" PRId64, count);
    return WLSTM_OK;
}

/* Elements; the product is in the file and so fits. */
static int64_t elements(const wli_st_tensor *tensor) {
    int64_t product = 1;
    for (int d = 0; d < tensor->ndim; d++) product *= tensor->shape[d];
    return product;
}

static wlstm_status read_values(wli_safetensors *file, const wli_st_tensor *tensor, wlstm_dtype dtype, void *values,
                                int64_t count) {
    if (values && count != elements(tensor)) {
        char shape[WLI_SHAPE_TEXT], shown[96];
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: %" PRId64 " elements of '%s' %s expected, got %" PRId64,
                        elements(tensor), wli_printable(tensor->name, strlen(tensor->name), shown, sizeof shown),
                        wli_shape_text(tensor->ndim, tensor->shape, shape), count);
    }
    return values ? wli_safetensors_read(file, tensor, dtype, values) : WLSTM_OK;
}

wlstm_status wlstm_tensor_read(const char *path, const char *name, wlstm_dtype dtype, void *values, int64_t count,
                               int *ndim, int64_t shape[8]) {
    wlstm_status status = check_arguments(path, name, dtype, values, count);
    if (status != WLSTM_OK) return status;
    wli_safetensors *file;
    status = wli_safetensors_open(path, &file);
    if (status != WLSTM_OK) return status;
    const wli_st_tensor *tensor = wli_safetensors_find(file, name);
    status = tensor ? read_values(file, tensor, dtype, values, count) : wli_missing_tensor(path, file, name);
    if (status == WLSTM_OK && ndim) *ndim = tensor->ndim;
    if (status == WLSTM_OK && shape) memcpy(shape, tensor->shape, (size_t)tensor->ndim * sizeof *shape);
    wli_safetensors_close(file);
    return status;
}
