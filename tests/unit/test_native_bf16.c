/* Products of bfloat16 against sums of rounded numbers in double, by every table that this machine runs: gemm and step,
 * odd depths, tails of units; a row's bits do not depend on the rows beside it, nor on the direction and the parts of a
 * sweep. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guarded.h"
#include "native_tables.h"
#include "random.h"

static const wli_native *natives[MAX_TABLES];
static int num_natives;

/* Eight bits of mantissa, by another way than the kernels'. */
static double rounded(float value) {
    int exponent;
    const double mantissa = frexp((double)value, &exponent);
    if (isnan(value) || isinf(value)) return (double)value;
    return fabsf(value) < FLT_MIN ? copysign(0, (double)value)
                                  : (double)(float)ldexp(nearbyint(ldexp(mantissa, 8)), exponent - 8);
}

/* All of them, each of which float holds. */
static float *rounded_copy(const float *values, int64_t count) {
    float *copy = malloc((size_t)count * sizeof *copy);
    if (!copy && count) abort();
    for (int64_t k = 0; k < count; k++) copy[k] = (float)rounded(values[k]);
    return copy;
}

static void round_rows(int64_t depth, const void *const rows[ROWS], const void *copies[ROWS]) {
    for (int r = 0; r < ROWS; r++) copies[r] = rounded_copy(rows[r], depth);
}

/* More tiles of AMX's sixteen rows, and those before and after a whole one. */
static const int64_t more_rows[] = { 1, 2, 3, 5, 6, 7, 8, 13, 15, 16, 17, 31, 33, 48, 50 };
enum { NUM_MORE_ROWS = sizeof more_rows / sizeof more_rows[0] };

/* Memory of the columns' panels, of which each holds pairs of k. */
static guarded pack_weight(const wli_native *native, const float *weight, int64_t rows, int64_t depth,
                           const wli_gate_layout *layout, int64_t columns) {
    guarded panels =
        guarded_make((size_t)(columns * wli_packed_depth(native, depth)) * sizeof(float) + WLI_PANELS_PADDING);
    native->pack(&(wli_pack_args){ weight, rows, depth, layout, columns, .panels = panels.values },
                 wli_all_panels(columns, native->lanes));
    return panels;
}

static bool packs_as_finite(const wli_native *native, const float *row, int64_t depth) {
    guarded panels = guarded_make((size_t)(native->lanes * wli_packed_depth(native, depth)) * sizeof(float));
    const bool finite = native->pack(&(wli_pack_args){ row, 1, depth, NULL, native->lanes, .panels = panels.values },
                                     wli_all_panels(native->lanes, native->lanes));
    guarded_free(&panels);
    return finite;
}

/* Rows [count][depth] as operands, equally far apart. */
static guarded make_operands(const wli_native *native, const void *const *rows, int64_t count, int64_t depth,
                             const void **operands) {
    const size_t stride = (size_t)(wli_packed_depth(native, depth) * native->group) * sizeof(float);
    guarded all = guarded_make((size_t)count * stride);
    for (int64_t r = 0; r < count; r++) {
        char *row = (char *)all.values + (size_t)r * stride;
        native->operands(rows[r], depth, row), operands[r] = row;
    }
    return all;
}

/* start + a w of one column, a and w [depth]. */
static float product(const wli_native *native, const float *a, const float *w, int64_t depth) {
    const int64_t columns = native->lanes;
    const void *row = a, *operands;
    guarded panels = pack_weight(native, w, 1, depth, NULL, columns), c = guarded_make((size_t)columns * sizeof(float));
    guarded rows = make_operands(native, &row, 1, depth, &operands);
    float *bias = calloc((size_t)columns, sizeof *bias);
    assert_non_null(bias);
    native->gemm(&(wli_gemm_args){ .rows = 1,
                                   .depth = depth,
                                   .columns = columns,
                                   .a = &operands,
                                   .panels = panels.values,
                                   .bias = bias,
                                   .c = c.values,
                                   .ldc = columns,
                                   .range = wli_all_panels(columns, native->lanes) });
    const float result = ((float *)c.values)[0];
    guarded_free(&panels), guarded_free(&rows), guarded_free(&c), free(bias);
    return result;
}

static void check_product(const wli_native *native, float got, double expected) {
    const bool same = isnan(expected) ? isnan(got) : (double)got == expected;
    if (!same) fail_msg("%s: %a expected, got %a", native->isa, expected, (double)got);
}

/* Ties, denormals, what becomes infinite and what is not finite, as a row and as a weight, in any place of a group. */
static void operands_are_rounded(void **state) {
    (void)state;
    const float values[] = { 1,        1.00390625f, 1.01171875f, -1.00390626f, 1e-39f,
                             -1e-39f,  INFINITY,    FLT_MAX,     -INFINITY,    FLT_MIN,
                             0,        3.14159265f, NAN,         0.1f,         7e-39f,
                             -FLT_MAX, -2,          65280.5f,    1.23456789e8f };
    enum { COUNT = sizeof values / sizeof values[0], DEPTH = 75 };
    for (int t = 0; t < num_natives; t++)
        for (int n = 0; n < COUNT; n++) {
            float many[DEPTH] = { 0 }, ones[DEPTH], one = 1;
            for (int k = 0; k < DEPTH; k++) ones[k] = 1;
            check_product(natives[t], product(natives[t], &values[n], &one, 1), rounded(values[n]));
            check_product(natives[t], product(natives[t], &one, &values[n], 1), rounded(values[n]));
            const int at = (int)random_between(&stream, 0, DEPTH - 1);
            many[at] = values[n];
            check_product(natives[t], product(natives[t], many, ones, DEPTH), rounded(values[n]));
            check_product(natives[t], product(natives[t], ones, many, DEPTH), rounded(values[n]));
            assert_int_equal(packs_as_finite(natives[t], many, DEPTH), isfinite(rounded(values[n])));
        }
}

static void one_gemm(const wli_native *native, int64_t outputs, int64_t depth) {
    const int64_t columns = (outputs + native->lanes - 1) / native->lanes * native->lanes, ldc = columns + 3;
    float *weight = random_values(WLSTM_F32, outputs * depth, 0), *bias = random_values(WLSTM_F32, columns, 0);
    const void *rows[ROWS], *rounded_rows[ROWS], *operands[ROWS];
    guarded all = guarded_make((size_t)(ROWS * ldc) * sizeof(float));
    make_rows(WLSTM_F32, depth, rows);
    float *rounded_weight = rounded_copy(weight, outputs * depth);
    round_rows(depth, rows, rounded_rows);
    guarded panels = pack_weight(native, weight, outputs, depth, NULL, columns);
    guarded of_rows = make_operands(native, rows, ROWS, depth, operands);
    wli_gemm_args args = { .rows = ROWS,
                           .depth = depth,
                           .columns = columns,
                           .a = operands,
                           .panels = panels.values,
                           .bias = bias,
                           .c = all.values,
                           .ldc = ldc,
                           .range = wli_all_panels(columns, native->lanes) };
    native->gemm(&args);
    check_gaps(WLSTM_F32, all.values, ROWS, columns, ldc);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t j = 0; j < outputs; j++) {
            const bounded_sum sum = dot(WLSTM_F32, (double)bias[j], rounded_rows[r], rounded_weight + j * depth, depth);
            assert_true(fabs((double)((float *)all.values)[r * ldc + j] - sum.value) <= sum.bound);
        }
    for (int n = 0; n < NUM_MORE_ROWS; n++) {
        const int64_t first = random_between(&stream, 0, ROWS - more_rows[n]);
        guarded some = guarded_make((size_t)(more_rows[n] * ldc) * sizeof(float));
        args.rows = more_rows[n], args.a = operands + first, args.c = some.values, args.bias = bias;
        if (random_flag(&stream)) { /* C is there, and added to */
            for (int64_t r = 0; r < args.rows; r++)
                memcpy((float *)some.values + r * ldc, bias, (size_t)columns * sizeof(float));
            args.bias = NULL;
        }
        wli_panel_range parts[2];
        cut(wli_all_panels(columns, native->lanes), parts);
        for (int part = 0; part < 2; part++) args.range = parts[part], native->gemm(&args);
        for (int64_t r = 0; r < args.rows; r++)
            assert_memory_equal((float *)some.values + r * ldc, (float *)all.values + (first + r) * ldc,
                                (size_t)outputs * sizeof(float));
        guarded_free(&some);
    }
    guarded_free(&all), guarded_free(&panels), guarded_free(&of_rows);
    free_rows(rows), free_rows(rounded_rows), free(weight), free(rounded_weight), free(bias);
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* A step of rows, all or some of them. */
typedef struct bf16_step {
    const wli_native *native;
    wli_gate_layout layout;
    int64_t H, depth;
    float *rounded_weight, *g, *c; /* [4H, depth], [ROWS, 4H], [ROWS, H] */
    const void *rounded_h_prev[ROWS], *operands[ROWS];
    void *panels;
} bf16_step;

typedef struct bf16_outcome {
    guarded c, h[ROWS];
} bf16_outcome;

/* c' and h of rows [first, first + rows), the panels in two parts. */
static bf16_outcome run_step(const bf16_step *s, int64_t first, int64_t rows, bool with_h_prev, bool backwards) {
    const wli_gate_layout *layout = &s->layout;
    const int64_t H = s->H, ldc = layout->padded_hidden;
    bf16_outcome o = { .c = guarded_make((size_t)(rows * ldc) * sizeof(float)) };
    guarded gates = guarded_make((size_t)(rows * layout->columns + s->native->lanes) * sizeof(float));
    void *h_rows[ROWS];
    for (int64_t r = 0; r < rows; r++) {
        o.h[r] = guarded_make((size_t)H * sizeof(float)), h_rows[r] = o.h[r].values;
        memset((float *)o.c.values + r * ldc, 0, (size_t)ldc * sizeof(float));
        memcpy((float *)o.c.values + r * ldc, s->c + (first + r) * H, (size_t)H * sizeof(float));
        for (int64_t column = 0; column < layout->columns; column++) {
            const int64_t row = wli_gate_layout_row(layout, column);
            ((float *)gates.values)[r * layout->columns + column] = row < 0 ? 0 : s->g[(first + r) * 4 * H + row];
        }
    }
    wli_step_args args = { .layout = layout,
                           .rows = rows,
                           .depth = s->depth,
                           .h_prev = with_h_prev ? s->operands + first : NULL,
                           .panels = s->panels,
                           .gates = gates.values,
                           .ldg = layout->columns,
                           .c = o.c.values,
                           .ldc = ldc,
                           .h = h_rows,
                           .steps = 1,
                           .backwards = backwards };
    wli_panel_range parts[2];
    cut(wli_all_panels(layout->columns, s->native->lanes), parts);
    for (int part = 0; part < 2; part++) args.range = parts[part], assert_int_equal(s->native->step(&args), 1);
    guarded_free(&gates);
    return o;
}

static void free_outcome(bf16_outcome *o, int64_t rows) {
    for (int64_t r = 0; r < rows; r++) guarded_free(&o->h[r]);
    guarded_free(&o->c);
}

/* c and h of a unit: gates as far off as their sums, the cell as test_native_step.c bounds it, roughly. */
static void check_unit(const bf16_step *s, const bf16_outcome *got, int64_t r, int64_t j, bool with_h_prev) {
    const int64_t H = s->H;
    bounded_sum gate[4];
    for (int k = 0; k < 4; k++)
        gate[k] = dot(WLSTM_F32, (double)s->g[r * 4 * H + k * H + j], s->rounded_h_prev[r],
                      s->rounded_weight + (k * H + j) * s->depth, with_h_prev ? s->depth : 0);
    const double c = sigmoid(gate[1].value) * (double)s->c[r * H + j] + sigmoid(gate[0].value) * tanh(gate[2].value);
    const double h = sigmoid(gate[3].value) * tanh(c);
    const double bound = gate[0].bound + gate[1].bound + gate[2].bound + gate[3].bound + 0x1p-20;
    assert_true(fabs((double)((float *)got->c.values)[r * s->layout.padded_hidden + j] - c) <= bound);
    assert_true(fabs((double)((float *)got->h[r].values)[j] - h) <= bound);
}

static void one_step(const wli_native *native, int64_t H, int64_t depth, bool with_h_prev) {
    bf16_step s = { .native = native, .layout = wli_gate_layout_make(H, native->lanes), .H = H, .depth = depth };
    float *weight = random_values(WLSTM_F32, 4 * H * depth, -1);
    const void *h_prev[ROWS];
    s.g = random_values(WLSTM_F32, ROWS * 4 * H, 0), s.c = random_values(WLSTM_F32, ROWS * H, 0);
    make_rows(WLSTM_F32, depth, h_prev);
    s.rounded_weight = rounded_copy(weight, 4 * H * depth);
    round_rows(depth, h_prev, s.rounded_h_prev);
    guarded operands = make_operands(native, h_prev, ROWS, depth, s.operands);
    guarded panels = pack_weight(native, weight, 4 * H, depth, &s.layout, s.layout.columns);
    s.panels = panels.values;
    bf16_outcome all = run_step(&s, 0, ROWS, with_h_prev, false);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t j = 0; j < H; j++) check_unit(&s, &all, r, j, with_h_prev);
    for (int n = 0; n < NUM_MORE_ROWS; n++) {
        const int64_t rows = more_rows[n], first = random_between(&stream, 0, ROWS - rows);
        bf16_outcome some = run_step(&s, first, rows, with_h_prev, random_flag(&stream));
        for (int64_t r = 0; r < rows; r++) {
            assert_memory_equal((float *)some.c.values + r * s.layout.padded_hidden,
                                (float *)all.c.values + (first + r) * s.layout.padded_hidden,
                                (size_t)H * sizeof(float));
            assert_memory_equal(some.h[r].values, all.h[first + r].values, (size_t)H * sizeof(float));
        }
        free_outcome(&some, rows);
    }
    free_outcome(&all, ROWS), guarded_free(&operands), guarded_free(&panels);
    free_rows(h_prev), free_rows(s.rounded_h_prev), free(weight), free(s.rounded_weight), free(s.g), free(s.c);
}

static void gemms_multiply_rounded_numbers(void **state) {
    (void)state;
    for (int t = 0; t < num_natives; t++)
        for (int n = 0; n < 12; n++)
            one_gemm(natives[t], random_between(&stream, 1, 150), random_between(&stream, 1, n ? 90 : 3000));
    for (int t = 0; t < num_natives; t++) one_gemm(natives[t], 500, 1700); /* which no L2 keeps */
}

static void steps_multiply_rounded_numbers(void **state) {
    (void)state;
    for (int t = 0; t < num_natives; t++)
        for (int n = 0; n < 40; n++) {
            const int64_t H = random_between(&stream, 1, n % 8 ? 40 : 150);
            one_step(natives[t], H, random_flag(&stream) ? H : random_between(&stream, 1, 70), n % 10 != 0);
        }
    for (int t = 0; t < num_natives; t++) one_step(natives[t], 250, 1700, true);
}

int main(void) {
    find_tables();
    num_natives = find_tables_of(WLI_PRODUCT_BF16, natives);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operands_are_rounded),
        cmocka_unit_test(gemms_multiply_rounded_numbers),
        cmocka_unit_test(steps_multiply_rounded_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
