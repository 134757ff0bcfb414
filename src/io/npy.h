/* NumPy's .npy files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef WLI_NPY_H
#define WLI_NPY_H

#include "base/number_types.h"
#include "io/output_file.h"

#define WLI_NPY_MAX_DIMS 8

typedef struct wli_npy {
    wli_number_type dtype;
    int ndim; /* 0 is a scalar */
    int64_t shape[WLI_NPY_MAX_DIMS];
    void *values; /* by wli_alloc, C order, this machine's byte order */
} wli_npy;

/* Reads a file of version 1, 2 or 3: f2, f4, f8, i4, i8, or u2 and ml_dtypes' V2 as BF16, of either byte order, C order. On
 * failure *array is all zero.
 * Errors: FILE, FORMAT, UNSUPPORTED (another dtype, Fortran order), OUT_OF_MEMORY, INVALID_ARGUMENT. */
wlstm_status wli_npy_read(const char *path, wli_npy *array);

/* Elements of an array that is in memory, whose product therefore fits. */
size_t wli_npy_count(const wli_npy *array);

/* Frees the values and clears the struct. NULL is allowed. */
void wli_npy_free(wli_npy *array);

/* Writes a dtype that computes, version 1.0. The file appears whole or not at all. Errors: FILE, INVALID_ARGUMENT, OUT_OF_MEMORY. */
wlstm_status wli_npy_write(const char *path, wlstm_dtype dtype, int ndim, const int64_t *shape, const void *values);

/* As wli_npy_write up to the last step: *staged is finished, for wli_output_commit or wli_output_discard. */
wlstm_status wli_npy_stage(const char *path, wlstm_dtype dtype, int ndim, const int64_t *shape, const void *values,
                           wli_output **staged);

#endif
