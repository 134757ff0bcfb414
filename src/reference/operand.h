/* Operands of a product as a precision rounds them (docs/precision.md), and their product in scalar C: what every
 * kernel of that precision multiplies. Compiled as forward.c is; in double, where nothing is rounded, for the form
 * alone. */
#ifndef WLI_OPERAND_H
#define WLI_OPERAND_H

#include "base/real.h"
#include "wavelstm.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* So many products of integers an int32 holds: 127 * 127 * 131072 < 2^31. */
enum { WLI_INT8_BLOCK = 131072 };

/* To the nearest bfloat16, of two the even one. What float has as denormal is zero, NaN stays NaN. */
static inline float wli_bf16_round(float value) {
    const uint32_t sign = 0x80000000, least_normal = 0x00800000, infinity = 0x7f800000, quiet = 0x00400000;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t magnitude = bits & ~sign;
    if (magnitude > infinity)
        bits |= quiet;
    else if (magnitude < least_normal)
        bits &= sign;
    else
        bits += 0x7fff + (bits >> 16 & 1);
    bits &= 0xffff0000;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

/* A row as integers: value k is about scale * (value k * inverse, rounded). The largest magnitude comes to 127; rows
 * that have none of 2^-120 are zeros; in rows that are not finite every integer is 0 and the scale NaN. */
typedef struct wli_int8_scale {
    float scale, inverse;
} wli_int8_scale;

static inline wli_int8_scale wli_int8_scale_of(const real *row, int64_t n) {
    const uint32_t infinity = 0x7f800000;
    const float least = 0x1p-120f; /* whose inverse is finite */
    uint32_t bits, largest_bits = 0;
    float value, largest;
    for (int64_t k = 0; k < n; k++) {
        value = (float)row[k];
        memcpy(&bits, &value, sizeof bits);
        if ((bits & 0x7fffffff) > largest_bits) largest_bits = bits & 0x7fffffff;
    }
    memcpy(&largest, &largest_bits, sizeof largest);
    if (largest_bits >= infinity) return (wli_int8_scale){ NAN, 0 };
    return largest < least ? (wli_int8_scale){ 0, 0 } : (wli_int8_scale){ largest / 127, 127 / largest };
}

static inline int32_t wli_int8_round(real value, wli_int8_scale scale) {
    return scale.inverse > 0 ? (int32_t)nearbyintf((float)value * scale.inverse) : 0;
}

/* The sum of n products, at most WLI_INT8_BLOCK. */
static inline int32_t wli_int8_sum(const real *w, wli_int8_scale of_w, const real *x, wli_int8_scale of_x, int64_t n) {
    int32_t sum = 0;
    for (int64_t k = 0; k < n; k++) sum += wli_int8_round(w[k], of_w) * wli_int8_round(x[k], of_x);
    return sum;
}

static inline float wli_int8_multiply_add(const real *w, const real *x, int64_t n, float g) {
    const wli_int8_scale of_w = wli_int8_scale_of(w, n), of_x = wli_int8_scale_of(x, n);
    for (int64_t k = 0; k < n; k += WLI_INT8_BLOCK) {
        const int64_t block = n - k < WLI_INT8_BLOCK ? n - k : WLI_INT8_BLOCK;
        g = fmaf((float)wli_int8_sum(w + k, of_w, x + k, of_x, block), of_x.scale * of_w.scale, g);
    }
    return g;
}

/* g + w [n] . x [n] */
static inline double wli_multiply_add(wlstm_precision precision, const real *w, const real *x, int64_t n, double g) {
    double sum = 0.0;
    if (precision == WLSTM_PRECISION_INT8) return (double)wli_int8_multiply_add(w, x, n, (float)g);
    if (precision == WLSTM_PRECISION_BF16)
        for (int64_t k = 0; k < n; k++)
            sum += (double)wli_bf16_round((float)w[k]) * (double)wli_bf16_round((float)x[k]);
    else
        for (int64_t k = 0; k < n; k++) sum += (double)w[k] * (double)x[k];
    return g + sum;
}

#endif
