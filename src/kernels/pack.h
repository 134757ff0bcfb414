/* Weights and biases in the order in which the kernels read them (layout.h), a panel at a time. */
#ifndef WLI_PACK_H
#define WLI_PACK_H

#include "kernels/product.h"
#include "kernels/transpose.h"

#include "kernels/native.h"

enum { STRIP = WLI_PANEL_VECTORS * LANES, LINE = 64 / sizeof(real) };

/* The columns of a panel. */
typedef struct strip {
    int64_t row[STRIP];        /* of the weight, of each column; -1: padding */
    const real *weight[STRIP]; /* that row; NULL */
    int64_t columns, depth, length;
    packed *to; /* [groups of k, tails: length][columns] */
} strip;

static strip strip_at(const wli_pack_args *args, int64_t first) {
    const int64_t left = args->columns - first;
    strip s = { .columns = left < STRIP ? left : STRIP, .depth = args->depth };
    s.length = weights_in(groups_of(s.depth));
    wli_gate_layout layout = { 0 };
    if (args->layout) layout = *args->layout, layout.lanes = LANES; /* known when compiled: no divisions */
    for (int64_t j = 0; j < s.columns; j++) {
        const int64_t column = first + j;
        s.row[j] = args->layout ? wli_gate_layout_row(&layout, column) : column < args->rows ? column : -1;
        s.weight[j] = s.row[j] < 0 ? NULL : (const real *)args->weight + s.row[j] * args->depth;
    }
    s.to = (packed *)args->panels + first * s.length;
    return s;
}

static bool all_finite(const real *value, int64_t count) {
    for (int64_t k = 0; k < count; k++)
        if (!stays_finite(value[k])) return false;
    return true;
}

#ifdef PACKS_LANES
_Static_assert(WEIGHT_TAIL == 0, "all of a packed column are groups of its own");

/* How far ahead lines are fetched: of rows, which are too many for a core's own prefetchers, and of what is written.
 * Each goes along with the work on its like, as many at once would wait for each other. */
enum { ROW_LINES = 8, LINES_OF_GROUPS = 4 };

/* LANES columns from `column` on of LANES groups from `group` on. `found`: as not_finite. */
WLI_INLINE vec_int pack_square(const strip *s, int64_t column, int64_t group, vec_int found) {
    packed *to = s->to + group * s->columns + column;
    vec square[LANES];
    UNROLL for (int i = 0; i < LANES; i++) {
        const real *from = s->weight[column + i] ? s->weight[column + i] + group * GROUP : NULL;
        square[i] = from ? packed_lanes(from) : (vec){ 0 };
        found |= not_finite(square[i]);
        if (from && group % LINE == 0)
            UNROLL for (int n = 0; n < GROUP; n++) __builtin_prefetch(from + (ROW_LINES * GROUP + n) * LINE);
    }
    transpose(square);
    UNROLL for (int i = 0; i < LANES; i++) {
        if (column % LINE == 0) __builtin_prefetch(to + (i + LINES_OF_GROUPS * LINE) * s->columns, 1);
        store((real *)(to + i * s->columns), square[i]);
    }
    return found;
}

/* Whole lines of groups, transposed in registers, and whether they were finite; returns how many groups. */
static int64_t pack_lines(const strip *s, bool *finite) {
    const int64_t groups = s->depth / GROUP / LINE * LINE;
    vec_int found = { 0 };
    for (int64_t group = 0; group < groups; group += LINE)
        for (int64_t column = 0; column < s->columns; column += LANES)
            for (int64_t g = group; g < group + LINE; g += LANES) found = pack_square(s, column, g, found);
    UNROLL for (int i = 0; i < LANES; i++) *finite &= found[i] == 0;
    return groups;
}
#endif

/* The groups that are left, a column at a time: its row is read in order. */
static bool pack_rest(const strip *s, int64_t group) {
    const int64_t from = group * GROUP;
    packed *to = s->to + group * s->columns;
    bool finite = true;
    for (int64_t j = 0; j < s->columns && group < s->length; j++) {
        if (s->weight[j]) {
            finite &= all_finite(s->weight[j] + from, s->depth - from);
            pack_column(s->weight[j] + from, s->depth - from, to + j, s->columns);
        } else
            for (int64_t g = 0; g < s->length - group; g++) to[g * s->columns + j] = (packed){ 0 };
    }
    return finite;
}

static bool pack_strip(const strip *s) {
    int64_t group = 0;
    bool finite = true;
#ifdef PACKS_LANES
    group = pack_lines(s, &finite);
#endif
    return pack_rest(s, group) && finite;
}

static void pack_biases(const wli_pack_args *args, const strip *s, int64_t first) {
    const real *ih = args->bias_ih, *hh = args->bias_hh;
    real *bias = args->bias;
    for (int64_t j = 0; j < s->columns && bias; j++)
        bias[first + j] = s->row[j] < 0 || !ih ? 0 : ih[s->row[j]] + hh[s->row[j]];
}

/* weight [rows, depth] -> panels [panel][groups of k, tails][columns of the panel], bias [columns]: the range's. */
static bool pack(const wli_pack_args *args, wli_panel_range range) {
    bool finite = true;
    for (int64_t n = range.first; n < range.end; n++) {
        const strip s = strip_at(args, n * STRIP);
        finite &= pack_strip(&s);
        pack_biases(args, &s, n * STRIP);
    }
    return finite;
}

#endif
