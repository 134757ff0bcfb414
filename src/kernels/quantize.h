/* A row as integers of 8 bits and one scale (docs/precision.md), in groups of four that lie one to a lane.
 *
 * Which k make a group is free, as sums are exact, so long as weights and rows agree: of 4 LANES values those that are
 * LANES apart, of fewer at the end of a row those that are a quarter apart. So groups are vectors shifted and added. */
#ifndef WLI_QUANTIZE_H
#define WLI_QUANTIZE_H

#include "kernels/lanes.h"
#include <math.h>

enum { GROUP = 4, LARGEST_INTEGER = 127 };

typedef uint32_t vec_groups __attribute__((vector_size(WLI_VECTOR_BYTES)));

/* Added to a group, it makes its signed integers unsigned ones, each 128 more; the same bits flipped take it back. */
#define UNSIGNED 0x80808080u

WLI_INLINE vec_int larger(vec_int a, vec_int b) {
#if defined(WLI_X86) && defined(__SSE4_1__)
    return (vec_int)WLI_X86(max_epi32)((WLI_X86_VECTOR(i))a, (WLI_X86_VECTOR(i))b);
#else
    const vec_int first = a > b;
    return (a & first) | (b & ~first);
#endif
}

/* To the nearest integer, of two as near the even one. */
WLI_INLINE vec_int nearest(vec x) {
#if defined(WLI_X86)
    return (vec_int)WLI_X86(cvtps_epi32)((WLI_X86_REALS)x);
#elif defined(__aarch64__) && WLI_VECTOR_BYTES == 16
    return (vec_int)vcvtnq_s32_f32((float32x4_t)x);
#else
    vec_int integers = { 0 };
    for (int lane = 0; lane < LANES; lane++) integers[lane] = (lane_int)lrintf(x[lane]);
    return integers;
#endif
}

/* inverse: 0 where all integers are 0, as where a value is not finite, and the scale NaN. */
typedef struct row_scale {
    float scale, inverse;
} row_scale;

WLI_INLINE row_scale scale_of_row(const real *row, int64_t depth) {
    const lane_int magnitude = 0x7fffffff, infinity = 0x7f800000;
    const float least = 0x1p-120f; /* whose inverse is finite */
    vec_int found[4] = { { 0 } };
    lane_int lanes[LANES], largest_bits = 0;
    float largest;
    int64_t k = 0;
    for (; k + GROUP * LANES <= depth; k += GROUP * LANES) {
        UNROLL for (int n = 0; n < GROUP; n++) found[n] =
            larger(found[n], (vec_int)load(row + k + n * LANES) & magnitude);
    }
    for (; k + LANES <= depth; k += LANES) found[0] = larger(found[0], (vec_int)load(row + k) & magnitude);
    if (k < depth && depth >= LANES) found[1] = larger(found[1], (vec_int)load(row + depth - LANES) & magnitude);
    for (; k < depth && depth < LANES; k++) {
        memcpy(&lanes[0], row + k, sizeof lanes[0]);
        if ((lanes[0] & magnitude) > largest_bits) largest_bits = lanes[0] & magnitude;
    }
    found[0] = larger(larger(found[0], found[1]), larger(found[2], found[3]));
    memcpy(lanes, &found[0], sizeof lanes);
    UNROLL for (int n = 0; n < LANES; n++) largest_bits = lanes[n] > largest_bits ? lanes[n] : largest_bits;
    memcpy(&largest, &largest_bits, sizeof largest);
    if (largest_bits >= infinity) return (row_scale){ NAN, 0 };
    return largest < least ? (row_scale){ 0, 0 } : (row_scale){ largest / LARGEST_INTEGER, LARGEST_INTEGER / largest };
}

/* values [4 LANES] */
WLI_INLINE vec_groups whole_groups(const real *values, vec inverse) {
    vec_groups groups = { 0 };
    UNROLL for (int n = GROUP - 1; n >= 0; n--) groups =
        (groups << 8) + (vec_groups)nearest(load(values + n * LANES) * inverse);
    return groups + UNSIGNED;
}

/* values [count], the last of a row, fewer than 4 LANES; those that no group has are 0. */
WLI_INLINE vec_groups last_groups(const real *values, int64_t count, vec inverse) {
    const int64_t quarter = (count + GROUP - 1) / GROUP;
    real spread[GROUP * LANES] = { 0 };
    for (int64_t n = 0; n < GROUP && n * quarter < count; n++) {
        const int64_t left = count - n * quarter;
        memcpy(spread + n * LANES, values + n * quarter, (size_t)(left < quarter ? left : quarter) * sizeof(real));
    }
    return whole_groups(spread, inverse);
}

#endif
