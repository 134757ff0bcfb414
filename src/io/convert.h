/* Numbers of a file as the numbers that run. */
#ifndef WLI_CONVERT_H
#define WLI_CONVERT_H

#include "io/safetensors.h"

/* Bytes of one element; 0 for WLI_ST_OTHER. */
size_t wli_st_itemsize(wli_st_dtype dtype);

/* source [count] of `from` (not OTHER) to target [count] of `to` (F32 or F64), both little-endian at any alignment. F64
 * to F32 rounds to nearest, past float's range to infinity; all else is exact. */
void wli_convert(wli_st_dtype from, const void *source, wlstm_dtype to, void *target, size_t count);

#endif
