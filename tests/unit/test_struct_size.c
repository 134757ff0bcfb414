/* A struct that grew, seen by programs of its first header and of today's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/struct_size.h"

typedef struct first_struct {
    size_t struct_size;
    int64_t a;
    int b; /* and padding */
} first_struct;

typedef struct grown_struct {
    size_t struct_size;
    int64_t a;
    int b, filler; /* the filler is where the first one's padding was */
    int c, unused; /* no padding, which a copy need not have */
} grown_struct;

static const wli_struct_kind kind = { "options", "GROWN_INIT", WLI_SIZE_TO(grown_struct, b), sizeof(grown_struct) };
static const grown_struct defaults = { sizeof(grown_struct), 1, 2, 0, 3, 0 };

static void an_older_struct_leaves_defaults(void **state) {
    (void)state;
    grown_struct own = defaults;
    first_struct given;
    memset(&given, 0xff, sizeof given);
    given.struct_size = sizeof given, given.a = 10, given.b = 20;
    assert_int_equal(kind.first, sizeof(first_struct));
    assert_int_equal(wli_struct_read(&kind, &given, &own), WLSTM_OK);
    assert_true(own.a == 10 && own.b == 20 && own.c == 3);
}

static void todays_is_read_whole(void **state) {
    (void)state;
    grown_struct own = defaults;
    const grown_struct given = { sizeof given, 10, 20, 0, 30, 0 };
    assert_int_equal(wli_struct_read(&kind, &given, &own), WLSTM_OK);
    assert_true(own.a == 10 && own.b == 20 && own.c == 30);
}

static void no_more_is_written_than_there_is(void **state) {
    (void)state;
    struct {
        first_struct given;
        unsigned char behind[sizeof(grown_struct)];
    } memory;
    memset(&memory, 0xee, sizeof memory);
    memory.given.struct_size = sizeof memory.given;
    assert_int_equal(wli_struct_write(&kind, &defaults, &memory.given), WLSTM_OK);
    assert_true(memory.given.struct_size == sizeof memory.given && memory.given.a == 1 && memory.given.b == 2);
    for (size_t i = 0; i < sizeof memory.behind; i++) assert_int_equal(memory.behind[i], 0xee);
}

static void other_sizes_are_refused_by_name(void **state) {
    (void)state;
    const size_t newer = sizeof(grown_struct) + 8;
    const struct {
        size_t size;
        const char *error;
    } wrong[] = { { 0, "options->struct_size: 32 expected (begin with GROWN_INIT), got 0" },
                  { kind.first - 1, "options->struct_size: 32 expected (begin with GROWN_INIT), got 23" },
                  { newer,
                    "options->struct_size: at most 32 expected, got 40, of a header newer than this library (" } };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        grown_struct own = defaults, given = defaults;
        given.struct_size = wrong[i].size;
        assert_int_equal(wli_struct_read(&kind, &given, &own), WLSTM_ERROR_INVALID_ARGUMENT);
        assert_non_null(strstr(wlstm_last_error(), wrong[i].error));
        assert_memory_equal(&own, &defaults, sizeof own);
        assert_int_equal(wli_struct_write(&kind, &defaults, &given), WLSTM_ERROR_INVALID_ARGUMENT);
    }
    assert_int_equal(wli_struct_read(&kind, NULL, &(grown_struct){ 0 }), WLSTM_ERROR_INVALID_ARGUMENT);
}

/* What is released stays where it is, and what comes begins behind it. */
static void released_sizes_are_kept(void **state) {
    (void)state;
    if (sizeof(void *) != 8) skip();
    assert_int_equal(wli_lstm_config_kind.first, 64);
    assert_int_equal(wli_cell_config_kind.first, 32);
    assert_int_equal(wli_load_options_kind.first, 32);
    assert_int_equal(wli_plan_options_kind.first, 56);
    assert_int_equal(sizeof(wlstm_plan_options), 72);
    assert_int_equal(sizeof(wlstm_load_options), 56);
}

/* The structs field by field: one that is added does not compile until it is counted here. It begins at or behind the
 * size that is asserted now, after fillers over what is padding: older programs have garbage there. Then come its
 * value in the list, its end and the new size. */
#define ENDS_AT(type, last, end, size, ...)                                                                            \
    _Static_assert(sizeof(void *) != 8 || (offsetof(type, last) + sizeof(((type *)0)->last) == (end) &&                \
                                           sizeof((type){ __VA_ARGS__ }) == (size)),                                   \
                   "fields of " #type)
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wmissing-field-initializers"
ENDS_AT(wlstm_lstm_config, dtype, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, WLSTM_F32);
ENDS_AT(wlstm_cell_config, dtype, 32, 32, 0, 0, 0, 0, WLSTM_F32);
ENDS_AT(wlstm_load_options, num_layers, 56, 56, 0, NULL, 0, 0, WLSTM_F32, 0, 0, WLSTM_PRECISION_DEFAULT, 0, 0);
ENDS_AT(wlstm_plan_options, chunk_steps, 72, 72, 0, 0, 0, 0, WLSTM_BACKEND_AUTO, WLSTM_EFFORT_DEFAULT, 0, 0, 0,
        WLSTM_SCHEDULE_AUTO, WLSTM_PRECISION_DEFAULT, 0);
#pragma GCC diagnostic pop

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_struct_leaves_defaults),  cmocka_unit_test(todays_is_read_whole),
        cmocka_unit_test(no_more_is_written_than_there_is), cmocka_unit_test(other_sizes_are_refused_by_name),
        cmocka_unit_test(released_sizes_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
