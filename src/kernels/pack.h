/* Weights and biases in the order in which the kernels read them (layout.h). */
#ifndef WLI_PACK_H
#define WLI_PACK_H

#include "kernels/product.h"

#include "kernels/native.h"

static int64_t row_of_column(const wli_pack_args *args, int64_t column) {
    if (args->layout) return wli_gate_layout_row(args->layout, column);
    return column < args->rows ? column : -1;
}

/* weight [rows, depth] -> panels [panel][groups of k, tails][panel_columns]. A column at a time: its row is read once, in order. */
static void pack(const wli_pack_args *args) {
    const int64_t length = weights_in(groups_of(args->depth));
    for (int64_t first = 0; first < args->columns; first += args->panel_columns) {
        int64_t left = args->columns - first, width = left < args->panel_columns ? left : args->panel_columns;
        packed *to = (packed *)args->panels + first * length;
        for (int64_t j = 0; j < width; j++) {
            int64_t row = row_of_column(args, first + j);
            if (row >= 0)
                pack_column((const real *)args->weight + row * args->depth, args->depth, to + j, width);
            else
                for (int64_t k = 0; k < length; k++) to[k * width + j] = (packed){ 0 };
        }
    }
}

static void pack_bias(const wli_gate_layout *layout, const void *b_ih, const void *b_hh, void *bias) {
    const real *ih = b_ih, *hh = b_hh;
    for (int64_t column = 0; column < layout->columns; column++) {
        int64_t row = wli_gate_layout_row(layout, column);
        ((real *)bias)[column] = row < 0 || !ih ? 0 : ih[row] + hh[row];
    }
}

static bool all_finite(const void *values, int64_t count) {
    const real *value = values;
    for (int64_t k = 0; k < count; k++)
        if (!stays_finite(value[k])) return false;
    return true;
}

#endif
