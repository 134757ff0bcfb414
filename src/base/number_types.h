/* The types of numbers that arrays hold, in memory and in files: one table. */
#ifndef WLI_NUMBER_TYPES_H
#define WLI_NUMBER_TYPES_H

#include "wavelstm.h"
#include <stdbool.h>
#include <stddef.h>

/* Those that callers name, a wlstm_dtype, and those that only files hold. */
typedef enum wli_number_type {
    WLI_F32 = WLSTM_F32,
    WLI_F64 = WLSTM_F64,
    WLI_BF16 = WLSTM_BF16,
    WLI_F16,
    WLI_I32,
    WLI_I64,
    WLI_NUMBER_TYPES
} wli_number_type;

typedef struct wli_number {
    const char *name; /* "f32" */
    size_t bytes;
    /* Its names in a safetensors file, "F32"; in an npy file after the byte order, "f4"; in NumPy, "float32"; at the end
     * of a problem's name, "-f64". NULL: it has none there. */
    const char *safetensors, *npy, *numpy, *problem;
    /* values [count], at any alignment, as doubles, exactly; NULL for integers. */
    void (*to_doubles)(const void *values, size_t count, double *doubles);
    /* The nearest values, past the type's range infinity; NULL: no array is written in this type. */
    void (*from_doubles)(const double *doubles, size_t count, void *values);
} wli_number;

/* By wli_number_type, and so by wlstm_dtype. */
extern const wli_number wli_numbers[WLI_NUMBER_TYPES];

/* The dtypes that cells compute in, which are the first ones. */
enum { WLI_COMPUTING = WLSTM_F64 + 1 };

/* Whether a caller's dtype is one of which there are models and arrays. */
bool wli_dtype_runs(wlstm_dtype dtype);

/* INVALID_ARGUMENT where it is not. */
wlstm_status wli_check_dtype(wlstm_dtype dtype);

/* What cells of a dtype that runs compute in. */
static inline wlstm_dtype wli_dtype_real(wlstm_dtype dtype) {
    return dtype == WLSTM_BF16 ? WLSTM_F32 : dtype;
}

static inline size_t wli_dtype_size(wlstm_dtype dtype) {
    return wli_numbers[dtype].bytes;
}

static inline size_t wli_real_size(wlstm_dtype dtype) {
    return wli_dtype_size(wli_dtype_real(dtype));
}

/* values[index], and to set it. */
static inline double wli_get(wlstm_dtype dtype, const void *values, size_t index) {
    double value;
    wli_numbers[dtype].to_doubles((const char *)values + index * wli_dtype_size(dtype), 1, &value);
    return value;
}

static inline void wli_put(wlstm_dtype dtype, void *values, size_t index, double value) {
    wli_numbers[dtype].from_doubles(&value, 1, (char *)values + index * wli_dtype_size(dtype));
}

#endif
