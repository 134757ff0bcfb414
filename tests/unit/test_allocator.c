/* The library's memory: alignment, sizes that overflow, the arena, and the rules of wlstm_set_allocator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <wavelstm.h>

#include "base/allocator.h"

enum { HUGE_PAGE = 2 << 20 };

static bool aligned(const void *memory, uintptr_t alignment) {
    return (uintptr_t)memory % alignment == 0;
}

static void blocks_are_aligned_and_writable(void **state) {
    (void)state;
    static const size_t sizes[] = {
        0, 1, 7, 8, 63, 64, 65, 4096, HUGE_PAGE - 1, HUGE_PAGE, HUGE_PAGE + 1, 5 * HUGE_PAGE
    };
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        unsigned char *memory = wli_alloc(sizes[k]), *zeros = wli_calloc(sizes[k]);
        assert_non_null(memory);
        assert_non_null(zeros);
        assert_true(aligned(memory, WLI_ALIGNMENT) && aligned(zeros, WLI_ALIGNMENT));
        if (sizes[k] >= HUGE_PAGE) assert_true(aligned(memory, HUGE_PAGE));
        memset(memory, 0xA5, sizes[k]);
        unsigned char bits = 0;
        for (size_t byte = 0; byte < sizes[k]; byte++) bits |= zeros[byte];
        assert_int_equal(bits, 0);
        wli_free(memory);
        wli_free(zeros);
    }
    wli_free(NULL);
}

static void impossible_sizes_give_null(void **state) {
    (void)state;
    assert_null(wli_alloc(SIZE_MAX));
    assert_null(wli_alloc(SIZE_MAX - WLI_ALIGNMENT));
    assert_null(wli_alloc(SIZE_MAX / 2 + 1));
    assert_null(wli_calloc(SIZE_MAX));
}

static void products(void **state) {
    (void)state;
    size_t product;
    assert_true(wli_size_product(2, 3, 5, &product) && product == 30);
    assert_true(wli_size_product(0, INT64_MAX, INT64_MAX, &product) && product == 0);
    assert_true(wli_size_product(7, 0, 4, &product) && product == 0);
    assert_true(wli_size_product(INT64_MAX, 2, 1, &product) && product == SIZE_MAX - 1);
    assert_false(wli_size_product(INT64_MAX, 3, 1, &product));
    assert_false(wli_size_product(1, INT64_MAX, 4, &product));
    assert_false(wli_size_product((int64_t)1 << 32, (int64_t)1 << 31, 4, &product));
    assert_false(wli_size_product(-1, 1, 1, &product));
    assert_false(wli_size_product(1, -1, 1, &product));
    assert_false(wli_size_product(1, 1, -1, &product));
    assert_false(wli_size_product(-1, -1, 1, &product));
}

static void copies_of_strings(void **state) {
    (void)state;
    char *copy = wli_strdup("weight_ih_l0"), *empty = wli_strdup("");
    assert_string_equal(copy, "weight_ih_l0");
    assert_string_equal(empty, "");
    wli_free(copy);
    wli_free(empty);
}

/* Three parts; once to measure, once to assign. */
static void lay_out(wli_arena *arena, void *parts[3]) {
    parts[0] = wli_arena_take(arena, 3, 5, sizeof(float));
    parts[1] = wli_arena_take(arena, 1, 1, 1);
    parts[2] = wli_arena_take(arena, 0, 9, sizeof(double));
}

static void an_arena_measures_then_assigns(void **state) {
    (void)state;
    wli_arena measure = { 0 };
    void *parts[3];
    lay_out(&measure, parts);
    for (int k = 0; k < 3; k++) assert_null(parts[k]);
    assert_false(measure.overflow);
    assert_int_equal(measure.used, 2 * WLI_ALIGNMENT);

    wli_arena assign = { .base = wli_alloc(measure.used) };
    assert_non_null(assign.base);
    lay_out(&assign, parts);
    assert_int_equal(assign.used, measure.used);
    assert_ptr_equal(parts[0], assign.base);
    assert_ptr_equal(parts[1], assign.base + WLI_ALIGNMENT);
    wli_free(assign.base);
}

static void an_arena_remembers_an_overflow(void **state) {
    (void)state;
    wli_arena product = { 0 }, sum = { 0 }, negative = { 0 };
    wli_arena_take(&product, INT64_MAX, INT64_MAX, 8);
    wli_arena_take(&product, 1, 1, 1);
    assert_true(product.overflow);
    wli_arena_take(&sum, INT64_MAX, 1, 1);
    wli_arena_take(&sum, INT64_MAX, 1, 1);
    wli_arena_take(&sum, 1, 1, 1);
    assert_true(sum.overflow);
    wli_arena_take(&negative, -1, 1, 8);
    assert_true(negative.overflow);
}

/* ------------------------------------------------------------------------------------ wlstm_set_allocator */

typedef struct counts {
    int allocated, freed, left; /* left: how many more are granted */
} counts;

static void *counted_allocate(size_t bytes, void *context) {
    counts *c = context;
    if (c->left-- <= 0) return NULL;
    c->allocated++;
    return malloc(bytes);
}

static void counted_deallocate(void *memory, void *context) {
    ((counts *)context)->freed++;
    free(memory);
}

static void only_one_function_is_refused(void **state) {
    (void)state;
    counts c = { 0 };
    assert_int_equal(wlstm_set_allocator(counted_allocate, NULL, &c), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), "deallocate: a function expected beside allocate, got NULL");
    assert_int_equal(wlstm_set_allocator(NULL, counted_deallocate, &c), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), "allocate: a function expected beside deallocate, got NULL");
    wli_free(wli_alloc(1));
    assert_int_equal(c.freed, 0);
}

static void memory_comes_from_the_users_functions(void **state) {
    (void)state;
    counts c = { .left = 1000 };
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = 3, config.hidden_size = 4;
    assert_int_equal(wlstm_set_allocator(counted_allocate, counted_deallocate, &c), WLSTM_OK);
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_true(c.allocated > 0);
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT); /* the lstm is alive */
    assert_non_null(strstr(wlstm_last_error(), "no object of the library alive expected"));
    wlstm_lstm_free(lstm);
    assert_int_equal(c.freed, c.allocated);
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    wlstm_lstm_free(lstm);
    assert_int_equal(c.freed, c.allocated);
}

static void null_from_the_user_is_out_of_memory(void **state) {
    (void)state;
    counts c = { .left = 0 };
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = 3, config.hidden_size = 4;
    assert_int_equal(wlstm_set_allocator(counted_allocate, counted_deallocate, &c), WLSTM_OK);
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_ERROR_OUT_OF_MEMORY);
    assert_null(lstm);
    assert_null(wli_strdup("x"));
    assert_null(wli_calloc(8));
    assert_int_equal(c.freed, 0);
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_writable),
        cmocka_unit_test(impossible_sizes_give_null),
        cmocka_unit_test(products),
        cmocka_unit_test(copies_of_strings),
        cmocka_unit_test(an_arena_measures_then_assigns),
        cmocka_unit_test(an_arena_remembers_an_overflow),
        cmocka_unit_test(only_one_function_is_refused),
        cmocka_unit_test(memory_comes_from_the_users_functions),
        cmocka_unit_test(null_from_the_user_is_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
