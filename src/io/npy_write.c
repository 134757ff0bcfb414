#include "io/npy.h"

#include "base/allocator.h"
#include "base/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREAMBLE 10 /* magic, version 1.0, header length: u16 */

// The preamble and header, padded to a multiple of 64 bytes as the format asks; returns its length.
static size_t format_header(wlstm_dtype dtype, int ndim, const int64_t *shape, char header[384]) {
    char sizes[WLI_NPY_MAX_DIMS * 22 + 1] = "";
    size_t used = 0;
    for (int d = 0; d < ndim; d++)
        used += (size_t)snprintf(sizes + used, sizeof sizes - used, d == 0 ? "%" PRId64 : ", %" PRId64, shape[d]);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    size_t length = PREAMBLE + (size_t)snprintf(header + PREAMBLE, 384 - PREAMBLE,
                                                "{'descr': '<%s', 'fortran_order': False, 'shape': (%s%s), }",
                                                wli_numbers[dtype].npy, sizes, ndim == 1 ? "," : "");
    size_t total = (length + 1 + 63) / 64 * 64;
    memset(header + length, ' ', total - length - 1);
    header[total - 1] = '\n';
    header[8] = (char)((total - PREAMBLE) & 255);
    header[9] = (char)((total - PREAMBLE) >> 8);
    return total;
}

wlstm_status wli_npy_stage(const char *path, wlstm_dtype dtype, int ndim, const int64_t *shape, const void *values,
                           wli_output **staged) {
    *staged = NULL;
    if (!wli_dtype_runs(dtype))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: dtype f32, f64 or bf16 expected, got %d", path, (int)dtype);
    if (ndim < 0 || ndim > WLI_NPY_MAX_DIMS)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: 0 to %d dimensions expected, got %d", path, WLI_NPY_MAX_DIMS,
                        ndim);
    size_t bytes = wli_dtype_size(dtype);
    for (int d = 0; d < ndim; d++)
        if (bytes > INT64_MAX || !wli_size_product((int64_t)bytes, shape[d], 1, &bytes))
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "%s: dimensions of at least 0 and of a size that fits expected", path);
    char header[384];
    wli_output *output;
    wlstm_status status = wli_output_create(path, &output);
    if (status != WLSTM_OK) return status;
    status = wli_output_write(output, header, format_header(dtype, ndim, shape, header));
    if (status == WLSTM_OK) status = wli_output_write(output, values, bytes);
    if (status == WLSTM_OK) status = wli_output_finish(output);
    if (status == WLSTM_OK)
        *staged = output;
    else
        wli_output_discard(output);
    return status;
}

wlstm_status wli_npy_write(const char *path, wlstm_dtype dtype, int ndim, const int64_t *shape, const void *values) {
    wli_output *staged;
    wlstm_status status = wli_npy_stage(path, dtype, ndim, shape, values, &staged);
    return status == WLSTM_OK ? wli_output_commit(staged) : status;
}
