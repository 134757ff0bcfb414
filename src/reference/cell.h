/* One step of one cell, the equations of torch.nn.LSTM (PyTorch 2.13 documentation), one line of code a line of maths, in
 * PyTorch's notation. Compiled once a number type that cells compute in; arrays of another, bf16, are read as that. Sums
 * are kept in double, so that the oracle's own rounding does not count. */
#ifndef WLI_REFERENCE_CELL_H
#define WLI_REFERENCE_CELL_H

#include "base/number_types.h"
#include "model/model.h"
#include "reference/operand.h"

#include <math.h>
#include <string.h>

static inline real wli_sigmoid(double x) {
    return (real)(1.0 / (1.0 + exp(-x)));
}

/* Row j of a weight [., n] of the dtype, in place or, where that is not real, in the room [n]. */
static inline const real *wli_weight_row(wlstm_dtype dtype, const void *weight, int64_t j, int64_t n, real *room) {
    if (wli_dtype_real(dtype) == dtype) return (const real *)weight + j * n;
    for (int64_t k = 0; k < n; k++) room[k] = (real)wli_get(dtype, weight, (size_t)(j * n + k));
    return room;
}

/* One step of one row: x [I], h [R], c [H]; h and c are replaced. gates [4H] becomes i, f, g and o, m [H] o*tanh(c). The
 * dtype is the weights', a row of which has room in w; NULL where they are real. */
static inline void wli_cell_step(wlstm_dtype dtype, const wli_cell_weights *cell, wlstm_precision precision,
                                 const real *x, real *h, real *c, double *gates, real *m, real *w) {
    const void *W_ih = cell->weight_ih, *W_hh = cell->weight_hh, *W_hr = cell->weight_hr;
    const void *b_ih = cell->bias_ih, *b_hh = cell->bias_hh;
    const int64_t I = cell->input_size, H = cell->hidden_size, P = cell->proj_size, R = cell->state_size;

    for (int64_t j = 0; j < 4 * H; j++) {
        gates[j] = b_ih ? wli_get(dtype, b_ih, (size_t)j) + wli_get(dtype, b_hh, (size_t)j) : 0.0;
        gates[j] = wli_multiply_add(precision, wli_weight_row(dtype, W_ih, j, I, w), x, I, gates[j]);
        gates[j] = wli_multiply_add(precision, wli_weight_row(dtype, W_hh, j, R, w), h, R, gates[j]);
    }

    for (int64_t j = 0; j < H; j++) {
        real i = wli_sigmoid(gates[j]);
        real f = wli_sigmoid(gates[H + j]);
        real g = (real)tanh(gates[2 * H + j]);
        real o = wli_sigmoid(gates[3 * H + j]);
        c[j] = f * c[j] + i * g;
        m[j] = o * (real)tanh((double)c[j]);
        gates[j] = (double)i, gates[H + j] = (double)f, gates[2 * H + j] = (double)g, gates[3 * H + j] = (double)o;
    }

    for (int64_t p = 0; p < P; p++)
        h[p] = (real)wli_multiply_add(precision, wli_weight_row(dtype, W_hr, p, H, w), m, H, 0.0);
    if (P == 0) memcpy(h, m, (size_t)H * sizeof(real));
}

/* Base + offset, where a NULL base (what is not given or not wanted) stays NULL. */
static inline real *wli_at(const void *base, int64_t offset) {
    return base ? (real *)(uintptr_t)base + offset : NULL;
}

#endif
