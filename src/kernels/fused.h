/* a * b + c of floats with one rounding, also where no instruction does it. */
#ifndef WLI_FUSED_H
#define WLI_FUSED_H

#include "kernels/lanes.h"

#if defined(WLI_X86) && defined(__FMA__)
WLI_INLINE vec fused(vec a, vec b, vec c) {
    return (vec)WLI_X86(fmadd_ps)((WLI_X86_REALS)a, (WLI_X86_REALS)b, (WLI_X86_REALS)c);
}
#elif defined(__aarch64__) && WLI_VECTOR_BYTES == 16
WLI_INLINE vec fused(vec a, vec b, vec c) {
    return (vec)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
#else
typedef float half_floats __attribute__((vector_size(WLI_VECTOR_BYTES / 2)));
typedef double doubles __attribute__((vector_size(WLI_VECTOR_BYTES)));
typedef int64_t double_bits __attribute__((vector_size(WLI_VECTOR_BYTES)));

/* A double holds the product exactly, but not the sum; one whose last bit is 1 wherever it is not exact (rounded to
 * odd) rounds to float as the exact sum does. */
static __attribute__((noinline)) half_floats fused_half(half_floats a, half_floats b, half_floats c) {
    const doubles product = __builtin_convertvector(a, doubles) * __builtin_convertvector(b, doubles);
    const doubles addend = __builtin_convertvector(c, doubles), sum = product + addend;
    const doubles of_addend = sum - product, lost = (product - (sum - of_addend)) + (addend - of_addend);
    const double_bits bits = (double_bits)sum, even = ~-(bits & 1), none = { 0 };
    /* Of NaN and infinity nothing is lost. */
    const double_bits above = (double_bits)(lost > 0), below = (double_bits)(lost < 0), negative = bits < none;
    const double_bits outward = (above & ~negative) | (below & negative), inward = (above | below) & ~outward;
    return __builtin_convertvector((doubles)(bits + (even & (inward - outward))), half_floats);
}

WLI_INLINE vec fused(vec a, vec b, vec c) {
    half_floats x[2], y[2], z[2];
    vec result;
    memcpy(x, &a, sizeof a), memcpy(y, &b, sizeof b), memcpy(z, &c, sizeof c);
    UNROLL for (int half = 0; half < 2; half++) z[half] = fused_half(x[half], y[half], z[half]);
    memcpy(&result, z, sizeof result);
    return result;
}
#endif

#endif
