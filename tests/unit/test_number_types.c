/* The table of number types: sizes, names, and numbers as doubles and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/number_types.h"
#include "random.h"

static uint64_t stream;

static void every_type_has_its_size(void **state) {
    (void)state;
    static const size_t sizes[WLI_NUMBER_TYPES] = {
        [WLI_F32] = 4, [WLI_F64] = 8, [WLI_BF16] = 2, [WLI_F16] = 2, [WLI_I32] = 4, [WLI_I64] = 8
    };
    for (int type = 0; type < WLI_NUMBER_TYPES; type++) assert_int_equal(wli_numbers[type].bytes, sizes[type]);
    assert_int_equal(wli_dtype_size(WLSTM_F32), sizeof(float));
    assert_int_equal(wli_dtype_size(WLSTM_F64), sizeof(double));
    assert_int_equal(wli_dtype_size(WLSTM_BF16), 2);
}

static void assert_differ(const char *a, const char *b) {
    assert_true(!a || !b || strcmp(a, b) != 0);
}

static void no_two_types_share_a_name(void **state) {
    (void)state;
    for (int a = 0; a < WLI_NUMBER_TYPES; a++)
        for (int b = 0; b < a; b++) {
            assert_differ(wli_numbers[a].name, wli_numbers[b].name);
            assert_differ(wli_numbers[a].safetensors, wli_numbers[b].safetensors);
            assert_differ(wli_numbers[a].npy, wli_numbers[b].npy);
            assert_differ(wli_numbers[a].numpy, wli_numbers[b].numpy);
            assert_differ(wli_numbers[a].problem, wli_numbers[b].problem);
        }
}

static void what_computes_is_read_and_written(void **state) {
    (void)state;
    enum { COUNT = 700, OFFSET = 1 };
    static unsigned char values[OFFSET + COUNT * sizeof(double)];
    double doubles[COUNT], got[COUNT];
    for (wlstm_dtype dtype = WLSTM_F32; (int)dtype < WLI_COMPUTING; dtype++) {
        random_fill(WLSTM_F64, doubles, COUNT, random_bits(stream, dtype), 1);
        doubles[3] = INFINITY;
        wli_numbers[dtype].from_doubles(doubles, COUNT, values + OFFSET);
        wli_numbers[dtype].to_doubles(values + OFFSET, COUNT, got);
        assert_memory_equal(got, doubles, sizeof got);
        wli_put(dtype, values + OFFSET, COUNT - 1, 0.5);
        assert_true(wli_get(dtype, values + OFFSET, COUNT - 1) == 0.5);
        assert_true(wli_get(dtype, values + OFFSET, COUNT - 2) == doubles[COUNT - 2]);
    }
}

/* Those of arrays, and what cells of them compute in. */
static void models_are_of_three(void **state) {
    (void)state;
    for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_BF16; dtype++) assert_true(wli_dtype_runs(dtype));
    assert_false(wli_dtype_runs((wlstm_dtype)WLI_F16));
    assert_false(wli_dtype_runs((wlstm_dtype)-1));
    assert_int_equal(wli_dtype_real(WLSTM_F32), WLSTM_F32);
    assert_int_equal(wli_dtype_real(WLSTM_F64), WLSTM_F64);
    assert_int_equal(wli_dtype_real(WLSTM_BF16), WLSTM_F32);
    assert_int_equal(wli_real_size(WLSTM_BF16), sizeof(float));
}

/* To the nearest, of two as near the even one; what float has as denormal too; the largest, and what is past it. */
static void bfloat16_is_written(void **state) {
    (void)state;
    static const double values[] = { 1,        1 + 0x1p-8, 1 + 0x1.8p-7, 1 + 0x1.01p-8, -0.0,      0x1p-133,
                                     0x1p-134, 0x1.8p-134, 0x1.fep127,   0x1.ffp127,    -INFINITY, 0x1p200 };
    static const uint16_t nearest[] = { 0x3f80, 0x3f80, 0x3f82, 0x3f81, 0x8000, 0x0001,
                                        0x0000, 0x0001, 0x7f7f, 0x7f80, 0xff80, 0x7f80 };
    enum { COUNT = sizeof values / sizeof values[0] };
    uint16_t got[COUNT], nan;
    wli_numbers[WLI_BF16].from_doubles(values, COUNT, got);
    assert_memory_equal(got, nearest, sizeof got);
    wli_put(WLSTM_BF16, &nan, 0, (double)NAN);
    assert_true(isnan(wli_get(WLSTM_BF16, &nan, 0)));
    for (int bits = 0; bits < 0x10000; bits++) {
        const uint16_t half = (uint16_t)bits;
        uint16_t again;
        wli_put(WLSTM_BF16, &again, 0, wli_get(WLSTM_BF16, &half, 0));
        assert_true(again == half || (isnan(wli_get(WLSTM_BF16, &half, 0)) && (half | 0x40) == again));
    }
}

/* Ones, the least and the largest, an infinity, a negative zero. */
static void halves_are_read(void **state) {
    (void)state;
    static const uint16_t f16[] = { 0x3c00, 0x0001, 0x7bff, 0xfc00, 0x8000 };
    static const double of_f16[] = { 1, 0x1p-24, 65504, -INFINITY, -0.0 };
    static const uint16_t bf16[] = { 0x3f80, 0x0001, 0x7f7f, 0xff80, 0x8000 };
    static const double of_bf16[] = { 1, 0x1p-133, 0x1.fep127, -INFINITY, -0.0 };
    double got[5];
    wli_numbers[WLI_F16].to_doubles(f16, 5, got);
    assert_memory_equal(got, of_f16, sizeof got);
    wli_numbers[WLI_BF16].to_doubles(bf16, 5, got);
    assert_memory_equal(got, of_bf16, sizeof got);
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_its_size),
        cmocka_unit_test(no_two_types_share_a_name),
        cmocka_unit_test(what_computes_is_read_and_written),
        cmocka_unit_test(models_are_of_three),
        cmocka_unit_test(bfloat16_is_written),
        cmocka_unit_test(halves_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
