/* The size of a cache as Linux writes it, and files that say something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/processor_caches.h"
#include "scratch_dir.h"

enum { OTHERWISE = 12345 };

static int64_t bytes_of(const char *text) {
    return wli_cache_file_bytes(scratch_write("size", text, strlen(text)), OTHERWISE);
}

static void sizes_are_read(void **state) {
    (void)state;
    assert_int_equal(bytes_of("32768K\n"), INT64_C(32768) << 10);
    assert_int_equal(bytes_of("48K"), 48 << 10);
    assert_int_equal(bytes_of("1152M\n"), INT64_C(1152) << 20);
}

static void anything_else_is_not(void **state) {
    (void)state;
    static const char *const texts[] = { "", "\n", "K", "32768", "0K", "-4K", "99999999999999999999K", "12G", "a32K" };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) assert_int_equal(bytes_of(texts[i]), OTHERWISE);
    assert_int_equal(wli_cache_file_bytes(scratch_path("missing"), OTHERWISE), OTHERWISE);
    assert_int_equal(wli_cache_file_bytes(scratch_directory, OTHERWISE), OTHERWISE);
}

static void this_machine_has_caches(void **state) {
    (void)state;
    const int64_t *sizes = wli_cache_sizes();
    assert_true(sizes[0] > 0 && sizes[0] <= sizes[1] && sizes[1] <= sizes[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_read),
        cmocka_unit_test(anything_else_is_not),
        cmocka_unit_test(this_machine_has_caches),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
