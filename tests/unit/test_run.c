/* wlstm-run's command line, the program being the argument: what it refuses before it runs, and that it leaves all files as they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/npy.h"
#include "scratch_dir.h"
#include "small_models.h"

#include <sys/stat.h>
#include <sys/wait.h>

static const char *program;
static char messages[2000], printed[2000]; /* the last run's stderr and stdout */

/* x [T, B, I] = [3, 2, 5], h_0 and c_0 [L, B, H] = [2, 2, 4]. */
static int make_files(void **state) {
    (void)state;
    const int64_t x_shape[] = { 3, 2, 5 }, state_shape[] = { 2, 2, 4 };
    const float zeros[30] = { 0 };
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_save(lstm, scratch_path("m.safetensors"), NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
    assert_int_equal(wli_npy_write(scratch_path("x.npy"), WLSTM_F32, 3, x_shape, zeros), WLSTM_OK);
    assert_int_equal(wli_npy_write(scratch_path("h.npy"), WLSTM_F32, 3, state_shape, zeros), WLSTM_OK);
    assert_int_equal(wli_npy_write(scratch_path("c.npy"), WLSTM_F32, 3, state_shape, zeros), WLSTM_OK);
    return 0;
}

/* The exit status of wlstm-run in the scratch directory, its standard output being a pipe. */
static int run(const char *options) {
    char command[1200];
    snprintf(command, sizeof command, "cd '%s' && '%s' --threads 1 %s 2>stderr", scratch_directory, program, options);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    printed[fread(printed, 1, sizeof printed - 1, output)] = '\0';
    while (fgetc(output) != EOF) {
    }
    const int status = pclose(output);
    FILE *errors = fopen(scratch_path("stderr"), "rb");
    assert_non_null(errors);
    messages[fread(messages, 1, sizeof messages - 1, errors)] = '\0';
    fclose(errors);
    assert_int_equal(unlink(scratch_path("stderr")), 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* That exit status and a message that begins so; no file is changed, made or left. */
static void expect_refused(int status, const char *options, const char *message) {
    static const char *const names[] = { "m.safetensors", "x.npy", "h.npy", "c.npy" };
    struct stat before[4], after;
    const int files = scratch_count();
    for (int k = 0; k < 4; k++) assert_int_equal(stat(scratch_path(names[k]), &before[k]), 0);
    const int got = run(options);
    if (got != status || strncmp(messages, "wlstm-run: ", 11) != 0 ||
        strncmp(messages + 11, message, strlen(message)) != 0)
        fail_msg("%s: exit status %d and \"%s\" expected, got %d and %s", options, status, message, got, messages);
    for (int k = 0; k < 4; k++) {
        assert_int_equal(stat(scratch_path(names[k]), &after), 0);
        assert_true(before[k].st_ino == after.st_ino && before[k].st_size == after.st_size);
    }
    assert_int_equal(scratch_count(), files);
}

#define MODEL_AND_INPUT "--model m.safetensors --input x.npy "

static void results_and_inputs_are_different_files(void **state) {
    (void)state;
    static const struct {
        const char *options, *named;
    } same[] = {
        { MODEL_AND_INPUT "--output o.npy --hn o.npy",
          "--output, --hn: different files expected, got o.npy and o.npy\n" },
        { MODEL_AND_INPUT "--output o.npy --hn ./o.npy", "--output, --hn: different files expected, got o.npy and " },
        { MODEL_AND_INPUT "--output o.npy --cn \"$PWD/o.npy\"", "--output, --cn: " },
        { MODEL_AND_INPUT "--output o.npy --hn here/a.npy --cn a.npy", "--hn, --cn: " },
        { MODEL_AND_INPUT "--output none/o.npy --cn none/o.npy", "--output, --cn: " },
        { MODEL_AND_INPUT "--output old --hn link", "--output, --hn: " },
        { MODEL_AND_INPUT "--output old --hn hard", "--output, --hn: " },
        { MODEL_AND_INPUT "--output here/m.safetensors", "--output, --model: " },
        { MODEL_AND_INPUT "--output ./x.npy", "--output, --input: " },
        { MODEL_AND_INPUT "--output to_x", "--output, --input: " },
        { MODEL_AND_INPUT "--output o.npy --h0 h.npy --c0 c.npy --hn ./h.npy", "--hn, --h0: " },
        { MODEL_AND_INPUT "--output o.npy --h0 h.npy --c0 c.npy --cn ./c.npy", "--cn, --c0: " },
        { MODEL_AND_INPUT "--output o.npy --h0 h.npy --c0 c.npy --cn ./h.npy", "--cn, --h0: " },
        { MODEL_AND_INPUT "--output o.npy --lengths n.npy --cn ./n.npy", "--cn, --lengths: " },
        { MODEL_AND_INPUT "--output ''", "--output: a file expected, got an empty name" },
        { MODEL_AND_INPUT "--output o.npy --cn ''", "--cn: a file expected, got an empty name" },
        /* before the model is looked at */
        { "--model none --input x.npy --output o.npy --hn ./o.npy", "--output, --hn: " },
    };
    scratch_write("old", "old", 3);
    assert_int_equal(symlink(".", scratch_path("here")), 0);
    assert_int_equal(symlink("old", scratch_path("link")), 0);
    assert_int_equal(symlink("x.npy", scratch_path("to_x")), 0);
    assert_int_equal(link(scratch_path("old"), scratch_path("hard")), 0);
    for (size_t k = 0; k < sizeof same / sizeof same[0]; k++) expect_refused(2, same[k].options, same[k].named);
}

static void results_that_cannot_be_written_are_refused_first(void **state) {
    (void)state;
    assert_int_equal(symlink("/proc/self/fd/1", scratch_path("stdout")), 0);
    expect_refused(1, "--model none --input x.npy --output stdout",
                   "stdout: a regular file or a new name expected, got a pipe");
    expect_refused(1, "--model none --input x.npy --output o.npy --cn none/c.npy", "none/c.npy: cannot write: ");
    struct stat about;
    assert_int_equal(lstat(scratch_path("stdout"), &about), 0);
    assert_true(S_ISLNK(about.st_mode));
}

static void thread_counts_are_plain_integers(void **state) {
    (void)state;
    static const char *const bad[] = { "''",  "' 1'", "'1 '", "+1",   "-1",  "0",
                                       "0x1", "1e0",  "1.0",  "4097", "inf", "9223372036854775808" };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        char options[200];
        snprintf(options, sizeof options, MODEL_AND_INPUT "--output o.npy --threads %s", bad[k]);
        expect_refused(2, options, "--threads: an integer from 1 to 4096 expected, got ");
    }
}

static void words_are_known_ones(void **state) {
    (void)state;
    static const struct {
        const char *option, *expected;
    } words[] = { { "--precision", "full, bf16 or int8" },
                  { "--schedule", "auto, serial, wavefront or gangs" },
                  { "--compare", "full" } };
    static const char *const bad[] = { "int4", "''", "Full", "'full '" };
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
            char options[200], message[100];
            snprintf(options, sizeof options, MODEL_AND_INPUT "--output o.npy %s %s", words[k].option, bad[b]);
            snprintf(message, sizeof message, "%s: %s expected, got ", words[k].option, words[k].expected);
            expect_refused(2, options, message);
        }
    assert_int_equal(run(MODEL_AND_INPUT "--output o.npy --dtype f64 --precision int8"), 1);
    assert_non_null(strstr(messages, "precision: default or full expected with parameters of f64, got int8"));
}

/* What the line after the first says of out, h_n and c_n, and whether there are seconds of both. */
static void a_precision_is_compared_with_full(void **state) {
    (void)state;
    static const char *const precisions[] = { "full", "bf16", "int8" };
    const int64_t x_shape[] = { 3, 2, 5 };
    float x[30];
    for (int k = 0; k < 30; k++) x[k] = (float)(k % 11 - 5) / 7;
    assert_int_equal(wli_npy_write(scratch_path("x.npy"), WLSTM_F32, 3, x_shape, x), WLSTM_OK);
    for (int k = 0; k < 3; k++) {
        static const char *const names[] = { "out", "h_n", "c_n" };
        char options[200], suffix[16];
        snprintf(options, sizeof options, MODEL_AND_INPUT "--output o.npy --precision %s --compare full",
                 precisions[k]);
        assert_int_equal(run(options), 0);
        snprintf(suffix, sizeof suffix, "t3b2i5h4l2%s%s:", k ? "-" : "", k ? precisions[k] : "");
        assert_non_null(strstr(printed, suffix));
        for (int n = 0; n < 3; n++) {
            char begin[64];
            double largest, mean, relative;
            snprintf(begin, sizeof begin, "\nbeside full precision: %s: ", names[n]);
            const char *line = strstr(printed, begin);
            assert_non_null(line);
            assert_int_equal(sscanf(line + strlen(begin), "largest difference %lf, mean %lf, relative %lf", &largest,
                                    &mean, &relative),
                             3);
            assert_true(k ? largest >= mean && mean > 0 && relative > 0 && relative < 0.1
                          : !(largest > 0) && !(mean > 0) && !(relative > 0));
        }
        double seconds, full_seconds;
        const char *line = strstr(printed, "\nbeside full precision: c_n: ");
        assert_int_equal(
            sscanf(strchr(line + 1, '\n'), " beside full precision: %lf s, full %lf s", &seconds, &full_seconds), 2);
        assert_true(seconds > 0 && full_seconds > 0);
    }
    assert_int_equal(scratch_count(), 5);
}

static void a_compact_model_gives_the_same(void **state) {
    (void)state;
    const int64_t x_shape[] = { 3, 2, 5 };
    float x[30];
    for (int k = 0; k < 30; k++) x[k] = (float)(k % 11 - 5) / 7;
    assert_int_equal(wli_npy_write(scratch_path("x.npy"), WLSTM_F32, 3, x_shape, x), WLSTM_OK);
    assert_int_equal(run(MODEL_AND_INPUT "--output o.npy --precision int8"), 0);
    assert_int_equal(run(MODEL_AND_INPUT "--output compact.npy --precision int8 --compact --effort measure"), 0);
    assert_non_null(strstr(printed, "-int8: "));
    assert_non_null(strstr(printed, "estimated"));
    wli_npy whole, compact;
    assert_int_equal(wli_npy_read(scratch_path("o.npy"), &whole), WLSTM_OK);
    assert_int_equal(wli_npy_read(scratch_path("compact.npy"), &compact), WLSTM_OK);
    assert_memory_equal(compact.values, whole.values, wli_npy_count(&whole) * sizeof(float));
    wli_npy_free(&whole), wli_npy_free(&compact);
    expect_refused(2, MODEL_AND_INPUT "--output other.npy --compact --compare full",
                   "--compact, --compare: one of them expected, got both");
}

enum { VALUES = 30, LARGEST_ITEM = 8 };

/* An array of these integers in that dtype, all of which has them exactly. */
static void write_as(const char *name, const char *descr, const char *shape, const int *values, size_t count) {
    unsigned char file[128 + VALUES * LARGEST_ITEM] = "\x93NUMPY\1\0v\0"; /* a header of 'v' bytes follows */
    const size_t itemsize = (size_t)(descr[2] - '0');
    char header['v'];
    const int used =
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr, shape);
    memset(header + used, ' ', sizeof header - (size_t)used);
    memcpy(file + 10, header, 'v');
    for (size_t k = 0; k < count; k++) {
        /* of binary16: sign, the exponent's bias of 15, 10 bits after the leading one */
        int magnitude = values[k] < 0 ? -values[k] : values[k], exponent = 0;
        while (magnitude >> (exponent + 1)) exponent++;
        const int bits = (values[k] < 0 ? 0x8000 : 0) | (exponent + 15) << 10 | ((magnitude << (10 - exponent)) & 1023);
        const uint16_t half = (uint16_t)(magnitude == 0 ? 0 : bits);
        const float single = (float)values[k];
        const double wide = values[k];
        const int32_t integer = values[k];
        const int64_t long_integer = values[k];
        const void *item = descr[1] == 'f' ? (itemsize == 2   ? (const void *)&half
                                              : itemsize == 4 ? (const void *)&single
                                                              : (const void *)&wide)
                           : itemsize == 4 ? (const void *)&integer
                                           : (const void *)&long_integer;
        for (size_t b = 0; b < itemsize; b++)
            file[128 + k * itemsize + b] = ((const unsigned char *)item)[descr[0] == '>' ? itemsize - 1 - b : b];
    }
    scratch_write(name, file, 128 + count * itemsize);
}

/* Whatever type and byte order the inputs have: the same numbers give the same results. */
static void inputs_are_of_any_type_and_byte_order(void **state) {
    (void)state;
    static const char *const types[] = { "<f4", ">f4", "<f2", ">f2", "<f8", ">f8" };
    static const char *const lengths_types[] = { "<i8", ">i8", "<i4", ">i4", "<i8", ">i4" };
    int values[VALUES];
    const int lengths[2] = { 3, 1 };
    for (int k = 0; k < VALUES; k++) values[k] = k % 7 - 3;
    float expected[3 * 2 * 4];
    for (int t = 0; t < 6; t++) {
        write_as("x.npy", types[t], "(3, 2, 5)", values, 30);
        write_as("h.npy", types[t], "(2, 2, 4)", values + 1, 16);
        write_as("c.npy", types[t], "(2, 2, 4)", values + 2, 16);
        write_as("n.npy", lengths_types[t], "(2,)", lengths, 2);
        assert_int_equal(run(MODEL_AND_INPUT "--h0 h.npy --c0 c.npy --lengths n.npy --output o.npy"), 0);
        assert_true(!strstr(messages, "converted") == (t < 2));
        wli_npy out;
        assert_int_equal(wli_npy_read(scratch_path("o.npy"), &out), WLSTM_OK);
        assert_int_equal(out.dtype, WLI_F32);
        if (t == 0)
            memcpy(expected, out.values, sizeof expected);
        else
            assert_memory_equal(out.values, expected, sizeof expected);
        wli_npy_free(&out);
    }
    assert_true(expected[0] != 0 && expected[0] != expected[4]);
    write_as("x.npy", "<f4", "(3, 2, 5)", values, 30);
    expect_refused(1, MODEL_AND_INPUT "--lengths c.npy --output p.npy",
                   "lengths: int32 or int64 expected, got float64 (c.npy)");
    expect_refused(1, "--model m.safetensors --input n.npy --output p.npy",
                   "input: float16, float32 or float64 expected, got int32 (n.npy)");
}

/* An nn.LSTM has no such layers, a file may: h and c of 64 and of 2. */
static void states_of_unlike_layers_are_refused(void **state) {
    (void)state;
    wlstm_cell *wide = create_cell(5, 64, 1, WLSTM_F32), *narrow = create_cell(64, 2, 1, WLSTM_F32);
    const wlstm_cell *const cells[] = { wide, narrow };
    wlstm_lstm *stack;
    assert_int_equal(wlstm_lstm_create_from_cells(cells, 2, &stack), WLSTM_OK);
    assert_int_equal(wlstm_lstm_save(stack, scratch_path("u.safetensors"), NULL), WLSTM_OK);
    wlstm_lstm_free(stack);
    wlstm_cell_free(wide);
    wlstm_cell_free(narrow);
#define UNLIKE "--model u.safetensors --input x.npy --output o.npy "
    expect_refused(1, UNLIKE "--hn p.npy", "hn: layers of one hidden_size expected");
    expect_refused(1, UNLIKE "--cn p.npy", "cn: layers of one hidden_size expected");
    expect_refused(1, UNLIKE "--h0 h.npy --c0 c.npy", "h0: layers of one hidden_size expected");
    expect_refused(1, UNLIKE "--compare full", "compare: layers of one hidden_size expected");
    assert_int_equal(run(UNLIKE), 0);
#undef UNLIKE
}

/* x.npy becomes 30 elements of bfloat16, their bits as uint16 or as ml_dtypes saves them, "<V2". */
static void write_bf16(bool as_void) {
    const int64_t shape[] = { 3, 2, 5 };
    uint16_t halves[30];
    for (size_t k = 0; k < 30; k++) wli_put(WLSTM_BF16, halves, k, (double)(k % 11) / 7 - 0.7);
    assert_int_equal(wli_npy_write(scratch_path("x.npy"), WLSTM_BF16, 3, shape, halves), WLSTM_OK);
    FILE *file = fopen(scratch_path("x.npy"), "r+b");
    char head[64] = "";
    assert_non_null(file);
    assert_true(fread(head, 1, sizeof head - 1, file) > 0);
    char *descr = memchr(head, 'u', sizeof head);
    assert_non_null(descr);
    assert_int_equal(fseek(file, descr - head, SEEK_SET), 0);
    if (as_void) assert_true(fputc('V', file) == 'V');
    fclose(file);
}

static void bf16_arrays_are_run(void **state) {
    (void)state;
    uint16_t expected[3 * 2 * 4];
    for (int as_void = 0; as_void < 2; as_void++) {
        wli_npy out;
        write_bf16(as_void);
        assert_int_equal(run(MODEL_AND_INPUT "--dtype bf16 --output o.npy"), 0);
        assert_non_null(strstr(printed, "t3b2i5h4l2-bf16arrays: "));
        assert_string_equal(messages, "wlstm-run: note: model: F32 parameters converted to bfloat16\n");
        assert_int_equal(wli_npy_read(scratch_path("o.npy"), &out), WLSTM_OK);
        assert_int_equal(out.dtype, WLI_BF16);
        if (as_void)
            assert_memory_equal(out.values, expected, sizeof expected);
        else
            memcpy(expected, out.values, sizeof expected);
        wli_npy_free(&out);
        assert_int_equal(run(MODEL_AND_INPUT "--dtype bf16 --precision int8 --compare full --output o.npy"), 0);
        assert_non_null(strstr(printed, "-bf16arrays-int8: "));
    }
    expect_refused(
        1, MODEL_AND_INPUT "--output p.npy",
        "input: float16, float32 or float64 expected, got uint16, which is bfloat16 with --dtype bf16 (x.npy)");
}

static void other_files_are_written(void **state) {
    (void)state;
    scratch_write("old", "old", 3);
    assert_int_equal(symlink("old", scratch_path("link")), 0);
    assert_int_equal(run(MODEL_AND_INPUT "--h0 h.npy --c0 h.npy --output o.npy --hn link --cn ./c_n.npy"), 0);
    assert_string_equal(messages, "");
    wli_npy array;
    static const char *const names[] = { "o.npy", "old", "c_n.npy" };
    for (int k = 0; k < 3; k++) {
        assert_int_equal(wli_npy_read(scratch_path(names[k]), &array), WLSTM_OK);
        assert_int_equal(array.shape[0], k == 0 ? 3 : 2);
        wli_npy_free(&array);
    }
    assert_int_equal(scratch_count(), 4 + 4);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(results_and_inputs_are_different_files, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(results_that_cannot_be_written_are_refused_first, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(thread_counts_are_plain_integers, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(words_are_known_ones, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(a_precision_is_compared_with_full, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(a_compact_model_gives_the_same, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(bf16_arrays_are_run, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(inputs_are_of_any_type_and_byte_order, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(states_of_unlike_layers_are_refused, make_files, scratch_clear),
        cmocka_unit_test_setup_teardown(other_files_are_written, make_files, scratch_clear),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_run WLSTM-RUN\n");
        return 2;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
