/* safetensors files: https://huggingface.co/docs/safetensors/index#format
 *
 *     offset 0        8        8 + N                    end of file
 *            | N: u64 | JSON   | tensor | tensor | ...  |
 *                                 begin, end are offsets in here, in bytes
 *
 * A file is read, never mapped (one that shrinks while mapped kills the program), and never trusted. */
#ifndef WLI_SAFETENSORS_H
#define WLI_SAFETENSORS_H

#include "base/number_types.h"

#define WLI_ST_MAX_DIMS 8
#define WLI_ST_MAX_HEADER 16777216 /* bytes, 100000 tensors and more; the format allows 100000000 */

/* Any dtype of the format but those of wli_numbers: checked, listed, not convertible. */
enum { WLI_ST_OTHER = WLI_NUMBER_TYPES };

typedef struct wli_st_tensor {
    const char *name;       /* lives as long as the file */
    int dtype;              /* a wli_number_type, or WLI_ST_OTHER */
    const char *dtype_name; /* as in the file, "F32" */
    int ndim;               /* 0 is a scalar */
    int64_t shape[WLI_ST_MAX_DIMS];
    uint64_t begin, end;
} wli_st_tensor;

typedef struct wli_safetensors wli_safetensors;

/* Opens a regular file and checks its whole header; the file stays open for wli_safetensors_read.
 * Errors: FILE, FORMAT, UNSUPPORTED (more than WLI_ST_MAX_DIMS dimensions), OUT_OF_MEMORY, INVALID_ARGUMENT. */
wlstm_status wli_safetensors_open(const char *path, wli_safetensors **file);

/* NULL is allowed. */
void wli_safetensors_close(wli_safetensors *file);

/* Tensors in the order of their data. */
int64_t wli_safetensors_count(const wli_safetensors *file);
const wli_st_tensor *wli_safetensors_at(const wli_safetensors *file, int64_t index);

/* NULL when there is none of that name. */
const wli_st_tensor *wli_safetensors_find(const wli_safetensors *file, const char *name);

/* Reads a tensor of this file into `values`, converted to `as`, which computes. A number too large for
 * float becomes infinity. Errors: FILE, FORMAT (the file has shrunk), UNSUPPORTED (dtype OTHER, or `as` BF16). */
wlstm_status wli_safetensors_read(wli_safetensors *file, const wli_st_tensor *tensor, wlstm_dtype as, void *values);

/* The same of `count` elements from `first` on, which it has. */
wlstm_status wli_safetensors_read_some(wli_safetensors *file, const wli_st_tensor *tensor, uint64_t first, size_t count,
                                       wlstm_dtype as, void *values);

typedef struct wli_st_output {
    const char *name;
    int ndim;
    int64_t shape[WLI_ST_MAX_DIMS];
    wlstm_dtype dtype; /* one that computes */
    const void *values;
} wli_st_output;

/* The file appears whole or not at all. Errors: FILE, INVALID_ARGUMENT (a name twice, not UTF-8 or "__metadata__", a
 * shape, a dtype), OUT_OF_MEMORY. */
wlstm_status wli_safetensors_write(const char *path, const wli_st_output *tensors, int64_t count);

#endif
