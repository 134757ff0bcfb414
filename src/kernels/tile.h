/* One register tile, included once per TILE_ROWS, TILE_PANELS and TILE_VECTORS (tiles.h): arrays of exactly the tile's
 * size, as some compilers keep larger ones in memory.
 *
 *     acc [TILE_ROWS][TILE_PANELS * TILE_VECTORS] += A [TILE_ROWS, depth] * panel [depth][TILE_VECTORS]
 *
 * Each output is one chain of multiply-adds over k in ascending order, whatever the tile: results do not depend on how rows
 * and panels are grouped. */

#define TILE_WIDTH (TILE_PANELS * TILE_VECTORS)

/* a: TILE_ROWS pointers to [depth]; panel p begins at panels + p * panel_stride. */
WLI_INLINE void TILE_NAME(multiply)(vec acc[TILE_ROWS * TILE_WIDTH], int64_t depth, const real *const *a,
                                    const real *panels, int64_t panel_stride) {
    const real *row[TILE_ROWS];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) row[r] = a[r];
    for (int64_t k = 0; k < depth; k++) {
        vec x[TILE_ROWS];
        UNROLL for (int r = 0; r < TILE_ROWS; r++) x[r] = broadcast(row[r][k]);
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) {
            vec w = load(panels + (v / TILE_VECTORS) * panel_stride + (k * TILE_VECTORS + v % TILE_VECTORS) * LANES);
            UNROLL for (int r = 0; r < TILE_ROWS; r++) acc[r * TILE_WIDTH + v] += x[r] * w;
        }
    }
}

/* C tile [TILE_ROWS, ldc] = (bias or C) + A W^T. */
static void TILE_NAME(gemm)(int64_t depth, const real *const *a, const real *panels, int64_t panel_stride,
                            const real *bias, real *c, int64_t ldc) {
    vec acc[TILE_ROWS * TILE_WIDTH];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) acc[r * TILE_WIDTH + v] =
            load((bias ? bias : c + r * ldc) + v * LANES);
    }
    TILE_NAME(multiply)(acc, depth, a, panels, panel_stride);
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) store(c + r * ldc + v * LANES, acc[r * TILE_WIDTH + v]);
    }
}

#if TILE_VECTORS == 4
/* The fused step: gates G tile + h_prev W_hh^T finished in registers; c [TILE_ROWS, ldc] and h (TILE_ROWS pointers) of `units`
 * units from `unit` on, LANES a panel but for the last. */
static void TILE_NAME(step)(int64_t depth, const real *const *h_prev, const real *panels, int64_t panel_stride,
                            const real *gates, int64_t ldg, real *c, int64_t ldc, void *const *h, int64_t unit,
                            int64_t units) {
    vec acc[TILE_ROWS * TILE_WIDTH];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) acc[r * TILE_WIDTH + v] = load(gates + r * ldg + v * LANES);
    }
    TILE_NAME(multiply)(acc, depth, h_prev, panels, panel_stride);
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int p = 0; p < TILE_PANELS; p++) {
            const vec *gate = &acc[r * TILE_WIDTH + p * TILE_VECTORS];
            finish_units(gate[0], gate[1], gate[2], gate[3], c + r * ldc + unit + p * LANES,
                         (real *)h[r] + unit + p * LANES, units - p * LANES);
        }
    }
}
#endif

#undef TILE_WIDTH
#undef TILE_PANELS
#undef TILE_VECTORS
