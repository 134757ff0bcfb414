/* Steps that are one register tile each: what small cells and short batches run, one step after the other in the kernel. */
#ifndef WLI_ONE_TILE_H
#define WLI_ONE_TILE_H

#include "kernels/finish.h"
#include "kernels/sweep.h"

/* A full panel or for one row two, and a tail taken along. */
static bool one_tile(const wli_gate_layout *layout, int64_t rows) {
    const int64_t width = WLI_PANEL_VECTORS * LANES, full = layout->columns / width,
                  tail = layout->columns % width / LANES;
    return (full == 1 || (full == 2 && rows == 1)) && rows <= (tail ? tailed_rows[tail] : MAX_ROWS);
}

/* Steps that are one tile each: the sweep's arithmetic, and the way here, would be a fifth of them. Returns how many were done, none
 * where they are no such steps. */
WLI_INLINE int64_t steps_in_one_tile(const wli_step_args *args) {
    const wli_gate_layout *layout = args->layout;
    const int64_t width = WLI_PANEL_VECTORS * LANES, rows = args->rows, columns = layout->columns;
    const int64_t full = columns / width, tail = columns % width / LANES, panels = full + (tail > 0);
    if (!one_tile(layout, rows) || args->range.end - args->range.first < panels ||
        columns * args->depth * (int64_t)sizeof(real) > CACHED_BYTES)
        return 0;
    const step_tile tile = full == 2 ? step_pairs[tail] : step_tiles[tail][rows - 1];
    const panel all = { .tail_column = full * width,
                        .next_width = width,
                        .tiles = 1,
                        .passes = 1,
                        .vectors = WLI_PANEL_VECTORS,
                        .tail = (int)tail };
    const weight w = { args->panels, args->depth, true };
    tile_pass pass, input;
    pass_over(&pass, &all, &w, 0, w.depth, 0, 0);
    const real *const *x = NULL, *bias = NULL, *before[MAX_ROWS];
    void *after[MAX_ROWS], *const *h = args->h;
    real *gates = args->gates;
    if (args->input) {
        const weight input_w = { args->input->panels, args->input->depth, true };
        pass_over(&input, &all, &input_w, 0, input_w.depth, 0, 0);
        x = (const real *const *)args->input->a;
        bias = args->input->bias;
    }
    /* Without h before, nothing is multiplied, and no row read. */
    const real *const *h_prev = (const real *const *)(args->h_prev ? args->h_prev : (const void *const *)args->h);
    if (!args->h_prev) pass.depth = 0;
    for (int64_t steps = args->steps;;) {
        tile(x ? &input : NULL, x, bias, &pass, h_prev, gates, args->ldg, args->c, args->ldc, h, 0,
             layout->hidden_size);
        if (tail) {
            const int64_t unit = layout->hidden_size - layout->tail;
            finish(args, &(finished){ gates, h, unit * WLI_PANEL_VECTORS, layout->tail, unit, layout->tail });
        }
        if (--steps == 0) return args->steps;
        pass.depth = w.depth;
        for (int64_t r = 0; r < rows; r++) {
            before[r] = h[r];
            after[r] = (char *)h[r] + args->h_step;
        }
        h_prev = before, h = after;
        if (x)
            x += rows;
        else
            gates += rows * args->ldg;
    }
}

#endif
