/* The register tiles that there are: their sizes, what one pass of a tile reads, and the tables of them by size. */
#ifndef WLI_TILE_TABLES_H
#define WLI_TILE_TABLES_H

#include "kernels/activations.h"

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

/* The most rows of a tile that takes a full panel and a tail of one, two or three vectors at once: alone, a tail's chains are so few
 * that a multiply-add's latency shows. */
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

/* The most rows that take two panels at once, with a tail of at most one vector and of more. */
#if MAX_ROWS == 6
#define PAIRED_1 3
#define PAIRED_3 2
#else
#define PAIRED_1 1
#define PAIRED_3 1
#endif
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
#define PAIR(name, width) name##_1_2_##width
#if MAX_ROWS == 6
#define PAIR_OF_TWO(name, width) PAIR(name, width), name##_2_2_##width
#define PAIR_OF_THREE(name, width) PAIR_OF_TWO(name, width), name##_3_2_##width
#else
#define PAIR_OF_TWO PAIR
#define PAIR_OF_THREE PAIR
#endif
#define PAIRED(name)                                                                                                   \
    { PAIR_OF_THREE(name, 4_0) }, { PAIR_OF_THREE(name, 4_1) }, { PAIR_OF_TWO(name, 4_2) }, {                          \
        PAIR_OF_TWO(name, 4_3)                                                                                         \
    }

typedef void (*gemm_tile)(const tile_pass *pass, const operand *const *a, const real *bias, real *c, int64_t ldc);
typedef void (*step_tile)(const tile_pass *input, const operand *const *x, const real *bias, const tile_pass *pass,
                          const operand *const *h_prev, real *gates, int64_t ldg, real *c, int64_t ldc, void *const *h,
                          int64_t unit, int64_t units);

/* By the tail taken along, then by rows; narrower panels have none. */
static const gemm_tile gemm_tiles[WLI_PANEL_VECTORS][MAX_ROWS] = { TAILED(gemm) };
static const gemm_tile gemm_pairs[WLI_PANEL_VECTORS][PAIRED_1] = { PAIRED(gemm) };
static const gemm_tile gemm_narrow[WLI_PANEL_VECTORS - 1][TAIL_ROWS] = { { UP_TO_TAIL(gemm, 1_0) },
                                                                         { UP_TO_TAIL(gemm, 2_0) },
                                                                         { UP_TO_MAX(gemm, 3_0) } };
static const step_tile step_narrow[WLI_PANEL_VECTORS - 1][TAIL_ROWS] = { { UP_TO_TAIL(step, 1_0) },
                                                                         { UP_TO_TAIL(step, 2_0) },
                                                                         { UP_TO_MAX(step, 3_0) } };
static const step_tile step_tiles[WLI_PANEL_VECTORS][MAX_ROWS] = { TAILED(step) };
static const step_tile step_pairs[WLI_PANEL_VECTORS][PAIRED_1] = { PAIRED(step) };

#endif
