/* Products of 8-bit integers of every native table this machine runs against the reference's, bit for bit: gemm over
 * many shapes, row counts, parts of the sweep and kinds of rows; step against gemm and a step from zero. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "guarded.h"
#include "native_tables.h"
#include "random.h"
#include "reference/operand.h"

static const wli_native *natives[2 + MAX_TABLES];
static int num_natives;

static void find_s8_tables(void) {
    find_tables();
    num_natives = find_wide_tables_of(WLI_PRODUCT_S8, natives);
    num_natives += find_tables_of(WLI_PRODUCT_S8, natives + num_natives);
}

/* What rows and weights hold. Ties: halves of the scale, which is 1; largest: all of one magnitude. */
typedef enum row_kind { RANDOM, TIES, LARGEST, KINDS } row_kind;

static void fill(row_kind kind, float *values, int64_t depth) {
    stream = random_bits(stream, 0);
    random_fill(WLSTM_F32, values, depth, stream, (int)random_between(&stream, -30, 30));
    for (int64_t k = 0; k < depth && kind == TIES; k++) values[k] = (float)random_between(&stream, -254, 254) / 2;
    if (kind == TIES && depth > 0) values[random_between(&stream, 0, depth - 1)] = 127;
    for (int64_t k = 0; k < depth && kind == LARGEST; k++) values[k] = random_flag(&stream) ? 3 : -3;
}

/* A row by the reference's rules. */
typedef struct integers {
    wli_int8_scale scale;
    int32_t *q; /* [depth] */
} integers;

static integers integers_of(const float *row, int64_t depth) {
    integers its = { wli_int8_scale_of(row, depth), malloc((size_t)(depth + 1) * sizeof(int32_t)) };
    if (!its.q) abort();
    for (int64_t k = 0; k < depth; k++) its.q[k] = wli_int8_round(row[k], its.scale);
    return its;
}

static float expected_of(const integers *a, const integers *w, int64_t depth, float g) {
    for (int64_t from = 0; from < depth; from += WLI_INT8_BLOCK) {
        const int64_t end = depth - from < WLI_INT8_BLOCK ? depth : from + WLI_INT8_BLOCK;
        int32_t sum = 0;
        for (int64_t k = from; k < end; k++) sum += a->q[k] * w->q[k];
        g = fmaf((float)sum, a->scale.scale * w->scale.scale, g);
    }
    return g;
}

typedef struct gemm_case {
    const wli_native *native;
    int64_t depth, outputs, columns, ldc;
    float *weight, *a[ROWS];     /* [outputs, depth]; [depth] each */
    guarded operands;            /* of a, in no more than they may take */
    void *panels, *bias, *start; /* bias [columns] or NULL; start [ROWS, columns] is what C holds before */
    float *expected;             /* [rows, outputs] of those to be checked */
} gemm_case;

static void *pack_weight(const wli_native *native, const void *weight, int64_t rows, int64_t depth,
                         const wli_gate_layout *layout, int64_t columns) {
    void *panels = malloc((size_t)(columns * wli_packed_depth(native, depth)) * sizeof(float) + WLI_PANELS_PADDING);
    if (!panels) abort();
    native->pack(&(wli_pack_args){ weight, rows, depth, layout, columns, .panels = panels },
                 wli_all_panels(columns, native->lanes));
    return panels;
}

/* Bytes from a row's operands to the next one's. */
static size_t operand_stride(int64_t depth) {
    return (size_t)(depth + 15) / 16 * 64;
}

/* a: [rows] pointers to [depth] */
static guarded operands_of(const wli_native *native, const float *const *a, int64_t rows, int64_t depth) {
    guarded operands = guarded_make((size_t)rows * operand_stride(depth));
    for (int64_t r = 0; r < rows; r++)
        native->operands(a[r], depth, (char *)operands.values + (size_t)r * operand_stride(depth));
    return operands;
}

/* After what weight and a hold is made or changed; the first `rows` are to be checked. */
static void prepare(gemm_case *g, int rows) {
    g->panels = pack_weight(g->native, g->weight, g->outputs, g->depth, NULL, g->columns);
    integers of_a[ROWS];
    g->expected = malloc((size_t)(rows * g->outputs) * sizeof(float));
    if (!g->expected) abort();
    for (int r = 0; r < rows; r++) of_a[r] = integers_of(g->a[r], g->depth);
    for (int64_t j = 0; j < g->outputs; j++) {
        const integers of_weight = integers_of(g->weight + j * g->depth, g->depth);
        for (int64_t r = 0; r < rows; r++) {
            const float start = g->bias ? ((float *)g->bias)[j] : ((float *)g->start)[r * g->columns + j];
            g->expected[r * g->outputs + j] = expected_of(&of_a[r], &of_weight, g->depth, start);
        }
        free(of_weight.q);
    }
    for (int r = 0; r < rows; r++) free(of_a[r].q);
    g->operands = operands_of(g->native, (const float *const *)g->a, ROWS, g->depth);
}

static gemm_case make_gemm(const wli_native *native, int64_t depth, int64_t outputs, bool with_bias) {
    const int64_t columns = (outputs + native->lanes - 1) / native->lanes * native->lanes;
    gemm_case g = { .native = native,
                    .depth = depth,
                    .outputs = outputs,
                    .columns = columns,
                    .ldc = columns + random_between(&stream, 0, 2) * 8,
                    .start = random_values(WLSTM_F32, ROWS * columns, 2),
                    .bias = with_bias ? random_values(WLSTM_F32, columns, 2) : NULL,
                    .weight = random_values(WLSTM_F32, outputs * depth, 0) };
    for (int64_t j = 0; j < outputs; j++)
        fill((row_kind)random_between(&stream, 0, KINDS - 1), g.weight + j * depth, depth);
    for (int r = 0; r < ROWS; r++) {
        g.a[r] = random_values(WLSTM_F32, depth, 0);
        fill((row_kind)random_between(&stream, 0, KINDS - 1), g.a[r], depth);
    }
    return g;
}

static void free_gemm(gemm_case *g) {
    for (int r = 0; r < ROWS; r++) free(g->a[r]);
    guarded_free(&g->operands), free(g->panels), free(g->bias), free(g->start), free(g->weight), free(g->expected);
}

/* C of `rows` rows from `first` on, in two parts, is the reference's. */
static void check_gemm(const gemm_case *g, int64_t first, int64_t rows) {
    guarded c = guarded_make((size_t)((rows - 1) * g->ldc + g->columns) * sizeof(float));
    const void *a[ROWS];
    wli_panel_range parts[2];
    for (int64_t r = 0; r < rows; r++) {
        a[r] = (char *)g->operands.values + (size_t)(first + r) * operand_stride(g->depth);
        if (!g->bias)
            memcpy((float *)c.values + r * g->ldc, (float *)g->start + (first + r) * g->columns,
                   (size_t)g->columns * sizeof(float));
    }
    wli_gemm_args args = { .rows = rows,
                           .depth = g->depth,
                           .columns = g->columns,
                           .a = a,
                           .panels = g->panels,
                           .bias = g->bias,
                           .c = c.values,
                           .ldc = g->ldc,
                           .halves = random_flag(&stream) };
    cut(wli_all_panels(g->columns, g->native->lanes), parts);
    for (int n = 0; n < 2; n++) args.range = parts[n], g->native->gemm(&args);
    check_gaps(WLSTM_F32, c.values, rows, g->columns, g->ldc);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < g->outputs; j++) {
            const float expected = g->expected[(first + r) * g->outputs + j];
            const float got = ((float *)c.values)[r * g->ldc + j];
            if (got == expected || (isnan(got) && isnan(expected))) continue;
            fprintf(stderr, "%s: depth %d, outputs %d, rows %d: [%d, %d] is %.9g, expected %.9g\n", g->native->isa,
                    (int)g->depth, (int)g->outputs, (int)rows, (int)r, (int)j, (double)got, (double)expected);
            fail();
        }
    guarded_free(&c);
}

static void gemms_equal_the_reference(void **state) {
    (void)state;
    static const int64_t depths[] = { 0, 1, 2, 3, 4, 5, 7, 16, 20, 63, 64, 65, 100, 129, 255, 300, 1100 };
    for (int n = 0; n < num_natives; n++)
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++)
            for (int vectors = 1; vectors <= 13; vectors += depths[d] > 100 ? 4 : 1) {
                const int lanes = natives[n]->lanes;
                gemm_case g = make_gemm(natives[n], depths[d], vectors * lanes - random_between(&stream, 0, lanes - 1),
                                        vectors % 2 == (int)d % 2);
                prepare(&g, ROWS);
                for (int count = 0; count < NUM_ROW_COUNTS; count++)
                    check_gemm(&g, random_between(&stream, 0, ROWS - row_counts[count]), row_counts[count]);
                free_gemm(&g);
            }
}

/* Weights that no L2 keeps, and rows of several of AMX's tiles. */
static void large_gemms_equal_the_reference(void **state) {
    (void)state;
    static const int64_t rows[] = { ROWS, 50, 17 };
    for (int n = 0; n < num_natives; n++) {
        gemm_case g = make_gemm(natives[n], 3300, 500, n % 2);
        prepare(&g, ROWS);
        for (int k = 0; k < 3; k++) check_gemm(&g, ROWS - rows[k], rows[k]);
        free_gemm(&g);
    }
}

/* Rows and weights that have no integers, and those whose scales are at the ends of float's. */
static void extremes_equal_the_reference(void **state) {
    (void)state;
    const float values[] = {
        NAN,       -NAN,  INFINITY, -INFINITY,        3.4e38f,           -3e38f,   0x1p-126f, 0x1p-149f,
        0x1p-120f, -0.0f, 1e-30f,   0x1.fffffep-121f, -0x1.fffffep-121f, 0x1p-119f
    };
    for (int n = 0; n < num_natives; n++)
        for (int64_t depth = 1; depth < 200; depth += random_between(&stream, 1, 25)) {
            gemm_case g = make_gemm(natives[n], depth, 40, depth % 2);
            for (int r = 0; r < ROWS; r++) {
                float *const row = r < 40 && r % 2 ? g.weight + r * depth : g.a[r];
                const float value = values[random_between(&stream, 0, sizeof values / sizeof values[0] - 1)];
                for (int64_t k = 0; k < depth && r % 8 < 4; k++) row[k] = 0; /* nothing but that value */
                row[random_between(&stream, 0, depth - 1)] = value;
            }
            prepare(&g, ROWS);
            check_gemm(&g, 0, ROWS);
            check_gemm(&g, random_between(&stream, 0, ROWS - 7), 7);
            free_gemm(&g);
        }
}

/* More products than an int32 holds, at their largest. */
static void long_rows_equal_the_reference(void **state) {
    (void)state;
    for (int n = 0; n < num_natives; n++)
        for (int blocks = 1; blocks <= 2; blocks++) {
            const int64_t depth = blocks * WLI_INT8_BLOCK + random_between(&stream, blocks == 1 ? 0 : 1, 70);
            gemm_case g = make_gemm(natives[n], depth, 5 * natives[n]->lanes - 1, blocks % 2);
            for (int64_t k = 0; k < 2 * depth; k++) g.weight[k] = 5, g.a[k / depth][k % depth] = k < depth ? 7 : -7;
            prepare(&g, 9);
            check_gemm(&g, 0, 1), check_gemm(&g, 0, 9);
            free_gemm(&g);
        }
}

/* h and c of a step are those of its product added onto G, and of a step from zero after it. */
static void one_step(const wli_native *native, int64_t H, int64_t depth, int64_t rows) {
    const wli_gate_layout layout = wli_gate_layout_make(H, native->lanes);
    const int64_t ldg = wli_gate_stride(layout.columns, sizeof(float)), ldc = layout.padded_hidden;
    float *weight = random_values(WLSTM_F32, 4 * H * depth, random_weight_exponent(depth));
    float *g = random_values(WLSTM_F32, rows * ldg, 1), *c = random_values(WLSTM_F32, rows * ldc, 1);
    void *panels = pack_weight(native, weight, 4 * H, depth, &layout, layout.columns);
    guarded gates[2], cells[2], h[2][ROWS];
    const void *h_prev[ROWS];
    const float *values[ROWS];
    float *of_rows = random_values(WLSTM_F32, rows * depth, 1);
    for (int64_t r = 0; r < rows; r++) values[r] = of_rows + r * depth;
    guarded operands = operands_of(native, values, rows, depth);
    for (int64_t r = 0; r < rows; r++) h_prev[r] = (char *)operands.values + (size_t)r * operand_stride(depth);
    for (int way = 0; way < 2; way++) {
        void *h_rows[ROWS];
        wli_panel_range parts[2];
        const wli_panel_range all = wli_all_panels(layout.columns, native->lanes);
        gates[way] = guarded_make((size_t)(rows * ldg + native->lanes) * sizeof(float));
        cells[way] = guarded_make((size_t)(rows * ldc) * sizeof(float));
        memcpy(gates[way].values, g, (size_t)(rows * ldg) * sizeof(float));
        memcpy(cells[way].values, c, (size_t)(rows * ldc) * sizeof(float));
        for (int64_t r = 0; r < rows; r++) {
            h[way][r] = guarded_make((size_t)H * sizeof(float));
            h_rows[r] = h[way][r].values;
        }
        if (way == 1)
            native->gemm(&(wli_gemm_args){ .rows = rows,
                                           .depth = depth,
                                           .columns = layout.columns,
                                           .a = h_prev,
                                           .panels = panels,
                                           .c = gates[way].values,
                                           .ldc = ldg,
                                           .range = all });
        wli_step_args args = { .layout = &layout,
                               .rows = rows,
                               .depth = depth,
                               .h_prev = way == 0 ? h_prev : NULL,
                               .panels = panels,
                               .gates = gates[way].values,
                               .ldg = ldg,
                               .c = cells[way].values,
                               .ldc = ldc,
                               .h = h_rows,
                               .steps = 1,
                               .backwards = random_flag(&stream),
                               .halves = random_flag(&stream) };
        cut(all, parts);
        for (int n = 0; n < 2; n++) {
            args.range = parts[n];
            assert_int_equal(native->step(&args), 1);
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        assert_true(tensors_identical("h", WLSTM_F32, h[0][r].values, h[1][r].values, H));
        assert_true(tensors_identical("c", WLSTM_F32, (float *)cells[0].values + r * ldc,
                                      (float *)cells[1].values + r * ldc, H));
        guarded_free(&h[0][r]), guarded_free(&h[1][r]);
    }
    for (int way = 0; way < 2; way++) guarded_free(&gates[way]), guarded_free(&cells[way]);
    guarded_free(&operands), free(of_rows), free(weight), free(g), free(c), free(panels);
}

static void steps_equal_gemms(void **state) {
    (void)state;
    for (int n = 0; n < num_natives; n++)
        for (int H = 1; H <= 70; H += (int)random_between(&stream, 1, 5))
            one_step(natives[n], H, random_flag(&stream) ? H : random_between(&stream, 1, 300),
                     random_between(&stream, 1, 20));
    for (int n = 0; n < num_natives; n++) one_step(natives[n], 200, 2100, random_between(&stream, 33, ROWS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemms_equal_the_reference),
        cmocka_unit_test(large_gemms_equal_the_reference),
        cmocka_unit_test(extremes_equal_the_reference),
        cmocka_unit_test(long_rows_equal_the_reference),
        cmocka_unit_test(steps_equal_gemms),
    };
    find_s8_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
