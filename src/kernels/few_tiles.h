/* Steps of a few register tiles each: what small cells and short batches run, one step after the other in the kernel. */
#ifndef WLI_FEW_TILES_H
#define WLI_FEW_TILES_H

#include "kernels/sweep.h"

/* The way to more tiles is short beside them. */
enum { MOST_TILES = 8 };

/* All of a step but its rows: the sweep's arithmetic, and the way here, would be much of it. */
typedef struct few_tiles {
    int64_t count, rows, hidden_size, tail; /* units in the dense tail */
    step_part parts[MOST_TILES];
} few_tiles;

/* The index-th tile of a panel, of rows [row, row + rows), over block [from, to) of its depth. */
WLI_INLINE void lay_out_tile(step_part *part, const panel *p, const weight *w, const weight *input,
                             const wli_step_args *args, int64_t from, int64_t to, int64_t row, int64_t rows,
                             int64_t index) {
    pass_over(&part->pass, p, w, from, to, 0, index);
    if (input) pass_over(&part->input, p, input, 0, input->depth, 0, index);
    part->bias = input ? (const real *)args->input->bias + p->column : NULL;
    part->run = step_tiles[p->pair][p->vectors - 1][p->tail][rows - 1];
    part->row = row, part->unit = p->column / WLI_PANEL_VECTORS;
    part->units = args->layout->hidden_size - part->unit;
    part->gates_at = row * args->ldg + p->column, part->ldg = args->ldg;
    part->c_at = row * args->ldc, part->ldc = args->ldc;
}

/* How many tiles a step of all its units is, 0 if they are not few. */
static int64_t count_tiles(const wli_gate_layout *layout, int64_t rows) {
    const wli_panel_range range = wli_all_panels(layout->columns, LANES);
    int64_t count = 0;
    if (!IN_PLACE) return 0;
    if (range.end / 2 * (rows / TAIL_ROWS) > MOST_TILES) return 0; /* none is more than two panels and the tail */
    for (int64_t n = 0; n < range.end && count <= MOST_TILES;) {
        const panel p = panel_at((sweep){ layout->columns, rows, range, false, false }, n);
        if (p.tile_vectors < p.vectors || (p.vectors < WLI_PANEL_VECTORS && range.end > 1)) return 0;
        count += p.tiles, n += p.count;
    }
    return count <= MOST_TILES ? count : 0;
}

/* False where the step is not a few tiles, each over all of the depth; so it is or is not in both directions. `halves` is
 * ignored: to run so few tiles step by step costs more than halves save. */
static bool lay_out_tiles(const wli_step_args *args, bool backwards, few_tiles *step) {
    const wli_gate_layout *layout = args->layout;
    const wli_panel_range range = wli_all_panels(layout->columns, LANES);
    if (args->range.end - args->range.first < range.end || !count_tiles(layout, args->rows)) return false;
    const weight w = weight_of(args->panels, args->depth, layout->columns);
    weight input = { NULL, 0, true, true };
    if (args->input) input = weight_of(args->input->panels, args->input->depth, layout->columns);
    step->count = 0;
    for (int64_t n = 0; n < range.end;) {
        const panel p = panel_at((sweep){ layout->columns, args->rows, range, backwards, false }, n);
        if (block_end(&p, &w, 0) < w.depth) return false;
        for (int64_t row = 0, index = 0, rows; row < args->rows; row += rows, index++) {
            rows = tile_rows(args->rows - row, p.most_rows);
            lay_out_tile(&step->parts[step->count++], &p, &w, args->input ? &input : NULL, args, 0, w.depth, row, rows,
                         index);
        }
        n += p.count;
    }
    step->rows = args->rows;
    step->hidden_size = layout->hidden_size, step->tail = layout->tail;
    return true;
}

/* One step, of one tile or of all: x, h_prev and h as `rows` pointers each; h_prev may be h where the tiles share no rows, and is NULL
 * where `zero`. */
WLI_INLINE void run_few_tiles(const few_tiles *step, const bool one, const bool zero, const void *const *x,
                              const void *const *h_prev, real *gates, real *c, void *const *h) {
    const step_part *part = step->parts, *const end = part + step->count;
    do {
        const int64_t row = part->row;
        step_part from_zero;
        if (zero) from_zero = *part, from_zero.pass.depth = 0; /* nothing is multiplied, and no row read */
        part->run(zero ? &from_zero : part, x ? (const operand *const *)(x + row) : NULL,
                  (const operand *const *)(zero ? (const void *const *)h : h_prev) + row, gates, c, h + row);
    } while (!one && ++part < end);
    if (step->tail) {
        const int64_t unit = step->hidden_size - step->tail;
        finish(&(finished){ .rows = step->rows,
                            .gates = gates,
                            .ldg = step->parts[0].ldg,
                            .c = c,
                            .ldc = step->parts[0].ldc,
                            .h = h,
                            .column = unit * WLI_PANEL_VECTORS,
                            .gate_distance = step->tail,
                            .unit = unit,
                            .units = step->tail });
    }
}

/* The same from a state of zeros; apart, as it comes once in a sequence. */
static __attribute__((noinline)) void run_from_zero(const few_tiles *step, const void *const *x, real *gates, real *c,
                                                    void *const *h) {
    run_few_tiles(step, false, true, x, NULL, gates, c, h);
}

/* All of the steps, one after the other, every second one by the tiles of `second`; returns how many. `before` and `after` have room for
 * the rows. */
WLI_INLINE int64_t run_steps(const wli_step_args *args, const few_tiles *first, const few_tiles *second, const bool one,
                             const void **before, void **after) {
    const void *const *x = args->input ? args->input->a : NULL, *const *h_prev = args->h_prev;
    void *const *h = args->h;
    real *gates = args->gates;
    for (int64_t step = 0;; step++) {
        if (h_prev)
            run_few_tiles(!one && step % 2 ? second : first, one, false, x, h_prev, gates, args->c, h);
        else
            run_from_zero(first, x, gates, args->c, h);
        if (step + 1 == args->steps) return args->steps;
        for (int64_t r = 0; r < args->rows; r++) {
            before[r] = h[r];
            after[r] = (char *)h[r] + args->h_step;
        }
        h_prev = before, h = after;
        if (x)
            x += args->rows;
        else
            gates += args->rows * args->ldg;
    }
}

/* Apart from each other, as a step of one tile would feel what the others need. */
static __attribute__((noinline)) int64_t run_steps_of_one(const wli_step_args *args, const few_tiles *step) {
    const void *before[TAIL_ROWS];
    void *after[TAIL_ROWS];
    return run_steps(args, step, step, true, before, after);
}

static __attribute__((noinline)) int64_t run_steps_of_few(const wli_step_args *args, const few_tiles *first) {
    const void *before[MOST_TILES * TAIL_ROWS];
    void *after[MOST_TILES * TAIL_ROWS];
    few_tiles turned;
    const bool turns = args->steps > 1;
    if (turns) lay_out_tiles(args, !args->backwards, &turned);
    return run_steps(args, first, turns ? &turned : first, false, before, after);
}

#endif
