/* sigmoid, tanh and the cell's arithmetic on vectors.
 *
 * All rest on 2^t - 1 = 2^n (q(r) + 1) - 1 with n = round(t), r = t - n in [-1/2, 1/2] and q(r) = 2^r - 1 a minimax
 * polynomial without a constant term, so that tanh keeps its relative accuracy near 0. t is bounded so that 2^n and the
 * products of two denominators stay finite; NaN passes through every bound.
 *
 * Largest errors, tested (tests/unit/test_activations.c), f32 over every float, f64 over random and edge points:
 *
 *                      f32      f64
 *     sigmoid          1.2e-7   2e-16
 *     tanh             1.8e-7   3.2e-16
 *     tanh, relative   8e-7     6e-16   below 1; |tanh| never passes 1
 */
#ifndef WLI_ACTIVATIONS_H
#define WLI_ACTIVATIONS_H

#include "kernels/lanes.h"

#ifdef WLI_DOUBLE
enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };
#else
enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };
#endif
#define LOG2_E 1.4426950408889634074
enum { MOST_POWERS = 6 }; /* computed in step: the rows of the largest tile */
/* Bounds of t: 2^INFINITE is infinity, 2^ZERO the smallest normal number, and two factors of 2^PRODUCT do not overflow. */
#define INFINITE_BOUND (EXPONENT_BIAS + 1)
#define ZERO_BOUND (1 - EXPONENT_BIAS)
#define PRODUCT_BOUND (EXPONENT_BIAS / 2 - 1)

/* q(r)/r: minimax for the relative error of 2^r - 1 (Remez exchange), 4.4e-7 in f32 and 1.8e-17 in f64. */
#ifdef WLI_DOUBLE
static const real exp2_series[] = { 0.6931471805599453112,      0.24022650695910097888,   0.055504108664821236534,
                                    0.0096181291076070656693,   0.0013333558146531632859, 0.00015403530441480679921,
                                    0.000015252733701214656492, 1.321544272423112757e-6,  1.0178121299165704425e-7,
                                    7.0725617019303205134e-9,   4.4455372281544427333e-10 };
#else
static const real exp2_series[] = { 0.693147143506f, 0.240223513431f, 0.0555050021343f, 0.00966624542579f,
                                    0.00133335387322f };
#endif
enum { EXP2_DEGREE = sizeof exp2_series / sizeof exp2_series[0] - 1 };

/* 2^t as scale * (1 + fraction), t = factor * x: the two pieces from which 2^t and 2^t - 1 both come without cancellation. */
typedef struct power {
    vec scale, fraction;
} power;

/* `count` powers in step, so that one's latency hides behind the others' work: x [count], upper bounds of t [count]. */
WLI_INLINE void exp2_parts(int count, const vec *x, const double *factor, const int *upper_bound, power *result) {
    /* Adding 1.5 * 2^mantissa rounds t to an integer in the low bits; the bias added along makes them an exponent. */
    const real magic = (real)((lane_int)3 << (MANTISSA_BITS - 1)) + EXPONENT_BIAS;
    vec r[MOST_POWERS];
    UNROLL for (int n = 0; n < count; n++) {
        const double upper = upper_bound[n] / factor[n], lower = ZERO_BOUND / factor[n];
        vec bounded =
            at_least(at_most(x[n], (real)(upper > lower ? upper : lower)), (real)(upper > lower ? lower : upper));
        vec shifted = bounded * (real)factor[n] + magic;
        result[n].scale = (vec)((vec_int)shifted << MANTISSA_BITS);
        r[n] = bounded * (real)factor[n] - (shifted - magic);
        result[n].fraction = r[n] * exp2_series[EXP2_DEGREE] + exp2_series[EXP2_DEGREE - 1];
    }
    UNROLL for (int i = EXP2_DEGREE - 2; i >= 0; i--) {
        UNROLL for (int n = 0; n < count; n++) result[n].fraction = result[n].fraction * r[n] + exp2_series[i];
    }
    UNROLL for (int n = 0; n < count; n++) result[n].fraction *= r[n];
}

/* 1 + 2^t, infinity where 2^t is. */
WLI_INLINE vec one_plus(power e) {
    return e.scale * (1 + e.fraction) + 1;
}

/* 2^t - 1, finite t. */
WLI_INLINE vec minus_one(power e) {
    return e.scale * e.fraction + (e.scale - 1);
}

static const double sigmoid_factor = -LOG2_E, tanh_factor = 2 * LOG2_E;

WLI_INLINE vec sigmoid(vec x) {
    const int bound = INFINITE_BOUND;
    power e;
    exp2_parts(1, &x, &sigmoid_factor, &bound, &e);
    return 1 / one_plus(e);
}

/* With m = e^2x - 1: tanh(x) = m / (2 + m). */
WLI_INLINE vec tanh_lanes(vec x) {
    const int bound = PRODUCT_BOUND;
    power e;
    exp2_parts(1, &x, &tanh_factor, &bound, &e);
    vec m = minus_one(e);
    return m / (2 + m);
}

/* The cell of `count` vectors of units: gates [count][4] are i, f, g, o; c [count] is replaced, h [count] written.
 *
 *     c' = sigmoid(f) * c + sigmoid(i) * tanh(g)        h = sigmoid(o) * tanh(c')
 *
 * A sigmoid times a tanh takes one division. sigmoid(f) is exactly 0 far out, so that 0 * infinity is NaN as in PyTorch; in
 * f32 it is 0 from f = -88.4 on, where PyTorch's is 0 from -88.7 on. */
WLI_INLINE void cell_update(int count, const vec *gates, vec *c, vec *h) {
    static const double gate_factor[4] = { -LOG2_E, -LOG2_E, 2 * LOG2_E, -LOG2_E };
    static const int gate_bound[4] = { PRODUCT_BOUND, INFINITE_BOUND, PRODUCT_BOUND, PRODUCT_BOUND };
    static const double c_factor[MOST_POWERS] = {
        2 * LOG2_E, 2 * LOG2_E, 2 * LOG2_E, 2 * LOG2_E, 2 * LOG2_E, 2 * LOG2_E
    };
    static const int c_bound[MOST_POWERS] = { PRODUCT_BOUND, PRODUCT_BOUND, PRODUCT_BOUND,
                                              PRODUCT_BOUND, PRODUCT_BOUND, PRODUCT_BOUND };
    vec o_denominator[MOST_POWERS];
    power e[MOST_POWERS];
    UNROLL for (int n = 0; n < count; n++) {
        exp2_parts(4, gates + 4 * n, gate_factor, gate_bound, e);
        vec m = minus_one(e[2]);
        c[n] = c[n] / one_plus(e[1]) + m / (one_plus(e[0]) * (2 + m));
        o_denominator[n] = one_plus(e[3]);
    }
    exp2_parts(count, c, c_factor, c_bound, e);
    UNROLL for (int n = 0; n < count; n++) {
        vec m = minus_one(e[n]);
        h[n] = m / (o_denominator[n] * (2 + m));
    }
}

#endif
