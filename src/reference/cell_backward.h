/* One step of one cell backward, cell.h's equations by the chain rule, one line of code a line of maths: d_v is the
 * gradient of the loss by v. Compiled once a number type; every d_ is double. */
#ifndef WLI_CELL_BACKWARD_H
#define WLI_CELL_BACKWARD_H

#include "reference/cell.h"

/* Of a cell's parameters, each of its shape; b_ih and b_hh are NULL without bias. */
typedef struct wli_cell_gradients {
    double *W_ih, *W_hh, *b_ih, *b_hh, *W_hr;
} wli_cell_gradients;

/* One step of one row: x [I], h [R] and c [H] as it found them, c_next [H], gates [4H] and m [H] as it left them. d_h [R]
 * and d_c [H], of what it left, become those of what it found; d_x [I] and d are added to. d_gates [4H], d_m [H] are
 * workspace. */
static inline void wli_cell_step_backward(const wli_cell_weights *cell, const real *x, const real *h, const real *c,
                                          const real *c_next, const double *gates, const real *m, double *d_h,
                                          double *d_c, double *d_x, const wli_cell_gradients *d, double *d_gates,
                                          double *d_m) {
    const real *W_ih = cell->weight_ih, *W_hh = cell->weight_hh, *W_hr = cell->weight_hr;
    const int64_t I = cell->input_size, H = cell->hidden_size, P = cell->proj_size, R = cell->state_size;

    for (int64_t j = 0; j < H; j++) d_m[j] = P ? 0.0 : d_h[j];
    for (int64_t p = 0; p < P; p++)
        for (int64_t j = 0; j < H; j++) {
            d_m[j] += d_h[p] * (double)W_hr[p * H + j];
            d->W_hr[p * H + j] += d_h[p] * (double)m[j];
        }

    for (int64_t j = 0; j < H; j++) {
        const double i = gates[j], f = gates[H + j], g = gates[2 * H + j], o = gates[3 * H + j];
        const double tanh_c = (double)(real)tanh((double)c_next[j]);
        d_c[j] += d_m[j] * o * (1.0 - tanh_c * tanh_c);
        d_gates[j] = d_c[j] * g * i * (1.0 - i);
        d_gates[H + j] = d_c[j] * (double)c[j] * f * (1.0 - f);
        d_gates[2 * H + j] = d_c[j] * i * (1.0 - g * g);
        d_gates[3 * H + j] = d_m[j] * tanh_c * o * (1.0 - o);
        d_c[j] *= f;
    }

    for (int64_t r = 0; r < R; r++) d_h[r] = 0.0;
    for (int64_t j = 0; j < 4 * H; j++) {
        for (int64_t k = 0; k < I; k++) {
            d_x[k] += d_gates[j] * (double)W_ih[j * I + k];
            d->W_ih[j * I + k] += d_gates[j] * (double)x[k];
        }
        for (int64_t r = 0; r < R; r++) {
            d_h[r] += d_gates[j] * (double)W_hh[j * R + r];
            d->W_hh[j * R + r] += d_gates[j] * (double)h[r];
        }
        if (d->b_ih) d->b_ih[j] += d_gates[j];
        if (d->b_hh) d->b_hh[j] += d_gates[j];
    }
}

#endif
