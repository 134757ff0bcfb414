/* Weights in the order the kernels read them (layout.h). */
#ifndef WLI_PACK_H
#define WLI_PACK_H

#include "kernels/layout.h"
#include <stdbool.h>

typedef struct wli_pack_args {
    const void *weight; /* [rows, depth] as PyTorch keeps it */
    int64_t rows, depth;
    const wli_gate_layout *layout; /* which row each column takes; NULL: column j is row j, past the rows zero */
    int64_t columns, panel_columns;
    void *panels; /* [panel][depth][panel_columns, fewer in the last], written */
} wli_pack_args;

void wli_pack_f32(const wli_pack_args *args);
void wli_pack_f64(const wli_pack_args *args);

/* bias [columns] = b_ih + b_hh in the order of the layout; NULL biases, and padding, are zeros. */
void wli_pack_bias_f32(const wli_gate_layout *layout, const void *b_ih, const void *b_hh, void *bias);
void wli_pack_bias_f64(const wli_gate_layout *layout, const void *b_ih, const void *b_hh, void *bias);

/* Whether all `count` values are finite. */
bool wli_all_finite_f32(const void *values, int64_t count);
bool wli_all_finite_f64(const void *values, int64_t count);

#endif
