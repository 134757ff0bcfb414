#include "native_step.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "random.h"

static void set(wlstm_dtype dtype, void *values, int64_t index, double value) {
    if (dtype == WLSTM_F64)
        ((double *)values)[index] = value;
    else
        ((float *)values)[index] = (float)value;
}

step_case make_step_case(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t depth, bool with_h_prev) {
    const size_t size = dtype_size(dtype);
    step_case s = { .dtype = dtype,
                    .native = native,
                    .layout = wli_gate_layout_make(H, native->lanes),
                    .depth = depth,
                    .with_h_prev = with_h_prev,
                    .weight = random_values(dtype, 4 * H * depth, random_weight_exponent(depth)),
                    .gates = random_values(dtype, ROWS * 4 * H, 3),
                    .c = random_values(dtype, ROWS * H, 2) };
    s.ldg = random_flag(&stream) ? s.layout.columns : wli_gate_stride(s.layout.columns, size);
    s.ldc = random_flag(&stream) ? s.layout.padded_hidden : wli_gate_stride(s.layout.padded_hidden, size);
    make_rows(dtype, depth, s.h_prev);
    s.panels = pack(dtype, native, s.weight, 4 * H, depth, &s.layout, s.layout.columns);
    return s;
}

void free_step_case(step_case *s) {
    free_rows(s->h_prev);
    free(s->weight), free(s->panels), free(s->gates), free(s->c);
}

void start_step(const step_case *s, int64_t first, int64_t rows, step_outcome *o) {
    const size_t size = dtype_size(s->dtype);
    const int64_t H = s->layout.hidden_size;
    o->gates = guarded_make((size_t)(rows * s->ldg + s->layout.lanes) * size);
    o->c = guarded_make((size_t)(rows * s->ldc) * size);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t column = 0; column < s->layout.columns; column++) {
            int64_t row = wli_gate_layout_row(&s->layout, column);
            if (row >= 0)
                set(s->dtype, o->gates.values, r * s->ldg + column,
                    tensor_at(s->dtype, s->gates, (first + r) * 4 * H + row));
        }
        memcpy((char *)o->c.values + (size_t)(r * s->ldc) * size, (char *)s->c + (size_t)((first + r) * H) * size,
               (size_t)H * size);
        o->h[r] = guarded_make((size_t)H * size);
    }
}

void run_step(const step_case *s, int64_t first, int64_t rows, bool backwards, step_outcome *o) {
    void *h[ROWS];
    start_step(s, first, rows, o);
    for (int64_t r = 0; r < rows; r++) h[r] = o->h[r].values;
    wli_step_args args = { .layout = &s->layout,
                           .rows = rows,
                           .depth = s->depth,
                           .h_prev = s->with_h_prev ? s->h_prev + first : NULL,
                           .panels = s->panels,
                           .gates = o->gates.values,
                           .ldg = s->ldg,
                           .c = o->c.values,
                           .ldc = s->ldc,
                           .h = h,
                           .steps = 1,
                           .backwards = backwards,
                           .halves = random_between(&stream, 0, 1) };
    wli_panel_range parts[2];
    cut(wli_all_panels(s->layout.columns, s->layout.lanes), parts);
    for (int n = 0; n < 2; n++) args.range = parts[n], s->native->step(&args);
    check_gaps(s->dtype, o->gates.values, rows, s->layout.columns, s->ldg);
    check_gaps(s->dtype, o->c.values, rows, s->layout.padded_hidden, s->ldc);
}

void free_step(step_outcome *o, int64_t rows) {
    guarded_free(&o->gates), guarded_free(&o->c);
    for (int64_t r = 0; r < rows; r++) guarded_free(&o->h[r]);
}

void check_identical(const char *what, wlstm_dtype dtype, int64_t H, int64_t rows, const step_outcome *a, int64_t a_ldc,
                     const step_outcome *b, int64_t b_ldc, int64_t first) {
    const size_t size = dtype_size(dtype);
    for (int64_t r = 0; r < rows; r++) {
        assert_true(tensors_identical(what, dtype, (char *)a->c.values + (size_t)(r * a_ldc) * size,
                                      (char *)b->c.values + (size_t)((first + r) * b_ldc) * size, H));
        assert_true(tensors_identical(what, dtype, a->h[r].values, b->h[first + r].values, H));
    }
}
