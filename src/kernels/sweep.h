/* The way over a packed weight: panel by panel, each in blocks of depth, each block by the passes of the row tiles, and what every
 * pass fetches ahead. */
#ifndef WLI_SWEEP_H
#define WLI_SWEEP_H

#include "kernels/tile_tables.h"

#include "kernels/native.h"
#include <stdbool.h>

/* Rows that take a full panel two vectors at a time. With few registers those that are no multiple of MAX_ROWS, as one or two rows
 * alone have too few sums to hide latencies, and all where weights are taken apart, as that then serves more rows; with many, where
 * `halves` says so, those that would be two low tiles, each of which reads all of the panel, where the halves read it once together. */
WLI_INLINE bool takes_halves(int64_t rows, bool halves) {
    if (rows <= MAX_ROWS) return false;
    if (MAX_ROWS == 6) return halves && rows <= TAIL_ROWS;
    return PARTS > 1 || (rows < 24 && rows % MAX_ROWS != 0);
}

/* Rows that take a tail along with the last full panel: any number, in tiles low enough for it. Not where only a lone row is, as every row
 * would read the weights again, nor where the panel is taken in halves. */
WLI_INLINE bool takes_tail(int vectors, int64_t rows, bool halves) {
    return vectors > 0 && (rows <= tailed_rows[vectors] || (tailed_rows[vectors] > 1 && !takes_halves(rows, halves)));
}

/* A panel's part that the row tiles pass over: it stays in the L2, whose bandwidth feeds a tile of MAX_ROWS, and is deep enough
 * that the sums' way from and to G is seldom and the prefetched streams are long. */
enum { L2_BYTES = WLI_VECTOR_BYTES < 64 ? 64 << 10 : 128 << 10 };
enum { DEPTH_BLOCK = L2_BYTES / (WLI_PANEL_VECTORS * WLI_VECTOR_BYTES) };

/* A panel's part that stays in the L1 from one pass to the next. */
enum { L1_BLOCK = (32 << 10) / (WLI_PANEL_VECTORS * WLI_VECTOR_BYTES) };

/* Weights of more bytes come from memory at every step: no more than this is sure to stay in a cache. */
enum { CACHED_BYTES = 8 << 20 };

/* More than a core's share of an L3 has: a core with vectors of 64 bytes draws them from memory faster when a lone pass reads them in
 * one go, ahead of which its own prefetchers run, than in blocks that the pass before fetched. From an L3 it does not. */
enum { MEMORY_BYTES = 48 << 20 };

/* Rows of the next tile when `rows` are left: tiles of nearly equal height, as a lone last row has too few sums. */
WLI_INLINE int64_t tile_rows(int64_t rows, int64_t most) {
    if (rows <= most) return rows;
    if (rows >= 2 * most) return most;
    return (rows + 1) / 2;
}

/* A packed weight [columns, depth]: a group of k of one panel is contiguous, so that a panel begins as many times as far on as its
 * column as a column has elements. */
typedef struct weight {
    const packed *panels; /* [weights_in(depth)][vectors of the panel][LANES] of each panel, one behind the other */
    int64_t depth;        /* in groups of k */
    bool cached;          /* all of it may still be in a cache since the last step */
    bool by_pace;         /* a lone pass over it looks after its own */
} weight;

WLI_INLINE weight weight_of(const void *panels, int64_t depth, int64_t columns) {
    const int64_t groups = groups_of(depth), bytes = columns * weights_in(groups) * (int64_t)sizeof(packed);
    const bool cached = bytes <= CACHED_BYTES, in_one_go = WLI_VECTOR_BYTES == 64 && bytes > MEMORY_BYTES;
    return (weight){ panels, groups, cached, cached || in_one_go };
}

/* A way over the columns of G: the panels of a range, from the first or from the last, for so many rows. */
typedef struct sweep {
    int64_t columns, rows;
    wli_panel_range range;
    bool backwards, halves;
} sweep;

/* Where a sweep stands: a panel of `vectors` vectors, or with `pair` two full ones, and the tail's vectors that are taken along. */
typedef struct panel {
    int64_t column, next_column, tail_column, next_width; /* what comes after, what is taken along */
    int64_t most_rows;                                    /* of a tile */
    int64_t tiles, passes;                                /* of the rows; over a block, which take it halved or whole */
    int vectors, tile_vectors;                            /* some row counts take a full panel two vectors at a time */
    int tail, count;                                      /* vectors of the tail taken along; panels in all */
    bool pair;
} panel;

/* The panel before which n are done: which one, what it is taken with, what follows it, how rows are cut into tiles. */
WLI_INLINE panel panel_at(const sweep s, int64_t n) {
    const int64_t width = WLI_PANEL_VECTORS * LANES, full = s.columns / width;
    int64_t index = s.backwards ? s.range.end - 1 - n : s.range.first + n;
    const int tail_vectors = (int)((s.columns - full * width) / LANES);
    const bool may_tail = takes_tail(tail_vectors, s.rows, s.halves) && s.range.first < full && s.range.end > full;
    const bool from_tail = s.backwards && may_tail && index == full;
    index -= from_tail;
    const bool pair =
        s.rows <= paired_rows[tail_vectors] &&
        (s.backwards ? index > s.range.first && index < full : index + 1 < full && index + 1 < s.range.end);
    const bool tailed = from_tail || (!s.backwards && may_tail && index + 1 + pair == full);
    if (s.backwards) index -= pair;
    const int64_t left = (s.columns - index * width) / LANES, next = s.backwards ? index - 1 : index + 1 + pair;
    const int64_t following = next < s.range.first || next >= s.range.end ? index : next;
    const int vectors = left < WLI_PANEL_VECTORS ? (int)left : WLI_PANEL_VECTORS;
    const bool halved = vectors == WLI_PANEL_VECTORS && takes_halves(s.rows, s.halves);
    const bool low = halved || vectors <= 2; /* divisions are by constants: small cells would feel any other */
    const int64_t tail_most = tailed_rows[tail_vectors];
    int64_t most_rows = MAX_ROWS, tiles;
    if (low)
        most_rows = TAIL_ROWS, tiles = (s.rows + TAIL_ROWS - 1) / TAIL_ROWS;
    else if (tailed)
        most_rows = tail_most, tiles = (s.rows + tail_most - 1) / tail_most;
    else
        tiles = (s.rows + MAX_ROWS - 1) / MAX_ROWS;
    return (panel){ .column = index * width,
                    .next_column = following * width,
                    .tail_column = full * width,
                    .next_width = following * width + width <= s.columns ? width : s.columns - following * width,
                    .most_rows = most_rows,
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
    if (BLOCK > 1) return w->depth - from > BLOCK ? from + BLOCK : w->depth;
    if (p->pair || (w->by_pace && p->passes == 1) || blocks <= 1) return w->depth;
    const int64_t block = (w->depth + blocks - 1) / blocks;
    return w->depth - from > block ? from + block : w->depth;
}

/* The pass of the index-th tile over [from, to) of depth, from vector `first` on. Each of the passes that read a block fetches its
 * share of the next one, at a pace that memory can keep; a lone pass over cached weights, or over very many, looks after its own. */
WLI_INLINE void pass_over(tile_pass *pass, const panel *p, const weight *w, int64_t from, int64_t to, int first,
                          int64_t index) {
    const int64_t width = p->vectors * LANES, depth = to - from, length = weights_in(w->depth);
    const packed *panel_weights = w->panels + p->column * length, *weights = panel_weights + weights_in(from) * width;
    const bool lone = w->by_pace && p->passes == 1;
    const bool last_block = to == w->depth, streamed = !w->cached || depth > L1_BLOCK;
    const int64_t step = (last_block ? p->next_width : width) * (int64_t)sizeof(packed) / p->passes;
    const packed *next = last_block ? w->panels + p->next_column * length : panel_weights + weights_in(to) * width;
    *pass = (tile_pass){ .depth = depth,
                         .weights = weights + first * LANES,
                         .tail = w->panels + p->tail_column * length + weights_in(from) * p->tail * LANES,
                         .next = lone ? (const char *)(weights + first * LANES) + (w->cached ? LONE_AHEAD : NEAR_AHEAD)
                                      : (const char *)next + (first ? p->tiles + index : index) * step * depth,
                         .weights_step = width,
                         .panel_stride = length * width,
                         .next_step = lone       ? width * (int64_t)sizeof(packed)
                                      : streamed ? step / 2
                                                 : step,
                         .next_stream = step / 2 * depth,
                         .fetch = lone || !streamed        ? FETCH_ONE_STREAM
                                  : p->passes > FEW_PASSES ? FETCH_INTO_L1
                                                           : FETCH_INTO_L2 };
}

#endif
