/* Prepared steps of every native table this machine runs: the bits of the others, and where h may take h_prev's place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "compare.h"
#include "native_step.h"

/* h is the same bits where it takes h_prev's place, which it may unless some tile reads rows of which another wrote units: where there
 * is only one panel, never with three. Returns whether the step is few tiles. */
static bool prepared_step_equals_step(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t rows) {
    const size_t h_bytes = (size_t)H * dtype_size(dtype);
    step_case s = make_step_case(dtype, native, H, H, true);
    step_outcome expected, start;
    run_step(&s, 0, rows, false, &expected);
    start_step(&s, 0, rows, &start);
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
    free_step_case(&s);
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

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(prepared_steps) };
    find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
