/* Several steps at once of every native table this machine runs: the bits of the single ones, with the input projected before and brought
 * along. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "native_step.h"
#include "random.h"

enum { STEPS = 5 };

/* What a run of steps keeps: h of all steps [STEPS][rows, H], c, and G, which it may replace. */
typedef struct steps_outcome {
    guarded gates, h, c;
} steps_outcome;

static void *h_row(const steps_outcome *o, int64_t step, int64_t r, int64_t rows, size_t row_bytes) {
    return (char *)o->h.values + (size_t)(step * rows + r) * row_bytes;
}

/* STEPS steps of `rows` rows, as many at once as `at_once` and the kernel allow, from either end; x NULL: gates hold their projection.
 * Returns in how many calls. */
static int run_steps(const step_case *s, int64_t rows, const wli_gemm_args *x, const void *gates, int64_t at_once,
                     steps_outcome *o) {
    const size_t size = dtype_size(s->dtype), h_bytes = (size_t)s->layout.hidden_size * size,
                 gates_bytes = (size_t)((STEPS * rows) * s->ldg + s->layout.lanes) * size;
    const void *h_prev[ROWS];
    void *h[ROWS];
    o->gates = guarded_make(gates_bytes), o->h = guarded_make((size_t)(STEPS * rows) * h_bytes);
    o->c = guarded_make((size_t)(rows * s->ldc) * size);
    memcpy(o->gates.values, gates, gates_bytes);
    for (int64_t r = 0; r < rows; r++)
        memset((char *)o->c.values + (size_t)(r * s->ldc) * size, 0, (size_t)s->layout.padded_hidden * size);
    int calls = 0;
    for (int64_t step = 0, done; step < STEPS; step += done, calls++) {
        wli_gemm_args input = x ? *x : (wli_gemm_args){ 0 };
        if (x) input.a += step * rows;
        for (int64_t r = 0; r < rows; r++) {
            h[r] = h_row(o, step, r, rows, h_bytes);
            h_prev[r] = step > 0 ? h_row(o, step - 1, r, rows, h_bytes) : NULL;
        }
        const wli_step_args args = { .input = x ? &input : NULL,
                                     .layout = &s->layout,
                                     .rows = rows,
                                     .depth = s->depth,
                                     .h_prev = step > 0 ? h_prev : NULL,
                                     .panels = s->panels,
                                     .gates = (char *)o->gates.values + (x ? 0 : (size_t)(step * rows * s->ldg) * size),
                                     .ldg = s->ldg,
                                     .c = o->c.values,
                                     .ldc = s->ldc,
                                     .h = h,
                                     .steps = at_once < STEPS - step ? at_once : STEPS - step,
                                     .h_step = (int64_t)h_bytes * rows,
                                     .range = wli_all_panels(s->layout.columns, s->layout.lanes),
                                     .backwards = random_flag(&stream) };
        done = s->native->step(&args);
        assert_in_range(done, 1, args.steps);
    }
    check_gaps(s->dtype, o->c.values, rows, s->layout.padded_hidden, s->ldc);
    return calls;
}

static void free_steps(steps_outcome *o) {
    guarded_free(&o->gates), guarded_free(&o->h), guarded_free(&o->c);
}

/* The same bits one by one and at once, with the input projected before and brought along; in one call where they are few tiles. */
static void steps_at_once_equal_single_ones(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t rows) {
    const size_t size = dtype_size(dtype);
    const int64_t I = random_between(&stream, 1, 40);
    step_case s = { .dtype = dtype, .native = native, .layout = wli_gate_layout_make(H, native->lanes), .depth = H };
    s.ldg = wli_gate_stride(s.layout.columns, size), s.ldc = wli_gate_stride(s.layout.padded_hidden, size);
    void *hh = random_values(dtype, 4 * H * H, random_weight_exponent(H)), *ih = random_values(dtype, 4 * H * I, -2);
    void *bias = random_values(dtype, s.layout.columns, 1), *x = random_values(dtype, STEPS * rows * I, 1);
    s.panels = pack(dtype, native, hh, 4 * H, H, &s.layout, s.layout.columns);
    const void *x_rows[STEPS * ROWS];
    for (int64_t r = 0; r < STEPS * rows; r++) x_rows[r] = (char *)x + (size_t)(r * I) * size;
    void *projected = calloc((size_t)(STEPS * rows * s.ldg + s.layout.lanes), size);
    assert_non_null(projected);
    const wli_gemm_args input = { .rows = STEPS * rows,
                                  .depth = I,
                                  .columns = s.layout.columns,
                                  .a = x_rows,
                                  .panels = pack(dtype, native, ih, 4 * H, I, &s.layout, s.layout.columns),
                                  .bias = bias,
                                  .c = projected,
                                  .ldc = s.ldg,
                                  .range = wli_all_panels(s.layout.columns, native->lanes) };
    native->gemm(&input);
    char what[128];
    snprintf(what, sizeof what, "%s %s steps: hidden_size %d, rows %d", native->isa, dtype == WLSTM_F64 ? "f64" : "f32",
             (int)H, (int)rows);
    steps_outcome single, several;
    run_steps(&s, rows, NULL, projected, 1, &single);
    for (int brought = 0; brought < 2; brought++)
        for (int64_t at_once = 2; at_once <= STEPS; at_once++) {
            const int calls = run_steps(&s, rows, brought ? &input : NULL, projected, at_once, &several);
            if (native->few_tiles(&s.layout, rows)) assert_int_equal(calls, (STEPS + at_once - 1) / at_once);
            assert_true(tensors_identical(what, dtype, several.h.values, single.h.values, STEPS * rows * H));
            for (int64_t r = 0; r < rows; r++)
                assert_true(tensors_identical(what, dtype, (char *)several.c.values + (size_t)(r * s.ldc) * size,
                                              (char *)single.c.values + (size_t)(r * s.ldc) * size, H));
            free_steps(&several);
        }
    free_steps(&single);
    free(hh), free(ih), free(bias), free(x), free(projected), free(s.panels), free((void *)(uintptr_t)input.panels);
}

static void steps_at_once(void **state) {
    (void)state;
    static const int64_t many[] = { 47, 48, 49, ROWS };
    for (int n = 0; n < 2 * num_tables; n++) {
        const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
        const wli_native *native = tables[dtype][n / 2];
        int64_t most = 0;
        for (int64_t H = 1; H <= 49; H++)
            for (int64_t rows = 1; rows <= 9; rows++) steps_at_once_equal_single_ones(dtype, native, H, rows);
        for (int64_t H = 1; H <= native->lanes / 2; H++)
            for (size_t k = 0; k < sizeof many / sizeof many[0]; k++) {
                const wli_gate_layout layout = wli_gate_layout_make(H, native->lanes);
                const int64_t tiles = native->few_tiles(&layout, many[k]);
                most = tiles > most ? tiles : most;
                steps_at_once_equal_single_ones(dtype, native, H, many[k]);
            }
        assert_int_equal(most, 8); /* few_tiles.h's limit is reached */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(steps_at_once) };
    find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
