/* Each gate of the cell far below 0, on every instruction set this machine has: the sigmoid's true value, relatively, as long as
 * PyTorch's is not 0 (of f, as long as it is a normal number); then that or 0; and 0 where the type has no number for it, so that
 * whatever weight reads h next makes 0 of it. f32 over every float from -16 to -128, f64 over random points. An argument N checks every Nth block only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activations_table.h"
#include "compare.h"
#include "random.h"

enum { BLOCK = 4096, F64_BLOCKS = 64 };
enum { GATES = 3 };
static const char *const gate_names[GATES] = { "i", "f", "o" };
static int64_t stride = 1;

/* From here on down PyTorch's sigmoid, 1 / (1 + exp(-x)), is 0, and ours; the smallest number; how far e^-x may be off there. */
typedef struct ends {
    double pytorch, ours, smallest_normal, smallest, relative;
} ends;
static const ends ends_of[2] = { [WLSTM_F32] = { -88.7228, -104, 0x1p-126, 0x1p-149, 1e-5 },
                                 [WLSTM_F64] = { -709.7827, -745.2, 0x1p-1022, 0x1p-1074, 2e-13 } };

typedef struct block {
    double x[BLOCK], exact[BLOCK]; /* in f32 every x is a float */
    union {
        float f32[BLOCK];
        double f64[BLOCK];
    } closing, open, shut, one, c, h;
} block;

static void fill(wlstm_dtype dtype, void *values, const double *from, double value) {
    for (int k = 0; k < BLOCK; k++) {
        const double v = from ? from[k] : value;
        if (dtype == WLSTM_F64)
            ((double *)values)[k] = v;
        else
            ((float *)values)[k] = (float)v;
    }
}

/* The sigmoid of gate i, f or o: it alone is not open or shut, and the tanh or c beside it is 1. Where i or f is looked at, o is
 * open, and c' is the sigmoid. */
static const void *sigmoids(wlstm_dtype dtype, const activations_table *table, int gate, block *b) {
    fill(dtype, &b->c, NULL, gate == 1 ? 1 : gate == 2 ? 40 : 0);
    table->cell_update(BLOCK, gate == 0 ? &b->closing : &b->shut, gate == 1 ? &b->closing : &b->open, &b->open,
                       gate == 2 ? &b->closing : &b->open, &b->c, &b->h);
    return gate == 2 ? &b->h : &b->c;
}

static bool right(const ends *e, int gate, double x, double exact, double got) {
    if (x <= e->ours) return got == 0;
    if (got == 0 && (x <= e->pytorch || (gate == 1 && exact < e->smallest_normal))) return true;
    return fabs(got - exact) <= e->relative * exact + e->smallest;
}

static bool check(wlstm_dtype dtype, block *b) {
    fill(dtype, &b->closing, b->x, 0);
    for (int k = 0; k < BLOCK; k++)
        b->exact[k] = dtype == WLSTM_F64 ? (double)(1 / (1 + expl(-(long double)b->x[k]))) : 1 / (1 + exp(-b->x[k]));
    for (int t = 0; t < num_activations_tables; t++) {
        const activations_table *table = activations_tables[dtype][t];
        for (int gate = 0; gate < GATES; gate++) {
            const void *got = sigmoids(dtype, table, gate, b);
            for (int k = 0; k < BLOCK; k++) {
                if (right(&ends_of[dtype], gate, b->x[k], b->exact[k], tensor_at(dtype, got, k))) continue;
                fprintf(stderr, "%s, f%zu: sigmoid(%s = %.17g) is %.9g\n", table->isa, 8 * dtype_size(dtype),
                        gate_names[gate], b->x[k], tensor_at(dtype, got, k));
                return false;
            }
        }
    }
    return true;
}

static block *make_block(wlstm_dtype dtype) {
    block *b = malloc(sizeof *b);
    if (!b) abort();
    fill(dtype, &b->open, NULL, 1000), fill(dtype, &b->shut, NULL, -1000);
    return b;
}

static void floats(void **state) {
    (void)state;
    bool held = true;
#pragma omp parallel reduction(&& : held)
    {
        block *b = make_block(WLSTM_F32);
        const float first = -16, end = -128;
        uint32_t from, to;
        memcpy(&from, &first, sizeof from), memcpy(&to, &end, sizeof to);
#pragma omp for schedule(dynamic, 16)
        for (int64_t index = from / BLOCK; index <= to / BLOCK; index += stride) {
            for (uint32_t k = 0; k < BLOCK; k++) {
                const uint32_t bits = (uint32_t)index * BLOCK + k;
                float x;
                memcpy(&x, &bits, sizeof x);
                b->x[k] = (double)x;
            }
            held = held && check(WLSTM_F32, b);
        }
        free(b);
    }
    assert_true(held);
}

static void doubles(void **state) {
    (void)state;
    const uint64_t seed = random_test_stream();
    block *b = make_block(WLSTM_F64);
    bool held = true;
    for (int64_t index = 0; index < F64_BLOCKS && held; index++) {
        for (int k = 0; k < BLOCK; k++) b->x[k] = -30 - ldexp((double)random_bits(seed, index * BLOCK + k), -64) * 770;
        held = check(WLSTM_F64, b);
    }
    free(b);
    assert_true(held);
}

/* The last numbers on each side of an end, and the far ones. */
static void the_ends(void **state) {
    (void)state;
    for (int d = 0; d < 2; d++) {
        const wlstm_dtype dtype = d ? WLSTM_F64 : WLSTM_F32;
        block *b = make_block(dtype);
        const double points[] = { ends_of[d].pytorch, ends_of[d].ours, -1000, -1e30, -HUGE_VAL };
        for (int k = 0; k < BLOCK; k++) {
            b->x[k] = points[k % 5];
            for (int step = k / 5 % 7 - 3; step != 0 && isfinite(b->x[k]); step += step < 0 ? 1 : -1)
                b->x[k] = d ? nextafter(b->x[k], step < 0 ? -HUGE_VAL : 0)
                            : (double)nextafterf((float)b->x[k], step < 0 ? -HUGE_VALF : 0);
            if (!d) b->x[k] = (double)(float)b->x[k];
        }
        assert_true(check(dtype, b));
        free(b);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats),
        cmocka_unit_test(doubles),
        cmocka_unit_test(the_ends),
    };
    if (argc > 1) stride = strtoll(argv[1], NULL, 10);
    if (stride < 1) stride = 1;
    activations_find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
