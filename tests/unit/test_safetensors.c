/* safetensors files, good and bad: each bad one is refused by the rule that it breaks, in these words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/allocator.h"
#include "io/safetensors.h"
#include "scratch_dir.h"

#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

// A file of the given header text and `data_bytes` bytes of data, 0 1 2 ...
static const char *make_file(const char *header, size_t data_bytes) {
    size_t length = strlen(header);
    unsigned char bytes[8192] = { 0 };
    assert_true(8 + length + data_bytes <= sizeof bytes);
    bytes[0] = (unsigned char)(length & 255);
    bytes[1] = (unsigned char)(length >> 8);
    memcpy(bytes + 8, header, length);
    for (size_t k = 0; k < data_bytes; k++) bytes[8 + length + k] = (unsigned char)k;
    return scratch_write("bad.safetensors", bytes, 8 + length + data_bytes);
}

static void expect_error(const char *path, wlstm_status expected, const char *sentence) {
    wli_safetensors *file = (wli_safetensors *)&path;
    wlstm_status status = wli_safetensors_open(path, &file);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_int_equal(status, expected);
    assert_null(file);
}

#define ENTRY(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define ONE(dtype, shape, offsets) "{\"a\":" ENTRY(dtype, shape, offsets) "}"
#define TWO(left, right) "{\"a\":" left ",\"b\":" right "}"

static void test_bad_headers(void **state) {
    (void)state;
    static const struct {
        const char *header;
        size_t data_bytes;
        const char *sentence;
    } bad[] = {
        { " {}", 0, "header: '{' expected as its first byte" },
        { "[]", 0, "header: '{' expected as its first byte" },
        { "{\"a\":1}", 0, "tensor 'a': an object expected" },
        { "{\"a\\u001b[2J\":1}", 0, "tensor 'a?[2J': an object expected" },
        { ONE("F31", "[1]", "[0,4]"), 4, "tensor 'a': dtype: one of the format's expected, got 'F31'" },
        { "{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': dtype: a string expected" },
        { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': dtype: a string expected" },
        { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "tensor 'a': shape: an array of integers expected" },
        { ONE("F32", "1", "[0,4]"), 4, "tensor 'a': shape: an array of integers expected" },
        { ONE("F32", "[1.0]", "[0,4]"), 4, "tensor 'a': shape: integers of at least 0 expected" },
        { ONE("F32", "[-1]", "[0,4]"), 4, "tensor 'a': shape: integers of at least 0 expected" },
        { ONE("F32", "[\"1\"]", "[0,4]"), 4, "tensor 'a': shape: integers of at least 0 expected" },
        { ONE("F32", "[4294967296,4294967296]", "[0,4]"), 4,
          "tensor 'a': shape: the product of its dimensions is too large" },
        { ONE("F32", "[9223372036854775807]", "[0,4]"), 4,
          "tensor 'a': shape: the product of its dimensions is too large" },
        { ONE("F4", "[3]", "[0,2]"), 2, "tensor 'a': shape: not a whole number of bytes" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4,
          "tensor 'a': data_offsets: two integers of at least 0 expected" },
        { ONE("F32", "[1]", "[0]"), 4, "tensor 'a': data_offsets: two integers of at least 0 expected" },
        { ONE("F32", "[1]", "[0,4,8]"), 8, "tensor 'a': data_offsets: two integers of at least 0 expected" },
        { ONE("F32", "[1]", "[-4,0]"), 4, "tensor 'a': data_offsets: two integers of at least 0 expected" },
        { ONE("F32", "[1]", "[0,4.0]"), 4, "tensor 'a': data_offsets: two integers of at least 0 expected" },
        { ONE("F32", "[1]", "[4,0]"), 4, "tensor 'a': data_offsets [4, 0]: the end is before the begin" },
        { ONE("F32", "[1]", "[0,-4]"), 4, "tensor 'a': data_offsets [0, -4]: the end is before the begin" },
        { ONE("F32", "[2]", "[0,8]"), 4, "tensor 'a': data_offsets [0, 8]: the file holds 4 bytes of data" },
        { ONE("F32", "[1]", "[9223372036854775803,9223372036854775807]"), 4,
          "tensor 'a': data_offsets [9223372036854775803, 9223372036854775807]: the file holds 4 bytes of data" },
        { ONE("F32", "[8, 10]", "[0,400]"), 400,
          "tensor 'a': data_offsets [0, 400]: 320 bytes expected for F32 [8, 10]" },
        { ONE("F32", "[]", "[0,8]"), 8, "tensor 'a': data_offsets [0, 8]: 4 bytes expected for F32 []" },
        { TWO(ENTRY("F32", "[1]", "[0,4]"), ENTRY("F32", "[1]", "[0,4]")), 4,
          "tensor 'b': data_offsets [0, 4]: an overlap, begin 4 expected" },
        { TWO(ENTRY("F32", "[2]", "[2,10]"), ENTRY("F32", "[1]", "[0,4]")), 10,
          "tensor 'a': data_offsets [2, 10]: an overlap, begin 4 expected" },
        { TWO(ENTRY("F32", "[1]", "[0,4]"), ENTRY("F32", "[1]", "[8,12]")), 12,
          "tensor 'b': data_offsets [8, 12]: a hole before it, begin 4 expected" },
        { ONE("F32", "[1]", "[0,4]"), 5, "4 bytes of data expected, got 5" },
        { "{}", 1, "0 bytes of data expected, got 1" },
        { "{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: an object of strings expected" },
        { "{\"__metadata__\":null}", 0, "__metadata__: an object of strings expected" },
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        expect_error(make_file(bad[k].header, bad[k].data_bytes), WLSTM_ERROR_FORMAT, bad[k].sentence);
    expect_error(make_file(ONE("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), WLSTM_ERROR_UNSUPPORTED,
                 "tensor 'a': shape: at most 8 dimensions expected, got 9");
}

// What jansson finds wrong; its own words follow.
static void test_bad_json(void **state) {
    (void)state;
    static char deep[6000] = "{\"a\":";
    memset(deep + 5, '[', sizeof deep - 6);
    const char *bad[] = { "{\"a\":",
                          "{}\x01",
                          "{} {}",
                          "{\"a\":1e999}",
                          "{\"\xff\":1}",
                          "{\"\\u0000\":1}",
                          TWO("1", "2") "x",
                          "{\"a\":1,\"a\":1}",
                          ONE("F32", "[18446744073709551615]", "[0,4]"),
                          deep };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        const char *path = make_file(bad[k], 0);
        wli_safetensors *file;
        assert_int_equal(wli_safetensors_open(path, &file), WLSTM_ERROR_FORMAT);
        assert_memory_equal(scratch_error(wlstm_last_error(), path), "header: JSON expected: ", 23);
        assert_null(file);
    }
}

static void test_bad_lengths(void **state) {
    (void)state;
    expect_error(scratch_write("a", "", 0), WLSTM_ERROR_FORMAT,
                 "a safetensors file of at least 8 bytes expected, got 0");
    expect_error(scratch_write("a", "\2\0\0\0\0\0\0", 7), WLSTM_ERROR_FORMAT,
                 "a safetensors file of at least 8 bytes expected, got 7");
    expect_error(scratch_write("a", "\0\0\0\0\0\0\0\0{}", 10), WLSTM_ERROR_FORMAT,
                 "header length: 2 to 2 bytes expected, got 0");
    expect_error(scratch_write("a", "\3\0\0\0\0\0\0\0{}", 10), WLSTM_ERROR_FORMAT,
                 "header length: 2 to 2 bytes expected, got 3");
    expect_error(scratch_write("a", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), WLSTM_ERROR_FORMAT,
                 "header length: 2 to 2 bytes expected, got 18446744073709551615 (is this a safetensors file?)");
    const char *path = scratch_write("a", "\1\0\0\1\0\0\0\0{}", 10); // one past the cap, in a file that is long enough
    assert_int_equal(truncate(path, 20000000), 0);
    expect_error(path, WLSTM_ERROR_FORMAT, "header length: 2 to 16777216 bytes expected, got 16777217");
}

// Other files that a model may come in, and files of a safetensors file's own that begin in the same way.
static void test_foreign_files(void **state) {
    (void)state;
#define EXPORT                                                                                                         \
    "export it in Python by safetensors.torch.save_file(torch.load(\"model.pt\", weights_only=True), "                 \
    "\"model.safetensors\")"
    expect_error(scratch_write("a", "PK\3\4\0\0\10\10\0\0", 10), WLSTM_ERROR_FORMAT,
                 "a safetensors file expected, got a zip archive, as torch.save writes: " EXPORT);
    expect_error(scratch_write("a", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15), WLSTM_ERROR_FORMAT,
                 "a safetensors file expected, got a pickle, as torch.save wrote once: " EXPORT);
    const char index[] =
        "{\"metadata\": {\"total_size\": 8}, \"weight_map\": {\"a\": \"model-00001-of-00002.safetensors\"}}";
    expect_error(
        scratch_write("a", index, sizeof index - 1), WLSTM_ERROR_FORMAT,
        "a safetensors file expected, got the index of a sharded model: load the file that its weight_map names "
        "for the LSTM's tensors, or save the model to one file");
    expect_error(scratch_write("a", "{\"maps\": 1}", 11), WLSTM_ERROR_FORMAT,
                 "header length: 2 to 3 bytes expected, got 4189037529916056187 (is this a safetensors file?)");
    // A header of 640 bytes.
    char header[640], *end = memset(header, ' ', sizeof header);
    memcpy(end, "{}", 2);
    unsigned char bytes[8 + sizeof header] = { 0x80, 2 };
    memcpy(bytes + 8, header, sizeof header);
    wli_safetensors *file;
    assert_int_equal(wli_safetensors_open(scratch_write("a", bytes, sizeof bytes), &file), WLSTM_OK);
    wli_safetensors_close(file);
}

static void test_not_a_file(void **state) {
    (void)state;
    wli_safetensors *file;
    assert_int_equal(wli_safetensors_open(NULL, &file), WLSTM_ERROR_INVALID_ARGUMENT);
    expect_error(scratch_path("none"), WLSTM_ERROR_FILE, "cannot open: No such file or directory");
    expect_error(scratch_directory, WLSTM_ERROR_FILE, "a regular file expected, got a directory");
    expect_error("/dev/null", WLSTM_ERROR_FILE, "a regular file expected, got a device");
    const char *fifo = scratch_path("fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    expect_error(fifo, WLSTM_ERROR_FILE, "a regular file expected, got a pipe");
}

// Good files that are out of the ordinary.
static void test_lenient(void **state) {
    (void)state;
    wli_safetensors *file;
    assert_int_equal(wli_safetensors_open(make_file("{}", 0), &file), WLSTM_OK);
    assert_int_equal(wli_safetensors_count(file), 0);
    wli_safetensors_close(file);
    wli_safetensors_close(NULL);

    // out of order, empty, a scalar, other dtypes, a field of a later version, padding
    const char *path = make_file(
        "{\"c\":" ENTRY("F6_E2M3", "[4]", "[12,15]") ",\"b\":" ENTRY(
            "F64", "[]",
            "[4,12]") ",\"__metadata__\":{\"format\":\"pt\"},\"a\":" ENTRY("I32", "[1,1]",
                                                                           "[0,4]") ",\"e\":" ENTRY("F32", "[3,0]",
                                                                                                    "[4,4]") ",\"\":{"
                                                                                                             "\"dtype\""
                                                                                                             ":\"BOOL\""
                                                                                                             ",\"shape"
                                                                                                             "\":[1],"
                                                                                                             "\"data_"
                                                                                                             "offsets\""
                                                                                                             ":[15,16],"
                                                                                                             "\"x\":1}}"
                                                                                                             "  \n",
        16);
    assert_int_equal(wli_safetensors_open(path, &file), WLSTM_OK);
    assert_int_equal(wli_safetensors_count(file), 5);
    static const char *const order[] = { "a", "e", "b", "c", "" };
    for (int k = 0; k < 5; k++) assert_string_equal(wli_safetensors_at(file, k)->name, order[k]);
    const wli_st_tensor *empty = wli_safetensors_find(file, "e"), *integers = wli_safetensors_find(file, "a");
    assert_int_equal(empty->ndim, 2);
    assert_int_equal(empty->shape[0], 3);
    assert_int_equal(empty->shape[1], 0);
    assert_int_equal(wli_safetensors_find(file, "b")->ndim, 0);
    assert_null(wli_safetensors_find(file, "__metadata__"));
    assert_null(wli_safetensors_find(file, "A"));
    assert_int_equal(integers->dtype, WLI_ST_OTHER);
    assert_string_equal(integers->dtype_name, "I32");
    double value;
    assert_int_equal(wli_safetensors_read(file, empty, WLSTM_F64, NULL), WLSTM_OK);
    assert_int_equal(wli_safetensors_read(file, integers, WLSTM_F64, &value), WLSTM_ERROR_UNSUPPORTED);
    assert_string_equal(scratch_error(wlstm_last_error(), path),
                        "tensor 'a': dtype F64, F32, F16 or BF16 expected, got I32");
    assert_int_equal(wli_safetensors_read(file, empty, (wlstm_dtype)3, &value), WLSTM_ERROR_UNSUPPORTED);
    wli_safetensors_close(file);
}

static void test_file_that_shrinks(void **state) {
    (void)state;
    wli_safetensors *file;
    static float values[1500];
    const char *path = make_file(ONE("F32", "[1500]", "[0,6000]"), 6000);
    assert_int_equal(wli_safetensors_open(path, &file), WLSTM_OK);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(wli_safetensors_read(file, wli_safetensors_at(file, 0), WLSTM_F32, values), WLSTM_ERROR_FORMAT);
    assert_string_equal(scratch_error(wlstm_last_error(), path), "the file became shorter while it was read");
    wli_safetensors_close(file);
}

// What 16 bits say, from the formats' definitions, against every value of both.
static double half_value(unsigned half, int exponent_bits) {
    int mantissa_bits = 15 - exponent_bits, bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(half >> mantissa_bits) & ((1 << exponent_bits) - 1);
    double fraction = (double)(half & ((1u << mantissa_bits) - 1)) / (1 << mantissa_bits), value;
    if (exponent == (1 << exponent_bits) - 1)
        value = fraction == 0 ? INFINITY : NAN;
    else
        value = exponent == 0 ? ldexp(fraction, 1 - bias) : ldexp(1 + fraction, exponent - bias);
    return half & 0x8000 ? -value : value;
}

static void test_every_half(void **state) {
    (void)state;
    static unsigned char bytes[8 + 136 + 2 * 131072];
    char header[137];
    snprintf(header, sizeof header, "%-136s",
             TWO(ENTRY("F16", "[65536]", "[0,131072]"), ENTRY("BF16", "[65536]", "[131072,262144]")));
    assert_int_equal(strlen(header), 136);
    bytes[0] = 136;
    memcpy(bytes + 8, header, 136);
    for (size_t k = 0; k < 131072; k++) {
        bytes[144 + 2 * k] = (unsigned char)(k & 255);
        bytes[144 + 2 * k + 1] = (unsigned char)(k >> 8 & 255);
    }
    wli_safetensors *file;
    assert_int_equal(wli_safetensors_open(scratch_write("a", bytes, sizeof bytes), &file), WLSTM_OK);
    float *f32 = malloc(65536 * sizeof *f32);
    double *f64 = malloc(65536 * sizeof *f64);
    for (int k = 0; k < 2; k++) {
        assert_int_equal(wli_safetensors_read(file, wli_safetensors_at(file, k), WLSTM_F32, f32), WLSTM_OK);
        assert_int_equal(wli_safetensors_read(file, wli_safetensors_at(file, k), WLSTM_F64, f64), WLSTM_OK);
        for (unsigned half = 0; half < 65536; half++) {
            double value = half_value(half, k == 0 ? 5 : 8);
            if (isnan(value))
                assert_true(isnan(f32[half]) && isnan(f64[half]));
            else
                assert_true((double)f32[half] == value && f64[half] == value && !signbit(f32[half]) == !signbit(value));
        }
    }
    free(f32);
    free(f64);
    wli_safetensors_close(file);
}

static void test_round_trip(void **state) {
    (void)state;
    enum { COUNT = 5000 }; // more than one part of the reader's buffer
    static float f32[COUNT];
    static double f64[COUNT], got64[COUNT];
    static float got32[COUNT];
    for (int k = 0; k < COUNT; k++) f32[k] = (float)(f64[k] = sin(k) * pow(10, k % 30));
    f64[0] = 1e300; // past float's range
    f32[0] = INFINITY;
    const wli_st_output tensors[] = { { "weight_ih_l0", 2, { 50, 100 }, WLSTM_F32, f32 },
                                      { "\xc3\xa9 \"quoted\"", 1, { COUNT }, WLSTM_F64, f64 },
                                      { "empty", 2, { 0, 4 }, WLSTM_F32, NULL } };
    const char *path = scratch_path("good.safetensors");
    assert_int_equal(wli_safetensors_write(path, tensors, 3), WLSTM_OK);
    assert_int_equal(scratch_count(), 1);
    wli_safetensors *file;
    assert_int_equal(wli_safetensors_open(path, &file), WLSTM_OK);
    assert_int_equal(wli_safetensors_count(file), 3);
    const wli_st_tensor *single = wli_safetensors_find(file, tensors[0].name),
                        *twice = wli_safetensors_find(file, tensors[1].name);
    assert_int_equal(wli_safetensors_read(file, twice, WLSTM_F64, got64), WLSTM_OK);
    assert_memory_equal(got64, f64, sizeof f64);
    assert_int_equal(wli_safetensors_read(file, twice, WLSTM_F32, got32), WLSTM_OK);
    assert_memory_equal(got32, f32, sizeof f32);
    assert_int_equal(wli_safetensors_read(file, single, WLSTM_F32, got32), WLSTM_OK);
    assert_memory_equal(got32, f32, sizeof f32);
    assert_int_equal(wli_safetensors_read(file, single, WLSTM_F64, got64), WLSTM_OK);
    for (int k = 0; k < COUNT; k++) assert_true(got64[k] == (double)f32[k]);
    assert_int_equal(single->begin % 8, 0);
    wli_safetensors_close(file);
}

// A failed write leaves what was there, and nothing else.
static void test_bad_writes(void **state) {
    (void)state;
    const float value[1] = { 1 };
    static const struct {
        wli_st_output tensors[2];
        const char *sentence;
    } bad[] = {
        { { { "a", 1, { 1 }, WLSTM_F32, "" }, { "a", 1, { 1 }, WLSTM_F32, "" } },
          "tensor 'a': each name once expected" },
        { { { "a", 1, { 0 }, WLSTM_F32, "" }, { "__metadata__", 1, { 0 }, WLSTM_F32, "" } },
          "name: a tensor's name expected, got __metadata__" },
        { { { NULL, 1, { 0 }, WLSTM_F32, "" } }, "name: a tensor's name expected, got NULL" },
        { { { "\xff", 1, { 0 }, WLSTM_F32, "" } }, "name: UTF-8 expected" },
        { { { "a", 9, { 0 }, WLSTM_F32, "" } }, "tensor 'a': 0 to 8 dimensions expected, got 9" },
        { { { "a", 1, { -1 }, WLSTM_F32, "" } },
          "tensor 'a': dimensions of at least 0 and of a size that fits expected" },
        { { { "a", 2, { INT64_MAX, 4 }, WLSTM_F32, "" } },
          "tensor 'a': dimensions of at least 0 and of a size that fits expected" },
        { { { "a", 1, { 1 }, (wlstm_dtype)3, "" } }, "tensor 'a': dtype f32, f64 or bf16 expected, got 3" },
    };
    const char *path = scratch_write("kept", "kept", 4);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_int_equal(wli_safetensors_write(path, bad[k].tensors, 2), WLSTM_ERROR_INVALID_ARGUMENT);
        assert_string_equal(wlstm_last_error(), bad[k].sentence);
    }
    const wli_st_output good = { "a", 1, { 1 }, WLSTM_F32, value };
    assert_int_equal(wli_safetensors_write(scratch_directory, &good, 1), WLSTM_ERROR_FILE);
    assert_string_equal(
        scratch_error(wlstm_last_error(), scratch_directory),
        "a regular file or a new name expected, got a directory, in whose place no result is put: name a file");
    assert_int_equal(wli_safetensors_write("/dev/null", &good, 1), WLSTM_ERROR_FILE);
    const char *nowhere = scratch_path("none/a");
    assert_int_equal(wli_safetensors_write(nowhere, &good, 1), WLSTM_ERROR_FILE);
    assert_string_equal(scratch_error(wlstm_last_error(), nowhere), "cannot write: No such file or directory");
    assert_int_equal(wli_safetensors_write(NULL, &good, 1), WLSTM_ERROR_INVALID_ARGUMENT);

    assert_int_equal(scratch_count(), 1);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_bad_headers, scratch_clear),
        cmocka_unit_test_teardown(test_bad_json, scratch_clear),
        cmocka_unit_test_teardown(test_bad_lengths, scratch_clear),
        cmocka_unit_test_teardown(test_foreign_files, scratch_clear),
        cmocka_unit_test_teardown(test_not_a_file, scratch_clear),
        cmocka_unit_test_teardown(test_lenient, scratch_clear),
        cmocka_unit_test_teardown(test_file_that_shrinks, scratch_clear),
        cmocka_unit_test_teardown(test_every_half, scratch_clear),
        cmocka_unit_test_teardown(test_round_trip, scratch_clear),
        cmocka_unit_test_teardown(test_bad_writes, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
