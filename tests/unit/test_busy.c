/* What tells wlstm-tune that other programs use the machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "busy.h"

static void assert_tells(double load, int cores, double stretch, const char *expected) {
    const busy_signs signs = { load, cores, stretch };
    char text[BUSY_TEXT];
    assert_int_equal(busy_tell(&signs, text), expected[0] != '\0');
    assert_string_equal(text, expected);
}

static void an_idle_machine_is_not_busy(void **state) {
    (void)state;
    assert_tells(0, 1, 1, "");
    assert_tells(0.5, 2, 1.2, "");
    assert_tells(-1, 2, 1, ""); /* the system does not say */
    assert_tells(6, 64, 1.05, "");
}

static void a_load_is_told(void **state) {
    (void)state;
    assert_tells(0.6, 1, 1, "load average 0.6 on 1 core");
    assert_tells(1.94, 2, 1.1, "load average 1.9 on 2 cores");
    assert_tells(7, 64, 1, "load average 7.0 on 64 cores");
}

static void disturbed_runs_are_told(void **state) {
    (void)state;
    assert_tells(0.1, 2, 1.5, "equal runs took 1.50 times their least time on average");
    assert_tells(-1, 2, 21, "equal runs took 21.00 times their least time on average");
    assert_tells(3, 4, 1.25, "load average 3.0 on 4 cores, equal runs took 1.25 times their least time on average");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_machine_is_not_busy),
        cmocka_unit_test(a_load_is_told),
        cmocka_unit_test(disturbed_runs_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
