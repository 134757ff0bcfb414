#include "base/number_types.h"

#include "base/bf16.h"
#include "base/status.h"
#include <stdint.h>
#include <string.h>

static void f64_to_doubles(const void *values, size_t count, double *doubles) {
    memcpy(doubles, values, count * sizeof *doubles);
}

static void f64_from_doubles(const double *doubles, size_t count, void *values) {
    memcpy(values, doubles, count * sizeof *doubles);
}

static void f32_to_doubles(const void *values, size_t count, double *doubles) {
    for (size_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, (const char *)values + i * sizeof value, sizeof value);
        doubles[i] = (double)value;
    }
}

static void f32_from_doubles(const double *doubles, size_t count, void *values) {
    for (size_t i = 0; i < count; i++) {
        const float value = (float)doubles[i];
        memcpy((char *)values + i * sizeof value, &value, sizeof value);
    }
}

static double from_f32_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return (double)value;
}

/* IEEE 754 binary16: sign 1, exponent 5 (bias 15), mantissa 10. */
static double from_f16_bits(uint16_t half) {
    const uint32_t sign = (uint32_t)(half >> 15), exponent = (half >> 10) & 31u, mantissa = half & 1023u;
    if (exponent == 0) return (sign ? -0x1p-24 : 0x1p-24) * mantissa;
    if (exponent == 31) return from_f32_bits(sign << 31 | 255u << 23 | mantissa << 13);
    return from_f32_bits(sign << 31 | (exponent + 127 - 15) << 23 | mantissa << 13);
}

static void f16_to_doubles(const void *values, size_t count, double *doubles) {
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)values + i * sizeof half, sizeof half);
        doubles[i] = from_f16_bits(half);
    }
}

/* bfloat16 is the upper half of binary32. */
static void bf16_to_doubles(const void *values, size_t count, double *doubles) {
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const char *)values + i * sizeof half, sizeof half);
        doubles[i] = from_f32_bits((uint32_t)half << 16);
    }
}

/* By way of float, as PyTorch goes. */
static void bf16_from_doubles(const double *doubles, size_t count, void *values) {
    for (size_t i = 0; i < count; i++) {
        const float value = (float)doubles[i];
        uint16_t half;
        wli_bf16_narrow(&value, 1, &half);
        memcpy((char *)values + i * sizeof half, &half, sizeof half);
    }
}

const wli_number wli_numbers[WLI_NUMBER_TYPES] = {
    [WLI_F32] = { "f32", 4, "F32", "f4", "float32", "", f32_to_doubles, f32_from_doubles },
    [WLI_F64] = { "f64", 8, "F64", "f8", "float64", "-f64", f64_to_doubles, f64_from_doubles },
    [WLI_BF16] = { "bf16", 2, "BF16", "u2", "uint16", "-bf16arrays", bf16_to_doubles, bf16_from_doubles },
    [WLI_F16] = { "f16", 2, "F16", "f2", "float16", NULL, f16_to_doubles, NULL },
    [WLI_I32] = { "i32", 4, NULL, "i4", "int32", NULL, NULL, NULL },
    [WLI_I64] = { "i64", 8, NULL, "i8", "int64", NULL, NULL, NULL },
};

bool wli_dtype_runs(wlstm_dtype dtype) {
    return (int)dtype >= WLSTM_F32 && (int)dtype <= WLSTM_BF16;
}

wlstm_status wli_check_dtype(wlstm_dtype dtype) {
    if (wli_dtype_runs(dtype)) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "dtype: WLSTM_F32, WLSTM_F64 or WLSTM_BF16 expected, got %d",
                    (int)dtype);
}
