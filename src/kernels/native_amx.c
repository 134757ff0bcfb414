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

/* The registers of sums += A W^T over so many groups. */
WLI_INLINE void multiply_groups(const int vectors, int64_t groups, const packed *weights, const char *a,
                                int64_t a_stride) {
    const int64_t weights_stride = vectors * WLI_VECTOR_BYTES;
    for (; groups >= TILE_GROUPS; groups -= TILE_GROUPS) {
        _tile_loadd(OPERANDS_WHOLE, a, a_stride);
        EACH_VECTOR(vectors, MULTIPLY_WHOLE)
        a += TILE_GROUPS * sizeof(operand), weights += TILE_GROUPS * vectors * LANES;
    }
    if (groups > 0) {
        _tile_loadd(OPERANDS_LEFT, a, a_stride);
        EACH_VECTOR(vectors, MULTIPLY_LEFT)
    }
}

/* Rows of a tile on their way. */
typedef struct tile_sums {
    _Alignas(64) real rows[TILE_ROWS][WLI_PANEL_VECTORS * LANES];
} tile_sums;

/* Where rows of G are; bytes from one to the next. */
typedef struct gate_rows {
    real *first;
    int64_t stride;
} gate_rows;

WLI_INLINE real *row_at(const gate_rows *g, int64_t row) {
    return (real *)((char *)g->first + row * g->stride);
}

WLI_INLINE gate_rows rows_of(tile_sums *sums) {
    return (gate_rows){ sums->rows[0], sizeof sums->rows[0] };
}

/* to [rows][vectors][LANES] = from + A W^T, where sums are of G's kind. */
WLI_INLINE void multiply_onto(const int vectors, const panel *p, const char *a, int64_t a_stride, const gate_rows *g,
                              const gate_rows *result) {
    const real *from = g->first;
    real *to = result->first;
    const int64_t from_stride = g->stride, to_stride = result->stride;
    EACH_VECTOR(vectors, LOAD_SUMS)
    multiply_groups(vectors, p->groups, p->weights, a, a_stride);
    EACH_VECTOR(vectors, STORE_SUMS)
}

/* The same, where G is what sums_to makes of them, a block at a time. */
WLI_INLINE void multiply_and_add(const int vectors, const panel *p, const char *a, int64_t a_stride, int64_t rows,
                                 const gate_rows *g, const gate_rows *result) {
    const packed *weights = p->weights;
    tile_sums sums;
    real *to = sums.rows[0];
    const int64_t to_stride = sizeof sums.rows[0];
    for (int64_t r = 0; r < rows && p->groups == 0; r++)
        memmove(row_at(result, r), row_at(g, r), (size_t)vectors * WLI_VECTOR_BYTES);
    for (int64_t left = p->groups, block; left > 0; left -= block, g = result) {
        block = left < BLOCK ? left : BLOCK;
        EACH_VECTOR(vectors, NO_SUMS)
        multiply_groups(vectors, block, weights, a, a_stride);
        EACH_VECTOR(vectors, STORE_SUMS)
        __asm__ volatile("" : : : "memory"); /* what is read has been stored */
        a += block * (int64_t)sizeof(operand), weights += block * vectors * LANES;
        for (int64_t r = 0; r < rows; r++) UNROLL for (int v = 0; v < vectors; v++) {
                const vec_sums own = (vec_sums)load(sums.rows[r] + v * LANES);
                store(row_at(result, r) + v * LANES, sums_to(load(row_at(g, r) + v * LANES), own, weights + v * LANES,
                                                             vectors * LANES, (const operand *)(a + r * a_stride)));
            }
        a += OPERAND_TAIL * sizeof(operand), weights += WEIGHT_TAIL * vectors * LANES;
    }
}

/* to = from + A W^T for a tile of rows. */
WLI_INLINE void multiply_vectors(const int vectors, const panel *p, const char *a, int64_t a_stride, int64_t rows,
                                 const gate_rows *from, const gate_rows *to) {
    __asm__ volatile("" : : : "memory"); /* what is loaded has been written */
    if (WEIGHT_TAIL == 0)
        multiply_onto(vectors, p, a, a_stride, from, to);
    else
        multiply_and_add(vectors, p, a, a_stride, rows, from, to);
}

static void multiply(const panel *p, const tiled_rows *a, int64_t first, gate_rows from, gate_rows to) {
    const char *rows = a->first + first * a->stride;
    if (p->vectors == 4)
        multiply_vectors(4, p, rows, a->stride, a->height, &from, &to);
    else if (p->vectors == 3)
        multiply_vectors(3, p, rows, a->stride, a->height, &from, &to);
    else if (p->vectors == 2)
        multiply_vectors(2, p, rows, a->stride, a->height, &from, &to);
    else
        multiply_vectors(1, p, rows, a->stride, a->height, &from, &to);
}

/* C [rows, ldc] = (bias or C) + A W^T for one panel, whose first column C and bias begin with. */
static void gemm_panel(const panel *p, const tiled_rows *a, const real *bias, real *c, int64_t ldc) {
    const int64_t c_stride = ldc * (int64_t)sizeof(real);
    tile_sums sums;
    for (int64_t row = 0; row < a->rows; row += a->height) {
        const int64_t first = row + a->height <= a->rows ? row : a->rows - a->height;
        const gate_rows to = { c + first * ldc, c_stride };
        if (bias || first == row) {
            multiply(p, a, first, bias ? (gate_rows){ (real *)(uintptr_t)bias, 0 } : to, to);
            continue;
        }
        multiply(p, a, first, to, rows_of(&sums));
        for (int64_t r = row - first; r < a->height; r++)
            memcpy(row_at(&to, r), sums.rows[r], (size_t)p->vectors * WLI_VECTOR_BYTES);
    }
}

static void gemm(const wli_gemm_args *args) {
    const tiled_rows a = tile_the_rows(args->a, args->rows);
    shape_tiles(a.height, groups_of(args->depth));
    for (int64_t index = args->range.first; index < args->range.end; index++) {
        const panel p = panel_at(args->panels, args->depth, args->columns, index);
        const int64_t column = index * WLI_PANEL_VECTORS * LANES;
        gemm_panel(&p, &a, args->bias ? (const real *)args->bias + column : NULL, (real *)args->c + column, args->ldc);
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
static void step_panel(const wli_step_args *args, const panel *p, const tiled_rows *h_prev, int64_t index) {
    real *gates = (real *)args->gates + index * WLI_PANEL_VECTORS * LANES;
    tile_sums sums;
    if (p->vectors < WLI_PANEL_VECTORS) memset(&sums, 0, sizeof sums); /* a vector behind a tail is read */
    for (int64_t row = 0, end; row < args->rows; row = end) {
        end = row + h_prev->height < args->rows ? row + h_prev->height : args->rows;
        const int64_t first = end - h_prev->height;
        multiply(p, h_prev, first, (gate_rows){ gates + first * args->ldg, args->ldg * (int64_t)sizeof(real) },
                 rows_of(&sums));
        finish_units(args, p, index, sums.rows[row - first], WLI_PANEL_VECTORS * LANES, row, end);
    }
}

/* G [rows, columns] + h_prev [rows, depth] W_hh^T -> c [rows, padded_hidden], h [rows][H]. */
static void step_once(const wli_step_args *args, const tiled_rows *h_prev) {
    for (int64_t n = 0; n < args->range.end - args->range.first; n++) {
        const int64_t index = args->backwards ? args->range.end - 1 - n : args->range.first + n;
        const panel p = panel_at(args->panels, args->depth, args->layout->columns, index);
        if (h_prev)
            step_panel(args, &p, h_prev, index);
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
