/* 2^t on vectors, in the two pieces that sigmoid, tanh and the cell are made of.
 *
 * 2^t = s (1 + q(r)) with s = 2^n, n the multiple of 1/STEPS nearest to t, r = t - n and q(r) = 2^r - 1 a minimax polynomial without
 * a constant term, so that 2^t - 1 keeps its relative accuracy near 0. STEPS is the numbers in 64 bytes where one instruction looks s
 * up among them, which the shorter q more than pays for, and 1 elsewhere. s may be lowered by a power of two, so that a 2^t beyond the
 * type's range can be divided by. t is bounded so that s stays in range; NaN passes through every bound. */
#ifndef WLI_EXP2_H
#define WLI_EXP2_H

#include "kernels/lanes.h"

#ifdef WLI_DOUBLE
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#else
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#endif
enum { MOST_POWERS = 6 }; /* computed in step: the vectors of a tile, rows times panels */

/* How 2^t is taken of x: t = factor * x, at most `upper`, and s is 2^(n - lowered). */
typedef struct power_kind {
    double factor;
    int upper, lowered;
} power_kind;

/* The least t, where 2^t beside 1 is nothing and s the smallest normal number. */
#define LOWEST(kind) (1 - EXPONENT_BIAS + (kind).lowered)

/* q(r)/r: minimax for the relative error of 2^r - 1 (Remez exchange): 4.4e-7 in f32 and 1.8e-17 in f64, with steps 1.1e-7 and
 * 1.2e-16. The steps: the bits of 2^(j/STEPS), rounded, less those of 1 and those that j itself adds to the exponent's; what the
 * rounded ones lack, relative to them. */
#if defined(WLI_DOUBLE) && defined(WLI_LOOKS_UP)
enum { STEP_BITS = 3 };
static const real exp2_series[] = { 0.69314718055994531071,    0.24022650695910932685,   0.055504108664816270663,
                                    0.0096181290899846499372,  0.0013333558173614651259, 0.00015404433791738606187,
                                    0.000015252733672399303053 };
static const lane_int exp2_steps[] = { 0,
                                       -155339362315909,
                                       -273786814220523,
                                       -352003352548825,
                                       -386347768529971,
                                       -372849295843109,
                                       -307177783110739,
                                       -184611166772089 };
static const real exp2_lacks[] = { 0,
                                   -2.7939114859515731e-17,
                                   3.3484623336251524e-17,
                                   1.9572585293112037e-17,
                                   -6.8358086576619225e-17,
                                   5.1548301170786786e-17,
                                   4.8751605262270616e-17,
                                   1.7901269076045133e-17 };
#elif defined(WLI_DOUBLE)
enum { STEP_BITS = 0 };
static const real exp2_series[] = { 0.6931471805599453112,      0.24022650695910097888,   0.055504108664821236534,
                                    0.0096181291076070656693,   0.0013333558146531632859, 0.00015403530441480679921,
                                    0.000015252733701214656492, 1.321544272423112757e-6,  1.0178121299165704425e-7,
                                    7.0725617019303205134e-9,   4.4455372281544427333e-10 };
#elif defined(WLI_LOOKS_UP)
enum { STEP_BITS = 4 };
static const real exp2_series[] = { 0.69314718103667f, 0.240233551474f, 0.0555041087786f };
static const lane_int exp2_steps[] = { 0,       -152893, -289342, -408621, -509968, -592590, -655657, -698305,
                                       -719629, -718684, -694486, -646004, -572163, -471841, -343865, -187011 };
static const real exp2_lacks[] = { 0,
                                   4.62854708e-8f,
                                   -1.19921571e-8f,
                                   4.72978236e-8f,
                                   3.19341809e-8f,
                                   3.62105731e-8f,
                                   -3.09907208e-8f,
                                   -7.47521317e-9f,
                                   1.71142713e-8f,
                                   -3.04768342e-8f,
                                   5.23333425e-9f,
                                   6.10759162e-9f,
                                   -1.47196054e-8f,
                                   -5.25879512e-9f,
                                   -6.12825982e-9f,
                                   5.14060921e-9f };
#else
enum { STEP_BITS = 0 };
static const real exp2_series[] = { 0.693147143506f, 0.240223513431f, 0.0555050021343f, 0.00966624542579f,
                                    0.00133335387322f };
#endif
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
