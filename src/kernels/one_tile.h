/* Steps that are one register tile each: what small cells and short batches run, one step after the other in the kernel. */
#ifndef WLI_ONE_TILE_H
#define WLI_ONE_TILE_H

#include "kernels/finish.h"
#include "kernels/sweep.h"

/* A full panel or for few rows two, and a tail taken along. */
static bool one_tile(const wli_gate_layout *layout, int64_t rows) {
    const int64_t width = WLI_PANEL_VECTORS * LANES, full = layout->columns / width,
                  tail = layout->columns % width / LANES;
    return (full == 1 && rows <= (tail ? tailed_rows[tail] : MAX_ROWS)) || (full == 2 && rows <= paired_rows[tail]);
}

/* All of such a step but its rows: the sweep's arithmetic, and the way here, would be a fifth of it. */
typedef struct tile_step {
    step_tile tile;
    tile_pass input, pass;
    const real *bias;                          /* of the input; NULL: G holds the projection */
    int64_t rows, ldg, ldc, hidden_size, tail; /* units in the dense tail */
} tile_step;

/* False where the step is no one tile. */
WLI_INLINE bool prepare_tile(const wli_step_args *args, tile_step *step) {
    const wli_gate_layout *layout = args->layout;
    const int64_t width = WLI_PANEL_VECTORS * LANES, rows = args->rows, columns = layout->columns;
    const int64_t full = columns / width, tail = columns % width / LANES, panels = full + (tail > 0);
    if (!one_tile(layout, rows) || args->range.end - args->range.first < panels ||
        columns * args->depth * (int64_t)sizeof(real) > CACHED_BYTES)
        return false;
    const panel all = { .tail_column = full * width,
                        .next_width = width,
                        .tiles = 1,
                        .passes = 1,
                        .vectors = WLI_PANEL_VECTORS,
                        .tail = (int)tail };
    const weight w = { args->panels, args->depth, true, true };
    pass_over(&step->pass, &all, &w, 0, w.depth, 0, 0);
    step->bias = NULL;
    if (args->input) {
        const weight input = { args->input->panels, args->input->depth, true, true };
        pass_over(&step->input, &all, &input, 0, input.depth, 0, 0);
        step->bias = args->input->bias;
    }
    step->tile = full == 2 ? step_pairs[tail][rows - 1] : step_tiles[tail][rows - 1];
    step->rows = rows, step->ldg = args->ldg, step->ldc = args->ldc;
    step->hidden_size = layout->hidden_size, step->tail = layout->tail;
    return true;
}

/* One step: x, h_prev and h as `rows` pointers each, h_prev NULL is zeros and may be h. */
WLI_INLINE void run_tile(const tile_step *step, const void *const *x, const void *const *h_prev, real *gates, real *c,
                         void *const *h) {
    tile_pass none;
    const tile_pass *pass = &step->pass;
    if (!h_prev) { /* nothing is multiplied, and no row read */
        none = step->pass, none.depth = 0;
        pass = &none, h_prev = (const void *const *)h;
    }
    step->tile(step->bias ? &step->input : NULL, (const real *const *)x, step->bias, pass, (const real *const *)h_prev,
               gates, step->ldg, c, step->ldc, h, 0, step->hidden_size);
    if (step->tail) {
        const int64_t unit = step->hidden_size - step->tail;
        finish(&(finished){ .rows = step->rows,
                            .gates = gates,
                            .ldg = step->ldg,
                            .c = c,
                            .ldc = step->ldc,
                            .h = h,
                            .column = unit * WLI_PANEL_VECTORS,
                            .gate_distance = step->tail,
                            .unit = unit,
                            .units = step->tail });
    }
}

/* All of the steps, one after the other; returns how many. */
WLI_INLINE int64_t run_tiles(const wli_step_args *args, const tile_step *step) {
    const void *const *x = step->bias ? args->input->a : NULL, *before[MAX_ROWS], *const *h_prev = args->h_prev;
    void *after[MAX_ROWS], *const *h = args->h;
    real *gates = args->gates;
    for (int64_t steps = args->steps;;) {
        run_tile(step, x, h_prev, gates, args->c, h);
        if (--steps == 0) return args->steps;
        for (int64_t r = 0; r < step->rows; r++) {
            before[r] = h[r];
            after[r] = (char *)h[r] + args->h_step;
        }
        h_prev = before, h = after;
        if (x)
            x += step->rows;
        else
            gates += step->rows * step->ldg;
    }
}

#endif
