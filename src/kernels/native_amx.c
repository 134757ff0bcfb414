/* The gate GEMM and the fused LSTM step by AMX, for products whose operands are not the rows of A themselves and whose
 * headers give MULTIPLY_TILES, which adds two registers' products to a third. Packed
 * weights lie as its tile registers take them: a vector of columns, so many groups of k, is the other matrix, and up to
 * sixteen rows of operands are the first. A row's sums do not depend on the rows beside it. */
#include "kernels/native.h"

#include "kernels/finish.h"
#include "kernels/pack.h"

/* A tile register: so many rows, or groups of k; LANES columns. */
enum { TILE_ROWS = 16, TILE_GROUPS = 16 };

/* The registers: sums of each vector of a panel, then operands and a vector's weights, of a whole block of groups and
 * of what is left of them. Their numbers are words of the instructions. */
#define OPERANDS_WHOLE 4
#define WEIGHTS_WHOLE 5
#define OPERANDS_LEFT 6
#define WEIGHTS_LEFT 7

/* What tile registers hold, as the instruction reads it. */
typedef struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

static void shape(tile_shapes *shapes, int tile, int64_t rows, int64_t groups) {
    shapes->rows[tile] = (uint8_t)(groups ? rows : 0);
    shapes->row_bytes[tile] = (uint16_t)(rows ? groups * (int64_t)sizeof(packed) : 0);
}

static void shape_tiles(int64_t rows, int64_t groups) {
    _Static_assert(WEIGHT_TAIL == 0 || BLOCK % TILE_GROUPS == 0, "what is left is the last block's");
    const int64_t left = groups % TILE_GROUPS;
    tile_shapes shapes = { .palette = 1 };
    for (int v = 0; v < WLI_PANEL_VECTORS; v++) shape(&shapes, v, rows, LANES);
    shape(&shapes, OPERANDS_WHOLE, rows, TILE_GROUPS), shape(&shapes, WEIGHTS_WHOLE, TILE_GROUPS, LANES);
    shape(&shapes, OPERANDS_LEFT, rows, left), shape(&shapes, WEIGHTS_LEFT, left, LANES);
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}

/* Rows of a step or a GEMM, equally far apart, in tiles of equal height: the last begins so early that it is whole. */
typedef struct tiled_rows {
    const char *first;
    int64_t stride; /* bytes */
    int64_t rows, height;
} tiled_rows;

static tiled_rows tile_the_rows(const void *const *a, int64_t rows) {
    const int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return (tiled_rows){ a[0], rows > 1 ? (const char *)a[1] - (const char *)a[0] : 0, rows,
                         (rows + tiles - 1) / tiles };
}

/* A panel's weights [groups][vectors][LANES]. */
typedef struct panel {
    const packed *weights;
    int64_t groups;
    int vectors;
} panel;

static panel panel_at(const void *panels, int64_t depth, int64_t columns, int64_t index) {
    const int64_t first = index * WLI_PANEL_VECTORS * LANES, left = (columns - first) / LANES,
                  groups = groups_of(depth);
    return (panel){ (const packed *)panels + first * weights_in(groups), groups,
                    left < WLI_PANEL_VECTORS ? (int)left : WLI_PANEL_VECTORS };
}

/* For each vector of a panel: its number is one of its register. */
#define EACH_VECTOR(vectors, DO)                                                                                       \
    DO(0)                                                                                                              \
    if (vectors > 1) {                                                                                                 \
        DO(1)                                                                                                          \
    }                                                                                                                  \
    if (vectors > 2) {                                                                                                 \
        DO(2)                                                                                                          \
    }                                                                                                                  \
    if (vectors > 3) {                                                                                                 \
        DO(3)                                                                                                          \
    }

#define LOAD_SUMS(v) _tile_loadd(v, from + v * LANES, from_stride);
#define STORE_SUMS(v) _tile_stored(v, to + v * LANES, to_stride);
#define NO_SUMS(v) _tile_zero(v);
#define MULTIPLY_WHOLE(v)                                                                                              \
    _tile_loadd(WEIGHTS_WHOLE, weights + v * LANES, weights_stride);                                                   \
    MULTIPLY_TILES(v, OPERANDS_WHOLE, WEIGHTS_WHOLE);
#define MULTIPLY_LEFT(v)                                                                                               \
    _tile_loadd(WEIGHTS_LEFT, weights + v * LANES, weights_stride);                                                    \
    MULTIPLY_TILES(v, OPERANDS_LEFT, WEIGHTS_LEFT);

/* The registers of sums += A W^T over so many groups; fetches as many lines of `next` a block of groups on the way. */
WLI_INLINE void multiply_groups(const int vectors, int64_t groups, const packed *weights, const char *a,
                                int64_t a_stride, const char *next, int lines) {
    const int64_t weights_stride = vectors * WLI_VECTOR_BYTES;
    for (; groups >= TILE_GROUPS; groups -= TILE_GROUPS) {
        _tile_loadd(OPERANDS_WHOLE, a, a_stride);
        EACH_VECTOR(vectors, MULTIPLY_WHOLE)
        a += TILE_GROUPS * sizeof(operand), weights += TILE_GROUPS * vectors * LANES;
        for (int line = 0; line < lines; line++, next += 64) __builtin_prefetch(next, 0, 2);
    }
    if (groups > 0) {
        _tile_loadd(OPERANDS_LEFT, a, a_stride);
        EACH_VECTOR(vectors, MULTIPLY_LEFT)
    }
}

/* Tiles that pass together over a panel, a part of its depth at a time, so that its weights and their sums stay in the
 * L1 from one to the next. */
enum { TILES_TOGETHER = 4, PART_GROUPS = 64 };

/* Weights of fewer bytes stay in the L2, where a tile alone passes over all of the depth. */
enum { NEAR_BYTES = 3 << 19 };

static bool is_far(int64_t depth, int64_t columns) {
    return groups_of(depth) * columns * (int64_t)sizeof(packed) > NEAR_BYTES;
}

/* Their sums on their way. */
typedef struct tile_sums {
    _Alignas(64) real rows[TILES_TOGETHER][TILE_ROWS][WLI_PANEL_VECTORS * LANES];
} tile_sums;

/* Where rows of G are; bytes from one to the next. */
typedef struct gate_rows {
    real *first;
    int64_t stride;
} gate_rows;

WLI_INLINE real *row_at(const gate_rows *g, int64_t row) {
    return (real *)((char *)g->first + row * g->stride);
}

WLI_INLINE gate_rows rows_of(tile_sums *sums, int tile) {
    return (gate_rows){ sums->rows[tile][0], sizeof sums->rows[tile][0] };
}

/* Rows up to `end` of a panel's product, in `count` tiles: tile n takes rows of A from first[n] on, of which the tile
 * before has had the first skipped[n]. */
typedef struct band {
    const panel *p;
    const tiled_rows *a;
    int64_t end, first[TILES_TOGETHER], skipped[TILES_TOGETHER];
    int count;
    const char *next; /* weights that come after the panel's, NULL where the cores' own prefetchers follow */
} band;

/* From `row` on. `next` is NULL where a tile is to be alone. */
WLI_INLINE void band_at(const panel *p, const tiled_rows *a, int64_t row, const panel *next, band *b) {
    const int most = next ? TILES_TOGETHER : 1;
    const bool begins = row == 0;
    int count = 0;
    do {
        const int64_t first = row + a->height <= a->rows ? row : a->rows - a->height;
        b->first[count] = first, b->skipped[count] = row - first;
        row = first + a->height;
    } while (++count < most && row < a->rows);
    b->p = p, b->a = a, b->end = row, b->count = count;
    b->next = count > 1 && begins ? (const char *)next->weights : NULL;
}

/* A tile's sums, onto `from` or from zero where it is NULL, over a part of the depth, to `to`. */
WLI_INLINE void multiply_part(const int vectors, const gate_rows *g, const gate_rows *result, int64_t groups,
                              const packed *weights, const char *a, int64_t a_stride, const char *next, int lines) {
    const real *from = g ? g->first : NULL;
    real *to = result->first;
    const int64_t from_stride = g ? g->stride : 0, to_stride = result->stride;
    if (g) {
        EACH_VECTOR(vectors, LOAD_SUMS)
    } else {
        EACH_VECTOR(vectors, NO_SUMS)
    }
    multiply_groups(vectors, groups, weights, a, a_stride, next, lines);
    EACH_VECTOR(vectors, STORE_SUMS)
}

/* Groups [from, end) of a band: sums of the parts follow each other in `sums`, from G and to G where they are of its
 * kind. */
WLI_INLINE void multiply_groups_of_band(const int vectors, const band *b, int64_t from, int64_t end,
                                        const packed *weights, const char *a, const gate_rows *g,
                                        const gate_rows *result, tile_sums *sums) {
    const int64_t length = b->count > 1 ? PART_GROUPS : end - from;
    const int lines = b->next ? TILE_GROUPS * WLI_PANEL_VECTORS / b->count : 0;
    const char *next = b->next ? b->next + from * WLI_PANEL_VECTORS * WLI_VECTOR_BYTES : NULL;
    for (int64_t at = from; at < end; at += length) {
        const int64_t part = end - at < length ? end - at : length;
        for (int n = 0; n < b->count; n++) {
            const gate_rows own = rows_of(sums, n);
            const gate_rows *first = WEIGHT_TAIL == 0 ? &g[n] : NULL, *last = WEIGHT_TAIL == 0 ? &result[n] : &own;
            multiply_part(vectors, at == from ? first : &own, at + part == end ? last : &own, part, weights,
                          a + b->first[n] * b->a->stride, b->a->stride, next, lines);
            if (next) next += part / TILE_GROUPS * lines * 64;
        }
        a += part * (int64_t)sizeof(operand), weights += part * vectors * LANES;
    }
}

/* result = g + what sums_to makes of a tile's sums, for rows [row, end); a_end is where row 0's operands end. */
WLI_INLINE void add_sums(const int vectors, int64_t row, int64_t end, const real *sums, const packed *weights_end,
                         const char *a_end, int64_t a_stride, gate_rows g, gate_rows result) {
    const int64_t width = WLI_PANEL_VECTORS * LANES;
    for (; row < end; row++) {
        const operand *row_end = (const operand *)(a_end + row * a_stride);
        const real *own = sums + row * width, *from = row_at(&g, row);
        real *to = row_at(&result, row);
        UNROLL for (int v = 0; v < vectors; v++) {
            const vec_sums of_row = (vec_sums)load(own + v * LANES);
            store(to + v * LANES,
                  sums_to(load(from + v * LANES), of_row, weights_end + v * LANES, vectors * LANES, row_end));
        }
    }
}

/* result[n] = g[n] + A W^T for each tile of a band; skipped rows get nothing, or rubbish where that is in `sums`. */
WLI_INLINE void multiply_vectors(const int vectors, const band *b, const gate_rows *g, const gate_rows *result,
                                 tile_sums *sums) {
    const packed *weights = b->p->weights;
    const char *a = b->a->first;
    const int64_t groups = b->p->groups;
    __asm__ volatile("" : : : "memory"); /* what is loaded has been written */
    if (WEIGHT_TAIL == 0) {
        multiply_groups_of_band(vectors, b, 0, groups, weights, a, g, result, sums);
        return;
    }
    for (int64_t from = 0, block; from < groups; from += block, g = result) {
        block = groups - from < BLOCK ? groups - from : BLOCK;
        multiply_groups_of_band(vectors, b, from, from + block, weights, a, NULL, NULL, sums);
        a += block * (int64_t)sizeof(operand), weights += block * vectors * LANES;
        __asm__ volatile("" : : : "memory"); /* what is read has been stored */
        for (int n = 0; n < b->count; n++)
            add_sums(vectors, b->skipped[n], b->a->height, sums->rows[n][0], weights, a + b->first[n] * b->a->stride,
                     b->a->stride, g[n], result[n]);
        a += OPERAND_TAIL * sizeof(operand), weights += WEIGHT_TAIL * vectors * LANES;
    }
}

static void multiply(const band *b, const gate_rows *g, const gate_rows *result, tile_sums *sums) {
    if (b->p->vectors == 4)
        multiply_vectors(4, b, g, result, sums);
    else if (b->p->vectors == 3)
        multiply_vectors(3, b, g, result, sums);
    else if (b->p->vectors == 2)
        multiply_vectors(2, b, g, result, sums);
    else
        multiply_vectors(1, b, g, result, sums);
}

/* C [rows, ldc] = (bias or C) + A W^T for one panel, whose first column C and bias begin with. */
static void gemm_panel(const panel *p, const panel *next, const tiled_rows *a, const real *bias, real *c, int64_t ldc) {
    tile_sums sums;
    band b;
    for (int64_t row = 0; row < a->rows; row = b.end) {
        gate_rows from[TILES_TOGETHER], to[TILES_TOGETHER];
        band_at(p, a, row, next, &b);
        for (int n = 0; n < b.count; n++) {
            const gate_rows own = { c + b.first[n] * ldc, ldc * (int64_t)sizeof(real) };
            from[n] = bias ? (gate_rows){ (real *)(uintptr_t)bias, 0 } : own;
            to[n] = WEIGHT_TAIL == 0 && b.skipped[n] > 0 && !bias ? rows_of(&sums, n) : own;
        }
        if (p->groups > 0) multiply(&b, from, to, &sums);
        for (int n = 0; n < b.count; n++) { /* what is not there yet */
            const gate_rows own = { c + b.first[n] * ldc, ldc * (int64_t)sizeof(real) };
            const gate_rows *made = p->groups > 0 ? &to[n] : &from[n];
            for (int64_t r = b.skipped[n]; r < a->height && made->first != own.first; r++)
                memcpy(row_at(&own, r), row_at(made, r), (size_t)p->vectors * WLI_VECTOR_BYTES);
        }
    }
}

static void gemm(const wli_gemm_args *args) {
    const tiled_rows a = tile_the_rows(args->a, args->rows);
    const bool far = is_far(args->depth, args->columns);
    shape_tiles(a.height, groups_of(args->depth));
    for (int64_t index = args->range.first; index < args->range.end; index++) {
        const panel p = panel_at(args->panels, args->depth, args->columns, index);
        const panel next =
            panel_at(args->panels, args->depth, args->columns, index + 1 < args->range.end ? index + 1 : index);
        const int64_t column = index * WLI_PANEL_VECTORS * LANES;
        gemm_panel(&p, far ? &next : NULL, &a, args->bias ? (const real *)args->bias + column : NULL,
                   (real *)args->c + column, args->ldc);
    }
    _tile_release();
}

/* The cell of a panel's units, whose gates are complete, for rows [row, end). */
static void finish_units(const wli_step_args *args, const panel *p, int64_t index, const real *gates, int64_t ldg,
                         int64_t row, int64_t end) {
    const wli_gate_layout *layout = args->layout;
    const int64_t unit = index * LANES;
    finish(&(finished){ .rows = end - row,
                        .gates = gates,
                        .ldg = ldg,
                        .c = (real *)args->c + row * args->ldc,
                        .ldc = args->ldc,
                        .h = args->h + row,
                        .column = 0,
                        .gate_distance = p->vectors == WLI_PANEL_VECTORS ? LANES : layout->tail,
                        .unit = unit,
                        .units = layout->hidden_size - unit });
}

/* G [rows, ldg] + h_prev W_hh^T of one panel's columns, then c and h of its units. */
static void step_panel(const wli_step_args *args, const panel *p, const panel *next, const tiled_rows *h_prev,
                       int64_t index) {
    real *gates = (real *)args->gates + index * WLI_PANEL_VECTORS * LANES;
    tile_sums sums;
    band b;
    for (int64_t row = 0; row < args->rows; row = b.end) {
        gate_rows from[TILES_TOGETHER], to[TILES_TOGETHER];
        band_at(p, h_prev, row, next, &b);
        for (int n = 0; n < b.count; n++) {
            from[n] = (gate_rows){ gates + b.first[n] * args->ldg, args->ldg * (int64_t)sizeof(real) };
            to[n] = p->groups <= BLOCK || WEIGHT_TAIL == 0 ? rows_of(&sums, n) : from[n];
        }
        if (p->vectors < WLI_PANEL_VECTORS) /* a vector behind a tail is read */
            memset(&sums, 0, (size_t)b.count * sizeof sums.rows[0]);
        multiply(&b, from, to, &sums);
        for (int n = 0; n < b.count; n++)
            finish_units(args, p, index, row_at(&to[n], b.skipped[n]), to[n].stride / (int64_t)sizeof(real),
                         b.first[n] + b.skipped[n], b.first[n] + h_prev->height);
    }
}

/* G [rows, columns] + h_prev [rows, depth] W_hh^T -> c [rows, padded_hidden], h [rows][H]. */
static void step_once(const wli_step_args *args, const tiled_rows *h_prev) {
    const bool far = is_far(args->depth, args->layout->columns);
    for (int64_t n = 0; n < args->range.end - args->range.first; n++) {
        const int64_t index = args->backwards ? args->range.end - 1 - n : args->range.first + n;
        const int64_t following = args->backwards ? index - 1 : index + 1;
        const bool more = following >= args->range.first && following < args->range.end;
        const panel p = panel_at(args->panels, args->depth, args->layout->columns, index);
        const panel next = panel_at(args->panels, args->depth, args->layout->columns, more ? following : index);
        if (h_prev)
            step_panel(args, &p, far ? &next : NULL, h_prev, index);
        else
            finish_units(args, &p, index, (const real *)args->gates + index * WLI_PANEL_VECTORS * LANES, args->ldg, 0,
                         args->rows);
    }
}

/* The rows of h as operands in the place of h_prev's, and on to the next step's G and h. */
static void move_on(wli_step_args *args, void **h) {
    for (int64_t r = 0; r < args->rows; r++) {
        make_operands(h[r], args->depth, (void *)(uintptr_t)args->h_prev[r]);
        h[r] = (char *)h[r] + args->h_step;
    }
    args->gates = (real *)args->gates + args->rows * args->ldg;
    args->backwards = !args->backwards;
}

/* To shape the registers takes as long as a step of few units: several steps of one tile share that. */
static int64_t step(const wli_step_args *args) {
    void *h[TILE_ROWS];
    wli_step_args next = *args;
    int64_t done = 1;
    if (!args->h_prev) {
        step_once(args, NULL);
        return 1;
    }
    const tiled_rows h_prev = tile_the_rows(args->h_prev, args->rows);
    shape_tiles(h_prev.height, groups_of(args->depth));
    step_once(args, &h_prev);
    if (args->steps > 1 && args->rows <= TILE_ROWS) {
        memcpy(h, args->h, (size_t)args->rows * sizeof *h);
        for (next.h = h; done < args->steps; done++) {
            move_on(&next, h);
            step_once(&next, &h_prev);
        }
    }
    _tile_release();
    return done;
}

static int64_t few_tiles(const wli_gate_layout *layout, int64_t rows) {
    (void)layout, (void)rows;
    return 0;
}

static bool prepare(const wli_step_args *args, wli_prepared_step *prepared) {
    (void)args, (void)prepared;
    return false;
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
                                      .few_tiles = few_tiles,
                                      .step = step,
                                      .prepare = prepare };
