#include "io/convert.h"

#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors and npy files are read as they are: a little-endian machine is needed"
#endif

size_t wli_st_itemsize(wli_st_dtype dtype) {
    switch (dtype) {
    case WLI_ST_F64:
        return 8;
    case WLI_ST_F32:
        return 4;
    case WLI_ST_F16:
    case WLI_ST_BF16:
        return 2;
    case WLI_ST_OTHER:
        break;
    }
    return 0;
}

static float float_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// IEEE 754 binary16: sign 1, exponent 5 (bias 15), mantissa 10
static float f16_to_f32(uint16_t half) {
    uint32_t sign = (uint32_t)(half >> 15), exponent = (half >> 10) & 31u, mantissa = half & 1023u;
    if (exponent == 0) return (sign ? -0x1p-24f : 0x1p-24f) * (float)mantissa;
    if (exponent == 31) return float_from_bits(sign << 31 | 255u << 23 | mantissa << 13);
    return float_from_bits(sign << 31 | (exponent + 127 - 15) << 23 | mantissa << 13);
}

// bfloat16 is the upper half of binary32
static float bf16_to_f32(uint16_t half) {
    return float_from_bits((uint32_t)half << 16);
}

static double load(wli_st_dtype dtype, const unsigned char *element) {
    if (dtype == WLI_ST_F64) {
        double value;
        memcpy(&value, element, sizeof value);
        return value;
    }
    if (dtype == WLI_ST_F32) {
        float value;
        memcpy(&value, element, sizeof value);
        return value;
    }
    uint16_t half;
    memcpy(&half, element, sizeof half);
    return dtype == WLI_ST_F16 ? f16_to_f32(half) : bf16_to_f32(half);
}

void wli_convert(wli_st_dtype from, const void *source, wlstm_dtype to, void *target, size_t count) {
    const unsigned char *element = source;
    unsigned char *result = target;
    size_t step = wli_st_itemsize(from);
    if (count == 0) return;
    if ((from == WLI_ST_F64 && to == WLSTM_F64) || (from == WLI_ST_F32 && to == WLSTM_F32)) {
        memcpy(target, source, count * step);
        return;
    }
    for (size_t i = 0; i < count; i++, element += step) {
        double value = load(from, element);
        float rounded = (float)value;
        if (to == WLSTM_F64)
            memcpy(result + i * sizeof value, &value, sizeof value);
        else
            memcpy(result + i * sizeof rounded, &rounded, sizeof rounded);
    }
}
