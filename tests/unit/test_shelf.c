/* What is kept on a shelf: made once for a place and a key, whole or not at all, and destroyed with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/shelf.h"

static atomic_int made, alive;

static wlstm_status make(void *context, void **object) {
    if (context) return WLSTM_ERROR_UNSUPPORTED;
    made++;
    alive++;
    *object = malloc(1);
    nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL); /* so that others ask meanwhile */
    return WLSTM_OK;
}

static void destroy(void *object) {
    alive--;
    free(object);
}

static void *get(wli_shelf *shelf, int64_t place, const char *key) {
    void *object = NULL;
    assert_int_equal(wli_shelf_get(shelf, place, key, make, destroy, NULL, &object), WLSTM_OK);
    return object;
}

static void one_for_each_place_and_key(void **state) {
    (void)state;
    wli_shelf shelf;
    void *object;
    int fails = 1;
    made = alive = 0;
    assert_true(wli_shelf_make(&shelf, 3));
    void *a = get(&shelf, 0, "a"), *b = get(&shelf, 0, "b"), *other = get(&shelf, 2, "a");
    assert_true(a != b && a != other && b != other);
    assert_ptr_equal(get(&shelf, 0, "a"), a);
    assert_ptr_equal(get(&shelf, 2, "a"), other);
    assert_int_equal(made, 3);
    assert_int_equal(wli_shelf_get(&shelf, 1, "a", make, destroy, &fails, &object), WLSTM_ERROR_UNSUPPORTED);
    assert_null(object);
    assert_non_null(get(&shelf, 1, "a"));
    wli_shelf_clear(&shelf);
    assert_int_equal(alive, 0);
    assert_non_null(get(&shelf, 0, "a"));
    wli_shelf_free(&shelf);
    assert_int_equal(alive, 0);
}

static void who_asks_at_once_shares_it(void **state) {
    (void)state;
    for (int n = 0; n < 100; n++) {
        wli_shelf shelf;
        void *objects[4] = { NULL };
        made = 0;
        assert_true(wli_shelf_make(&shelf, 1));
#pragma omp parallel num_threads(4)
        (void)wli_shelf_get(&shelf, 0, "a", make, destroy, NULL, &objects[omp_get_thread_num()]);
        assert_int_equal(made, 1);
        for (int i = 1; i < 4; i++) assert_ptr_equal(objects[i], objects[0]);
        wli_shelf_free(&shelf);
    }
}

/* Work on a shelf is one at a time, and nothing is made on it meanwhile. */
static void count_up(void *context) {
    int *count = context;
    const int before = *count;
    nanosleep(&(struct timespec){ .tv_nsec = 10000 }, NULL);
    *count = before + 1;
}

static void work_waits_for_its_turn(void **state) {
    (void)state;
    wli_shelf shelf;
    int count = 0;
    assert_true(wli_shelf_make(&shelf, 1));
#pragma omp parallel for num_threads(4)
    for (int i = 0; i < 100; i++) wli_shelf_work(&shelf, count_up, &count);
    assert_int_equal(count, 100);
    wli_shelf_free(&shelf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_place_and_key),
        cmocka_unit_test(who_asks_at_once_shares_it),
        cmocka_unit_test(work_waits_for_its_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
