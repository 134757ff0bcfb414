/* The cell of units whose gates went through G: tails, and panels that were not finished in registers. */
#ifndef WLI_FINISH_H
#define WLI_FINISH_H

#include "kernels/activations.h"

#include "kernels/native.h"

/* Units whose gates are complete in G [rows, ldg]: i, f, g, o of `units` units begin at `column`, gate_distance apart; lanes past
 * them are not used. c [rows, ldc] and h (rows pointers) get theirs from `unit` on. */
typedef struct finished {
    int64_t rows;
    const real *gates;
    int64_t ldg;
    real *c;
    int64_t ldc;
    void *const *h;
    int64_t column, gate_distance, unit, units;
} finished;

WLI_INLINE const real *g_of(const finished *part, int64_t r) {
    return part->gates + r * part->ldg + part->column;
}

WLI_INLINE real *c_of(const finished *part, int64_t r) {
    return part->c + r * part->ldc + part->unit;
}

/* Rows whose cells hide each other's latencies. */
enum { TOGETHER = 3 };

WLI_INLINE void finish_rows(const finished *part, int64_t r, int count) {
    vec gates[4 * TOGETHER], c[TOGETHER], h[TOGETHER];
    UNROLL for (int n = 0; n < count; n++) {
        const real *row = g_of(part, r + n);
        UNROLL for (int gate = 0; gate < 4; gate++) gates[4 * n + gate] = load(row + gate * part->gate_distance);
        c[n] = load(c_of(part, r + n));
    }
    cell_update(count, gates, c, h);
    UNROLL for (int n = 0; n < count; n++) {
        store(c_of(part, r + n), c[n]);
        store_up_to((real *)part->h[r + n] + part->unit, h[n], part->units);
    }
}

/* A gate of a tail's units at the beginning of a vector, G loaded in vectors as they were stored. */
WLI_INLINE vec tail_gate(const real *row, int64_t tail, int gate) {
    const int64_t first = gate * tail, vector = first / LANES * LANES;
    const vec own = load(row + vector);
    return window(own, vector + LANES < 4 * tail ? load(row + vector + LANES) : own, first - vector);
}

/* The units of `count` rows, so few that they fit one vector: each row's lie behind those of the row before. */
static void finish_in_one(const finished *part, int64_t r, int64_t count) {
    const int64_t units = part->units;
    vec gates[4] = { { 0 } }, c = { 0 }, h;
    for (int64_t n = count - 1; n >= 0; n--) {
        const real *row = g_of(part, r + n);
        UNROLL for (int gate = 0; gate < 4; gate++) gates[gate] =
            joined(tail_gate(row, units, gate), gates[gate], units);
        c = joined(load(c_of(part, r + n)), c, units);
    }
    cell_update(1, gates, &c, &h);
    for (int64_t n = 0; n < count; n++) {
        store(c_of(part, r + n), window(c, c, n * units));
        store_some((real *)part->h[r + n] + part->unit, window(h, h, n * units), units);
    }
}

static void finish(const finished *part) {
    const int64_t together = part->rows > 1 && part->units * 2 <= LANES ? LANES / part->units : 1;
    int64_t r = 0;
    for (; together > 1 && r < part->rows; r += together)
        finish_in_one(part, r, part->rows - r < together ? part->rows - r : together);
    for (; r + TOGETHER <= part->rows; r += TOGETHER) finish_rows(part, r, TOGETHER);
    for (; r < part->rows; r++) finish_rows(part, r, 1);
}

#endif
