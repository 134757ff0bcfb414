/* Work as one thread sees a count of one, and who called it has the count and the settings of before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/one_thread.h"

enum { COUNT = 5 };

static void look(void *context) {
    int *seen = context;
    *seen = omp_get_max_threads();
}

/* Whether it holds where the caller is, whose count is COUNT. */
static bool holds_here(void) {
    const int dynamic = omp_get_dynamic(), thread = omp_get_thread_num();
    int seen = 0;
    omp_set_num_threads(COUNT);
    wli_as_one_thread(look, &seen);
    return seen == 1 && omp_get_max_threads() == COUNT && omp_get_dynamic() == dynamic &&
           omp_get_thread_num() == thread;
}

static void *in_thread(void *context) {
    *(bool *)context = holds_here();
    return NULL;
}

static void on_the_first_thread(void **state) {
    (void)state;
    assert_true(holds_here());
    int seen = 0;
    omp_set_num_threads(1);
    wli_as_one_thread(look, &seen);
    assert_int_equal(seen, 1);
    assert_int_equal(omp_get_max_threads(), 1);
}

static void in_regions_and_tasks(void **state) {
    (void)state;
    int failed = 0;
#pragma omp parallel num_threads(3) reduction(+ : failed)
    failed += !holds_here();
    assert_int_equal(failed, 0);
#pragma omp parallel num_threads(3)
#pragma omp single
    for (int i = 0; i < 20; i++) {
#pragma omp task shared(failed)
        if (!holds_here()) {
#pragma omp atomic
            failed++;
        }
    }
    assert_int_equal(failed, 0);
}

static void on_a_thread_of_the_callers(void **state) {
    (void)state;
    pthread_t thread;
    bool held = false;
    assert_int_equal(pthread_create(&thread, NULL, in_thread, &held), 0);
    pthread_join(thread, NULL);
    assert_true(held);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_the_first_thread),
        cmocka_unit_test(in_regions_and_tasks),
        cmocka_unit_test(on_a_thread_of_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
