/* Numbers of a file as the numbers that run. */
#ifndef WLI_CONVERT_H
#define WLI_CONVERT_H

#include "base/number_types.h"

/* source [count] of `from`, which are no integers, to target [count] of `to`, which computes, both little-endian at any
 * alignment. F64 to F32, and by way of it anything to BF16, rounds to nearest, past the range to infinity; all else is
 * exact. */
void wli_convert(wli_number_type from, const void *source, wlstm_dtype to, void *target, size_t count);

#endif
