/* The gate GEMM and the fused LSTM step, compiled once per instruction set and product (src/CMakeLists.txt). The equations are
 * those of reference/cell.h; the packed order of the columns is layout.h's. */
#include "kernels/native.h"

#include "kernels/few_tiles.h"
#include "kernels/pack.h"
#include "kernels/sweep.h"

/* Of a tile: two panels and a tail. */
enum { WIDEST = 3 * WLI_PANEL_VECTORS * LANES };

/* C [rows, width], ldc apart, += sums [rows, WIDEST] */
WLI_INLINE void add_sums(int64_t rows, int64_t width, const real *sums, real *c, int64_t ldc) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t n = 0; n < width; n += LANES)
            store(c + r * ldc + n, load(c + r * ldc + n) + load(sums + r * WIDEST + n));
}

/* C [rows, ldc] = (bias or C) + A [rows, from..to) W^T for one panel, and for what is taken along with it. `apart`: C += the sums
 * from zero. */
static void gemm_block(const panel *p, const weight *w, int64_t rows, int64_t from, int64_t to, const void *const *a,
                       const real *bias, bool apart, real *c, int64_t ldc) {
    static const real zeros[WIDEST];
    const gemm_tile *tiles = gemm_tiles[p->pair][p->tile_vectors - 1][p->tail];
    const int64_t width = ((1 + p->pair) * p->tile_vectors + p->tail) * LANES;
    real sums[TAIL_ROWS * WIDEST];
    int64_t tile;
    for (int first = 0; first < p->vectors; first += p->tile_vectors)
        for (int64_t r = 0, index = 0; r < rows; r += tile, index++) {
            tile_pass pass;
            pass_over(&pass, p, w, from, to, first, index);
            const operand *a_row[TAIL_ROWS];
            const real *tile_bias = bias ? bias + first * LANES : NULL;
            real *const own = c + r * ldc + first * LANES;
            tile = tile_rows(rows - r, p->most_rows);
            for (int i = 0; i < tile; i++) a_row[i] = (const operand *)a[r + i] + operands_in(from);
            tiles[tile - 1](&pass, a_row, apart ? zeros : tile_bias, apart ? sums : own, apart ? WIDEST : ldc);
            if (apart) add_sums(tile, width, sums, own, ldc);
        }
}

/* C [rows, ldc] = (bias or C) + A [rows, 0..to) W^T for one panel, in blocks of depth up to the one that reaches the end; returns
 * where that one begins, which is left to the caller. */
static int64_t gemm_leading_blocks(const panel *p, const weight *w, int64_t rows, const void *const *a,
                                   const real *bias, real *c, int64_t ldc) {
    int64_t from = 0, to;
    for (; (to = block_end(p, w, from)) < w->depth; from = to)
        gemm_block(p, w, rows, from, to, a, from == 0 ? bias : NULL, false, c, ldc);
    return from;
}

/* The same, whole, for the columns of a panel: c and bias are those of its first. */
static void gemm_panel(const panel *p, const weight *w, int64_t rows, const void *const *a, const real *bias, real *c,
                       int64_t ldc) {
    const int64_t from = gemm_leading_blocks(p, w, rows, a, bias, c, ldc);
    gemm_block(p, w, rows, from, w->depth, a, from == 0 ? bias : NULL, false, c, ldc);
}

/* The same, of blocks of nearly equal depth, at most `chain`. */
static void gemm_panel_by_chains(const panel *p, const weight *w, const wli_gemm_args *args, const real *bias,
                                 real *c) {
    const int64_t blocks = (w->depth + args->chain - 1) / args->chain;
    for (int64_t n = 0; n < blocks; n++)
        gemm_block(p, w, args->rows, w->depth * n / blocks, w->depth * (n + 1) / blocks, args->a, n == 0 ? bias : NULL,
                   n > 0 || !bias, c, args->ldc);
}

/* C [rows, columns], ldc apart, = (bias or C) + A [rows, depth] W^T. */
static void gemm(const wli_gemm_args *args) {
    const weight w = weight_of(args->panels, args->depth, args->columns);
    for (int64_t n = 0; n < args->range.end - args->range.first;) {
        const panel p = panel_at((sweep){ args->columns, args->rows, args->range, false, args->halves }, n);
        const real *bias = args->bias ? (const real *)args->bias + p.column : NULL;
        real *const c = (real *)args->c + p.column;
        if (args->chain > 0)
            gemm_panel_by_chains(&p, &w, args, bias, c);
        else
            gemm_panel(&p, &w, args->rows, args->a, bias, c, args->ldc);
        n += p.count;
    }
}

/* A step of more bytes, and of more rows than take panels in pairs, fetches ahead: much of it is out of the L1 before it comes again. */
enum { NEAR_BYTES = 128 << 10 };

/* Fetches c, h and, where the input is not brought, G of the tile after that of rows [.., end) of a panel: a tile reads and writes them in
 * bursts, behind which nothing hides the wait. Inline, as gcc drops calls of what only fetches. */
WLI_INLINE void fetch_next_rows(const wli_step_args *args, const panel *p, bool brought, int64_t end) {
    const int line = 64 / (int)sizeof(real);
    const bool same_panel = end < args->rows;
    if (!same_panel && (p->next_column == p->column || (p->tail && p->next_column == p->tail_column))) return;
    const int64_t column = same_panel ? p->column : p->next_column, unit = column / WLI_PANEL_VECTORS;
    const int64_t first = same_panel ? end : 0, rows = tile_rows(args->rows - first, p->most_rows);
    for (int64_t r = first; r < first + rows; r++) {
        const real *g = (const real *)args->gates + r * args->ldg + column;
        UNROLL for (int n = 0; !brought && n < WLI_PANEL_VECTORS * LANES; n += line) __builtin_prefetch(g + n, 0, 2);
        __builtin_prefetch((const real *)args->c + r * args->ldc + unit);
        __builtin_prefetch((const real *)args->h[r] + unit, 1);
    }
}

/* The last block of depth of one full panel, fused with the cell, and with the projection where `input` is its weight. */
static void step_block(const panel *p, const weight *w, const weight *input, const wli_step_args *args, int64_t from,
                       int64_t to) {
    const int64_t columns = (args->range.end - args->range.first) * WLI_PANEL_VECTORS * LANES;
    const bool fetches = !p->pair && columns * (w->depth + args->rows) * (int64_t)sizeof(real) > NEAR_BYTES;
    int64_t tile;
    for (int64_t r = 0, index = 0; r < args->rows; r += tile, index++) {
        tile = tile_rows(args->rows - r, p->most_rows);
        step_part part;
        lay_out_tile(&part, p, w, input, args, from, to, r, tile, index);
        const operand *h_row[MAX_ROWS], *x_row[MAX_ROWS];
        for (int i = 0; i < tile; i++) /* of a zero state no row is read */
            h_row[i] =
                to > 0 ? (const operand *)args->h_prev[r + i] + operands_in(from) : (const operand *)args->h[r + i];
        for (int i = 0; i < tile && input; i++) x_row[i] = args->input->a[r + i];
        if (fetches) fetch_next_rows(args, p, input, r + tile);
        part.run(&part, x_row, h_row, args->gates, args->c, args->h + r);
    }
}

/* The cell of a step's units from `unit` on, as `finished` has them. */
static void finish_step(const wli_step_args *args, int64_t column, int64_t gate_distance, int64_t unit, int64_t units) {
    finish(&(finished){ .rows = args->rows,
                        .gates = args->gates,
                        .ldg = args->ldg,
                        .c = args->c,
                        .ldc = args->ldc,
                        .h = args->h,
                        .column = column,
                        .gate_distance = gate_distance,
                        .unit = unit,
                        .units = units });
}

/* The panels of a step, one after the other. */
static void step_by_panels(const wli_step_args *args) {
    const wli_gate_layout *layout = args->layout;
    const weight w = weight_of(args->panels, args->depth, layout->columns);
    const int64_t depth = args->h_prev ? w.depth : 0, tail_unit = layout->hidden_size - layout->tail;
    const weight input = args->input ? weight_of(args->input->panels, args->input->depth, layout->columns)
                                     : (weight){ NULL, 0, true, true };
    for (int64_t n = 0; n < args->range.end - args->range.first;) {
        const panel p = panel_at((sweep){ layout->columns, args->rows, args->range, args->backwards, args->halves }, n);
        const bool full = p.vectors == WLI_PANEL_VECTORS, fused = full && p.tile_vectors == p.vectors;
        const bool one_block = block_end(&p, &w, 0) >= depth, with_input = args->input && fused && one_block;
        real *gates = (real *)args->gates + p.column;
        if (args->input && !with_input)
            gemm_panel(&p, &input, args->rows, args->input->a, (const real *)args->input->bias + p.column, gates,
                       args->ldg);
        int64_t from = depth ? gemm_leading_blocks(&p, &w, args->rows, args->h_prev, NULL, gates, args->ldg) : 0;
        const int64_t unit = p.column / WLI_PANEL_VECTORS;
        if (fused)
            step_block(&p, &w, with_input ? &input : NULL, args, from, depth);
        else if (depth)
            gemm_block(&p, &w, args->rows, from, depth, args->h_prev, NULL, false, gates, args->ldg);
        if (full && !fused) finish_step(args, p.column, LANES, unit, layout->hidden_size - unit);
        if (!full || p.tail) finish_step(args, tail_unit * WLI_PANEL_VECTORS, layout->tail, tail_unit, layout->tail);
        n += p.count;
    }
}

/* G [rows, columns] (or the input's projection) + h_prev [rows, depth] W_hh^T -> c [rows, padded_hidden], h [rows][H]. */
static int64_t step(const wli_step_args *args) {
    few_tiles tiles;
    if (IN_PLACE && lay_out_tiles(args, args->backwards, &tiles))
        return tiles.count == 1 ? run_steps_of_one(args, &tiles) : run_steps_of_few(args, &tiles);
    step_by_panels(args);
    return 1;
}

static bool prepare(const wli_step_args *args, wli_prepared_step *prepared) {
    few_tiles *tiles = (few_tiles *)prepared->kernels_own;
    _Static_assert(sizeof *tiles <= sizeof prepared->kernels_own && _Alignof(few_tiles) <= 64, "it fits");
    if (!lay_out_tiles(args, false, tiles)) return false;
    prepared->in_place = tiles->parts[tiles->count - 1].unit == 0;
    return true;
}

static void step_prepared(const wli_prepared_step *prepared, const void *const *x, const void *const *h_prev,
                          void *gates, void *c, void *const *h) {
    const few_tiles *tiles = (const few_tiles *)prepared->kernels_own;
    if (h_prev)
        run_few_tiles(tiles, false, false, x, h_prev, gates, c, h);
    else
        run_from_zero(tiles, x, gates, c, h);
}

const wli_native WLI_NATIVE_TABLE = { .isa = WLI_ISA_NAME,
                                      .product = WLI_TEXT_EXPANDED(WLI_PRODUCT),
                                      .lanes = LANES,
                                      .group = GROUP,
                                      .block = BLOCK,
                                      .tail = WEIGHT_TAIL,
                                      .pack = pack,
                                      .operands = OPERANDS,
                                      .gemm = gemm,
                                      .few_tiles = count_tiles,
                                      .step = step,
                                      .prepare = prepare,
                                      .step_prepared = step_prepared };
