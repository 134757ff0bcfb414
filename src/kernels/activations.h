/* sigmoid, tanh and the cell's arithmetic on vectors.
 *
 * All rest on 2^t - 1 = 2^n (q(r) + 1) - 1 with n = round(t), r = t - n in [-1/2, 1/2] and q(r) = 2^r - 1 a minimax
 * polynomial without a constant term, so that tanh keeps its relative accuracy near 0. t is bounded so that 2^n and the
 * products of two denominators stay finite; NaN passes through every bound.
 *
 * Largest absolute error, tested (tests/unit/test_activations.c): f32 sigmoid 1.2e-7, tanh 1.8e-7 over every float;
 * f64 sigmoid 2.3e-16, tanh 4.5e-16 over random and edge points. */
#ifndef WLI_ACTIVATIONS_H
#define WLI_ACTIVATIONS_H

#include "kernels/lanes.h"

#ifdef WLI_DOUBLE
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#define PRODUCT_BOUND 510.0 /* two factors of 2^510 do not overflow */
#else
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#define PRODUCT_BOUND 62.0f
#endif
#define INFINITE_BOUND ((real)(EXPONENT_BIAS + 1)) /* 2^t is infinity from here on */
#define ZERO_BOUND ((real)(1 - EXPONENT_BIAS))     /* the smallest normal 2^t */
#define LOG2_E ((real)1.4426950408889634074)

/* q(r)/r: minimax for the relative error of 2^r - 1 (Remez exchange), 1.1e-8 in f32 and 1.8e-17 in f64. */
WLI_INLINE vec exp2_series(vec r) {
#ifdef WLI_DOUBLE
    static const real q[] = { 0.6931471805599453112,      0.24022650695910097888,   0.055504108664821236534,
                              0.0096181291076070656693,   0.0013333558146531632859, 0.00015403530441480679921,
                              0.000015252733701214656492, 1.321544272423112757e-6,  1.0178121299165704425e-7,
                              7.0725617019303205134e-9,   4.4455372281544427333e-10 };
#else
    static const real q[] = { 0.693147187927f,   0.24022649795f,    0.0555035743364f,
                              0.00961823749491f, 0.00133907354776f, 0.000154035123676f };
#endif
    const int degree = (int)(sizeof q / sizeof q[0]) - 1;
    vec sum = broadcast(q[degree]);
    for (int i = degree - 1; i >= 0; i--) sum = sum * r + q[i];
    return sum;
}

/* 2^t as scale * (1 + fraction): the two pieces from which 2^t and 2^t - 1 both come without cancellation. */
typedef struct power {
    vec scale, fraction;
} power;

WLI_INLINE power exp2_parts(vec t) {
    /* Adding 1.5 * 2^mantissa rounds t to an integer in the low bits; the bias added along makes them an exponent. */
    const real magic = (real)((lane_int)3 << (MANTISSA_BITS - 1)) + EXPONENT_BIAS;
    vec shifted = t + magic;
    vec r = t - (shifted - magic);
    return (power){ (vec)((vec_int)shifted << MANTISSA_BITS), exp2_series(r) * r };
}

/* 1 + e^-x, never 0, infinity where e^-x is. */
WLI_INLINE vec one_plus_exp(vec x, real upper_bound) {
    power e = exp2_parts(at_least(at_most(x * -LOG2_E, upper_bound), ZERO_BOUND));
    return e.scale * (1 + e.fraction) + 1;
}

/* e^-2x - 1, at most 2^PRODUCT_BOUND: tanh(x) = -it / (2 + it). */
WLI_INLINE vec exp_minus_one(vec x) {
    power e = exp2_parts(at_least(at_most(x * (-2 * LOG2_E), PRODUCT_BOUND), ZERO_BOUND));
    return e.scale * e.fraction + (e.scale - 1);
}

WLI_INLINE vec sigmoid(vec x) {
    return 1 / one_plus_exp(x, INFINITE_BOUND);
}

WLI_INLINE vec tanh_lanes(vec x) {
    vec e = exp_minus_one(x);
    return -e / (2 + e);
}

/* sigmoid(gate) * tanh(x) with one division. */
WLI_INLINE vec sigmoid_times_tanh(vec gate, vec x) {
    vec e = exp_minus_one(x);
    return -e / (one_plus_exp(gate, PRODUCT_BOUND) * (2 + e));
}

/* c' = sigmoid(f) * c + sigmoid(i) * tanh(g); returns h' = sigmoid(o) * tanh(c'). sigmoid(f) is exactly 0 far out, as
 * infinity * 0 must be NaN where it is in PyTorch. */
WLI_INLINE vec cell_update(vec i, vec f, vec g, vec o, vec *c) {
    *c = *c / one_plus_exp(f, INFINITE_BOUND) + sigmoid_times_tanh(i, g);
    return sigmoid_times_tanh(o, *c);
}

#endif
