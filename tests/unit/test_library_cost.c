/* The probe of other libraries' gemms: each that this build has gets figures, the native kernels none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "library_cost.h"

static void each_library_is_measured(void **state) {
    (void)state;
    wli_rates rates;
    memset(&rates, 0, sizeof rates);
    library_cost_measure(&rates);
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++) {
        const struct wli_library_rates *library = &rates.libraries[kind];
        const bool measured = kind != WLI_GEMM_NATIVE && wli_multipliers[kind]->serves(WLI_PRODUCT_F32);
        assert_true(isfinite(library->flops) && isfinite(library->call));
        assert_true((library->flops > 0) == measured && (library->call > 0) == measured);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_library_is_measured) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
