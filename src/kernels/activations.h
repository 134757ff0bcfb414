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

/* A tanh is 1 from 2^t = 2^TANH_BOUND on. A gate before a tanh is lowered, so that its denominator times the tanh's does not overflow
 * where the gate is not 0 yet, as it is from 2^-t below the smallest number on. */
static const power_kind of_gate = { -LOG2_E, GATE_BOUND, GATE_LOWERED }, of_tanh = { 2 * LOG2_E, TANH_BOUND, 0 };
/* Of a sigmoid alone, whose s is infinite at the bound. */
static const power_kind of_sigmoid = { -LOG2_E, EXPONENT_BIAS + 1, 0 };

WLI_INLINE vec sigmoid(vec x) {
    power e;
    exp2_parts(1, &x, &of_sigmoid, &e);
    return 1 / one_plus(e, of_sigmoid);
}

/* With m = e^2x - 1: tanh(x) = m / (2 + m). */
WLI_INLINE vec tanh_lanes(vec x) {
    power e;
    exp2_parts(1, &x, &of_tanh, &e);
    vec m = minus_one(e);
    return m / (2 + m);
}

/* The cell of `count` vectors of units: gates [count][4] are i, f, g, o; c [count] is replaced, h [count] written.
 *
 *     c' = sigmoid(f) * c + sigmoid(i) * tanh(g)        h = sigmoid(o) * tanh(c')
 *
 * A sigmoid times a tanh takes one division. Far out sigmoid(f) is exactly 0, so that 0 * infinity is NaN as in PyTorch; in f32 it
 * is 0 from f = -88.4 on, where PyTorch's is 0 from -88.7 on. sigmoid(i) and sigmoid(o) are 0 where the type has no number for them. */
WLI_INLINE void cell_update(int count, const vec *gates, vec *c, vec *h) {
    const power_kind gate_kinds[4] = { of_gate, of_sigmoid, of_tanh, of_gate };
    const power_kind c_kinds[MOST_POWERS] = { of_tanh, of_tanh, of_tanh, of_tanh, of_tanh, of_tanh };
    const real lowered = halved(GATE_LOWERED);
    vec o_denominator[MOST_POWERS];
    power e[MOST_POWERS];
    UNROLL for (int n = 0; n < count; n++) {
        exp2_parts(4, gates + 4 * n, gate_kinds, e);
        vec m = minus_one(e[2]);
        c[n] = m / times_two_plus(one_plus(e[0], of_gate), m) * lowered + c[n] / one_plus(e[1], of_sigmoid);
        o_denominator[n] = one_plus(e[3], of_gate);
    }
    exp2_parts(count, c, c_kinds, e);
    UNROLL for (int n = 0; n < count; n++) {
        vec m = minus_one(e[n]);
        h[n] = m / times_two_plus(o_denominator[n], m) * lowered;
    }
}

#endif
