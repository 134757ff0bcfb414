/* Numbers in text: what is plain decimal and in range is read exactly, everything else is refused and changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/number.h"
#include "random.h"

static uint64_t stream;

static void integers_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = { { "0", 0 }, { "1", 1 }, { "007", 7 }, { "4096", 4096 }, { "9223372036854775807", INT64_MAX } };
    int64_t value;
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        assert_true(wli_parse_integer(good[k].text, 0, INT64_MAX, &value));
        assert_int_equal(value, good[k].value);
    }
    for (int k = 0; k < 10000; k++) {
        const int64_t drawn = random_between(&stream, 0, INT64_MAX - 1) >> random_between(&stream, 0, 62);
        char text[24];
        snprintf(text, sizeof text, "%" PRId64, drawn);
        assert_true(wli_parse_integer(text, drawn, drawn, &value));
        assert_int_equal(value, drawn);
        assert_false(wli_parse_integer(text, drawn + 1, INT64_MAX, &value));
        if (drawn > 0) assert_false(wli_parse_integer(text, 0, drawn - 1, &value));
    }
}

static void other_integers_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = { "",
                                       " ",
                                       " 1",
                                       "1 ",
                                       "\t1",
                                       "+1",
                                       "-1",
                                       "-0",
                                       "0x1",
                                       "1x",
                                       "1.0",
                                       "1e0",
                                       "1,",
                                       ",1",
                                       "one",
                                       "9223372036854775808",
                                       "inf",
                                       "nan",
                                       "١",
                                       "1\n",
                                       "1_000",
                                       "1'000",
                                       "99999999999999999999" };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        int64_t value = -7;
        if (wli_parse_integer(bad[k], 0, INT64_MAX, &value) || value != -7)
            fail_msg("\"%s\" is read as an integer", bad[k]);
    }
}

static void integers_are_taken_one_by_one(void **state) {
    (void)state;
    const char *list = "12,3";
    int64_t value = -7;
    assert_true(wli_take_integer(&list, 1, 12, &value));
    assert_int_equal(value, 12);
    assert_string_equal(list, ",3");
    assert_false(wli_take_integer(&list, 1, 12, &value));
    assert_string_equal(list, ",3");
    assert_int_equal(value, 12);
    const char *large = "13,3";
    assert_false(wli_take_integer(&large, 1, 12, &value));
    assert_string_equal(large, "13,3");
}

static void reals_are_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        double value;
    } good[] = { { "2", 2 },         { "0.5", 0.5 },       { ".5", 0.5 },       { "3.", 3 },
                 { "1e3", 1000 },    { "1E+3", 1000 },     { "25e-2", 0.25 },   { "0.1", 0.1 },
                 { "86400", 86400 }, { "1e-300", 1e-300 }, { "0.00001e5", 1.0 } };
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        double value;
        assert_true(wli_parse_real(good[k].text, 0, 86400, &value));
        assert_true(value == good[k].value);
    }
}

static const char *const bad_reals[] = { "",
                                         " ",
                                         " 1",
                                         "1 ",
                                         "+1",
                                         "-1",
                                         "-0.5",
                                         "0x1p-5",
                                         "0x1",
                                         "inf",
                                         "nan",
                                         "INF",
                                         "nan(1)",
                                         "infinity",
                                         ".",
                                         "e3",
                                         ".e3",
                                         "1e",
                                         "1e+",
                                         "1e3.",
                                         "1.2.3",
                                         "1,5",
                                         "1x",
                                         "0",
                                         "0.0",
                                         "0e5",
                                         "1e-400",
                                         "86400.1",
                                         "1e5",
                                         "1e400",
                                         "1e99999999999999999999" };

static void other_reals_are_refused(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof bad_reals / sizeof bad_reals[0]; k++) {
        double value = -7;
        if (wli_parse_real(bad_reals[k], 0, 86400, &value) || value != -7)
            fail_msg("\"%s\" is read as a real number", bad_reals[k]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_read),
        cmocka_unit_test(other_integers_are_refused),
        cmocka_unit_test(integers_are_taken_one_by_one),
        cmocka_unit_test(reals_are_read),
        cmocka_unit_test(other_reals_are_refused),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
