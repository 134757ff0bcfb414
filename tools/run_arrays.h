/* The arrays of wlstm-run: read, converted to the dtype that runs, held against the shape that is expected. Failures
 * are told by wlstm_last_error(), beginning with the argument's name. */
#ifndef RUN_ARRAYS_H
#define RUN_ARRAYS_H

#include "io/npy.h"

/* "float32" for WLSTM_F32, "float64" for WLSTM_F64, "bfloat16" for WLSTM_BF16. */
const char *run_dtype_name(wlstm_dtype dtype);

/* An array of floats, converted to dtype; a conversion is noted on stderr. */
wlstm_status run_read_floats(const char *argument, const char *path, wlstm_dtype dtype, wli_npy *array);

/* Whether the array has that shape; if not, `because` ends the sentence. */
wlstm_status run_check_shape(const char *argument, const wli_npy *array, int ndim, const int64_t *shape,
                             const char *because);

/* An array of integers, converted to int64_t. */
wlstm_status run_read_integers(const char *argument, const char *path, wli_npy *array);

/* Memory for elements of dtype, by wli_alloc. */
wlstm_status run_allocate(const char *what, wlstm_dtype dtype, int ndim, const int64_t *shape, void **values);

#endif
