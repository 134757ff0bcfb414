/* wlstm_tensor_read: any tensor of a model file by its name, its shape, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdbool.h>

#include "scratch_dir.h"

#include <wavelstm.h>

#define assert_fails(call, status, word)                                                                               \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(wlstm_last_error(), word)) fail_msg("\"%s\" does not name %s", wlstm_last_error(), word);          \
    } while (0)

#define HEADER                                                                                                         \
    "{\"f64\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"                                              \
    "\"head.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[16,40]},"                                    \
    "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[40,44]},"                                            \
    "\"f16\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[44,48]},"                                            \
    "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[48,52]},"                                            \
    "\"ids\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[52,56]},"                                              \
    "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[56,56]},"                                          \
    "\"deep\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,2],\"data_offsets\":[56,64]}}"

static const float weight[6] = { 1, -2, 3.5F, 4, 5, 6 };

static const char *make_file(void) {
    const double f64[2] = { 0.1, 1e300 };
    const float scalar = 7, deep[2] = { 8, 9 };
    const uint16_t f16[2] = { 0x3c00, 0xc100 }, bf16[2] = { 0x3f80, 0xc020 }; /* 1, -2.5 */
    const int32_t id = 3;
    const uint64_t length = sizeof HEADER - 1;
    unsigned char bytes[8 + sizeof HEADER - 1 + 64], *at = bytes;
    const struct {
        const void *from;
        size_t count;
    } parts[] = { { &length, 8 },
                  { HEADER, sizeof HEADER - 1 },
                  { f64, sizeof f64 },
                  { weight, sizeof weight },
                  { &scalar, sizeof scalar },
                  { f16, sizeof f16 },
                  { bf16, sizeof bf16 },
                  { &id, sizeof id },
                  { deep, sizeof deep } };
    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        memcpy(at, parts[k].from, parts[k].count);
        at += parts[k].count;
    }
    assert_int_equal(at - bytes, sizeof bytes);
    return scratch_write("model.safetensors", bytes, sizeof bytes);
}

static void values_and_shapes_are_read(void **state) {
    (void)state;
    const char *path = make_file();
    float values[6];
    double wide[6];
    int ndim = -1;
    int64_t shape[8] = { -1, -1, -1 };
    assert_int_equal(wlstm_tensor_read(path, "head.weight", WLSTM_F32, values, 6, &ndim, shape), WLSTM_OK);
    assert_memory_equal(values, weight, sizeof weight);
    assert_true(ndim == 2 && shape[0] == 2 && shape[1] == 3 && shape[2] == -1);
    assert_int_equal(wlstm_tensor_read(path, "head.weight", WLSTM_F64, wide, 6, NULL, NULL), WLSTM_OK);
    for (int k = 0; k < 6; k++) assert_true(wide[k] == (double)weight[k]);
    assert_int_equal(wlstm_tensor_read(path, "scalar", WLSTM_F32, values, 1, &ndim, NULL), WLSTM_OK);
    assert_true(ndim == 0 && values[0] == 7);
    assert_int_equal(wlstm_tensor_read(path, "empty", WLSTM_F32, values, 0, &ndim, shape), WLSTM_OK);
    assert_true(ndim == 2 && shape[0] == 0 && shape[1] == 5);
    assert_int_equal(wlstm_tensor_read(path, "deep", WLSTM_F32, values, 2, &ndim, shape), WLSTM_OK);
    assert_true(ndim == 8 && shape[0] == 1 && shape[7] == 2 && values[1] == 9);
}

static void numbers_are_converted(void **state) {
    (void)state;
    const char *path = make_file();
    const char *halves[] = { "f16", "bf16" };
    float values[2];
    double wide[2];
    for (int k = 0; k < 2; k++) {
        assert_int_equal(wlstm_tensor_read(path, halves[k], WLSTM_F32, values, 2, NULL, NULL), WLSTM_OK);
        assert_true(values[0] == 1 && values[1] == -2.5F);
        assert_int_equal(wlstm_tensor_read(path, halves[k], WLSTM_F64, wide, 2, NULL, NULL), WLSTM_OK);
        assert_true(wide[0] == 1 && wide[1] == -2.5);
    }
    assert_int_equal(wlstm_tensor_read(path, "f64", WLSTM_F64, wide, 2, NULL, NULL), WLSTM_OK);
    assert_true(wide[0] == 0.1 && wide[1] == 1e300);
    assert_int_equal(wlstm_tensor_read(path, "f64", WLSTM_F32, values, 2, NULL, NULL), WLSTM_OK);
    assert_true(values[0] == 0.1F && isinf(values[1]));
    uint16_t narrow[2];
    assert_int_equal(wlstm_tensor_read(path, "f64", WLSTM_BF16, narrow, 2, NULL, NULL), WLSTM_OK);
    assert_true(narrow[0] == 0x3dcd && narrow[1] == 0x7f80);
}

static void the_shape_alone_is_told(void **state) {
    (void)state;
    const char *path = make_file();
    int ndim;
    int64_t shape[8];
    assert_int_equal(wlstm_tensor_read(path, "head.weight", WLSTM_F32, NULL, 0, &ndim, shape), WLSTM_OK);
    assert_true(ndim == 2 && shape[0] == 2 && shape[1] == 3);
    assert_int_equal(wlstm_tensor_read(path, "ids", WLSTM_F32, NULL, 0, &ndim, shape), WLSTM_OK);
    assert_true(ndim == 1 && shape[0] == 1);
    assert_int_equal(wlstm_tensor_read(path, "ids", WLSTM_F32, NULL, 0, NULL, NULL), WLSTM_OK);
}

static void what_is_wrong_is_refused(void **state) {
    (void)state;
    const char *path = make_file(), *absent = scratch_path("absent");
    float values[6] = { 0 };
    assert_fails(wlstm_tensor_read(NULL, "f64", WLSTM_F32, values, 2, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "path:");
    assert_fails(wlstm_tensor_read(path, NULL, WLSTM_F32, values, 2, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "name:");
    assert_fails(wlstm_tensor_read(path, "f64", (wlstm_dtype)9, values, 2, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "dtype:");
    assert_fails(wlstm_tensor_read(path, "f64", WLSTM_F32, NULL, 2, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "count:");
    assert_fails(wlstm_tensor_read(path, "head.weight", WLSTM_F32, values, 5, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "count: 6 elements of 'head.weight' [2, 3] expected, got 5");
    assert_fails(wlstm_tensor_read(path, "head.weight", WLSTM_F32, values, -1, NULL, NULL),
                 WLSTM_ERROR_INVALID_ARGUMENT, "count:");
    assert_fails(wlstm_tensor_read(path, "ids", WLSTM_F32, values, 1, NULL, NULL), WLSTM_ERROR_UNSUPPORTED,
                 "tensor 'ids': dtype F64, F32, F16 or BF16 expected, got I32");
    assert_fails(wlstm_tensor_read(absent, "f64", WLSTM_F32, values, 2, NULL, NULL), WLSTM_ERROR_FILE, absent);
    for (int k = 0; k < 6; k++) assert_true(values[k] == 0);
    const char *broken = scratch_write("broken", "\x02\0\0\0\0\0\0\0[]", 10);
    assert_fails(wlstm_tensor_read(broken, "f64", WLSTM_F32, values, 2, NULL, NULL), WLSTM_ERROR_FORMAT, broken);
}

static void a_name_that_is_not_there_is_met_by_those_that_are(void **state) {
    (void)state;
    const char *path = make_file();
    float values[6];
    const char *names[] = { "weight", "model.head.weight" };
    for (int k = 0; k < 2; k++)
        assert_fails(wlstm_tensor_read(path, names[k], WLSTM_F32, values, 6, NULL, NULL), WLSTM_ERROR_MISSING,
                     "' expected, got none of that name (the file has 'head.weight')");
    assert_fails(
        wlstm_tensor_read(path, "bias", WLSTM_F32, values, 6, NULL, NULL), WLSTM_ERROR_MISSING,
        "tensor 'bias' expected, got none of that name (the file has 'f64', 'head.weight', 'scalar' and 5 more)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_shapes_are_read),
        cmocka_unit_test(numbers_are_converted),
        cmocka_unit_test(the_shape_alone_is_told),
        cmocka_unit_test(what_is_wrong_is_refused),
        cmocka_unit_test(a_name_that_is_not_there_is_met_by_those_that_are),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
