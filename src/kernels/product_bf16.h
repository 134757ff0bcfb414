/* bf16: arrays, sums and the cell are float's; what is multiplied is rounded to bfloat16, to which denormals are zero.
 * A group is a pair of k, the first in the lower half of 32 bits: weights anywhere, and rows where instructions
 * multiply pairs. Elsewhere the halves of a weight are widened by a shift and a mask, and rows are rounded copies in
 * float. */
#ifndef WLI_PRODUCT_BF16_H
#define WLI_PRODUCT_BF16_H

#include "kernels/real_f32.h"

#include "kernels/lanes.h"

typedef uint32_t packed;
typedef uint32_t vec_bits __attribute__((vector_size(WLI_VECTOR_BYTES)));
typedef vec vec_sums;
enum { GROUP = 2, IN_PLACE = 0, BLOCK = 1, WEIGHT_TAIL = 0, OPERAND_TAIL = 0 };

/* To the nearest, of two as near the even one; NaN stays NaN. The lower halves are zero. */
WLI_INLINE vec_bits rounded(vec values) {
    const uint32_t sign = 0x80000000, quiet = 0x00400000;
    const int32_t least_normal = 0x00800000, infinity = 0x7f800000;
    const vec_bits bits = (vec_bits)values, nearest = bits + 0x7fff + (bits >> 16 & 1);
    const vec_int magnitude = (vec_int)(bits & ~sign);
    const vec_bits nan = (vec_bits)(magnitude > infinity), tiny = (vec_bits)(magnitude < least_normal);
    return ((nearest & ~nan & ~tiny) | (bits & tiny & sign) | ((bits | quiet) & nan)) & 0xffff0000;
}

WLI_INLINE uint32_t rounded_one(real value) {
    return rounded(broadcast(value))[0];
}

WLI_INLINE bool stays_finite(real value) {
    return (rounded_one(value) & 0x7fffffff) < 0x7f800000;
}

WLI_INLINE uint32_t rounded_pair(const real *k, int64_t count) {
    return rounded_one(k[0]) >> 16 | (count > 1 ? rounded_one(k[1]) : 0);
}

/* weights [depth] -> to, `step` apart */
WLI_INLINE void pack_column(const real *weights, int64_t depth, packed *to, int64_t step) {
    for (int64_t k = 0; k < depth; k += GROUP) to[k / GROUP * step] = rounded_pair(weights + k, depth - k);
}

#define PACKS_LANES
WLI_INLINE vec packed_lanes(const real *weights) {
    const vec first = (vec)rounded(load(weights)), second = (vec)rounded(load(weights + LANES));
    const vec_int even = numbers_of_lanes() * 2;
    return (vec)((vec_bits)shuffled(first, second, even) >> 16 | (vec_bits)shuffled(first, second, even + 1));
}

WLI_INLINE vec_int not_finite(vec pairs) {
    const vec_bits infinite = (vec_bits){ 0 } + 0x7f80, high = (vec_bits)pairs >> 16;
    return (vec_int)(((vec_bits)pairs & infinite) == infinite) | (vec_int)((high & infinite) == infinite);
}

WLI_INLINE vec weight_bits(const packed *from) {
    vec pairs;
    memcpy(&pairs, from, sizeof pairs);
    return pairs;
}

#define OPERANDS make_operands
#define MULTIPLY_TILES _tile_dpbf16ps
#if defined(__AVX512BF16__) && WLI_VECTOR_BYTES == 64
typedef packed operand;
enum { PARTS = 1 };

WLI_INLINE vec rounded_pairs(vec first, vec second) {
    return (vec)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
}

/* row [depth] -> to [groups of k] */
static void make_operands(const void *row, int64_t depth, void *to) {
    const real *from = row;
    int64_t k = 0;
    for (; k + 2 * LANES <= depth; k += 2 * LANES)
        store((real *)to + k / GROUP, rounded_pairs(load(from + k), load(from + k + LANES)));
    const int64_t left = depth - k;
    if (left == 0) return;
    const vec first = load_some(from + k, left < LANES ? left : LANES);
    const vec second = left > LANES ? load_some(from + k + LANES, left - LANES) : (vec){ 0 };
    store_some((real *)to + k / GROUP, rounded_pairs(first, second), (left + 1) / GROUP);
}

WLI_INLINE vec weight_lanes(const packed *from, int part) {
    (void)part;
    return weight_bits(from);
}

WLI_INLINE vec operand_lanes(const operand *from, int part) {
    (void)part;
    return (vec)_mm512_set1_epi32((int)*from);
}

/* The second k before the first. */
WLI_INLINE vec_sums multiply_add(vec_sums sums, vec operands, vec weights) {
    return (vec_sums)_mm512_dpbf16_ps((__m512)sums, (__m512bh)operands, (__m512bh)weights);
}
#else
typedef struct operand {
    real k[GROUP];
} operand;
enum { PARTS = 2 };

/* row [depth] -> to [groups of k] */
static void make_operands(const void *row, int64_t depth, void *to) {
    const real *from = row;
    real *k_of_groups = to;
    int64_t k = 0;
    for (; k + LANES <= depth; k += LANES) store(k_of_groups + k, (vec)rounded(load(from + k)));
    if (k < depth) store_some(k_of_groups + k, (vec)rounded(load_some(from + k, depth - k)), depth - k + depth % GROUP);
}

WLI_INLINE vec weight_lanes(const packed *from, int part) {
    const vec_bits pairs = (vec_bits)weight_bits(from);
    return (vec)(part == 0 ? pairs << 16 : pairs & 0xffff0000);
}

WLI_INLINE vec operand_lanes(const operand *from, int part) {
    return broadcast(from->k[part]);
}

WLI_INLINE vec_sums multiply_add(vec_sums sums, vec operands, vec weights) {
    return sums + operands * weights;
}
#endif

WLI_INLINE vec_sums sums_from(vec g) {
    return g;
}

WLI_INLINE vec sums_to(vec g, vec_sums sums, const packed *weights_end, int64_t step, const operand *row_end) {
    (void)g, (void)weights_end, (void)step, (void)row_end;
    return sums;
}

#endif
