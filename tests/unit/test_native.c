/* gemm and step of every native table this machine runs against plain loops in double, over many shapes; a row's bits do not
 * depend on the rows beside it, nor on the direction and the parts of the sweep, nor on how many steps are run at once, nor on the
 * table where it rounds alike; nothing is written where it should not be. Memory starts out as NaN, so that what is read without
 * having been written shows. */
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
#include "kernels/native.h"
#include "kernels/pack.h"
#include "random.h"

extern const wli_native wli_native_baseline_f32, wli_native_baseline_f64, wli_native_wide_f32, wli_native_wide_f64;
#if defined(__x86_64__)
extern const wli_native wli_native_avx2_f32, wli_native_avx2_f64, wli_native_avx512_f32, wli_native_avx512_f64;
extern const wli_native wli_native_avx512vl_f32, wli_native_avx512vl_f64;
extern const wli_native wli_native_wide_avx2_f32, wli_native_wide_avx2_f64;
#endif

enum { MAX_TABLES = 6, ROWS = 64, GUARD_BYTES = 256 };
static const wli_native *tables[2][MAX_TABLES];
static int num_tables;
static uint64_t stream;

/* Every count up to two tiles and one more, and ROWS, the first, to which the others are compared. */
static const int64_t row_counts[] = { ROWS, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
enum { NUM_ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };

static void add_table(const wli_native *f32, const wli_native *f64) {
    tables[WLSTM_F32][num_tables] = f32;
    tables[WLSTM_F64][num_tables++] = f64;
}

static void find_tables(void) {
    add_table(&wli_native_baseline_f32, &wli_native_baseline_f64);
    add_table(&wli_native_wide_f32, &wli_native_wide_f64);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        add_table(&wli_native_avx2_f32, &wli_native_avx2_f64);
        add_table(&wli_native_wide_avx2_f32, &wli_native_wide_avx2_f64);
    }
    if (__builtin_cpu_supports("avx512f")) add_table(&wli_native_avx512_f32, &wli_native_avx512_f64);
    if (__builtin_cpu_supports("avx512vl")) add_table(&wli_native_avx512vl_f32, &wli_native_avx512vl_f64);
#endif
}

/* ------------------------------------------------------------------------------------ memory */

typedef struct guarded {
    unsigned char *block;
    size_t bytes;
    void *values; /* all NaN at first */
} guarded;

static guarded guarded_make(size_t bytes) {
    guarded g = { malloc(bytes + 2 * GUARD_BYTES), bytes, NULL };
    if (!g.block) abort();
    memset(g.block, 0xFF, bytes + 2 * GUARD_BYTES);
    g.values = g.block + GUARD_BYTES;
    return g;
}

static bool all_ones(const unsigned char *from, size_t bytes) {
    for (size_t k = 0; k < bytes; k++)
        if (from[k] != 0xFF) return false;
    return true;
}

static void guarded_free(guarded *g) {
    assert_true(all_ones(g->block, GUARD_BYTES));
    assert_true(all_ones(g->block + GUARD_BYTES + g->bytes, GUARD_BYTES));
    free(g->block);
}

/* Nothing is written between the rows of values [rows, columns], stride apart. */
static void check_gaps(wlstm_dtype dtype, const void *values, int64_t rows, int64_t columns, int64_t stride) {
    const size_t size = dtype_size(dtype);
    for (int64_t r = 0; r + 1 < rows; r++)
        assert_true(all_ones((const unsigned char *)values + (size_t)(r * stride + columns) * size,
                             (size_t)(stride - columns) * size));
}

static void set(wlstm_dtype dtype, void *values, int64_t index, double value) {
    if (dtype == WLSTM_F64)
        ((double *)values)[index] = value;
    else
        ((float *)values)[index] = (float)value;
}

/* count random values of the dtype in [-2^exponent, 2^exponent) in memory of exactly their size. */
static void *random_values(wlstm_dtype dtype, int64_t count, int exponent) {
    void *values = malloc((size_t)count * dtype_size(dtype));
    if (!values && count) abort();
    stream = random_bits(stream, 0);
    random_fill(dtype, values, count, stream, exponent);
    return values;
}

/* ROWS rows [depth], each in memory of its own. */
static void make_rows(wlstm_dtype dtype, int64_t depth, const void *rows[ROWS]) {
    for (int r = 0; r < ROWS; r++) rows[r] = random_values(dtype, depth, 1);
}

static void free_rows(const void *rows[ROWS]) {
    for (int r = 0; r < ROWS; r++) free((void *)(uintptr_t)rows[r]);
}

static void *pack(wlstm_dtype dtype, int lanes, const void *weight, int64_t rows, int64_t depth,
                  const wli_gate_layout *layout, int64_t columns) {
    void *panels = malloc((size_t)(columns * depth) * dtype_size(dtype));
    if (!panels && depth) abort();
    const wli_pack_args args = { weight, rows, depth, layout, columns, (int64_t)lanes * WLI_PANEL_VECTORS, panels };
    (dtype == WLSTM_F64 ? wli_pack_f64 : wli_pack_f32)(&args);
    return panels;
}

/* The index-th table whose bits are to be those of `native`, NULL past the last. */
static const wli_native *alike(wlstm_dtype dtype, const wli_native *native, int index) {
    const bool widest = native == wli_native_get(dtype);
    return widest && wli_native_rounds_alike(index + 1) ? wli_native_at(dtype, index + 1) : NULL;
}

/* The range in two at random, as two threads would share it; a part may be empty. */
static void cut(wli_panel_range whole, wli_panel_range parts[2]) {
    const int64_t middle = random_between(&stream, whole.first, whole.end);
    parts[0] = (wli_panel_range){ whole.first, middle };
    parts[1] = (wli_panel_range){ middle, whole.end };
}

/* ------------------------------------------------------------------------------------ the oracle */

/* A sum in double and how far one in the dtype, in any order, may be from it (Higham, Accuracy and Stability of Numerical
 * Algorithms, 3.1; twice that, for the oracle's own rounding in f64). */
typedef struct bounded_sum {
    double value, bound;
} bounded_sum;

/* start + a [depth] . w [depth] */
static bounded_sum dot(wlstm_dtype dtype, double start, const void *a, const void *w, int64_t depth) {
    const bool f64 = dtype == WLSTM_F64;
    double sum = start, magnitude = fabs(start);
    for (int64_t k = 0; k < depth; k++) {
        double product = f64 ? ((const double *)a)[k] * ((const double *)w)[k]
                             : (double)((const float *)a)[k] * (double)((const float *)w)[k];
        sum += product;
        magnitude += fabs(product);
    }
    return (bounded_sum){ sum, 2 * ldexp((double)depth + 3, f64 ? -53 : -24) * magnitude };
}

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* ------------------------------------------------------------------------------------ gemm */

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
    g.panels = pack(dtype, native->lanes, weight, outputs, depth, NULL, columns);
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
        narrow.native = other, narrow.panels = pack(dtype, other->lanes, weight, outputs, depth, NULL, columns);
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

/* ------------------------------------------------------------------------------------ step */

typedef struct step_case {
    wlstm_dtype dtype;
    const wli_native *native;
    wli_gate_layout layout;
    int64_t depth, ldg, ldc;
    const void *h_prev[ROWS];
    bool with_h_prev;
    void *panels, *gates, *c; /* gates [ROWS, 4H] in PyTorch's order, c [ROWS, H] */
} step_case;

typedef struct step_outcome {
    guarded gates, c, h[ROWS];
} step_outcome;

static int64_t no_step(const wli_step_args *args) {
    (void)args;
    return 1;
}

/* Leaves G, c and h as they were. */
static const wli_native untouched = { .isa = "none", .step = no_step };

/* c and h of `rows` rows from `first` on. */
static void run_step(const step_case *s, int64_t first, int64_t rows, bool backwards, step_outcome *o) {
    const size_t size = dtype_size(s->dtype);
    const int64_t H = s->layout.hidden_size;
    void *h[ROWS];
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
        h[r] = o->h[r].values;
    }
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

static void free_step(step_outcome *o, int64_t rows) {
    guarded_free(&o->gates), guarded_free(&o->c);
    for (int64_t r = 0; r < rows; r++) guarded_free(&o->h[r]);
}

/* h and c of the first `rows` rows of a are those of b from `first` on, bit for bit. */
static void check_identical(const char *what, wlstm_dtype dtype, int64_t H, int64_t rows, const step_outcome *a,
                            int64_t a_ldc, const step_outcome *b, int64_t b_ldc, int64_t first) {
    const size_t size = dtype_size(dtype);
    for (int64_t r = 0; r < rows; r++) {
        assert_true(tensors_identical(what, dtype, (char *)a->c.values + (size_t)(r * a_ldc) * size,
                                      (char *)b->c.values + (size_t)((first + r) * b_ldc) * size, H));
        assert_true(tensors_identical(what, dtype, a->h[r].values, b->h[first + r].values, H));
    }
}

/* c' and h of unit j of row r, each as far off as its gates and the activations (activations.h) may be. */
static void check_unit(const step_case *s, const void *weight, const char *what, const step_outcome *got, int64_t r,
                       int64_t j) {
    const double rounding = ldexp(1, s->dtype == WLSTM_F64 ? -53 : -24), activation = 4 * rounding;
    const int64_t H = s->layout.hidden_size;
    bounded_sum gate[4];
    for (int k = 0; k < 4; k++)
        gate[k] = dot(s->dtype, tensor_at(s->dtype, s->gates, r * 4 * H + k * H + j), s->h_prev[r],
                      (const char *)weight + (size_t)((k * H + j) * s->depth) * dtype_size(s->dtype),
                      s->with_h_prev ? s->depth : 0);
    const double c_prev = tensor_at(s->dtype, s->c, r * H + j);
    const double c = sigmoid(gate[1].value) * c_prev + sigmoid(gate[0].value) * tanh(gate[2].value);
    const double h = sigmoid(gate[3].value) * tanh(c);
    /* The slope of a sigmoid is at most 1/4, that of tanh 1. */
    const double c_bound = fabs(c_prev) * (gate[1].bound / 4 + activation) + gate[0].bound / 4 + gate[2].bound +
                           2 * activation + 4 * rounding * (fabs(c_prev) + 1);
    const double h_bound = c_bound + gate[3].bound / 4 + 2 * activation;
    const double got_c = tensor_at(s->dtype, got->c.values, r * s->ldc + j);
    const double got_h = tensor_at(s->dtype, got->h[r].values, j);
    if (fabs(got_c - c) <= c_bound && fabs(got_h - h) <= h_bound) return;
    fprintf(stderr, "%s: [%d, %d]: c' is %.17g, expected %.17g, h is %.17g, expected %.17g\n", what, (int)r, (int)j,
            got_c, c, got_h, h);
    fail();
}

static void step_equals_the_equations(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t depth,
                                      bool with_h_prev) {
    const size_t size = dtype_size(dtype);
    step_case s = { .dtype = dtype,
                    .native = native,
                    .layout = wli_gate_layout_make(H, native->lanes),
                    .depth = depth,
                    .with_h_prev = with_h_prev,
                    .gates = random_values(dtype, ROWS * 4 * H, 3),
                    .c = random_values(dtype, ROWS * H, 2) };
    void *weight = random_values(dtype, 4 * H * depth, random_weight_exponent(depth));
    step_outcome all, some;
    char what[128];
    snprintf(what, sizeof what, "%s %s step: hidden_size %d, depth %d%s", native->isa,
             dtype == WLSTM_F64 ? "f64" : "f32", (int)H, (int)depth, with_h_prev ? "" : ", no h_prev");
    s.ldg = random_flag(&stream) ? s.layout.columns : wli_gate_stride(s.layout.columns, size);
    s.ldc = random_flag(&stream) ? s.layout.padded_hidden : wli_gate_stride(s.layout.padded_hidden, size);
    make_rows(dtype, depth, s.h_prev);
    s.panels = pack(dtype, native->lanes, weight, 4 * H, depth, &s.layout, s.layout.columns);

    run_step(&s, 0, ROWS, false, &all);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t j = 0; j < H; j++) check_unit(&s, weight, what, &all, r, j);
    for (int n = 1; n < NUM_ROW_COUNTS; n++) {
        const int64_t rows = row_counts[n], first = random_between(&stream, 0, ROWS - rows);
        run_step(&s, first, rows, random_flag(&stream), &some);
        check_identical(what, dtype, H, rows, &some, s.ldc, &all, s.ldc, first);
        free_step(&some, rows);
    }
    const wli_native *same;
    for (int index = 0; (same = alike(dtype, native, index)); index++) {
        step_case other = s;
        other.native = same, other.layout = wli_gate_layout_make(H, same->lanes);
        other.ldg = other.layout.columns, other.ldc = other.layout.padded_hidden;
        other.panels = pack(dtype, same->lanes, weight, 4 * H, depth, &other.layout, other.layout.columns);
        run_step(&other, 0, ROWS, false, &some);
        check_identical(what, dtype, H, ROWS, &some, other.ldc, &all, s.ldc, 0);
        free_step(&some, ROWS);
        free(other.panels);
    }
    free_step(&all, ROWS);
    free_rows(s.h_prev);
    free(s.panels), free(s.gates), free(s.c), free(weight);
}

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
                                     .backwards = random_flag(&stream),
                                     .one_way = random_flag(&stream) };
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
    s.panels = pack(dtype, native->lanes, hh, 4 * H, H, &s.layout, s.layout.columns);
    const void *x_rows[STEPS * ROWS];
    for (int64_t r = 0; r < STEPS * rows; r++) x_rows[r] = (char *)x + (size_t)(r * I) * size;
    void *projected = calloc((size_t)(STEPS * rows * s.ldg + s.layout.lanes), size);
    assert_non_null(projected);
    const wli_gemm_args input = { .rows = STEPS * rows,
                                  .depth = I,
                                  .columns = s.layout.columns,
                                  .a = x_rows,
                                  .panels = pack(dtype, native->lanes, ih, 4 * H, I, &s.layout, s.layout.columns),
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
        assert_int_equal(most, 8);
    }
}

/* h is the same bits where it takes h_prev's place, which it may unless some tile reads rows of which another wrote units: where there
 * is only one panel, never with three. Returns whether the step is few tiles. */
static bool prepared_step_equals_step(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t rows) {
    const size_t size = dtype_size(dtype), h_bytes = (size_t)H * size;
    step_case s = { .dtype = dtype,
                    .native = native,
                    .layout = wli_gate_layout_make(H, native->lanes),
                    .depth = H,
                    .with_h_prev = true,
                    .gates = random_values(dtype, ROWS * 4 * H, 2),
                    .c = random_values(dtype, ROWS * H, 2) };
    void *weight = random_values(dtype, 4 * H * H, random_weight_exponent(H));
    step_outcome expected, start;
    s.ldg = s.layout.columns, s.ldc = s.layout.padded_hidden;
    make_rows(dtype, H, s.h_prev);
    s.panels = pack(dtype, native->lanes, weight, 4 * H, H, &s.layout, s.layout.columns);
    run_step(&s, 0, rows, false, &expected);
    step_case zero = s;
    zero.native = &untouched;
    run_step(&zero, 0, rows, false, &start);
    wli_prepared_step prepared;
    const wli_step_args args = { .layout = &s.layout,
                                 .rows = rows,
                                 .depth = H,
                                 .panels = s.panels,
                                 .ldg = s.ldg,
                                 .ldc = s.ldc,
                                 .range = wli_all_panels(s.layout.columns, s.layout.lanes) };
    const bool few = native->prepare(&args, &prepared);
    assert_int_equal(few, native->few_tiles(&s.layout, rows) > 0);
    if (few) {
        const void *h_prev[ROWS];
        void *h[ROWS];
        for (int64_t r = 0; r < rows; r++) {
            h[r] = start.h[r].values, h_prev[r] = prepared.in_place ? h[r] : s.h_prev[r];
            if (prepared.in_place) memcpy(h[r], s.h_prev[r], h_bytes);
        }
        native->step_prepared(&prepared, NULL, h_prev, start.gates.values, start.c.values, h);
        check_identical("prepared", dtype, H, rows, &start, s.ldc, &expected, s.ldc, 0);
    }
    free_step(&expected, rows), free_step(&start, rows);
    free_rows(s.h_prev);
    free(s.panels), free(s.gates), free(s.c), free(weight);
    if (few && H <= native->lanes) assert_true(prepared.in_place);
    if (few && s.layout.panels >= 3) assert_false(prepared.in_place);
    return few;
}

static void prepared_steps(void **state) {
    (void)state;
    for (int n = 0; n < 2 * num_tables; n++) {
        const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
        const wli_native *native = tables[dtype][n / 2];
        int64_t few[3] = { 0 };
        for (int64_t rows = 1; rows <= 8; rows++)
            for (int64_t H = 1; H <= 3 * native->lanes; H++)
                few[(H - 1) / native->lanes] += prepared_step_equals_step(dtype, native, H, rows);
        assert_true(few[0] > 0 && few[2] > 0);
    }
}

static void steps(void **state) {
    (void)state;
    static const int64_t depths[] = { 1, 2, 7, 20, 100, 129, 300 };
    for (int n = 0; n < 2 * num_tables; n++)
        for (int64_t H = 1; H <= 42; H++) {
            const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
            const wli_native *native = tables[dtype][n / 2];
            const int64_t hidden_size = H == 41 ? 64 : H == 42 ? 100 : H;
            step_equals_the_equations(dtype, native, hidden_size, 20, false);
            for (size_t d = 0; d < sizeof depths / sizeof depths[0]; d++)
                step_equals_the_equations(dtype, native, hidden_size, depths[d], true);
            if (hidden_size == 100) step_equals_the_equations(dtype, native, hidden_size, 1100, true);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(gemms), cmocka_unit_test(large_gemm), cmocka_unit_test(steps),
                                        cmocka_unit_test(steps_at_once), cmocka_unit_test(prepared_steps) };
    stream = random_test_stream();
    find_tables();
    for (int t = 0; t < num_tables; t++)
        printf("%s, %d lanes of f32\n", tables[WLSTM_F32][t]->isa, tables[WLSTM_F32][t]->lanes);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
