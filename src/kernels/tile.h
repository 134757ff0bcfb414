/* One register tile, included once per TILE_ROWS, TILE_PANELS, TILE_VECTORS and TILE_TAIL (tiles.h): arrays have exactly the
 * tile's size, as some compilers keep larger ones in memory, and sizes that come by inlining cost spills.
 *
 *     sums [TILE_ROWS][TILE_PANELS * TILE_VECTORS + TILE_TAIL] += A [TILE_ROWS, depth] * [panel | tail] [depth]
 *
 * Depth is in the product's groups of k. Each output is one chain of multiply-adds over k in ascending order, whatever the tile:
 * results do not depend on how rows and panels are grouped. */

#define TILE_FULL (TILE_PANELS * TILE_VECTORS)
#define TILE_WIDTH (TILE_FULL + TILE_TAIL)
/* Two panels, and one row's weights, are read at the pace of the loads, which prefetches would share. */
#define TILE_FETCHES (TILE_PANELS == 1 && (TILE_ROWS > 1 || TILE_VECTORS < 4))

/* Vector v of the tile's weights of group k, `weights` being the panel's. */
WLI_INLINE const packed *TILE_NAME(weights)(const tile_pass *pass, const packed *weights, int64_t k, int v) {
    return v < TILE_FULL ? weights + v / TILE_VECTORS * pass->panel_stride + v % TILE_VECTORS * LANES
                         : pass->tail + (k * TILE_TAIL + v - TILE_FULL) * LANES;
}

/* a: TILE_ROWS pointers to [pass->depth]; `fetch` is a constant once inlined. */
WLI_INLINE void TILE_NAME(multiply_pass)(const fetching fetch, const tile_pass *pass, const operand *const *a,
                                         vec_sums sums[TILE_ROWS * TILE_WIDTH]) {
    const operand *row[TILE_ROWS];
    const packed *weights = pass->weights;
    const char *next = pass->next;
    const int64_t depth = pass->depth, weights_step = pass->weights_step;
    const int64_t next_step = pass->next_step, next_stream = pass->next_stream;
    UNROLL for (int r = 0; r < TILE_ROWS; r++) row[r] = a[r];
    for (int64_t k = 0; k < depth; k++) {
        if (TILE_FETCHES) {
            const int bytes = TILE_VECTORS * WLI_VECTOR_BYTES;
            const char *own = fetch == FETCH_ONE_STREAM ? next : (const char *)weights + NEAR_AHEAD;
            const bool own_too = fetch != FETCH_INTO_L2 || WLI_VECTOR_BYTES < 64;
            UNROLL for (int line = 0; own_too && line < bytes; line += 64) __builtin_prefetch(own + line);
            UNROLL for (int line = 0; fetch == FETCH_INTO_L1 && line < bytes / 2; line += 64) {
                __builtin_prefetch(next + line);
                __builtin_prefetch(next + next_stream + line);
            }
            UNROLL for (int line = 0; fetch == FETCH_INTO_L2 && line < bytes / 2; line += 64) {
                __builtin_prefetch(next + line, 0, 2);
                __builtin_prefetch(next + next_stream + line, 0, 2);
            }
            next += next_step;
        }
        /* The shorter side of the tile is held in registers, the longer one streams. */
        UNROLL for (int part = 0; part < PARTS; part++) {
#if TILE_WIDTH < TILE_ROWS
            vec w[TILE_WIDTH];
            UNROLL for (int v = 0; v < TILE_WIDTH; v++) w[v] = held(weight_lanes(weights + v * LANES, part));
            UNROLL for (int r = 0; r < TILE_ROWS; r++) {
                const vec x = operand_lanes(row[r] + k, part);
                UNROLL for (int v = 0; v < TILE_WIDTH; v++) sums[r * TILE_WIDTH + v] =
                    multiply_add(sums[r * TILE_WIDTH + v], x, w[v]);
            }
#else
            vec x[TILE_ROWS];
            UNROLL for (int r = 0; r < TILE_ROWS; r++) x[r] = operand_lanes(row[r] + k, part);
            UNROLL for (int v = 0; v < TILE_WIDTH; v++) {
                const packed *const own = TILE_NAME(weights)(pass, weights, k, v);
                const vec w = TILE_ROWS > 1 ? held(weight_lanes(own, part)) : weight_lanes(own, part);
                UNROLL for (int r = 0; r < TILE_ROWS; r++) sums[r * TILE_WIDTH + v] =
                    multiply_add(sums[r * TILE_WIDTH + v], x[r], w);
            }
#endif
        }
        weights += weights_step;
    }
}

/* The i-th of G with its sums. */
WLI_INLINE vec TILE_NAME(ended)(const tile_pass *pass, const operand *const *a, int i, vec g, vec_sums sums) {
    const int64_t depth = pass->depth, step = pass->weights_step;
    const int v = i % TILE_WIDTH;
    return sums_to(g, sums, TILE_NAME(weights)(pass, pass->weights + depth * step, depth, v),
                   v < TILE_FULL ? step : TILE_TAIL * LANES, a[i / TILE_WIDTH] + depth);
}

/* G [TILE_ROWS][TILE_WIDTH], in registers, += A W^T. */
WLI_INLINE void TILE_NAME(multiply)(const tile_pass *pass, const operand *const *a, vec g[TILE_ROWS * TILE_WIDTH]) {
    vec_sums sums[TILE_ROWS * TILE_WIDTH];
    if (WEIGHT_TAIL > 0 && pass->depth == 0) return; /* there is no block, and no tail */
    UNROLL for (int i = 0; i < TILE_ROWS * TILE_WIDTH; i++) sums[i] = sums_from(g[i]);
    if (TILE_FETCHES && pass->fetch == FETCH_INTO_L2)
        TILE_NAME(multiply_pass)(FETCH_INTO_L2, pass, a, sums);
    else if (TILE_FETCHES && pass->fetch == FETCH_INTO_L1)
        TILE_NAME(multiply_pass)(FETCH_INTO_L1, pass, a, sums);
    else
        TILE_NAME(multiply_pass)(FETCH_ONE_STREAM, pass, a, sums);
    UNROLL for (int i = 0; i < TILE_ROWS * TILE_WIDTH; i++) g[i] = TILE_NAME(ended)(pass, a, i, g[i], sums[i]);
}

/* C tile [TILE_ROWS, ldc] = (bias or C) + A W^T. */
static void TILE_NAME(gemm)(const tile_pass *pass, const operand *const *a, const real *bias, real *c, int64_t ldc) {
    vec g[TILE_ROWS * TILE_WIDTH];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) g[r * TILE_WIDTH + v] =
            load((bias ? bias : c + r * ldc) + v * LANES);
    }
    TILE_NAME(multiply)(pass, a, g);
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) store(c + r * ldc + v * LANES, g[r * TILE_WIDTH + v]);
    }
}

/* The fused step: gates, from G or where the part has a bias from bias + x W_ih^T, + h_prev W_hh^T, finished in registers. x, h_prev
 * and h are pointers to the tile's rows, gates and c all of the step's. The gates of a tail, with a panel or without one, go to G. */
static void TILE_NAME(step)(const step_part *part, const operand *const *x, const operand *const *h_prev, real *gates,
                            real *c, void *const *h) {
    const real *bias = part->bias;
    const int64_t ldg = part->ldg;
    gates += part->gates_at;
    vec g[TILE_ROWS * TILE_WIDTH];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) g[r * TILE_WIDTH + v] =
            load((bias ? bias : gates + r * ldg) + v * LANES);
    }
    if (bias) TILE_NAME(multiply)(&part->input, x, g);
    TILE_NAME(multiply)(&part->pass, h_prev, g);
#if TILE_VECTORS < 4
    (void)c, (void)h;
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_WIDTH; v++) store(gates + r * ldg + v * LANES, g[r * TILE_WIDTH + v]);
    }
#else
    const int64_t ldc = part->ldc, unit = part->unit, units = part->units;
    c += part->c_at;
    vec full[TILE_ROWS * TILE_FULL], cell[TILE_ROWS * TILE_PANELS], hidden[TILE_ROWS * TILE_PANELS];
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        UNROLL for (int v = 0; v < TILE_FULL; v++) full[r * TILE_FULL + v] = g[r * TILE_WIDTH + v];
        UNROLL for (int v = TILE_FULL; v < TILE_WIDTH; v++) store(gates + r * ldg + v * LANES, g[r * TILE_WIDTH + v]);
    }
    UNROLL for (int i = 0; i < TILE_ROWS * TILE_PANELS; i++) cell[i] =
        load(c + i / TILE_PANELS * ldc + unit + i % TILE_PANELS * LANES);
    cell_update(TILE_ROWS * TILE_PANELS, full, cell, hidden);
    UNROLL for (int i = 0; i < TILE_ROWS * TILE_PANELS; i++) {
        const int64_t r = i / TILE_PANELS, panel_unit = i % TILE_PANELS * LANES;
        store(c + r * ldc + unit + panel_unit, cell[i]);
        store_up_to((real *)h[r] + unit + panel_unit, hidden[i], units - panel_unit);
    }
#endif
}

#undef TILE_FETCHES
#undef TILE_WIDTH
#undef TILE_FULL
#undef TILE_PANELS
#undef TILE_VECTORS
#undef TILE_TAIL
