/* Philox against its published answers (Random123, kat_vectors), and the mask that dropout draws from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "model/dropout_mask.h"
#include "random.h"

enum { WIDTH = 1003 };

static void philox_gives_the_published_numbers(void **state) {
    (void)state;
    static const struct {
        wli_philox_words counter;
        uint64_t key;
        wli_philox_words words;
    } known[] = {
        { { { 0, 0, 0, 0 } }, 0, { { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } } },
        { { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff } },
          0xffffffffffffffff,
          { { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } } },
        { { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 } },
          0x299f31d0a4093822,
          { { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } } },
    };
    for (size_t k = 0; k < sizeof known / sizeof known[0]; k++) {
        const wli_philox_words words = wli_philox(known[k].counter, known[k].key);
        assert_memory_equal(&words, &known[k].words, sizeof words);
    }
}

/* Every number of a place is in the counter at a place of its own. */
static void counters_differ(void **state) {
    (void)state;
    const wli_dropout_place origin = { 0, 0, 0 };
    const wli_philox_words first = wli_dropout_counter(origin, 0);
    for (int bit = 0; bit < 40; bit++) {
        const int64_t one = INT64_C(1) << bit;
        wli_philox_words moved[4];
        moved[0] = wli_dropout_counter((wli_dropout_place){ 0, one, 0 }, 0);
        moved[1] = wli_dropout_counter((wli_dropout_place){ 0, 0, one }, 0);
        moved[2] = wli_dropout_counter((wli_dropout_place){ bit < 16 ? one : 1, 0, 0 }, 0);
        moved[3] = wli_dropout_counter(origin, bit < 32 ? 4 * one : 4);
        for (int a = 0; a < 4; a++) {
            assert_memory_not_equal(&moved[a], &first, sizeof first);
            for (int b = 0; b < a; b++) assert_memory_not_equal(&moved[a], &moved[b], sizeof first);
        }
    }
}

/* A row is what its elements are one by one, of any width and in either type. */
static void a_row_is_its_elements(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int k = 0; k < 200; k++) {
        const wli_dropout dropout = { random_bits(stream, 0), (double)random_between(&stream, 0, 10) * 0.1 };
        const wli_dropout_place at = { random_between(&stream, 0, 5), random_between(&stream, 0, 1000),
                                       random_between(&stream, 0, WLI_LARGEST_DROPOUT_ROW) };
        const int64_t width = random_between(&stream, 1, WIDTH - 1);
        float single[WIDTH];
        double wide[WIDTH];
        for (int64_t j = 0; j < WIDTH; j++) single[j] = 3, wide[j] = 3;
        wli_dropout_row(&dropout, at, WLSTM_F32, 0, width, single);
        wli_dropout_row(&dropout, at, WLSTM_F64, 0, width, wide);
        for (int64_t j = 0; j < width; j++) {
            const double scale = wli_dropout_scale(&dropout, at, j);
            assert_true(single[j] == 3 * (float)scale);
            assert_true(wide[j] == 3 * scale);
        }
        assert_true(single[width] == 3 && wide[width] == 3);
    }
}

/* The share of what is dropped is p, within six standard deviations, over units and over rows. */
static void so_many_are_dropped(void **state) {
    (void)state;
    enum { N = 100000 };
    for (int tenth = 0; tenth <= 10; tenth++) {
        const wli_dropout dropout = { 20261128, (double)tenth / 10 };
        int64_t dropped[2] = { 0, 0 };
        for (int64_t k = 0; k < N; k++) {
            dropped[0] += wli_dropout_scale(&dropout, (wli_dropout_place){ 1, 2, 3 }, k) == 0;
            dropped[1] += wli_dropout_scale(&dropout, (wli_dropout_place){ 1, 2, k }, 5) == 0;
        }
        const double allowed = 6 * sqrt(dropout.p * (1 - dropout.p) * N);
        for (int k = 0; k < 2; k++) assert_true(fabs((double)dropped[k] - dropout.p * N) <= allowed);
    }
    const wli_dropout half = { 0, 0.5 };
    assert_true(wli_dropout_kept(&half) == 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_published_numbers),
        cmocka_unit_test(counters_differ),
        cmocka_unit_test(a_row_is_its_elements),
        cmocka_unit_test(so_many_are_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
