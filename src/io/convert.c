#include "io/convert.h"

#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors and npy files are read as they are: a little-endian machine is needed"
#endif

void wli_convert(wli_number_type from, const void *source, wlstm_dtype to, void *target, size_t count) {
    const wli_number *source_type = &wli_numbers[from], *target_type = &wli_numbers[to];
    if (count == 0) return;
    if (source_type == target_type) {
        memcpy(target, source, count * source_type->bytes);
        return;
    }
    double block[512];
    for (size_t done = 0, most = sizeof block / sizeof block[0]; done < count; done += most) {
        const size_t now = count - done < most ? count - done : most;
        source_type->to_doubles((const char *)source + done * source_type->bytes, now, block);
        target_type->from_doubles(block, now, (char *)target + done * target_type->bytes);
    }
}
