/* bfloat16, the upper half of a float. */
#ifndef WLI_BF16_H
#define WLI_BF16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void wli_bf16_widen(const uint16_t *from, size_t count, float *to) {
    for (size_t k = 0; k < count; k++) {
        const uint32_t bits = (uint32_t)from[k] << 16;
        memcpy(&to[k], &bits, sizeof bits);
    }
}

/* To the nearest, of two as near the even one; NaN stays NaN. */
static inline uint16_t wli_bf16_nearest(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t nearest = bits + 0x7fff + (bits >> 16 & 1), quiet = bits | 0x00400000;
    return (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? quiet : nearest) >> 16);
}

static inline void wli_bf16_narrow(const float *from, size_t count, uint16_t *to) {
    for (size_t k = 0; k < count; k++) to[k] = wli_bf16_nearest(from[k]);
}

/* values [count] to what bfloat16 has of them. */
static inline void wli_bf16_round_all(float *values, size_t count) {
    for (size_t k = 0; k < count; k++) {
        const uint32_t bits = (uint32_t)wli_bf16_nearest(values[k]) << 16;
        memcpy(&values[k], &bits, sizeof bits);
    }
}

#endif
