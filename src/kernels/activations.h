/* sigmoid, tanh and the cell's arithmetic on vectors.
 *
 * Largest errors, tested (tests/unit/test_activations.c), f32 over every float, f64 over random and edge points:
 *
 *                      f32      f64
 *     sigmoid          1.2e-7   2e-16
 *     tanh             1.8e-7   3.2e-16   2.1e-7 and 4e-16 where 2^t looks its steps up (exp2.h)
 *     tanh, relative   8e-7     6e-16     below 1, with steps 3.5e-7 in f32; |tanh| never passes 1
 */
#ifndef WLI_ACTIVATIONS_H
#define WLI_ACTIVATIONS_H

#include "kernels/exp2.h"

#define LOG2_E 1.4426950408889634074

/* d (2 + m) */
WLI_INLINE vec times_two_plus(vec d, vec m) {
    return m * d + (d + d);
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
        c[n] = c[n] / one_plus(e[1]) + m / times_two_plus(one_plus(e[0]), m);
        o_denominator[n] = one_plus(e[3]);
    }
    exp2_parts(count, c, c_factor, c_bound, e);
    UNROLL for (int n = 0; n < count; n++) {
        vec m = minus_one(e[n]);
        h[n] = m / times_two_plus(o_denominator[n], m);
    }
}

#endif
