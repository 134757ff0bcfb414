/* The gate GEMM and the fused LSTM step, compiled once per instruction set and dtype (src/CMakeLists.txt). The equations are
 * those of reference.c; the packed order of the columns is layout.h's. */
#include "kernels/native.h"

#include "kernels/activations.h"
#include <stdbool.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* Registers allow MAX_ROWS x 4 sums beside the rows' broadcasts and one vector of weights. */
#if defined(__AVX512F__) || defined(__aarch64__)
#define MAX_ROWS 6
#else
#define MAX_ROWS 3
#endif

/* A panel's part that stays in the L1 while the row tiles pass over it. */
enum { DEPTH_BLOCK = 16384 / (WLI_PANEL_VECTORS * WLI_VECTOR_BYTES) };

/* Gates of `units` units (LANES, or what is left of them) to c and h; c's row is padded, h's is not. */
WLI_INLINE void finish_units(vec i, vec f, vec g, vec o, real *c, real *h, int64_t units) {
    vec cell = load(c);
    vec hidden = cell_update(i, f, g, o, &cell);
    store(c, cell);
    if (units >= LANES)
        store(h, hidden);
    else
        store_some(h, hidden, units);
}

#define PASTE4(a, b, c, d) a##_##b##_##c##_##d
#define PASTE(a, b, c, d) PASTE4(a, b, c, d)
#define TILE_NAME(name) PASTE(name, TILE_ROWS, TILE_PANELS, TILE_VECTORS)

#define TILE_ROWS 1
#include "kernels/tiles.h"
#define TILE_ROWS 2
#include "kernels/tiles.h"
#define TILE_ROWS 3
#include "kernels/tiles.h"
#if MAX_ROWS > 3
#define TILE_ROWS 4
#include "kernels/tiles.h"
#define TILE_ROWS 5
#include "kernels/tiles.h"
#define TILE_ROWS 6
#include "kernels/tiles.h"
#define TILES(name, vectors)                                                                                           \
    {                                                                                                                  \
        name##_1_1_##vectors, name##_2_1_##vectors, name##_3_1_##vectors, name##_4_1_##vectors, name##_5_1_##vectors,  \
            name##_6_1_##vectors                                                                                       \
    }
#else
#define TILES(name, vectors)                                                                                           \
    { name##_1_1_##vectors, name##_2_1_##vectors, name##_3_1_##vectors }
#endif

typedef void (*gemm_tile)(int64_t depth, const real *const *a, const real *panels, int64_t panel_stride,
                          const real *bias, real *c, int64_t ldc);
typedef void (*step_tile)(int64_t depth, const real *const *h_prev, const real *panels, int64_t panel_stride,
                          const real *gates, int64_t ldg, real *c, int64_t ldc, void *const *h, int64_t unit,
                          int64_t units);

static const gemm_tile gemm_tiles[WLI_PANEL_VECTORS][MAX_ROWS] = { TILES(gemm, 1), TILES(gemm, 2), TILES(gemm, 3),
                                                                   TILES(gemm, 4) };
static const step_tile step_tiles[MAX_ROWS] = TILES(step, 4);

/* Rows of the next tile when `rows` are left: tiles of nearly equal height, as a lone last row runs at half speed. */
static int tile_rows(int64_t rows) {
    int64_t tiles = (rows + MAX_ROWS - 1) / MAX_ROWS;
    return (int)((rows + tiles - 1) / tiles);
}

/* Where one pass over the columns stands: a panel of `vectors` vectors, or with `pair` two panels of four. */
typedef struct panel {
    const real *weights; /* [depth][vectors][LANES], the second of a pair right behind */
    int64_t depth;
    int vectors;
    bool pair;
} panel;

static panel panel_at(const void *panels, int64_t depth, int64_t column, int64_t columns, int64_t rows) {
    int64_t left = (columns - column) / LANES;
    return (panel){ .weights = (const real *)panels + column * depth,
                    .depth = depth,
                    .vectors = left < WLI_PANEL_VECTORS ? (int)left : WLI_PANEL_VECTORS,
                    .pair = rows == 1 && left >= 2 * WLI_PANEL_VECTORS };
}

static int64_t panel_columns(const panel *p) {
    return (p->pair ? 2 : 1) * p->vectors * LANES;
}

/* The weights of one panel are read once a row tile: with several tiles they are taken in blocks that stay in the L1. */
static int64_t depth_block(int64_t rows, int64_t depth) {
    return rows > MAX_ROWS && depth > DEPTH_BLOCK ? DEPTH_BLOCK : depth;
}

/* C [rows, ldc] = (bias or C) + A [rows, from..to) W^T for one panel. */
static void gemm_panel(const panel *p, int64_t rows, int64_t from, int64_t to, const void *const *a, const real *bias,
                       real *c, int64_t ldc) {
    const real *weights = p->weights + from * p->vectors * LANES;
    const gemm_tile *tiles = gemm_tiles[p->vectors - 1];
    int tile;
    for (int64_t r = 0; r < rows; r += tile) {
        const real *a_row[MAX_ROWS];
        tile = tile_rows(rows - r);
        for (int i = 0; i < tile; i++) a_row[i] = (const real *)a[r + i] + from;
        (p->pair ? gemm_1_2_4 : tiles[tile - 1])(to - from, a_row, weights, p->depth * p->vectors * LANES, bias,
                                                 c + r * ldc, ldc);
    }
}

/* C [rows, ldc] += A [rows, 0..depth) W^T (or bias + ...) for one panel, in blocks of depth; returns where the last block begins,
 * which is left to the caller. */
static int64_t gemm_leading_blocks(const panel *p, int64_t rows, const void *const *a, const real *bias, real *c,
                                   int64_t ldc) {
    int64_t from = 0, block = depth_block(rows, p->depth);
    for (; p->depth - from > block; from += block)
        gemm_panel(p, rows, from, from + block, a, from == 0 ? bias : NULL, c, ldc);
    return from;
}

/* C [rows, columns] = (bias or C) + A [rows, depth] W^T. */
static void gemm(const wli_gemm_args *args) {
    const real *bias = args->bias;
    real *c = args->c;
    panel p;
    for (int64_t column = 0; column < args->columns; column += panel_columns(&p)) {
        p = panel_at(args->panels, args->depth, column, args->columns, args->rows);
        const real *panel_bias = bias ? bias + column : NULL;
        int64_t from = gemm_leading_blocks(&p, args->rows, args->a, panel_bias, c + column, args->columns);
        gemm_panel(&p, args->rows, from, args->depth, args->a, from == 0 ? panel_bias : NULL, c + column,
                   args->columns);
    }
}

/* The last block of depth of one full panel, fused with the cell. */
static void step_panel(const panel *p, const wli_step_args *args, int64_t depth, int64_t from, real *gates,
                       int64_t unit) {
    const wli_gate_layout *layout = args->layout;
    const real *weights = p->weights + from * p->vectors * LANES;
    int tile;
    for (int64_t r = 0; r < args->rows; r += tile) {
        const real *h_row[MAX_ROWS];
        tile = tile_rows(args->rows - r);
        for (int i = 0; i < tile && depth > 0; i++) h_row[i] = (const real *)args->h_prev[r + i] + from;
        (p->pair ? step_1_2_4 : step_tiles[tile - 1])(
            depth - from, h_row, weights, p->depth * p->vectors * LANES, gates + r * layout->columns, layout->columns,
            (real *)args->c + r * layout->padded_hidden, layout->padded_hidden, args->h + r, unit,
            layout->hidden_size - unit);
    }
}

/* The dense tail: i, f, g, o of the last `tail` units follow each other in G [rows, columns]; lanes past them are not used. */
static void step_tail(const wli_step_args *args, const real *gates) {
    const wli_gate_layout *layout = args->layout;
    const int64_t tail = layout->tail, unit = layout->hidden_size - tail;
    for (int64_t r = 0; r < args->rows; r++) {
        const real *row = gates + r * layout->columns;
        finish_units(load(row), load(row + tail), load(row + 2 * tail), load(row + 3 * tail),
                     (real *)args->c + r * layout->padded_hidden + unit, (real *)args->h[r] + unit, tail);
    }
}

/* G [rows, columns] + h_prev [rows, depth] W_hh^T -> c [rows, padded_hidden], h [rows][H]. */
static void step(const wli_step_args *args) {
    const wli_gate_layout *layout = args->layout;
    const int64_t full_columns = layout->panels * WLI_PANEL_VECTORS * LANES, depth = args->h_prev ? args->depth : 0;
    real *gates = args->gates;
    panel p;
    for (int64_t column = 0; column < full_columns; column += panel_columns(&p)) {
        p = panel_at(args->panels, args->depth, column, full_columns, args->rows);
        int64_t from =
            depth ? gemm_leading_blocks(&p, args->rows, args->h_prev, NULL, gates + column, layout->columns) : 0;
        step_panel(&p, args, depth, from, gates + column, column / WLI_PANEL_VECTORS);
    }
    if (layout->tail) {
        p = panel_at(args->panels, args->depth, full_columns, layout->columns, args->rows);
        if (depth) {
            int64_t from =
                gemm_leading_blocks(&p, args->rows, args->h_prev, NULL, gates + full_columns, layout->columns);
            gemm_panel(&p, args->rows, from, depth, args->h_prev, NULL, gates + full_columns, layout->columns);
        }
        step_tail(args, gates + full_columns);
    }
}

const wli_native WLI_NATIVE_TABLE = { WLI_ISA_NAME, LANES, gemm, step };
