/* The plan cache as text in memory: it serves as a file does, and where it comes first no file is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/cache.h"
#include "scratch_dir.h"

static wli_cache_entry entry_of(const char *name, int threads) {
    wli_cache_entry entry = { .threads = threads, .effort = WLSTM_EFFORT_MEASURE };
    assert_int_equal(wli_problem_parse(name, &entry.problem), WLSTM_OK);
    return entry;
}

static bool any(const wli_cache_entry *entry, const void *context) {
    (void)entry, (void)context;
    return true;
}

static void text_that_comes_first_takes_the_place_of_files(void **state) {
    (void)state;
    const wli_cache_entry own = entry_of("t20b8i8h16l1", 2), of_file = entry_of("t30b8i8h16l1", 2);
    wli_cache_table table = { 0 }, in_file = { 0 };
    wli_cache_entry found;
    assert_true(wli_cache_table_put(&table, &own) && wli_cache_table_put(&in_file, &of_file));
    assert_int_equal(wli_cache_merge(scratch_directory, &in_file, NULL, false), WLSTM_OK);
    char *text = wli_cache_encode(&table);
    assert_non_null(text);
    assert_int_equal(wlstm_plan_cache_import_text(text, strlen(text)), WLSTM_OK);
    assert_int_equal(wli_cache_find(&own.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_int_equal(wli_cache_find(&of_file.problem, 2, any, NULL, &found), WLI_CACHE_NEAR);
    assert_int_equal(wlstm_plan_cache_load(NULL), WLSTM_OK);
    assert_int_equal(wli_cache_find(&of_file.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    free(text);
    wli_cache_table_clear(&table);
    wli_cache_table_clear(&in_file);
}

static void text_serves_as_a_file_does(void **state) {
    (void)state;
    const wli_cache_entry entry = entry_of("t20b8i8h16l1", 2);
    wli_cache_entry found;
    char text[8192];
    size_t bytes = 0, again = 0;
    wli_cache_keep(&entry);
    assert_int_equal(wlstm_plan_cache_export_text(NULL, 0, &bytes), WLSTM_OK);
    assert_in_range(bytes, 2, sizeof text);
    assert_int_equal(wlstm_plan_cache_export_text(text, bytes - 1, &again), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_non_null(strstr(wlstm_last_error(), "capacity: at least "));
    assert_int_equal(wlstm_plan_cache_export_text(text, bytes, &again), WLSTM_OK);
    assert_int_equal(again, bytes);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_import_text(text, bytes - 1), WLSTM_ERROR_FORMAT);
    assert_int_equal(wlstm_plan_cache_import_text(text, bytes), WLSTM_OK);
    assert_int_equal(wli_cache_find(&entry.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_true(found.unsaved);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_export_text(NULL, 8, &bytes), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_plan_cache_export_text(text, 8, NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_plan_cache_import_text(NULL, 0), WLSTM_ERROR_INVALID_ARGUMENT);
}

int main(void) {
    if (scratch_create(NULL) != 0) return 1;
    setenv("WLSTM_CACHE", scratch_directory, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_comes_first_takes_the_place_of_files), /* in a process that has read nothing */
        cmocka_unit_test(text_serves_as_a_file_does),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return scratch_remove_all(NULL) != 0 || failed;
}
