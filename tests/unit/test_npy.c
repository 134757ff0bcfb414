/* npy files, good and bad: each bad one is refused by the rule that it breaks, in these words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/npy.h"
#include "scratch_dir.h"

#include <sys/stat.h>

// A file of the version with that header text and `data_bytes` bytes of data, 0 1 2 ...
static const char *make_file(int major, int minor, const char *header, size_t data_bytes) {
    unsigned char bytes[1024] = "\x93NUMPY";
    size_t length = strlen(header), start = major == 1 ? 10 : 12;
    assert_true(start + length + data_bytes <= sizeof bytes);
    bytes[6] = (unsigned char)major;
    bytes[7] = (unsigned char)minor;
    bytes[8] = (unsigned char)(length & 255);
    bytes[9] = (unsigned char)(length >> 8);
    memcpy(bytes + start, header, length);
    for (size_t k = 0; k < data_bytes; k++) bytes[start + length + k] = (unsigned char)k;
    return scratch_write("a.npy", bytes, start + length + data_bytes);
}

static void expect_error(const char *path, wlstm_status expected, const char *sentence) {
    wli_npy array;
    memset(&array, 1, sizeof array);
    wlstm_status status = wli_npy_read(path, &array);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_int_equal(status, expected);
    assert_null(array.values);
    assert_int_equal(array.ndim, 0);
}

#define HEADER(descr, fortran, shape) "{'descr': " descr ", 'fortran_order': " fortran ", 'shape': " shape ", }   \n"

static void test_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *sentence;
    } bad[] = {
        { "            ", 0, "header: '{' expected, got ''" },
        { "['descr': '<f4']", 0, "header: '{' expected, got '['descr': '<f4']'" },
        { "{descr: '<f4'}", 0, "header: a quoted key expected, got 'descr: '<f4'}'" },
        { "{'descr' '<f4'}", 0, "header: ':' expected, got ''<f4'}'" },
        { "{'descr", 0, "header: a quoted key expected, got 'descr'" },
        { "{'\x1b': '<f4'}", 0, "header: the keys descr, fortran_order and shape once expected, got '?'" },
        { "{'descr': '<f4', 'descr': '<f4'}", 0,
          "header: the keys descr, fortran_order and shape once expected, got 'descr'" },
        { "{'descr': '<f4' 'shape': (1,)}", 0, "header: ',' or '}' expected, got ''shape': (1,)}'" },
        { "{'fortran_order': False, 'shape': (1,)}", 4, "header: descr expected" },
        { "{'descr': '<f4', 'shape': (1,)}", 4, "header: fortran_order expected" },
        { "{'descr': '<f4', 'fortran_order': False}", 4, "header: shape expected" },
        { "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), ", 4, "header: a quoted key expected, got ''" },
        { HEADER("4", "False", "(1,)"), 4, "header: a quoted descr expected, got '4, 'fortran_order': False, '...'" },
        { HEADER("'<f4'", "0", "(1,)"), 4,
          "header: True or False for fortran_order expected, got '0, 'shape': (1,), }   ?'" },
        { HEADER("'<f4'", "False", "[1]"), 4, "header: a tuple for shape expected, got '[1], }   ?'" },
        { HEADER("'<f4'", "False", "(1)"), 4, "header: a tuple for shape, with a comma, expected, got ', }   ?'" },
        { HEADER("'<f4'", "False", "(1 2)"), 8, "header: ',' or ')' in shape expected, got '2), }   ?'" },
        { HEADER("'<f4'", "False", "(-1,)"), 4, "header: integers of at least 0 in shape expected, got '-1,), }   ?'" },
        { HEADER("'<f4'", "False", "(01,)"), 4, "header: integers of at least 0 in shape expected, got ',), }   ?'" },
        { HEADER("'<f4'", "False", "(1.0,)"), 4, "header: ',' or ')' in shape expected, got '.0,), }   ?'" },
        { HEADER("'<f4'", "False", "(9223372036854775808,)"), 4, "shape: dimensions below 2^63 expected" },
        { HEADER("'<f4'", "False", "(9223372036854775807,)"), 4,
          "shape [9223372036854775807]: the product of its dimensions is too large" },
        { HEADER("'<f8'", "False", "(4294967296, 4294967296)"), 4,
          "shape [4294967296, 4294967296]: the product of its dimensions is too large" },
        { HEADER("'<f4'", "False", "(2, 3)") "x", 24, "header: spaces to its end expected, got 'x'" },
        { HEADER("'<f4'", "False", "(2, 3)"), 23, "24 bytes of data expected for f4 [2, 3], got 23 (truncated)" },
        { HEADER("'<f4'", "False", "(2, 3)"), 25, "24 bytes of data expected for f4 [2, 3], got 25" },
        { HEADER("'<i8'", "False", "()"), 0, "8 bytes of data expected for i8 [], got 0 (truncated)" },
        { HEADER("'<f4'", "False", "(0, 3)"), 1, "0 bytes of data expected for f4 [0, 3], got 1" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        expect_error(make_file(1, 0, bad[k].header, bad[k].data_bytes), WLSTM_ERROR_FORMAT, bad[k].sentence);
}

static void test_unsupported(void **state) {
    (void)state;
    static const struct {
        const char *header, *sentence;
    } bad[] = {
        { HEADER("'>f3'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '>f3'" },
        { HEADER("'<u4'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '<u4'" },
        { HEADER("'><f4'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '><f4'" },
        { HEADER("'>'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '>'" },
        { HEADER("''", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got ''" },
        { HEADER("'@f4'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '@f4'" },
        { HEADER("'|O'", "False", "(1,)"),
          "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '|O'" },
        { HEADER("[('x', '<f4')]", "False", "(1,)"), "descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order "
                                                     "expected, got ' [('x', '<f4')], 'fortran_or...'" },
        { HEADER("'<f4'", "True", "(1, 1)"), "C order expected, got Fortran order (save np.ascontiguousarray(array))" },
        { HEADER("'<f4'", "False", "(1,1,1,1,1,1,1,1,1)"), "shape: at most 8 dimensions expected" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        expect_error(make_file(1, 0, bad[k].header, 4), WLSTM_ERROR_UNSUPPORTED, bad[k].sentence);
    expect_error(make_file(4, 0, bad[0].header, 4), WLSTM_ERROR_UNSUPPORTED,
                 "npy version 1.0, 2.0 or 3.0 expected, got 4.0");
    expect_error(make_file(1, 1, bad[0].header, 4), WLSTM_ERROR_UNSUPPORTED,
                 "npy version 1.0, 2.0 or 3.0 expected, got 1.1");
}

static void test_bad_preambles(void **state) {
    (void)state;
    wli_npy array;
    assert_int_equal(wli_npy_read(NULL, &array), WLSTM_ERROR_INVALID_ARGUMENT);
    expect_error(scratch_path("none"), WLSTM_ERROR_FILE, "cannot open: No such file or directory");
    expect_error(scratch_directory, WLSTM_ERROR_FILE, "a regular file expected, got a directory");
    const char *fifo = scratch_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    expect_error(fifo, WLSTM_ERROR_FILE, "a regular file expected, got a pipe");
    expect_error(scratch_write("a", "", 0), WLSTM_ERROR_FORMAT, "an npy file expected, got 0 bytes");
    expect_error(scratch_write("a", "PK\3\4 zipped npz", 14), WLSTM_ERROR_FORMAT,
                 "an npy file expected, got another first 6 bytes");
    expect_error(scratch_write("a", "\x93NUMPY\1\0\7\0{}", 12), WLSTM_ERROR_FORMAT,
                 "header length: at most 65535 bytes and not past the end of the file expected, got 7");
    expect_error(scratch_write("a", "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14), WLSTM_ERROR_FORMAT,
                 "header length: at most 65535 bytes and not past the end of the file expected, got 4294967295");
    const char *path = scratch_write("a", "\x93NUMPY\3\0\0\0\1\0{}", 14); // 65536, in a file that is long enough
    assert_int_equal(truncate(path, 1000000), 0);
    expect_error(path, WLSTM_ERROR_FORMAT,
                 "header length: at most 65535 bytes and not past the end of the file expected, got 65536");
}

static void test_good(void **state) {
    (void)state;
    static const struct {
        const char *header;
        wli_number_type dtype;
        int ndim;
        int64_t shape[3];
        size_t bytes;
    } good[] = {
        { HEADER("'<f4'", "False", "(2, 3)"), WLI_F32, 2, { 2, 3 }, 24 },
        { HEADER("'<f8'", "False", "(3,)"), WLI_F64, 1, { 3 }, 24 },
        { HEADER("'<i4'", "True", "(3,)"), WLI_I32, 1, { 3 }, 12 }, // in one dimension the orders are the same
        { HEADER("'<i8'", "False", "()"), WLI_I64, 0, { 0 }, 8 },
        { HEADER("'<f4'", "False", "(0, 3, 2)"), WLI_F32, 3, { 0, 3, 2 }, 0 },
        { "{\"shape\":(1,2,),'fortran_order':False,\"descr\":'<f4'}", WLI_F32, 2, { 1, 2 }, 8 },
    };
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++)
        for (int version = 1; version <= 3; version++) {
            wli_npy array;
            assert_int_equal(wli_npy_read(make_file(version, 0, good[k].header, good[k].bytes), &array), WLSTM_OK);
            assert_int_equal(array.dtype, good[k].dtype);
            assert_int_equal(array.ndim, good[k].ndim);
            for (int d = 0; d < array.ndim; d++) assert_int_equal(array.shape[d], good[k].shape[d]);
            assert_non_null(array.values);
            for (size_t b = 0; b < good[k].bytes; b++) assert_int_equal(((unsigned char *)array.values)[b], b);
            wli_npy_free(&array);
            assert_null(array.values);
            wli_npy_free(&array);
        }
    wli_npy_free(NULL);
}

// A descr says type and byte order, in all of NumPy's spellings; the values come as this machine has them.
static void test_descr(void **state) {
    (void)state;
    static const struct {
        const char *type;
        wli_number_type dtype;
        size_t itemsize;
    } types[] = {
        { "f2", WLI_F16, 2 }, { "f4", WLI_F32, 4 }, { "f8", WLI_F64, 8 }, { "i4", WLI_I32, 4 }, { "i8", WLI_I64, 8 }
    };
    static const char *const orders[] = { "<", ">", "=", "|", "" };
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        for (size_t o = 0; o < sizeof orders / sizeof orders[0]; o++) {
            const size_t itemsize = types[k].itemsize;
            char header[100];
            wli_npy array;
            snprintf(header, sizeof header, "{'descr': '%s%s', 'fortran_order': False, 'shape': (2, 3), }", orders[o],
                     types[k].type);
            assert_int_equal(wli_npy_read(make_file(1, 0, header, 6 * itemsize), &array), WLSTM_OK);
            assert_int_equal(array.dtype, types[k].dtype);
            assert_int_equal(wli_npy_count(&array), 6);
            const unsigned char *bytes = array.values;
            for (size_t b = 0; b < 6 * itemsize; b++) {
                const size_t in_file = o == 1 ? b / itemsize * itemsize + itemsize - 1 - b % itemsize : b;
                assert_int_equal(bytes[b], in_file);
            }
            wli_npy_free(&array);
        }
    const char big_endian[] = "\x93NUMPY\1\0\x32\0{'descr':'>f8','fortran_order':False,'shape':(1,)}"
                              "\x3f\xf8\0\0\0\0\0\0";
    wli_npy array;
    assert_int_equal(wli_npy_read(scratch_write("a", big_endian, sizeof big_endian - 1), &array), WLSTM_OK);
    assert_true(*(double *)array.values == 1.5);
    wli_npy_free(&array);
    expect_error(make_file(1, 0, HEADER("'>f2'", "False", "(2, 3)"), 11), WLSTM_ERROR_FORMAT,
                 "12 bytes of data expected for f2 [2, 3], got 11 (truncated)");
}

static void test_round_trip(void **state) {
    (void)state;
    const float f32[6] = { 0, -1.5f, 2, 3e38f, 4, 1e-40f };
    const double f64[6] = { 0, -1.5, 2, 1e300, 4, 5e-324 };
    const int64_t shape[8] = { 1, 2, 1, 3, 1, 1, 1, 1 };
    const char *path = scratch_path("out.npy");
    for (int ndim = 4; ndim <= 8; ndim++) {
        wli_npy array;
        assert_int_equal(wli_npy_write(path, WLSTM_F32, ndim, shape, f32), WLSTM_OK);
        assert_int_equal(wli_npy_read(path, &array), WLSTM_OK);
        assert_int_equal(array.dtype, WLI_F32);
        assert_int_equal(array.ndim, ndim);
        assert_memory_equal(array.shape, shape, (size_t)ndim * sizeof shape[0]);
        assert_memory_equal(array.values, f32, sizeof f32);
        wli_npy_free(&array);
    }
    const int64_t six[1] = { 6 }, empty[2] = { 3, 0 };
    wli_npy array;
    assert_int_equal(wli_npy_write(path, WLSTM_F64, 1, six, f64), WLSTM_OK);
    assert_int_equal(wli_npy_read(path, &array), WLSTM_OK);
    assert_int_equal(array.dtype, WLI_F64);
    assert_memory_equal(array.values, f64, sizeof f64);
    wli_npy_free(&array);
    assert_int_equal(wli_npy_write(path, WLSTM_F64, 2, empty, NULL), WLSTM_OK);
    assert_int_equal(wli_npy_read(path, &array), WLSTM_OK);
    assert_int_equal(array.shape[1], 0);
    wli_npy_free(&array);
    assert_int_equal(wli_npy_write(path, WLSTM_F64, 0, NULL, f64), WLSTM_OK);
    assert_int_equal(wli_npy_read(path, &array), WLSTM_OK);
    assert_int_equal(array.ndim, 0);
    wli_npy_free(&array);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 128 + 8); // the header fills a multiple of 64 bytes
    assert_int_equal(scratch_count(), 1);
}

// The longest header there can be still fits.
static void test_largest_shape(void **state) {
    (void)state;
    const int64_t shape[8] = { 0, 1, 1, 1, 1, 1, 1, INT64_MAX / 8 };
    wli_npy array;
    assert_int_equal(wli_npy_write(scratch_path("out.npy"), WLSTM_F64, 8, shape, NULL), WLSTM_OK);
    assert_int_equal(wli_npy_read(scratch_path("out.npy"), &array), WLSTM_OK);
    assert_int_equal(array.shape[7], INT64_MAX / 8);
    wli_npy_free(&array);
}

static void test_bad_writes(void **state) {
    (void)state;
    const int64_t negative[1] = { -1 }, large[2] = { INT64_MAX, INT64_MAX }, one[1] = { 1 };
    const float value[1] = { 1 };
    const char *path = scratch_path("out.npy");
    assert_int_equal(wli_npy_write(path, WLSTM_F32, 1, negative, value), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(scratch_error(wlstm_last_error(), path),
                        "dimensions of at least 0 and of a size that fits expected");
    assert_int_equal(wli_npy_write(path, WLSTM_F32, 2, large, value), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wli_npy_write(path, WLSTM_F32, 9, one, value), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(scratch_error(wlstm_last_error(), path), "0 to 8 dimensions expected, got 9");
    assert_int_equal(wli_npy_write(path, (wlstm_dtype)3, 1, one, value), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(scratch_error(wlstm_last_error(), path), "dtype f32, f64 or bf16 expected, got 3");
    assert_int_equal(wli_npy_write(scratch_directory, WLSTM_F32, 1, one, value), WLSTM_ERROR_FILE);
    assert_int_equal(wli_npy_write(scratch_path("none/out.npy"), WLSTM_F32, 1, one, value), WLSTM_ERROR_FILE);
    assert_int_equal(scratch_count(), 0);
}

// A staged file that is discarded leaves the old one.
static void test_discard(void **state) {
    (void)state;
    const char *path = scratch_write("out.npy", "old", 3);
    const int64_t one[1] = { 1 };
    const float value[1] = { 1 };
    wli_output *staged;
    assert_int_equal(wli_npy_stage(path, WLSTM_F32, 1, one, value, &staged), WLSTM_OK);
    assert_int_equal(scratch_count(), 2);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 3);
    wli_output_discard(staged);
    wli_output_discard(NULL);
    assert_int_equal(scratch_count(), 1);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_bad_headers, scratch_clear),
        cmocka_unit_test_teardown(test_unsupported, scratch_clear),
        cmocka_unit_test_teardown(test_bad_preambles, scratch_clear),
        cmocka_unit_test_teardown(test_good, scratch_clear),
        cmocka_unit_test_teardown(test_descr, scratch_clear),
        cmocka_unit_test_teardown(test_round_trip, scratch_clear),
        cmocka_unit_test_teardown(test_largest_shape, scratch_clear),
        cmocka_unit_test_teardown(test_bad_writes, scratch_clear),
        cmocka_unit_test_teardown(test_discard, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
