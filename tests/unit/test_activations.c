/* The bounds that kernels/activations.h states, on every instruction set this machine has: f32 over every float, f64 over random
 * and edge points; the limits; the cell's arithmetic at extremes. An argument N checks every Nth block of points only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activations_table.h"
#include "compare.h"
#include "random.h"

#define LN2 0.693147180559945309417

enum { BLOCK = 4096, F64_BLOCKS = 512 };
enum { OTHERS = 31 }; /* instruction sets below the best one see every 31st block of floats, to save time */

/* Of activations.h's comment. */
typedef struct bounds {
    double sigmoid, tanh, tanh_relative;
} bounds;
static const bounds stated[2][2] = { /* by dtype, without and with steps */
                                     [WLSTM_F32] = { { 1.2e-7, 1.8e-7, 8e-7 }, { 1.2e-7, 2.1e-7, 3.5e-7 } },
                                     [WLSTM_F64] = { { 2e-16, 3.2e-16, 6e-16 }, { 2e-16, 4e-16, 6e-16 } }
};

static int64_t stride = 1;

/* ------------------------------------------------------------------------------------ the bounds */

typedef struct found {
    largest_error sigmoid, tanh, tanh_relative, tanh_magnitude;
} found;

static void keep_larger(largest_error *a, const largest_error *b) {
    if (b->error > a->error) *a = *b;
}

static void merge(found *into, const found *from) {
    keep_larger(&into->sigmoid, &from->sigmoid);
    keep_larger(&into->tanh, &from->tanh);
    keep_larger(&into->tanh_relative, &from->tanh_relative);
    keep_larger(&into->tanh_magnitude, &from->tanh_magnitude);
}

static bool keeps_bounds(wlstm_dtype dtype, int table, const found *f) {
    const bounds *b = &stated[dtype][activations_tables[dtype][table]->steps];
    const struct {
        const char *what;
        const largest_error *largest;
        double bound;
    } lines[] = { { "sigmoid", &f->sigmoid, b->sigmoid },
                  { "tanh", &f->tanh, b->tanh },
                  { "tanh, relative", &f->tanh_relative, b->tanh_relative },
                  { "|tanh|", &f->tanh_magnitude, 1.0 } };
    bool held = true;
    for (int i = 0; i < 4; i++) {
        printf("%s %-8s %-14s %.4g at %.9g\n", dtype == WLSTM_F64 ? "f64" : "f32",
               activations_tables[dtype][table]->isa, lines[i].what, lines[i].largest->error, lines[i].largest->at);
        if (lines[i].largest->error <= lines[i].bound) continue;
        fprintf(stderr, "%s: at most %g expected\n", lines[i].what, lines[i].bound);
        held = false;
    }
    return held;
}

/* One block of points with the exact values in two pieces. */
typedef struct float_block {
    float x[BLOCK], y[BLOCK], sigmoid[BLOCK], sigmoid_low[BLOCK], tanh[BLOCK], tanh_low[BLOCK];
} float_block;

/* The floats whose bits begin with `index`, of one sign and exponent. */
static void fill_floats(float_block *b, uint32_t index) {
    for (uint32_t k = 0; k < BLOCK; k++) {
        uint32_t bits = index * BLOCK + k;
        memcpy(&b->x[k], &bits, sizeof bits);
    }
}

static void set_exact(float_block *b, int k, double sigmoid, double tangent) {
    b->sigmoid[k] = (float)sigmoid;
    b->sigmoid_low[k] = (float)(sigmoid - (double)b->sigmoid[k]);
    b->tanh[k] = (float)tangent;
    b->tanh_low[k] = (float)(tangent - (double)b->tanh[k]);
}

/* From Taylor's first terms below 2^-20 (the next are below 2^-64), the limits from 128 on, one expm1 of libm between. */
static void fill_exact(float_block *b) {
    const float first = fabsf(b->x[0]);
    if (first < 0x1p-20f) {
        for (int k = 0; k < BLOCK; k++) {
            double x = (double)b->x[k];
            set_exact(b, k, 0.5 + 0.25 * x, x - x * x * x / 3);
        }
    } else if (first >= 128.0f) {
        for (int k = 0; k < BLOCK; k++) set_exact(b, k, b->x[0] > 0 ? 1 : 0, b->x[0] > 0 ? 1 : -1);
    } else {
        for (int k = 0; k < BLOCK; k++) {
            double e = expm1(-(double)b->x[k]), e2 = e * (e + 2); /* e^-x - 1, e^-2x - 1 */
            set_exact(b, k, 1 / (2 + e), -e2 / (2 + e2));
        }
    }
}

static void measure_floats(const activations_table *table, float_block *b, found *f) {
    static const float zeros[BLOCK];
    const float first = fabsf(b->x[0]);
    table->sigmoid(BLOCK, b->x, b->y);
    table->errors(BLOCK, b->x, b->y, b->sigmoid, b->sigmoid_low, 0, &f->sigmoid);
    table->tanh(BLOCK, b->x, b->y);
    table->errors(BLOCK, b->x, b->y, b->tanh, b->tanh_low, 0, &f->tanh);
    if (first >= FLT_MIN && first < 1.0f)
        table->errors(BLOCK, b->x, b->y, b->tanh, b->tanh_low, 1, &f->tanh_relative);
    else
        table->errors(BLOCK, b->x, b->y, zeros, zeros, 0, &f->tanh_magnitude);
}

static int64_t count_nan(const float *values) {
    int64_t count = 0;
    for (int k = 0; k < BLOCK; k++) count += isnan(values[k]) != 0;
    return count;
}

/* How many of a block's NaNs do not stay NaN, or how many others become it. */
static int64_t count_lost_nans(const activations_table *table, float_block *b) {
    const int64_t given = count_nan(b->x);
    table->sigmoid(BLOCK, b->x, b->sigmoid);
    table->tanh(BLOCK, b->x, b->tanh);
    return llabs(given - count_nan(b->sigmoid)) + llabs(given - count_nan(b->tanh));
}

static void floats_keep_the_stated_bounds(void **state) {
    (void)state;
    found all[ACTIVATIONS_TABLES] = { 0 };
    int64_t lost = 0;
#pragma omp parallel reduction(+ : lost)
    {
        found mine[ACTIVATIONS_TABLES] = { 0 };
        float_block *b = malloc(sizeof *b);
        if (!b) abort();
#pragma omp for schedule(dynamic, 64)
        for (int64_t index = 0; index < ((int64_t)1 << 32) / BLOCK; index += stride) {
            fill_floats(b, (uint32_t)index);
            if (isnan(b->x[BLOCK - 1])) {
                for (int t = 0; t < num_activations_tables; t++)
                    lost += count_lost_nans(activations_tables[WLSTM_F32][t], b);
                continue;
            }
            fill_exact(b);
            for (int t = index / stride % OTHERS == 0 ? 0 : num_activations_tables - 1; t < num_activations_tables; t++)
                measure_floats(activations_tables[WLSTM_F32][t], b, &mine[t]);
        }
#pragma omp critical
        for (int t = 0; t < num_activations_tables; t++) merge(&all[t], &mine[t]);
        free(b);
    }
    bool held = true;
    for (int t = 0; t < num_activations_tables; t++) held &= keeps_bounds(WLSTM_F32, t, &all[t]);
    assert_true(held);
    assert_int_equal(lost, 0);
}

typedef struct double_block {
    double x[BLOCK], y[BLOCK], sigmoid[BLOCK], sigmoid_low[BLOCK], tanh[BLOCK], tanh_low[BLOCK];
} double_block;

/* Points for exponent-function code: uniform, of every exponent, and beside the places where e^-x or e^-2x changes its power of
 * two or meets a bound. */
static void fill_doubles(double_block *b, int64_t index, uint64_t seed) {
    for (int k = 0; k < BLOCK; k++) {
        const uint64_t bits = random_bits(seed, index * BLOCK + k);
        const double unit = ldexp((double)(bits >> 11), -52) - 1; /* in [-1, 1) */
        const int step = (int)(bits % 2100) - 1050;               /* a half power of two */
        double near = (step + 0.5) * LN2 / (index % 2 ? 1 : 2);
        switch (index % 4) {
        case 0:
            b->x[k] = 45 * unit;
            break;
        case 1:
            b->x[k] = ldexp(unit, (int)(bits % 75) - 64);
            break;
        default:
            for (int j = (int)(bits >> 60); j > 0; j--) near = nextafter(near, bits & 1 ? HUGE_VAL : -HUGE_VAL);
            b->x[k] = near;
        }
    }
}

static void split(long double exact, double *high, double *low) {
    *high = (double)exact;
    *low = (double)(exact - (long double)*high);
}

static void doubles_keep_the_stated_bounds(void **state) {
    (void)state;
    static const double zeros[BLOCK];
    found all[ACTIVATIONS_TABLES] = { 0 };
    const uint64_t seed = random_test_stream();
    double_block *b = malloc(sizeof *b);
    assert_non_null(b);
    for (int64_t index = 0; index < F64_BLOCKS; index += stride) {
        fill_doubles(b, index, seed);
        for (int k = 0; k < BLOCK; k++) {
            split(1 / (1 + expl(-(long double)b->x[k])), &b->sigmoid[k], &b->sigmoid_low[k]);
            split(tanhl((long double)b->x[k]), &b->tanh[k], &b->tanh_low[k]);
        }
        for (int t = 0; t < num_activations_tables; t++) {
            const activations_table *table = activations_tables[WLSTM_F64][t];
            table->sigmoid(BLOCK, b->x, b->y);
            table->errors(BLOCK, b->x, b->y, b->sigmoid, b->sigmoid_low, 0, &all[t].sigmoid);
            table->tanh(BLOCK, b->x, b->y);
            table->errors(BLOCK, b->x, b->y, b->tanh, b->tanh_low, 0, &all[t].tanh);
            table->errors(BLOCK, b->x, b->y, zeros, zeros, 0, &all[t].tanh_magnitude);
            for (int k = 0; k < BLOCK; k++) /* 0 / 0 is no error */
                if (b->x[k] == 0) b->tanh[k] = b->y[k] = 1;
            table->errors(BLOCK, b->x, b->y, b->tanh, b->tanh_low, 1, &all[t].tanh_relative);
        }
    }
    free(b);
    bool held = true;
    for (int t = 0; t < num_activations_tables; t++) held &= keeps_bounds(WLSTM_F64, t, &all[t]);
    assert_true(held);
}

/* ------------------------------------------------------------------------------------ values */

enum { COUNT = 64 }; /* what a table takes at once, at least */

static void set(wlstm_dtype dtype, void *values, int64_t index, double value) {
    if (dtype == WLSTM_F64)
        ((double *)values)[index] = value;
    else
        ((float *)values)[index] = (float)value;
}

static void fill(wlstm_dtype dtype, double *values, double value) {
    for (int k = 0; k < COUNT; k++) set(dtype, values, k, value);
}

static double sigmoid_of(wlstm_dtype dtype, const activations_table *table, double x) {
    double in[COUNT], out[COUNT];
    fill(dtype, in, x);
    table->sigmoid(COUNT, in, out);
    return tensor_at(dtype, out, COUNT - 1);
}

static double tanh_of(wlstm_dtype dtype, const activations_table *table, double x) {
    double in[COUNT], out[COUNT];
    fill(dtype, in, x);
    table->tanh(COUNT, in, out);
    return tensor_at(dtype, out, COUNT - 1);
}

typedef struct cell_values {
    double i, f, g, o, c, h;
} cell_values;

/* c' and h' of one unit. */
static cell_values cell_of(wlstm_dtype dtype, const activations_table *table, cell_values v) {
    double i[COUNT], f[COUNT], g[COUNT], o[COUNT], c[COUNT], h[COUNT];
    fill(dtype, i, v.i), fill(dtype, f, v.f), fill(dtype, g, v.g), fill(dtype, o, v.o), fill(dtype, c, v.c);
    table->cell_update(COUNT, i, f, g, o, c, h);
    v.c = tensor_at(dtype, c, COUNT - 1), v.h = tensor_at(dtype, h, COUNT - 1);
    return v;
}

static void limits_and_nan(void **state) {
    (void)state;
    for (int n = 0; n < 2 * num_activations_tables; n++) {
        const int t = n / 2;
        const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
        const activations_table *table = activations_tables[dtype][t];
        const double largest = dtype == WLSTM_F64 ? DBL_MAX : (double)FLT_MAX;
        assert_true(sigmoid_of(dtype, table, HUGE_VAL) == 1 && sigmoid_of(dtype, table, largest) == 1);
        assert_true(sigmoid_of(dtype, table, -HUGE_VAL) == 0 && sigmoid_of(dtype, table, -largest) == 0);
        assert_true(tanh_of(dtype, table, HUGE_VAL) == 1 && tanh_of(dtype, table, largest) == 1);
        assert_true(tanh_of(dtype, table, -HUGE_VAL) == -1 && tanh_of(dtype, table, -largest) == -1);
        assert_true(isnan(sigmoid_of(dtype, table, NAN)) && isnan(sigmoid_of(dtype, table, -NAN)));
        assert_true(isnan(tanh_of(dtype, table, NAN)) && isnan(tanh_of(dtype, table, -NAN)));
        for (int sign = -1; sign <= 1; sign += 2) {
            assert_true(sigmoid_of(dtype, table, copysign(0.0, sign)) == 0.5);
            assert_true(tanh_of(dtype, table, copysign(0.0, sign)) == 0);
        }
    }
}

/* Where each neighbour of the cell is finite or not: PyTorch's answers. */
static void infinite_cells(void **state) {
    (void)state;
    const double inf = HUGE_VAL;
    for (int n = 0; n < 2 * num_activations_tables; n++) {
        const int t = n / 2;
        const wlstm_dtype dtype = n % 2 ? WLSTM_F64 : WLSTM_F32;
        const activations_table *table = activations_tables[dtype][t];
        cell_values v = cell_of(dtype, table, (cell_values){ .i = 1, .f = 1, .g = 1, .o = inf, .c = inf });
        assert_true(v.c == inf && v.h == 1);
        v = cell_of(dtype, table, (cell_values){ .i = 1, .f = -50, .g = 1, .o = inf, .c = -inf });
        assert_true(v.c == -inf && v.h == -1);
        v = cell_of(dtype, table, (cell_values){ .i = 1, .f = -inf, .g = 1, .o = 1, .c = inf });
        assert_true(isnan(v.c) && isnan(v.h)); /* 0 * infinity */
        v = cell_of(dtype, table, (cell_values){ .i = -inf, .f = -inf, .g = inf, .o = inf, .c = 1e30 });
        assert_true(fabs(v.c) < 1e-15 && fabs(v.h) < 1e-15);
        v = cell_of(dtype, table, (cell_values){ .i = inf, .f = inf, .g = -inf, .o = inf, .c = 0 });
        assert_true(v.c == -1);
        const cell_values spoilt[] = { { .i = NAN }, { .f = NAN }, { .g = NAN }, { .c = NAN } };
        for (int k = 0; k < 4; k++) {
            v = cell_of(dtype, table, spoilt[k]);
            assert_true(isnan(v.c) && isnan(v.h));
        }
        v = cell_of(dtype, table, (cell_values){ .o = NAN, .c = 1 });
        assert_true(v.c == 0.5 && isnan(v.h));
    }
}

/* Every combination of these gates and states, within the activations' bounds of the exact answer; never a NaN. */
static void finite_cells_stay_finite(void **state) {
    (void)state;
    enum { GATES = 14, STATES = 13 };
    for (int d = 0; d < 2; d++) {
        const bool f64 = d == 1;
        const wlstm_dtype dtype = f64 ? WLSTM_F64 : WLSTM_F32;
        const double largest = f64 ? DBL_MAX : (double)FLT_MAX, smallest = f64 ? DBL_MIN : (double)FLT_MIN;
        const double far = f64 ? 708.5 : 87.5, rounding = f64 ? 2e-13 : 1e-5;
        const double gates[GATES] = { 0,   -0.0, 1,       -1,       0.1,     -20,      20,
                                      far, -far, far + 1, -far - 1, largest, -largest, smallest };
        const double cells[STATES] = { 0,    -0.0,  1,       -1,       smallest, -smallest / 8, 20, -far,
                                       1e30, -1e30, largest, -largest, 0.3 };
        for (int t = 0; t < num_activations_tables; t++) {
            const bounds *b = &stated[dtype][activations_tables[dtype][t]->steps];
            const double absolute = 4 * (b->sigmoid + b->tanh);
            for (int64_t n = 0; n < GATES * GATES * GATES * GATES * STATES; n += stride) {
                int64_t rest = n / GATES;
                cell_values v = { .i = gates[n % GATES] };
                v.f = gates[rest % GATES], rest /= GATES;
                v.g = gates[rest % GATES], rest /= GATES;
                v.o = gates[rest % GATES], rest /= GATES;
                v.c = cells[rest];
                const cell_values got = cell_of(dtype, activations_tables[dtype][t], v);
                const double kept = v.c / (1 + exp(-v.f)), c = kept + tanh(v.g) / (1 + exp(-v.i));
                const double h = tanh(got.c) / (1 + exp(-v.o));
                /* A sigmoid below the smallest normal number may be 0. */
                const double tolerance = absolute + rounding * fabs(kept) + 4 * smallest * fabs(v.c);
                if (fabs(got.c - c) <= tolerance && fabs(got.h - h) <= absolute && fabs(got.h) <= 1) continue;
                fprintf(stderr, "%s: i %g, f %g, g %g, o %g, c %g: c' %.9g, %.9g expected, h' %.9g, %.9g expected\n",
                        activations_tables[dtype][t]->isa, v.i, v.f, v.g, v.o, v.c, got.c, c, got.h, h);
                fail();
            }
        }
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_keep_the_stated_bounds),
        cmocka_unit_test(doubles_keep_the_stated_bounds),
        cmocka_unit_test(limits_and_nan),
        cmocka_unit_test(infinite_cells),
        cmocka_unit_test(finite_cells_stay_finite),
    };
    if (argc > 1) stride = strtoll(argv[1], NULL, 10);
    if (stride < 1) stride = 1;
    stride |= 1; /* even ones would miss kinds of blocks */
    activations_find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
