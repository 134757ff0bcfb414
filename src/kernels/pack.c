#include "kernels/pack.h"

#include "base/real.h"
#include <math.h>

static int64_t row_of_column(const wli_pack_args *args, int64_t column) {
    if (args->layout) return wli_gate_layout_row(args->layout, column);
    return column < args->rows ? column : -1;
}

/* weight [rows, depth] -> panels [panel][depth][panel_columns]. A column at a time: its row is read once, in order. */
void WLI_REAL(wli_pack)(const wli_pack_args *args) {
    for (int64_t first = 0; first < args->columns; first += args->panel_columns) {
        int64_t left = args->columns - first, width = left < args->panel_columns ? left : args->panel_columns;
        real *panel = (real *)args->panels + first * args->depth;
        for (int64_t j = 0; j < width; j++) {
            int64_t row = row_of_column(args, first + j);
            const real *from = (const real *)args->weight + (row < 0 ? 0 : row) * args->depth;
            for (int64_t k = 0; k < args->depth; k++) panel[k * width + j] = row < 0 ? 0 : from[k];
        }
    }
}

void WLI_REAL(wli_pack_bias)(const wli_gate_layout *layout, const void *b_ih, const void *b_hh, void *bias) {
    const real *ih = b_ih, *hh = b_hh;
    for (int64_t column = 0; column < layout->columns; column++) {
        int64_t row = wli_gate_layout_row(layout, column);
        ((real *)bias)[column] = row < 0 || !ih ? 0 : ih[row] + hh[row];
    }
}

bool WLI_REAL(wli_all_finite)(const void *values, int64_t count) {
    const real *value = values;
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(value[k])) return false;
    return true;
}
