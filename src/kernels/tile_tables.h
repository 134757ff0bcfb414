/* The register tiles that there are: their sizes, what one pass of a tile reads, and the tables of them by size. */
#ifndef WLI_TILE_TABLES_H
#define WLI_TILE_TABLES_H

#include "kernels/finish.h"

/* Registers allow MAX_ROWS x 4 sums beside the rows' broadcasts and one vector of weights; two vectors or one take TAIL_ROWS, so
 * that the chains of multiply-adds are as many. */
#if defined(MAX_ROWS) /* a test's choice */
#elif defined(__AVX512F__) || defined(__aarch64__)
#define MAX_ROWS 6
#else
#define MAX_ROWS 3
#endif

/* The most rows of a tile that takes a full panel and a tail of one, two or three vectors at once: alone, a tail's chains are so few
 * that a multiply-add's latency shows. And of one that takes two panels at once, with a tail of at most one vector and of more. */
#if MAX_ROWS == 6
#define TAIL_ROWS 8
#define TAILED_1 5
#define TAILED_2 4
#define TAILED_3 3
#define PAIRED_1 3
#define PAIRED_3 2
#else
#define TAIL_ROWS 6
#define TAILED_1 2
#define TAILED_2 2
#define TAILED_3 1
#define PAIRED_1 1
#define PAIRED_3 1
#endif
static const int64_t tailed_rows[WLI_PANEL_VECTORS] = { 0, TAILED_1, TAILED_2, TAILED_3 };
static const int64_t paired_rows[WLI_PANEL_VECTORS] = { PAIRED_1, PAIRED_1, PAIRED_3, PAIRED_3 };

/* How far ahead of its own weights a pass prefetches, in bytes: from the L2, and where nothing else fetches them from further. */
enum { NEAR_AHEAD = 384, LONE_AHEAD = 2112 };
_Static_assert(LONE_AHEAD + 64 * WLI_PANEL_VECTORS <= WLI_PANELS_PADDING, "prefetches stay within the panels' memory");

/* How a pass prefetches what is at its `next`. As two streams, next_stream apart, as a core's prefetcher follows each and one alone
 * does not draw all that memory gives; the pass's own weights are then prefetched as well. Where few passes share the next block it
 * goes into the L2, as so much of it would push out of the L1 what the pass itself needs. A vector of 64 bytes makes the core follow
 * the own weights by itself. */
typedef enum fetching { FETCH_ONE_STREAM, FETCH_INTO_L1, FETCH_INTO_L2 } fetching;
enum { FEW_PASSES = 2 };

/* One pass of a tile over a block of a panel, its depth in groups of k: its vectors of each group at weights, weights_step apart, the second panel of a pair
 * panel_stride further on; those of a tail taken along at tail, densely. */
typedef struct tile_pass {
    int64_t depth;
    const packed *weights, *tail;
    const char *next;
    int64_t weights_step, panel_stride;
    int64_t next_step, next_stream; /* bytes that `next` moves on with k; from it to the second stream */
    fetching fetch;
} tile_pass;

/* One tile of a step, all but its rows: those from `row` on, units from `unit` on, where `units` are left. */
typedef struct step_part {
    void (*run)(const struct step_part *part, const operand *const *x, const operand *const *h_prev, real *gates,
                real *c, void *const *h);
    const real *bias; /* of the input; NULL: G holds the projection */
    int64_t row, unit, units;
    int64_t gates_at, ldg, c_at, ldc; /* elements from the step's G and c to the tile's; from row to row */
    tile_pass input, pass;
} step_part;

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

typedef void (*gemm_tile)(const tile_pass *pass, const operand *const *a, const real *bias, real *c, int64_t ldc);
typedef void (*step_tile)(const step_part *part, const operand *const *x, const operand *const *h_prev, real *gates,
                          real *c, void *const *h);

/* TILE(rows, panels, vectors, tail) of all of these, that is of 1 row up to the most. */
#define UP_TO_1(TILE, ...) TILE(1, __VA_ARGS__)
#define UP_TO_2(TILE, ...) UP_TO_1(TILE, __VA_ARGS__) TILE(2, __VA_ARGS__)
#define UP_TO_3(TILE, ...) UP_TO_2(TILE, __VA_ARGS__) TILE(3, __VA_ARGS__)
#define UP_TO_4(TILE, ...) UP_TO_3(TILE, __VA_ARGS__) TILE(4, __VA_ARGS__)
#define UP_TO_5(TILE, ...) UP_TO_4(TILE, __VA_ARGS__) TILE(5, __VA_ARGS__)
#define UP_TO_6(TILE, ...) UP_TO_5(TILE, __VA_ARGS__) TILE(6, __VA_ARGS__)
#define UP_TO_8(TILE, ...) UP_TO_6(TILE, __VA_ARGS__) TILE(7, __VA_ARGS__) TILE(8, __VA_ARGS__)
#define UP_TO(most, ...) UP_TO_EXPANDED(most, __VA_ARGS__)
#define UP_TO_EXPANDED(most, ...) UP_TO_##most(__VA_ARGS__)
#define ALL_TILES(TILE)                                                                                                \
    UP_TO(TAIL_ROWS, TILE, 1, 1, 0)                                                                                    \
    UP_TO(TAIL_ROWS, TILE, 1, 2, 0)                                                                                    \
    UP_TO(MAX_ROWS, TILE, 1, 3, 0)                                                                                     \
    UP_TO(MAX_ROWS, TILE, 1, 4, 0)                                                                                     \
    UP_TO(TAILED_1, TILE, 1, 4, 1)                                                                                     \
    UP_TO(TAILED_2, TILE, 1, 4, 2)                                                                                     \
    UP_TO(TAILED_3, TILE, 1, 4, 3)                                                                                     \
    UP_TO(PAIRED_1, TILE, 2, 4, 0)                                                                                     \
    UP_TO(PAIRED_1, TILE, 2, 4, 1)                                                                                     \
    UP_TO(PAIRED_3, TILE, 2, 4, 2)                                                                                     \
    UP_TO(PAIRED_3, TILE, 2, 4, 3)

/* [a pair of panels][vectors - 1][tail][rows - 1] */
#define GEMM_TILE(rows, panels, vectors, tail)                                                                         \
    [panels == 2][vectors - 1][tail][rows - 1] = gemm_##rows##_##panels##_##vectors##_##tail,
#define STEP_TILE(rows, panels, vectors, tail)                                                                         \
    [panels == 2][vectors - 1][tail][rows - 1] = step_##rows##_##panels##_##vectors##_##tail,
static const gemm_tile gemm_tiles[2][WLI_PANEL_VECTORS][WLI_PANEL_VECTORS][TAIL_ROWS] = { ALL_TILES(GEMM_TILE) };
static const step_tile step_tiles[2][WLI_PANEL_VECTORS][WLI_PANEL_VECTORS][TAIL_ROWS] = { ALL_TILES(STEP_TILE) };

#endif
