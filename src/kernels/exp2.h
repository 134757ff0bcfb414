/* 2^t on vectors, in the two pieces that sigmoid, tanh and the cell are made of.
 *
 * 2^t = s (1 + q(r)) with s = 2^n, n the multiple of 1/STEPS nearest to t, r = t - n and q(r) = 2^r - 1 a minimax polynomial without
 * a constant term, so that 2^t - 1 keeps its relative accuracy near 0. STEPS is the numbers in 64 bytes where one instruction looks s
 * up among them, which the shorter q more than pays for, and 1 elsewhere. s may be lowered by a power of two, so that a 2^t beyond the
 * type's range can be divided by. t is bounded so that s stays in range; NaN passes through every bound. */
#ifndef WLI_EXP2_H
#define WLI_EXP2_H

#include "kernels/product.h"

enum { MOST_POWERS = 6 }; /* computed in step: the vectors of a tile, rows times panels */

/* How 2^t is taken of x: t = factor * x, at most `upper`, and s is 2^(n - lowered). */
typedef struct power_kind {
    double factor;
    int upper, lowered;
} power_kind;

/* The least t, where 2^t beside 1 is nothing and s the smallest normal number. */
#define LOWEST(kind) (1 - EXPONENT_BIAS + (kind).lowered)

enum { EXP2_DEGREE = sizeof exp2_series / sizeof exp2_series[0] - 1 };

/* 2^t as scale * (1 + fraction), t = factor * x: the two pieces from which 2^t and 2^t - 1 both come without cancellation. */
typedef struct power {
    vec scale, fraction;
} power;

/* s of t, from the t that lost what is less than a step to the bits that pushed it out of the mantissa. */
WLI_INLINE vec scale_of(vec shifted) {
    const vec_int exponent = (vec_int)shifted << (MANTISSA_BITS - STEP_BITS);
#ifdef WLI_LOOKS_UP
    return (vec)(exponent + (vec_int)looked_up(exp2_steps, (vec_int)shifted));
#else
    return (vec)exponent;
#endif
}

/* (1 + fraction) (1 + what s lacks) - 1 from r and fraction / r: s is rounded, which s - 1 would show where it is small. */
WLI_INLINE vec exact_fraction(vec r, vec series, vec shifted) {
#ifdef WLI_LOOKS_UP
    return series * r + looked_up(exp2_lacks, (vec_int)shifted);
#else
    (void)shifted;
    return series * r;
#endif
}

/* `count` powers in step, so that one's latency hides behind the others' work: x [count], their kinds [count]. Those of a positive
 * factor are tanh's, from whose fraction minus_one takes away nearly all. */
WLI_INLINE void exp2_parts(int count, const vec *x, const power_kind *kind, power *result) {
    vec r[MOST_POWERS], shifted[MOST_POWERS];
    UNROLL for (int n = 0; n < count; n++) {
        /* Adding 1.5 * 2^mantissa / STEPS rounds t to steps in the low bits; the bias added along makes them an exponent. */
        const real magic =
            (real)((lane_int)3 << (MANTISSA_BITS - 1 - STEP_BITS)) + (real)(EXPONENT_BIAS - kind[n].lowered);
        const double factor = kind[n].factor, upper = kind[n].upper / factor, lower = LOWEST(kind[n]) / factor;
        vec bounded =
            at_least(at_most(x[n], (real)(upper > lower ? upper : lower)), (real)(upper > lower ? lower : upper));
        shifted[n] = bounded * (real)factor + magic;
        result[n].scale = scale_of(shifted[n]);
        r[n] = bounded * (real)factor - (shifted[n] - magic);
        result[n].fraction = r[n] * exp2_series[EXP2_DEGREE] + exp2_series[EXP2_DEGREE - 1];
    }
    UNROLL for (int i = EXP2_DEGREE - 2; i >= 0; i--) {
        UNROLL for (int n = 0; n < count; n++) result[n].fraction = result[n].fraction * r[n] + exp2_series[i];
    }
    UNROLL for (int n = 0; n < count; n++) result[n].fraction =
        kind[n].factor > 0 ? exact_fraction(r[n], result[n].fraction, shifted[n]) : result[n].fraction * r[n];
}

/* 2^-n, 0 <= n < EXPONENT_BIAS */
WLI_INLINE real halved(int n) {
    return (real)1 / (real)((uint64_t)1 << n / 2) / (real)((uint64_t)1 << (n - n / 2));
}

/* 1 + 2^t, lowered as the kind says. */
WLI_INLINE vec one_plus(power e, power_kind kind) {
    return e.scale * (1 + e.fraction) + halved(kind.lowered);
}

/* 2^t - 1, not lowered, of a positive factor. */
WLI_INLINE vec minus_one(power e) {
    return e.scale * e.fraction + (e.scale - 1);
}

#endif
