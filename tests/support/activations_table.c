#include "activations_table.h"

#include "kernels/activations.h"
#include <math.h>

static void sigmoid_array(int64_t count, const void *x, void *y) {
    for (int64_t k = 0; k < count; k += LANES) store((real *)y + k, sigmoid(load((const real *)x + k)));
}

static void tanh_array(int64_t count, const void *x, void *y) {
    for (int64_t k = 0; k < count; k += LANES) store((real *)y + k, tanh_lanes(load((const real *)x + k)));
}

static void cell_update_array(int64_t count, const void *i, const void *f, const void *g, const void *o, void *c,
                              void *h) {
    for (int64_t k = 0; k < count; k += LANES) {
        const vec gates[4] = { load((const real *)i + k), load((const real *)f + k), load((const real *)g + k),
                               load((const real *)o + k) };
        vec cell = load((real *)c + k), hidden;
        cell_update(1, gates, &cell, &hidden);
        store((real *)c + k, cell);
        store((real *)h + k, hidden);
    }
}

WLI_INLINE vec absolute(vec x) {
    const lane_int sign = (lane_int)((uint64_t)1 << (8 * sizeof(real) - 1));
    return (vec)((vec_int)x & ~sign);
}

static void find_errors(int64_t count, const void *x, const void *y, const void *high, const void *low, int relative,
                        largest_error *largest) {
    vec worst = { 0 };
    vec_int worst_index = { 0 };
    for (int64_t k = 0; k < count; k += LANES) {
        /* y is near high, so that this subtraction is exact. */
        vec exact = load((const real *)high + k);
        vec error = absolute(load((const real *)y + k) - exact - load((const real *)low + k));
        if (relative) error /= absolute(exact);
        vec_int worse = ~(error <= worst) & (worst == worst); /* a NaN is worse than all and stays */
        worst = (vec)((worse & (vec_int)error) | (~worse & (vec_int)worst));
        worst_index = (worse & (lane_int)k) | (~worse & worst_index);
    }
    for (int lane = 0; lane < LANES; lane++) {
        double error = isnan(worst[lane]) ? HUGE_VAL : (double)worst[lane];
        if (error > largest->error)
            *largest = (largest_error){ error, (double)((const real *)x)[worst_index[lane] + lane] };
    }
}

const activations_table ACTIVATIONS_TABLE = { WLI_ISA_NAME, STEP_BITS > 0,     sigmoid_array,
                                              tanh_array,   cell_update_array, find_errors };
