/* gemm of every native table this machine runs against a plain loop in double, over many shapes; a row's bits do not depend on the rows
 * beside it, nor on the parts of the sweep, nor on the table where it rounds alike; chains are cut where they are to be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_types.h"
#include "compare.h"
#include "guarded.h"
#include "native_tables.h"
#include "random.h"

typedef struct gemm_case {
    wlstm_dtype dtype;
    const wli_native *native;
    int64_t depth, columns, ldc;
    const void *a[ROWS];
    void *panels, *bias, *start; /* bias [columns] or NULL; start [ROWS, columns] is what C holds before */
} gemm_case;

/* C of `rows` rows from `first` on. */
static guarded run_gemm(const gemm_case *g, int64_t first, int64_t rows) {
    const size_t size = dtype_size(g->dtype);
    guarded c = guarded_make((size_t)((rows - 1) * g->ldc + g->columns) * size);
    for (int64_t r = 0; r < rows && !g->bias; r++)
        memcpy((char *)c.values + (size_t)(r * g->ldc) * size,
               (char *)g->start + (size_t)((first + r) * g->columns) * size, (size_t)g->columns * size);
    wli_gemm_args args = { .rows = rows,
                           .depth = g->depth,
                           .columns = g->columns,
                           .a = g->a + first,
                           .panels = g->panels,
                           .bias = g->bias,
                           .c = c.values,
                           .ldc = g->ldc,
                           .halves = random_between(&stream, 0, 1) };
    wli_panel_range parts[2];
    cut(wli_all_panels(g->columns, g->native->lanes), parts);
    for (int n = 0; n < 2; n++) args.range = parts[n], g->native->gemm(&args);
    check_gaps(g->dtype, c.values, rows, g->columns, g->ldc);
    return c;
}

static void gemm_equals_the_loop(wlstm_dtype dtype, const wli_native *native, int64_t depth, int64_t outputs,
                                 bool with_bias) {
    const int64_t columns = (outputs + native->lanes - 1) / native->lanes * native->lanes;
    const size_t size = dtype_size(dtype);
    gemm_case g = { .dtype = dtype,
                    .native = native,
                    .depth = depth,
                    .columns = columns,
                    .ldc = columns + random_between(&stream, 0, 2) * 8,
                    .start = random_values(dtype, ROWS * columns, 2) };
    void *weight = random_values(dtype, outputs * depth, 0);
    char what[128];
    snprintf(what, sizeof what, "%s %s gemm: depth %d, outputs %d%s", native->isa, dtype == WLSTM_F64 ? "f64" : "f32",
             (int)depth, (int)outputs, with_bias ? ", bias" : "");
    make_rows(dtype, depth, g.a);
    g.panels = pack(dtype, native, weight, outputs, depth, NULL, columns);
    g.bias = with_bias ? random_values(dtype, columns, 2) : NULL;

    guarded all = run_gemm(&g, 0, ROWS);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t j = 0; j < columns; j++) {
            double start = tensor_at(dtype, with_bias ? g.bias : g.start, with_bias ? j : r * columns + j);
            bool real_output = j < outputs;
            bounded_sum expected =
                dot(dtype, start, g.a[r], (char *)weight + (size_t)((real_output ? j : 0) * depth) * size,
                    real_output ? depth : 0);
            double got = tensor_at(dtype, all.values, r * g.ldc + j);
            if (fabs(got - expected.value) <= expected.bound) continue;
            fprintf(stderr, "%s: [%d, %d] is %.17g, expected %.17g\n", what, (int)r, (int)j, got, expected.value);
            fail();
        }
    for (int n = 1; n < NUM_ROW_COUNTS; n++) {
        const int64_t rows = row_counts[n], first = random_between(&stream, 0, ROWS - rows);
        guarded some = run_gemm(&g, first, rows);
        for (int64_t r = 0; r < rows; r++)
            assert_true(tensors_identical(what, dtype, (char *)some.values + (size_t)(r * g.ldc) * size,
                                          (char *)all.values + (size_t)((first + r) * g.ldc) * size, columns));
        guarded_free(&some);
    }
    const wli_native *other;
    for (int index = 0; (other = alike(dtype, native, index)); index++) {
        gemm_case narrow = g;
        narrow.native = other, narrow.panels = pack(dtype, other, weight, outputs, depth, NULL, columns);
        guarded same = run_gemm(&narrow, 0, ROWS);
        for (int64_t r = 0; r < ROWS; r++)
            assert_true(tensors_identical(what, dtype, (char *)same.values + (size_t)(r * g.ldc) * size,
                                          (char *)all.values + (size_t)(r * g.ldc) * size, columns));
        guarded_free(&same);
        free(narrow.panels);
    }
    guarded_free(&all);
    free_rows(g.a);
    free(g.panels), free(g.bias), free(g.start), free(weight);
}

static void gemms(void **state) {
    (void)state;
    static const int64_t depths[] = { 0, 1, 2, 7, 20, 100, 129, 300, 1100 };
    for (int n = 0; n < 2 * num_tables; n++)
        for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++) {
            const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
            const wli_native *native = tables[dtype][n / 2];
            for (int vectors = 1; vectors <= 13; vectors++)
                gemm_equals_the_loop(dtype, native, depths[d],
                                     vectors * native->lanes - random_between(&stream, 0, native->lanes - 1),
                                     vectors % 2 == (int)d % 2);
        }
}

/* Weights that no cache keeps are swept in another way. */
static void large_gemm(void **state) {
    (void)state;
    for (int t = 0; t < num_tables; t++) gemm_equals_the_loop(WLSTM_F32, tables[WLSTM_F32][t], 1100, 2001, t % 2);
}

/* A first product after which one chain can take no 1 any more, and ones: blocks of at most 256 keep all but the first's. */
static void chains_are_summed_apart(wlstm_dtype dtype, const wli_native *native, int64_t rows, int64_t columns,
                                    bool with_bias) {
    enum { DEPTH = 600, CHAIN = 256, FIRST = 200 };
    const size_t size = dtype_size(dtype);
    const double huge = dtype == WLSTM_F64 ? 0x1p53 : 0x1p24;
    void *row = random_values(dtype, DEPTH, 0), *weight = random_values(dtype, columns * DEPTH, 0);
    void *bias = random_values(dtype, columns, 0);
    const void *a[ROWS];
    for (int64_t k = 0; k < DEPTH; k++) wli_put(dtype, row, (size_t)k, k == 0 ? huge : 1);
    for (int64_t k = 0; k < columns * DEPTH; k++) wli_put(dtype, weight, (size_t)k, 1);
    for (int64_t j = 0; j < columns; j++) wli_put(dtype, bias, (size_t)j, 0);
    for (int64_t r = 0; r < rows; r++) a[r] = row;
    void *panels = pack(dtype, native, weight, columns, DEPTH, NULL, columns);
    guarded c = guarded_make((size_t)(rows * columns) * size);
    for (int64_t i = 0; i < rows * columns && !with_bias; i++) wli_put(dtype, c.values, (size_t)i, 8);
    wli_gemm_args args = { .rows = rows,
                           .depth = DEPTH,
                           .columns = columns,
                           .a = a,
                           .panels = panels,
                           .bias = with_bias ? bias : NULL,
                           .c = c.values,
                           .ldc = columns,
                           .chain = CHAIN };
    wli_panel_range parts[2];
    cut(wli_all_panels(columns, native->lanes), parts);
    for (int n = 0; n < 2; n++) args.range = parts[n], native->gemm(&args);
    const double expected = huge + (DEPTH - FIRST) + (with_bias ? 0 : 8);
    for (int64_t i = 0; i < rows * columns; i++) assert_true(tensor_at(dtype, c.values, i) == expected);
    guarded_free(&c);
    free(panels), free(bias), free(weight), free(row);
}

static void chains(void **state) {
    (void)state;
    for (int n = 0; n < 2 * num_tables; n++)
        for (int vectors = 1; vectors <= 13; vectors += 2)
            for (int count = 0; count < NUM_ROW_COUNTS; count++) {
                const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
                const wli_native *native = tables[dtype][n / 2];
                chains_are_summed_apart(dtype, native, row_counts[count], vectors * native->lanes, count % 2);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(gemms), cmocka_unit_test(large_gemm),
                                        cmocka_unit_test(chains) };
    find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
