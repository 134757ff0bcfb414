/* How close is close enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>

#include "reference/compare.h"

/* Each type's rtol and atol, as torch.testing.assert_close has them: what is a little nearer, and a little farther. */
static void the_tolerances_are_pytorchs(void **state) {
    (void)state;
    static const struct {
        wlstm_dtype dtype;
        double rtol, atol;
    } types[] = { { WLSTM_F32, 1.3e-6, 1e-5 }, { WLSTM_F64, 1e-7, 1e-7 } };
    static const double values[] = { 0, 1, -1, 0.01, 1000, -1e30 };
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        for (size_t v = 0; v < sizeof values / sizeof values[0]; v++)
            for (int sign = -1; sign <= 1; sign += 2) {
                const double off = sign * (types[k].atol + types[k].rtol * fabs(values[v]));
                assert_true(
                    wli_close_enough(types[k].dtype, WLSTM_PRECISION_DEFAULT, values[v] + 0.999 * off, values[v]));
                assert_false(
                    wli_close_enough(types[k].dtype, WLSTM_PRECISION_DEFAULT, values[v] + 1.001 * off, values[v]));
            }
}

/* Of products that are rounded, whatever the numbers are kept as. */
static void rounded_products_have_their_own(void **state) {
    (void)state;
    for (int precision = WLSTM_PRECISION_BF16; precision <= WLSTM_PRECISION_INT8; precision++) {
        assert_true(wli_close_enough(WLSTM_F32, (wlstm_precision)precision, 0.5 + 0.0149, 0.5));
        assert_false(wli_close_enough(WLSTM_F32, (wlstm_precision)precision, 0.5 + 0.0151, 0.5));
    }
}

static void what_is_not_finite_is_close_to_itself_alone(void **state) {
    (void)state;
    const double special[] = { NAN, INFINITY, -INFINITY, 0, DBL_MAX };
    for (int a = 0; a < 5; a++)
        for (int b = 0; b < 5; b++)
            for (int dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++)
                assert_int_equal(wli_close_enough((wlstm_dtype)dtype, WLSTM_PRECISION_FULL, special[a], special[b]),
                                 a == b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tolerances_are_pytorchs),
        cmocka_unit_test(rounded_products_have_their_own),
        cmocka_unit_test(what_is_not_finite_is_close_to_itself_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
