/* The gate GEMM and the fused LSTM step, compiled once per instruction set and dtype (src/CMakeLists.txt). The equations are
 * those of reference.c; the packed order of the columns is layout.h's. */
#include "kernels/native.h"

#include "kernels/activations.h"
#include <stdbool.h>

/* Registers allow MAX_ROWS x 4 sums beside the rows' broadcasts and one vector of weights; two vectors or one take TAIL_ROWS, so
 * that the chains of multiply-adds are as many. */
#if defined(MAX_ROWS) /* a test's choice */
#elif defined(__AVX512F__) || defined(__aarch64__)
#define MAX_ROWS 6
#else
#define MAX_ROWS 3
#endif
#if MAX_ROWS == 6
#define TAIL_ROWS 8
#else
#define TAIL_ROWS 6
#endif

/* The most rows that take a full panel and a tail of one, two or three vectors at once: alone, a tail's chains are so few that a
 * multiply-add's latency shows. */
#if MAX_ROWS == 6
#define TAILED_1 5
#define TAILED_2 4
#define TAILED_3 3
#else
#define TAILED_1 2
#define TAILED_2 2
#define TAILED_3 1
#endif
static const int64_t tailed_rows[WLI_PANEL_VECTORS] = { 0, TAILED_1, TAILED_2, TAILED_3 };

/* Rows that take a full panel two vectors at a time: with few registers those that are no multiple of MAX_ROWS, as a lone one or
 * two rows would run at three quarters of the speed; with many, where `halves` says so, those that would be two low tiles, each of
 * which reads all of the panel, where the halves read it once together. */
WLI_INLINE bool takes_halves(int64_t rows, bool halves) {
    const int64_t most = MAX_ROWS == 6 ? TAIL_ROWS : 23;
    return rows > MAX_ROWS && rows <= most && (MAX_ROWS == 6 ? halves : rows % MAX_ROWS != 0);
}

/* A panel's part that the row tiles pass over: it stays in the L2, whose bandwidth feeds a tile of MAX_ROWS, and is deep enough
 * that the sums' way from and to G is seldom and the prefetched streams are long. */
enum { L2_BYTES = WLI_VECTOR_BYTES < 64 ? 64 << 10 : 128 << 10 };
enum { DEPTH_BLOCK = L2_BYTES / (WLI_PANEL_VECTORS * WLI_VECTOR_BYTES) };

/* A panel's part that stays in the L1 from one pass to the next. */
enum { L1_BLOCK = (32 << 10) / (WLI_PANEL_VECTORS * WLI_VECTOR_BYTES) };

/* Weights of more bytes come from memory at every step: no more than this is sure to stay in a cache. */
enum { CACHED_BYTES = 8 << 20 };

/* How far ahead of its own weights a pass prefetches, in bytes: from the L2, and where nothing else fetches them from further. */
enum { NEAR_AHEAD = 384, LONE_AHEAD = 2112 };
_Static_assert(LONE_AHEAD + 64 * WLI_PANEL_VECTORS <= WLI_PANELS_PADDING, "prefetches stay within the panels' memory");

/* How a pass prefetches what is at its `next`. As two streams, next_stream apart, as a core's prefetcher follows each and one alone
 * does not draw all that memory gives; the pass's own weights are then prefetched as well. Where few passes share the next block it
 * goes into the L2, as so much of it would push out of the L1 what the pass itself needs. A vector of 64 bytes makes the core follow
 * the own weights by itself. */
typedef enum fetching { FETCH_ONE_STREAM, FETCH_INTO_L1, FETCH_INTO_L2 } fetching;
enum { FEW_PASSES = 2 };

/* One pass of a tile over a block of a panel: its vectors of each k at weights, weights_step apart, the second panel of a pair
 * panel_stride further on; those of a tail taken along at tail, densely. */
typedef struct tile_pass {
    int64_t depth;
    const real *weights, *tail;
    const char *next;
    int64_t weights_step, panel_stride;
    int64_t next_step, next_stream; /* bytes that `next` moves on with k; from it to the second stream */
    fetching fetch;
} tile_pass;

/* h of `units` units (LANES, or what is left of them): the library never writes past a caller's row. */
WLI_INLINE void store_h(real *h, vec value, int64_t units) {
    if (units >= LANES)
        store(h, value);
    else
        store_some(h, value, units);
}

#define PASTE5(a, b, c, d, e) a##_##b##_##c##_##d##_##e
#define PASTE(a, b, c, d, e) PASTE5(a, b, c, d, e)
#define TILE_NAME(name) PASTE(name, TILE_ROWS, TILE_PANELS, TILE_VECTORS, TILE_TAIL)

#define TILE_ROWS 1
#include "kernels/tiles.h"
#define TILE_ROWS 2
#include "kernels/tiles.h"
#define TILE_ROWS 3
#include "kernels/tiles.h"
#define TILE_ROWS 4
#include "kernels/tiles.h"
#define TILE_ROWS 5
#include "kernels/tiles.h"
#define TILE_ROWS 6
#include "kernels/tiles.h"
#if TAIL_ROWS == 8
#define TILE_ROWS 7
#include "kernels/tiles.h"
#define TILE_ROWS 8
#include "kernels/tiles.h"
#endif

/* Tiles of one panel of 1, 2, ... rows. */
#define ONE(name, width) name##_1_1_##width
#define TWO(name, width) ONE(name, width), name##_2_1_##width
#define THREE(name, width) TWO(name, width), name##_3_1_##width
#define FOUR(name, width) THREE(name, width), name##_4_1_##width
#define FIVE(name, width) FOUR(name, width), name##_5_1_##width
#define SIX(name, width) FIVE(name, width), name##_6_1_##width
#define EIGHT(name, width) SIX(name, width), name##_7_1_##width, name##_8_1_##width
#if MAX_ROWS == 6
#define UP_TO_MAX SIX
#define UP_TO_TAIL EIGHT
#define TAILED(name)                                                                                                   \
    { SIX(name, 4_0) }, { FIVE(name, 4_1) }, { FOUR(name, 4_2) }, {                                                    \
        THREE(name, 4_3)                                                                                               \
    }
#else
#define UP_TO_MAX THREE
#define UP_TO_TAIL SIX
#define TAILED(name)                                                                                                   \
    { THREE(name, 4_0) }, { TWO(name, 4_1) }, { TWO(name, 4_2) }, {                                                    \
        ONE(name, 4_3)                                                                                                 \
    }
#endif
#define PAIRS(name) name##_1_2_4_0, name##_1_2_4_1, name##_1_2_4_2, name##_1_2_4_3

typedef void (*gemm_tile)(const tile_pass *pass, const real *const *a, const real *bias, real *c, int64_t ldc);
typedef void (*step_tile)(const tile_pass *input, const real *const *x, const real *bias, const tile_pass *pass,
                          const real *const *h_prev, real *gates, int64_t ldg, real *c, int64_t ldc, void *const *h,
                          int64_t unit, int64_t units);

/* By the tail taken along, then by rows; narrower panels have none. */
static const gemm_tile gemm_tiles[WLI_PANEL_VECTORS][MAX_ROWS] = { TAILED(gemm) };
static const gemm_tile gemm_pairs[WLI_PANEL_VECTORS] = { PAIRS(gemm) };
static const gemm_tile gemm_narrow[WLI_PANEL_VECTORS - 1][TAIL_ROWS] = { { UP_TO_TAIL(gemm, 1_0) },
                                                                         { UP_TO_TAIL(gemm, 2_0) },
                                                                         { UP_TO_MAX(gemm, 3_0) } };
static const step_tile step_tiles[WLI_PANEL_VECTORS][MAX_ROWS] = { TAILED(step) };
static const step_tile step_pairs[WLI_PANEL_VECTORS] = { PAIRS(step) };

/* Rows of the next tile when `rows` are left: tiles of nearly equal height, as a lone last row runs at half speed. */
WLI_INLINE int64_t tile_rows(int64_t rows, int64_t most) {
    if (rows <= most) return rows;
    if (rows >= 2 * most) return most;
    return (rows + 1) / 2;
}

/* A packed weight [columns, depth]: k of one panel is contiguous, so that a panel begins depth times as far on as its column. */
typedef struct weight {
    const real *panels; /* [depth][vectors of the panel][LANES] of each panel, one behind the other */
    int64_t depth;
    bool cached; /* all of it may still be in a cache since the last step */
} weight;

WLI_INLINE weight weight_of(const void *panels, int64_t depth, int64_t columns) {
    return (weight){ panels, depth, columns * depth * (int64_t)sizeof(real) <= CACHED_BYTES };
}

/* Where the sweep over the columns stands: a panel of `vectors` vectors, or with `pair` two full ones, and the tail's vectors that
 * are taken along. */
typedef struct panel {
    int64_t column, next_column, tail_column, next_width; /* what comes after, what is taken along */
    int64_t most_rows;                                    /* of a tile */
    int64_t tiles, passes;                                /* of the rows; over a block, which take it halved or whole */
    int vectors, tile_vectors;                            /* some row counts take a full panel two vectors at a time */
    int tail, count;                                      /* vectors of the tail taken along; panels in all */
    bool pair;
} panel;

/* The panel of the sweep over panels [first, end) of `columns` before which n are done. */
WLI_INLINE panel panel_at(int64_t columns, const wli_panel_range *range, int64_t rows, int64_t n, bool backwards,
                          bool halves) {
    const int64_t width = WLI_PANEL_VECTORS * LANES, full = columns / width;
    int64_t index = backwards ? range->end - 1 - n : range->first + n;
    const int tail_vectors = (int)((columns - full * width) / LANES);
    const bool may_tail = rows <= tailed_rows[tail_vectors] && range->first < full && range->end > full;
    const bool from_tail = backwards && may_tail && index == full;
    index -= from_tail;
    const bool pair =
        rows == 1 && (backwards ? index > range->first && index < full : index + 1 < full && index + 1 < range->end);
    const bool tailed = from_tail || (!backwards && may_tail && index + 1 + pair == full);
    if (backwards) index -= pair;
    const int64_t left = (columns - index * width) / LANES, next = backwards ? index - 1 : index + 1 + pair;
    const int64_t following = next < range->first || next >= range->end ? index : next;
    const int vectors = left < WLI_PANEL_VECTORS ? (int)left : WLI_PANEL_VECTORS;
    const bool halved = vectors == WLI_PANEL_VECTORS && takes_halves(rows, halves);
    const bool low = halved || vectors <= 2; /* divisions are by constants: small cells would feel any other */
    const int64_t tiles = low ? (rows + TAIL_ROWS - 1) / TAIL_ROWS : (rows + MAX_ROWS - 1) / MAX_ROWS;
    return (panel){ .column = index * width,
                    .next_column = following * width,
                    .tail_column = full * width,
                    .next_width = following * width + width <= columns ? width : columns - following * width,
                    .most_rows = low ? TAIL_ROWS : MAX_ROWS,
                    .tiles = tiles,
                    .passes = halved ? 2 * tiles : tiles,
                    .vectors = vectors,
                    .tile_vectors = halved ? 2 : vectors,
                    .tail = tailed ? tail_vectors : 0,
                    .count = 1 + pair + tailed,
                    .pair = pair };
}

/* A panel is taken in blocks of nearly equal depth where they are read again or fetched ahead. */
WLI_INLINE int64_t block_end(const panel *p, const weight *w, int64_t from) {
    const int64_t blocks = (w->depth + DEPTH_BLOCK - 1) / DEPTH_BLOCK;
    if (p->pair || (w->cached && p->passes == 1) || blocks <= 1) return w->depth;
    const int64_t block = (w->depth + blocks - 1) / blocks;
    return w->depth - from > block ? from + block : w->depth;
}

/* The pass of the index-th tile over [from, to) of depth, from vector `first` on. Each of the passes that read a block fetches its
 * share of the next one, at a pace that memory can keep; a lone pass over cached weights looks after its own. */
WLI_INLINE void pass_over(tile_pass *pass, const panel *p, const weight *w, int64_t from, int64_t to, int first,
                          int64_t index) {
    const int64_t width = p->vectors * LANES, depth = to - from;
    const real *panel_weights = w->panels + p->column * w->depth, *weights = panel_weights + from * width;
    const bool lone = w->cached && p->passes == 1;
    const bool last_block = to == w->depth, streamed = !w->cached || depth > L1_BLOCK;
    const int64_t step = (last_block ? p->next_width : width) * (int64_t)sizeof(real) / p->passes;
    const real *next = last_block ? w->panels + p->next_column * w->depth : panel_weights + to * width;
    *pass = (tile_pass){ .depth = depth,
                         .weights = weights + first * LANES,
                         .tail = w->panels + p->tail_column * w->depth + from * p->tail * LANES,
                         .next = lone ? (const char *)(weights + first * LANES) + LONE_AHEAD
                                      : (const char *)next + (first ? p->tiles + index : index) * step * depth,
                         .weights_step = width,
                         .panel_stride = w->depth * width,
                         .next_step = lone       ? width * (int64_t)sizeof(real)
                                      : streamed ? step / 2
                                                 : step,
                         .next_stream = step / 2 * depth,
                         .fetch = lone || !streamed        ? FETCH_ONE_STREAM
                                  : p->passes > FEW_PASSES ? FETCH_INTO_L1
                                                           : FETCH_INTO_L2 };
}

/* C [rows, ldc] = (bias or C) + A [rows, from..to) W^T for one panel, and for what is taken along with it. */
static void gemm_block(const panel *p, const weight *w, int64_t rows, int64_t from, int64_t to, const void *const *a,
                       const real *bias, real *c, int64_t ldc) {
    const bool narrow = p->tile_vectors < WLI_PANEL_VECTORS;
    const gemm_tile *tiles = narrow ? gemm_narrow[p->tile_vectors - 1] : gemm_tiles[p->tail];
    int64_t tile;
    for (int first = 0; first < p->vectors; first += p->tile_vectors)
        for (int64_t r = 0, index = 0; r < rows; r += tile, index++) {
            tile_pass pass;
            pass_over(&pass, p, w, from, to, first, index);
            const real *a_row[TAIL_ROWS], *tile_bias = bias ? bias + first * LANES : NULL;
            tile = tile_rows(rows - r, p->most_rows);
            for (int i = 0; i < tile; i++) a_row[i] = (const real *)a[r + i] + from;
            (p->pair ? gemm_pairs[p->tail] : tiles[tile - 1])(&pass, a_row, tile_bias, c + r * ldc + first * LANES,
                                                              ldc);
        }
}

/* C [rows, ldc] = (bias or C) + A [rows, 0..to) W^T for one panel, in blocks of depth up to the one that reaches the end; returns
 * where that one begins, which is left to the caller. */
static int64_t gemm_leading_blocks(const panel *p, const weight *w, int64_t rows, const void *const *a,
                                   const real *bias, real *c, int64_t ldc) {
    int64_t from = 0, to;
    for (; (to = block_end(p, w, from)) < w->depth; from = to)
        gemm_block(p, w, rows, from, to, a, from == 0 ? bias : NULL, c, ldc);
    return from;
}

/* The same, whole, for the columns of a panel: c and bias are those of its first. */
static void gemm_panel(const panel *p, const weight *w, int64_t rows, const void *const *a, const real *bias, real *c,
                       int64_t ldc) {
    const int64_t from = gemm_leading_blocks(p, w, rows, a, bias, c, ldc);
    gemm_block(p, w, rows, from, w->depth, a, from == 0 ? bias : NULL, c, ldc);
}

/* C [rows, columns], ldc apart, = (bias or C) + A [rows, depth] W^T. */
static void gemm(const wli_gemm_args *args) {
    const weight w = weight_of(args->panels, args->depth, args->columns);
    for (int64_t n = 0; n < args->range.end - args->range.first;) {
        const panel p = panel_at(args->columns, &args->range, args->rows, n, false, args->halves);
        gemm_panel(&p, &w, args->rows, args->a, args->bias ? (const real *)args->bias + p.column : NULL,
                   (real *)args->c + p.column, args->ldc);
        n += p.count;
    }
}

/* The last block of depth of one full panel, fused with the cell, and with the projection where `input` is its weight. */
static void step_block(const panel *p, const weight *w, const weight *input, const wli_step_args *args, int64_t from,
                       int64_t to) {
    const int64_t unit = p->column / WLI_PANEL_VECTORS;
    const real *bias = input ? (const real *)args->input->bias + p->column : NULL;
    int64_t tile;
    for (int64_t r = 0, index = 0; r < args->rows; r += tile, index++) {
        tile_pass pass, input_pass;
        pass_over(&pass, p, w, from, to, 0, index);
        if (input) pass_over(&input_pass, p, input, 0, input->depth, 0, index);
        const real *h_row[MAX_ROWS], *x_row[MAX_ROWS];
        tile = tile_rows(args->rows - r, MAX_ROWS);
        for (int i = 0; i < tile && to > 0; i++) h_row[i] = (const real *)args->h_prev[r + i] + from;
        for (int i = 0; i < tile && input; i++) x_row[i] = args->input->a[r + i];
        (p->pair ? step_pairs[p->tail] : step_tiles[p->tail][tile - 1])(
            input ? &input_pass : NULL, x_row, bias, &pass, h_row, (real *)args->gates + r * args->ldg + p->column,
            args->ldg, (real *)args->c + r * args->ldc, args->ldc, args->h + r, unit, args->layout->hidden_size - unit);
    }
}

/* Units whose gates are complete in G: i, f, g, o of `units` units begin at `column`, gate_distance apart; lanes past them are
 * not used. */
typedef struct finished {
    int64_t column, gate_distance, unit, units;
} finished;

WLI_INLINE const real *g_of(const wli_step_args *args, const finished *part, int64_t r) {
    return (const real *)args->gates + r * args->ldg + part->column;
}

WLI_INLINE real *c_of(const wli_step_args *args, const finished *part, int64_t r) {
    return (real *)args->c + r * args->ldc + part->unit;
}

WLI_INLINE void finish_rows(const wli_step_args *args, const finished *part, int64_t r, int count) {
    vec gates[4 * MAX_ROWS], c[MAX_ROWS], h[MAX_ROWS];
    UNROLL for (int n = 0; n < count; n++) {
        const real *row = g_of(args, part, r + n);
        UNROLL for (int gate = 0; gate < 4; gate++) gates[4 * n + gate] = load(row + gate * part->gate_distance);
        c[n] = load(c_of(args, part, r + n));
    }
    cell_update(count, gates, c, h);
    UNROLL for (int n = 0; n < count; n++) {
        store(c_of(args, part, r + n), c[n]);
        store_h((real *)args->h[r + n] + part->unit, h[n], part->units);
    }
}

/* A gate of a tail's units at the beginning of a vector, G loaded in vectors as they were stored. */
WLI_INLINE vec tail_gate(const real *row, int64_t tail, int gate) {
    const int64_t first = gate * tail, vector = first / LANES * LANES;
    const vec own = load(row + vector);
    return window(own, vector + LANES < 4 * tail ? load(row + vector + LANES) : own, first - vector);
}

/* The units of `count` rows, so few that they fit one vector: each row's lie behind those of the row before. */
static void finish_in_one(const wli_step_args *args, const finished *part, int64_t r, int64_t count) {
    const int64_t units = part->units;
    vec gates[4] = { { 0 } }, c = { 0 }, h;
    for (int64_t n = count - 1; n >= 0; n--) {
        const real *row = g_of(args, part, r + n);
        UNROLL for (int gate = 0; gate < 4; gate++) gates[gate] =
            joined(tail_gate(row, units, gate), gates[gate], units);
        c = joined(load(c_of(args, part, r + n)), c, units);
    }
    cell_update(1, gates, &c, &h);
    for (int64_t n = 0; n < count; n++) {
        store(c_of(args, part, r + n), window(c, c, n * units));
        store_some((real *)args->h[r + n] + part->unit, window(h, h, n * units), units);
    }
}

static void finish(const wli_step_args *args, const finished *part) {
    const int64_t together = args->rows > 1 && part->units * 2 <= LANES ? LANES / part->units : 1;
    int64_t r = 0;
    for (; together > 1 && r < args->rows; r += together)
        finish_in_one(args, part, r, args->rows - r < together ? args->rows - r : together);
    for (; r + 3 <= args->rows; r += 3) finish_rows(args, part, r, 3);
    for (; r < args->rows; r++) finish_rows(args, part, r, 1);
}

/* The pass of a tile that is the whole of a cached weight: panels of four vectors, then a tail behind `full_columns`. */
WLI_INLINE tile_pass whole_pass(const void *panels, int64_t depth, int64_t full_columns) {
    const int64_t width = WLI_PANEL_VECTORS * LANES;
    const real *weights = panels;
    return (tile_pass){ .depth = depth,
                        .weights = weights,
                        .tail = weights + full_columns * depth,
                        .next = (const char *)weights + LONE_AHEAD,
                        .weights_step = width,
                        .panel_stride = width * depth,
                        .next_step = width * (int64_t)sizeof(real),
                        .next_stream = 0,
                        .fetch = FETCH_ONE_STREAM };
}

/* What step() does where all is one tile, a full panel or for one row two, and a tail taken along: a small cell takes no longer than
 * the sweep's arithmetic would. False where it is not, and nothing is done. */
WLI_INLINE bool step_in_one_tile(const wli_step_args *args) {
    const wli_gate_layout *layout = args->layout;
    const int64_t width = WLI_PANEL_VECTORS * LANES, rows = args->rows, columns = layout->columns;
    const int64_t full = columns / width, tail = columns % width / LANES, panels = full + (tail > 0);
    if (!args->h_prev || (full != 1 && (full != 2 || rows > 1)) || rows > (tail ? tailed_rows[tail] : MAX_ROWS) ||
        args->range.end - args->range.first < panels || columns * args->depth * (int64_t)sizeof(real) > CACHED_BYTES)
        return false;
    const step_tile tile = full == 2 ? step_pairs[tail] : step_tiles[tail][rows - 1];
    const tile_pass pass = whole_pass(args->panels, args->depth, full * width);
    const real *const *h_prev = (const real *const *)args->h_prev;
    if (args->input) {
        const tile_pass input = whole_pass(args->input->panels, args->input->depth, full * width);
        tile(&input, (const real *const *)args->input->a, args->input->bias, &pass, h_prev, args->gates, args->ldg,
             args->c, args->ldc, args->h, 0, layout->hidden_size);
    } else
        tile(NULL, NULL, NULL, &pass, h_prev, args->gates, args->ldg, args->c, args->ldc, args->h, 0,
             layout->hidden_size);
    if (tail) {
        const int64_t unit = layout->hidden_size - layout->tail;
        finish(args, &(finished){ unit * WLI_PANEL_VECTORS, layout->tail, unit, layout->tail });
    }
    return true;
}

/* The panels of a step, one after the other. */
static void step_by_panels(const wli_step_args *args) {
    const wli_gate_layout *layout = args->layout;
    const int64_t depth = args->h_prev ? args->depth : 0, tail_unit = layout->hidden_size - layout->tail;
    const weight w = weight_of(args->panels, args->depth, layout->columns);
    const weight input =
        args->input ? weight_of(args->input->panels, args->input->depth, layout->columns) : (weight){ NULL, 0, true };
    for (int64_t n = 0; n < args->range.end - args->range.first;) {
        const panel p = panel_at(layout->columns, &args->range, args->rows, n, args->backwards, args->halves);
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
            gemm_block(&p, &w, args->rows, from, depth, args->h_prev, NULL, gates, args->ldg);
        if (full && !fused) finish(args, &(finished){ p.column, LANES, unit, layout->hidden_size - unit });
        if (!full || p.tail)
            finish(args, &(finished){ tail_unit * WLI_PANEL_VECTORS, layout->tail, tail_unit, layout->tail });
        n += p.count;
    }
}

/* G [rows, columns] (or the input's projection) + h_prev [rows, depth] W_hh^T -> c [rows, padded_hidden], h [rows][H]. */
static void step(const wli_step_args *args) {
    if (!step_in_one_tile(args)) step_by_panels(args);
}

const wli_native WLI_NATIVE_TABLE = { WLI_ISA_NAME, LANES, gemm, step };
