/* The probe's time of a meeting, from rounds as a busy or a virtual machine's clock gives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meetings.h"

enum { ROUNDS = 40 };

static void a_clock_that_stands_still_is_left_out(void **state) {
    (void)state;
    double seconds[ROUNDS];
    for (int n = 0; n < ROUNDS; n++) seconds[n] = 2e-7;
    for (int n = 0; n < ROUNDS; n += 4) seconds[n] = 0; /* a quarter, more than the quick ones that are passed over */
    seconds[17] = -5e-9;                                /* ran back: the thread moved to another processor */
    seconds[30] = 1e-9;                                 /* stood still for most of the round */
    assert_float_equal(meetings_quick_round(seconds, ROUNDS, 4e-7), 2e-7, 1e-12);
}

static void interrupted_rounds_are_left_out(void **state) {
    (void)state;
    double seconds[ROUNDS];
    for (int n = 0; n < ROUNDS; n++) seconds[n] = n % 4 == 0 ? 2e-7 : 4e-3;
    assert_float_equal(meetings_quick_round(seconds, ROUNDS, 4e-7), 2e-7, 1e-12);
}

static void threads_that_never_ran_at_once_say_nothing(void **state) {
    (void)state;
    double waited[ROUNDS], still[ROUNDS];
    for (int n = 0; n < ROUNDS; n++) waited[n] = 4e-3, still[n] = 0;
    assert_float_equal(meetings_quick_round(waited, ROUNDS, 4e-7), 4e-7, 1e-12);
    assert_float_equal(meetings_quick_round(still, ROUNDS, 4e-7), 4e-7, 1e-12);
    double one[] = { 3e-7 };
    assert_float_equal(meetings_quick_round(one, 1, 4e-7), 3e-7, 1e-12);
}

static void what_is_measured_here_is_a_time(void **state) {
    (void)state;
    const meeting_costs costs = meetings_measure();
    assert_true(costs.region > 0 && costs.barrier > 0 && costs.wait > 0 && costs.task > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clock_that_stands_still_is_left_out),
        cmocka_unit_test(interrupted_rounds_are_left_out),
        cmocka_unit_test(threads_that_never_ran_at_once_say_nothing),
        cmocka_unit_test(what_is_measured_here_is_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
