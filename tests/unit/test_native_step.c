/* One step of every native table this machine runs against the equations in double, over many shapes; a row's bits do not depend on the
 * rows beside it, nor on the direction and the parts of the sweep, nor on the table where it rounds alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compare.h"
#include "native_step.h"
#include "random.h"

static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}

/* c' and h of unit j of row r, each as far off as its gates and the activations (activations.h) may be. */
static void check_unit(const step_case *s, const char *what, const step_outcome *got, int64_t r, int64_t j) {
    const double rounding = ldexp(1, s->dtype == WLSTM_F64 ? -53 : -24), activation = 4 * rounding;
    const int64_t H = s->layout.hidden_size;
    bounded_sum gate[4];
    for (int k = 0; k < 4; k++)
        gate[k] = dot(s->dtype, tensor_at(s->dtype, s->gates, r * 4 * H + k * H + j), s->h_prev[r],
                      (const char *)s->weight + (size_t)((k * H + j) * s->depth) * dtype_size(s->dtype),
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
    step_case s = make_step_case(dtype, native, H, depth, with_h_prev);
    step_outcome all, some;
    char what[128];
    snprintf(what, sizeof what, "%s %s step: hidden_size %d, depth %d%s", native->isa,
             dtype == WLSTM_F64 ? "f64" : "f32", (int)H, (int)depth, with_h_prev ? "" : ", no h_prev");
    run_step(&s, 0, ROWS, false, &all);
    for (int64_t r = 0; r < ROWS; r++)
        for (int64_t j = 0; j < H; j++) check_unit(&s, what, &all, r, j);
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
        other.panels = pack(dtype, same, s.weight, 4 * H, depth, &other.layout, other.layout.columns);
        run_step(&other, 0, ROWS, false, &some);
        check_identical(what, dtype, H, ROWS, &some, other.ldc, &all, s.ldc, 0);
        free_step(&some, ROWS);
        free(other.panels);
    }
    free_step(&all, ROWS);
    free_step_case(&s);
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(steps) };
    find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
