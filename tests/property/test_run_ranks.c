/* wlstm-run --ranks under mpirun writes the files that wlstm-run alone writes, to the byte, and says what is wrong once.
 *
 *     test_run_ranks WLSTM-RUN MPIEXEC -n */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/npy.h"
#include "random.h"
#include "scratch_dir.h"
#include "small_models.h"

#include <sys/wait.h>

enum { T = 7, B = 5 };

static const char *program, *launcher;
static char messages[2000];

static void write_array(const char *name, int ndim, const int64_t *shape) {
    float values[1000];
    int64_t count = 1;
    for (int d = 0; d < ndim; d++) count *= shape[d];
    assert_in_range(count, 1, 1000);
    random_fill(WLSTM_F32, values, count, random_seed_of(name), 0);
    assert_int_equal(wli_npy_write(scratch_path(name), WLSTM_F32, ndim, shape, values), WLSTM_OK);
}

/* [B] integers, for which the library has no writer. */
static void write_lengths(const char *name, const int64_t lengths[B]) {
    char bytes[128 + B * sizeof *lengths];
    memset(bytes, ' ', 128);
    memcpy(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    const char text[] = "{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }";
    memcpy(bytes + 10, text, sizeof text - 1);
    bytes[127] = '\n';
    memcpy(bytes + 128, lengths, B * sizeof *lengths);
    scratch_write(name, bytes, sizeof bytes);
}

static void write_model(const char *name, int bidirectional, int64_t num_layers) {
    wlstm_lstm_config config = small_config();
    config.bidirectional = bidirectional, config.num_layers = num_layers;
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_save(lstm, scratch_path(name), NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
}

/* x [T, B, I] or [B, T, I], of no batch [T, I]; h and c [L, B, H]; lengths. */
static int make_files(void **state) {
    const wlstm_lstm_config config = small_config();
    const int64_t I = config.input_size, H = config.hidden_size, lengths[B] = { 2, T, 1, 5, T };
    const int64_t time_first[] = { T, B, I }, batch_first[] = { B, T, I }, states[] = { 3, B, H };
    wlstm_cell_config cell_config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell;
    if (scratch_create(state) != 0) return -1;
    write_model("m.safetensors", 0, 3);
    write_model("bi.safetensors", 1, 2);
    cell_config.input_size = I, cell_config.hidden_size = H;
    assert_int_equal(wlstm_cell_create(&cell_config, &cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_save(cell, scratch_path("cell.safetensors"), NULL), WLSTM_OK);
    wlstm_cell_free(cell);
    write_array("x.npy", 3, time_first);
    write_array("bx.npy", 3, batch_first);
    write_array("one.npy", 2, batch_first + 1);
    write_array("h.npy", 3, states);
    write_array("c.npy", 3, states);
    write_lengths("lengths.npy", lengths);
    return 0;
}

static int shell(const char *before, const char *options, const char *after) {
    char command[2000];
    snprintf(command, sizeof command, "cd '%s' && %s '%s' %s %s 2>stderr >stdout", scratch_directory, before, program,
             options, after);
    const int status = system(command);
    FILE *errors = fopen(scratch_path("stderr"), "rb");
    assert_non_null(errors);
    messages[fread(messages, 1, sizeof messages - 1, errors)] = '\0';
    fclose(errors);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int over_ranks(int ranks, const char *options, const char *after) {
    char before[1200];
    snprintf(before, sizeof before, "%s %d", launcher, ranks);
    return shell(before, options, after);
}

static void expect_same(const char *options, const char *what, int ranks) {
    char command[2000], over[100];
    if (shell("", options, "--threads 1 --output o.npy --hn hn.npy --cn cn.npy") != 0)
        fail_msg("%s: %s", options, messages);
    snprintf(over, sizeof over, "--ranks %s --threads 1 --output o2.npy --hn hn2.npy --cn cn2.npy", what);
    if (over_ranks(ranks, options, over) != 0) fail_msg("%s, %d ranks: %s", options, ranks, messages);
    snprintf(command, sizeof command, "cd '%s' && cmp o.npy o2.npy && cmp hn.npy hn2.npy && cmp cn.npy cn2.npy",
             scratch_directory);
    if (system(command) != 0) fail_msg("%s, %d ranks: other results by %s", options, ranks, what);
}

static void results_are_those_of_one_process(void **state) {
    (void)state;
    static const char *const both[] = {
        "--model m.safetensors --input x.npy --h0 h.npy --c0 c.npy",
        "--model m.safetensors --input x.npy --lengths lengths.npy --h0 h.npy --c0 c.npy --precision int8",
        "--model m.safetensors --input bx.npy --batch-first --lengths lengths.npy --dtype f64 --schedule serial",
        "--model cell.safetensors --input one.npy --compact",
    };
    for (size_t i = 0; i < sizeof both / sizeof both[0]; i++) {
        expect_same(both[i], "rows", 4 - (int)i);
        expect_same(both[i], "layers", 4 - (int)i);
    }
    expect_same("--model bi.safetensors --input x.npy --lengths lengths.npy", "rows", 2);
    expect_same("--model m.safetensors --input x.npy --lengths lengths.npy --h0 h.npy --c0 c.npy --dtype bf16", "rows",
                3);
}

/* Exit status 1, the sentence, and that once. */
static void expect_refused(const char *options, const char *sentence) {
    assert_int_equal(over_ranks(3, options, "--output refused.npy"), 1);
    const char *found = strstr(messages, sentence);
    if (!found || strstr(found + 1, sentence)) fail_msg("once \"%s\" expected, got %s", sentence, messages);
    assert_int_not_equal(access(scratch_path("refused.npy"), F_OK), 0);
}

static void what_is_wrong_is_said_once(void **state) {
    (void)state;
    expect_refused("--ranks layers --model bi.safetensors --input x.npy",
                   "wlstm-run: rank 0: bi.safetensors: one direction expected, got two");
    expect_refused("--ranks layers --model m.safetensors --input x.npy --dtype bf16",
                   "stage: arrays of f32 or f64 expected, got WLSTM_BF16 on rank 0");
    expect_refused("--ranks rows --model absent.safetensors --input x.npy", "wlstm-run: rank 0: absent.safetensors");
    expect_refused("--ranks rows --model m.safetensors --input absent.npy", "wlstm-run: rank 0: absent.npy");
    assert_int_equal(shell("", "--model m.safetensors --input x.npy --output o.npy", "--ranks rows --compare full"), 2);
    assert_non_null(strstr(messages, "--ranks, --compare: one of them expected, got both"));
    assert_int_equal(shell("", "--model m.safetensors --input x.npy --output o.npy", "--ranks columns"), 2);
}

int main(int argc, char **argv) {
    static char launch[1000];
    if (argc < 4) return 2;
    program = argv[1];
    snprintf(launch, sizeof launch, "'%s' %s", argv[2], argv[3]);
    launcher = launch;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_are_those_of_one_process),
        cmocka_unit_test(what_is_wrong_is_said_once),
    };
    return cmocka_run_group_tests(tests, make_files, scratch_remove_all);
}
