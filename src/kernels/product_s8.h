/* s8: arrays and the cell are float's; what is multiplied are integers of 8 bits, whose sums are exact, and one scale a
 * row of W and of A (docs/precision.md). Behind the groups of each block lie the columns' scales, and where rows are
 * unsigned what to add to the sums; behind those of a row its scale. */
#include "kernels/real_f32.h"

#include "kernels/fused.h"
#include "kernels/quantize.h"

typedef uint32_t packed, operand; /* four integers, the first in the lowest bits */
typedef vec_int vec_sums;

/* Where four products of a lane's bytes are added to its sum at once, those of the row are unsigned. */
#if defined(__AVX512VNNI__) && WLI_VECTOR_BYTES == 64
#define UNSIGNED_ROWS 1
#define ADD_PRODUCTS _mm512_dpbusd_epi32
#elif defined(__AVXVNNI__) && WLI_VECTOR_BYTES == 32
#define UNSIGNED_ROWS 1
#define ADD_PRODUCTS _mm256_dpbusd_avx_epi32
#else
#define UNSIGNED_ROWS 0
#if (defined(__AVX2__) && WLI_VECTOR_BYTES == 32) || (defined(__aarch64__) && WLI_VECTOR_BYTES == 16)
#define SIGNED_BYTES
#endif
#endif

/* Of tile registers: native_amx.c alone takes it, whose flags have them. Compilers do not agree on a macro that says
 * so. */
#define MULTIPLY_TILES _tile_dpbusd

/* So many products an int32 holds: 127 * 127 * 131072 < 2^31. */
enum { BLOCK = 131072 / GROUP, IN_PLACE = 0, OPERAND_TAIL = 1, WEIGHT_TAIL = 1 + UNSIGNED_ROWS };
#if UNSIGNED_ROWS || defined(SIGNED_BYTES)
enum { PARTS = 1 };
#else
enum { PARTS = 2 };
#endif

WLI_INLINE bool stays_finite(real value) {
    return isfinite(value);
}

WLI_INLINE vec_groups load_groups(const packed *from) {
    vec_groups groups;
    memcpy(&groups, from, sizeof groups);
    return groups;
}

/* The two integers of a part, each in 16 bits. */
typedef int16_t vec_pairs __attribute__((vector_size(WLI_VECTOR_BYTES)));
WLI_INLINE vec part_of(vec_groups groups, int part) {
    if (PARTS == 1) return (vec)groups;
    return (vec)(part == 0 ? (vec_pairs)(groups << 8) >> 8 : (vec_pairs)groups >> 8);
}

WLI_INLINE vec weight_lanes(const packed *from, int part) {
    return part_of(load_groups(from), part);
}

WLI_INLINE vec operand_lanes(const operand *from, int part) {
    return part_of(*from + (vec_groups){ 0 }, part);
}

/* By the compiler's vectors; apart, as it would take minutes over tiles of them. */
__attribute__((unused, noinline)) static vec_sums add_pairs(vec_sums sums, vec a, vec w) {
    const vec_int first = ((vec_int)((vec_groups)a << 16) >> 16) * ((vec_int)((vec_groups)w << 16) >> 16);
    return sums + first + ((vec_int)a >> 16) * ((vec_int)w >> 16);
}

WLI_INLINE vec_sums multiply_add(vec_sums sums, vec a, vec w) {
#if UNSIGNED_ROWS
    return (vec_sums)ADD_PRODUCTS((WLI_X86_VECTOR(i))sums, (WLI_X86_VECTOR(i))a, (WLI_X86_VECTOR(i))w);
#elif defined(SIGNED_BYTES) && defined(WLI_X86)
    /* |a| (w with a's sign): two products, none of them of a -128, fit 16 bits. */
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8((__m256i)a), _mm256_sign_epi8((__m256i)w, (__m256i)a));
    return sums + (vec_sums)_mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
#elif defined(SIGNED_BYTES) && defined(__ARM_FEATURE_DOTPROD)
    return (vec_sums)vdotq_s32((int32x4_t)sums, (int8x16_t)w, (int8x16_t)a);
#elif defined(SIGNED_BYTES)
    const int8x16_t rows = (int8x16_t)a, weights = (int8x16_t)w;
    const int16x8_t low = vmull_s8(vget_low_s8(rows), vget_low_s8(weights)), high = vmull_high_s8(rows, weights);
    return (vec_sums)vpadalq_s16((int32x4_t)sums, vpaddq_s16(low, high));
#elif defined(WLI_X86)
    return sums + (vec_sums)WLI_X86(madd_epi16)((WLI_X86_VECTOR(i))a, (WLI_X86_VECTOR(i))w);
#else
    return add_pairs(sums, a, w);
#endif
}

WLI_INLINE vec_sums sums_from(vec g) {
    (void)g;
    return (vec_sums){ 0 };
}

/* The block ends where the columns' scales begin, `step` before what is to add, and of the row at its scale. */
WLI_INLINE vec sums_to(vec g, vec_sums sums, const packed *weights_end, int64_t step, const operand *row_end) {
    float of_row;
    memcpy(&of_row, row_end, sizeof of_row);
    if (UNSIGNED_ROWS) sums += (vec_sums)load_groups(weights_end + step);
    return fused(__builtin_convertvector(sums, vec), broadcast(of_row) * (vec)load_groups(weights_end), g);
}

/* The groups of a row's block [depth] from `group` on: LANES, or what is left. */
WLI_INLINE vec_groups groups_from(const real *block, int64_t depth, int64_t group, vec inverse) {
    const int64_t left = depth - group * GROUP;
    const real *values = block + group * GROUP;
    return left < GROUP * LANES ? last_groups(values, left, inverse) : whole_groups(values, inverse);
}

WLI_INLINE int64_t fewer(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* weights [depth] -> to, `step` apart: the groups of each block, the scale, and what unsigned rows are too many. */
WLI_INLINE void pack_column(const real *weights, int64_t depth, packed *to, int64_t step) {
    const row_scale scale = scale_of_row(weights, depth);
    for (int64_t from = 0; from < depth; from += BLOCK * GROUP) {
        const int64_t block = fewer(depth - from, BLOCK * GROUP), groups = (block + GROUP - 1) / GROUP;
        uint32_t excess = 0;
        for (int64_t group = 0; group < groups; group += LANES) {
            vec_groups lanes = { 0 };
            if (scale.inverse > 0)
                lanes = groups_from(weights + from, block, group, broadcast(scale.inverse)) ^ UNSIGNED;
            for (int64_t lane = 0; lane < fewer(groups - group, LANES); lane++, to += step) {
                *to = lanes[lane];
                for (int n = 0; n < GROUP; n++) excess += (uint32_t)(int8_t)(*to >> 8 * n) * 128;
            }
        }
        memcpy(to, &scale.scale, sizeof scale.scale);
        if (UNSIGNED_ROWS) to[step] = -excess;
        to += WEIGHT_TAIL * step;
    }
}

/* row [depth] -> to: the groups of each block, and the scale. */
#define OPERANDS make_operands
static void make_operands(const void *row, int64_t depth, void *to) {
    const row_scale scale = scale_of_row(row, depth);
    const vec inverse = broadcast(scale.inverse);
    const uint32_t sign = UNSIGNED_ROWS ? 0 : UNSIGNED;
    operand *next = to;
    for (int64_t from = 0; from < depth; from += BLOCK * GROUP) {
        const real *values = (const real *)row + from;
        const int64_t block = fewer(depth - from, BLOCK * GROUP), groups = (block + GROUP - 1) / GROUP;
        for (int64_t group = 0; group < groups; group += LANES) {
            vec_groups lanes = UNSIGNED + (vec_groups){ 0 };
            if (scale.inverse > 0) lanes = groups_from(values, block, group, inverse);
            lanes ^= sign;
            memcpy(next + group, &lanes, (size_t)fewer(groups - group, LANES) * sizeof(operand));
        }
        memcpy(next + groups, &scale.scale, sizeof scale.scale);
        next += groups + OPERAND_TAIL;
    }
}
