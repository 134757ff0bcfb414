/* Vectors of LANES reals in GNU C vector extensions, and the few operations they lack. real comes first: product.h. */
#ifndef WLI_LANES_H
#define WLI_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = WLI_VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(WLI_VECTOR_BYTES)));
typedef lane_int vec_int __attribute__((vector_size(WLI_VECTOR_BYTES)));
typedef real vec_unaligned __attribute__((vector_size(WLI_VECTOR_BYTES), aligned(sizeof(real)), may_alias));

WLI_INLINE vec load(const real *from) {
    return *(const vec_unaligned *)from;
}

WLI_INLINE void store(real *to, vec value) {
    *(vec_unaligned *)to = value;
}

/* The first `count` lanes; the library never writes past a caller's row. */
WLI_INLINE void store_some(real *to, vec value, int64_t count) {
#ifdef WLI_AVX512
    WLI_X86_REAL(mask_storeu)(to, WLI_MASK((1u << count) - 1), (WLI_X86_REALS)value);
#else
    memcpy(to, &value, (size_t)count * sizeof(real));
#endif
}

/* The first `count` lanes, no more than there are, and zeros: nothing is read past a row. */
WLI_INLINE vec load_some(const real *from, int64_t count) {
#ifdef WLI_AVX512
    return (vec)WLI_X86_REAL(maskz_loadu)(WLI_MASK((1u << count) - 1), from);
#else
    vec value = { 0 };
    memcpy(&value, from, (size_t)count * sizeof(real));
    return value;
#endif
}

/* The same of a row with so many elements left: LANES, or what there is. */
WLI_INLINE void store_up_to(real *to, vec value, int64_t left) {
    if (left >= LANES)
        store(to, value);
    else
        store_some(to, value, left);
}

WLI_INLINE vec load_up_to(const real *from, int64_t left) {
    return left >= LANES ? load(from) : load_some(from, left);
}

/* Where lanes can be picked by number in registers: those of a count from 0, those of b from LANES. A load of what two stores
 * wrote waits for both to leave the core. */
#ifdef WLI_AVX512
#define WLI_PICKS
WLI_INLINE vec picked(vec a, vec_int numbers, vec b) {
    return (vec)WLI_X86_REAL(permutex2var)((WLI_X86_REALS)a, (WLI_X86_VECTOR(i))numbers, (WLI_X86_REALS)b);
}
#elif defined(__AVX2__) && WLI_VECTOR_BYTES == 32
#define WLI_PICKS
WLI_INLINE vec picked(vec a, vec_int numbers, vec b) {
    /* By words, of which a double has two. */
    const __m256i low = _mm256_slli_epi64((__m256i)numbers, 1),
                  words = _mm256_or_si256(low, _mm256_slli_epi64(low, 32));
    const __m256i picks =
        sizeof(real) == 4 ? (__m256i)numbers : _mm256_add_epi32(words, _mm256_set1_epi64x((int64_t)1 << 32));
    return (vec)_mm256_blendv_ps(_mm256_permutevar8x32_ps((__m256)a, picks), _mm256_permutevar8x32_ps((__m256)b, picks),
                                 (__m256)_mm256_slli_epi32(picks, 28));
}
#elif defined(__aarch64__) && WLI_VECTOR_BYTES == 16
#define WLI_PICKS
WLI_INLINE vec picked(vec a, vec_int numbers, vec b) {
    const uint8x16x2_t bytes = { { (uint8x16_t)a, (uint8x16_t)b } };
    /* By bytes: the first of a lane in all of its, then one more each. */
    const vec_int first = numbers * (lane_int)(UINT64_C(0x0101010101010101) * sizeof(real));
    return (vec)vqtbl2q_u8(bytes, (uint8x16_t)(first + (lane_int)UINT64_C(0x0706050403020100)));
}
#endif

static const lane_int lane_numbers[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
WLI_INLINE vec_int numbers_of_lanes(void) {
    vec_int numbers;
    memcpy(&numbers, lane_numbers, sizeof numbers);
    return numbers;
}

/* Lanes of a, then b, by numbers that are known when compiled: as cheap an instruction as there is for them. */
WLI_INLINE vec shuffled(vec a, vec b, vec_int numbers) {
#if !defined(__clang__)
    return __builtin_shuffle(a, b, numbers);
#elif defined(WLI_PICKS)
    return picked(a, numbers, b);
#else
    vec lanes = { 0 };
    UNROLL for (int i = 0; i < LANES; i++) lanes[i] = numbers[i] < LANES ? a[numbers[i]] : b[numbers[i] - LANES];
    return lanes;
#endif
}

/* Lanes of a table of 64 bytes, by the low bits of each number. */
#ifdef WLI_LOOKS_UP
WLI_INLINE vec looked_up(const void *table, vec_int numbers) {
    vec first, second;
    memcpy(&first, table, sizeof first);
    memcpy(&second, (const char *)table + 64 - sizeof second, sizeof second);
#if WLI_VECTOR_BYTES < 64
    return picked(first, numbers, second);
#else
    return (vec)WLI_X86_REAL(permutexvar)((WLI_X86_VECTOR(i))numbers, (WLI_X86_REALS)first);
#endif
}
#endif

/* LANES lanes of [a | b] from number `first` on, at most LANES. */
WLI_INLINE vec window(vec a, vec b, int64_t first) {
#ifdef WLI_PICKS
    return picked(a, numbers_of_lanes() + (lane_int)first, b);
#else
    real both[2 * LANES];
    store(both, a), store(both + LANES, b);
    return load(both + first);
#endif
}

/* The first `count` lanes of a, then b's. */
WLI_INLINE vec joined(vec a, vec b, int64_t count) {
#ifdef WLI_PICKS
    const vec_int numbers = numbers_of_lanes(), from_b = numbers >= (lane_int)count;
    return picked(a, numbers + (from_b & (lane_int)(LANES - count)), b);
#else
    real both[2 * LANES];
    store(both, a), store(both + count, b);
    return load(both);
#endif
}

WLI_INLINE vec broadcast(real value) {
    return value - (vec){ 0 };
}

/* The value in a register: a compiler that sees a load used twice may do it twice, and loads are what a tile is short of. */
WLI_INLINE vec held(vec value) {
#if defined(WLI_REGISTER)
    __asm__("" : WLI_REGISTER(value));
#endif
    return value;
}

/* limit where x passes it, x elsewhere: a NaN in x stays. x86's min and max return their second operand for a NaN. */
#ifdef WLI_X86
WLI_INLINE vec at_most(vec x, real limit) {
    return (vec)WLI_X86_REAL(min)((WLI_X86_REALS)broadcast(limit), (WLI_X86_REALS)x);
}
WLI_INLINE vec at_least(vec x, real limit) {
    return (vec)WLI_X86_REAL(max)((WLI_X86_REALS)broadcast(limit), (WLI_X86_REALS)x);
}
#else
WLI_INLINE vec select_lanes(vec_int mask, vec yes, vec no) {
    return (vec)((mask & (vec_int)yes) | (~mask & (vec_int)no));
}
WLI_INLINE vec at_most(vec x, real limit) {
    return select_lanes(x > limit, broadcast(limit), x);
}
WLI_INLINE vec at_least(vec x, real limit) {
    return select_lanes(x < limit, broadcast(limit), x);
}
#endif

#endif
