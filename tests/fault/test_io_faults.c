/* Whatever goes wrong with a file, at whichever call: each operation on files is run again and again, with one more call
 * to the system before the fault each time (io_faults.c), until none is left to fail. It succeeds, all results new, or
 * fails with a message; no result is ever half there, none of the old ones gone, and nothing is left beside them.
 *
 *     test_io_faults io_faults.so wlstm-run wlstm-tune */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "io/npy.h"
#include "plan/cache.h"
#include "plan/fingerprint.h"
#include "scratch_dir.h"
#include "small_models.h"
#include "train/trainer_file.h"

enum { MOST_FILES = 16, NAME = 64, T = 3, B = 2, I = 5, H = 4, L = 2, MESSAGES = 2000, WRONG = 3 };

/* -------------------------------------------------------------------------------------- what a process of ours does */

static const char *folder(void) {
    return getenv("F");
}

static const char *in_folder(const char *name) {
    static char path[400];
    snprintf(path, sizeof path, "%s/%s", folder(), name);
    return path;
}

static wlstm_status save(void) {
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status == WLSTM_OK) status = wlstm_lstm_save(lstm, in_folder("saved"), "a.");
    wlstm_lstm_free(lstm);
    return status;
}

/* The parameters of the file are those that every new lstm has. */
static wlstm_status load(bool compact) {
    const wlstm_lstm_config config = small_config();
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_lstm *lstm, *made;
    float values[4 * H * H], expected[4 * H * H];
    options.compact = compact;
    const wlstm_status status = wlstm_lstm_load(in_folder("m.safetensors"), &options, &lstm);
    if (status != WLSTM_OK || compact) {
        wlstm_lstm_free(lstm);
        return status;
    }
    const bool same = wlstm_lstm_create(&config, &made) == WLSTM_OK &&
                      wlstm_lstm_get_parameter(lstm, "weight_hh_l1", values, 4 * H * H) == WLSTM_OK &&
                      wlstm_lstm_get_parameter(made, "weight_hh_l1", expected, 4 * H * H) == WLSTM_OK &&
                      memcmp(values, expected, sizeof values) == 0;
    wlstm_lstm_free(lstm);
    wlstm_lstm_free(made);
    if (!same) exit(WRONG);
    return status;
}

static wlstm_status read_tensor(void) {
    double values[4 * H];
    return wlstm_tensor_read(in_folder("m.safetensors"), "bias_hh_l0", WLSTM_F64, values, 4 * H, NULL, NULL);
}

static wlstm_status train(bool writes) {
    static const wli_model_spec spec = {
        .dtype = WLSTM_F32, .num_layers = 1, .input_size = 2, .hidden_size = 1, .bias = true
    };
    static float arrays[3][64];
    wli_trainer_state state = { .parameters = arrays[0], .moments = { arrays[1], arrays[2] }, .num_moments = 2 };
    wli_model *model;
    wlstm_status status = wli_model_create(&spec, &model);
    if (status != WLSTM_OK) return status;
    state.model = model, state.step = 9, arrays[1][0] = 5;
    if (!writes) state.step = 0, arrays[1][0] = 0;
    status = writes ? wli_trainer_file_write(in_folder("trainer"), &state)
                    : wli_trainer_file_read(in_folder("trained"), &state);
    if (!writes && status == WLSTM_OK && (state.step != 9 || arrays[1][0] != 5)) exit(WRONG);
    wli_model_release(model);
    return status;
}

/* A plan and its call succeed whatever becomes of the cache. */
static wlstm_status plan(wlstm_effort effort) {
    const wlstm_lstm_config config = small_config();
    static const float x[T * B * I];
    float out[T * B * H];
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_plan *made;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1;
    options.effort = effort, options.time_limit = 0.05;
    if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK || wlstm_plan_create(lstm, &options, &made) != WLSTM_OK ||
        wlstm_plan_execute(made, T, B, NULL, x, NULL, NULL, out, NULL, NULL) != WLSTM_OK)
        exit(WRONG);
    wlstm_plan_free(made);
    wlstm_lstm_free(lstm);
    return WLSTM_OK;
}

static wlstm_status import(void) {
    const wlstm_status status = wlstm_plan_cache_import(in_folder("import"));
    return status == WLSTM_OK ? wlstm_plan_cache_save(NULL) : status;
}

static int child(const char *what) {
    const wlstm_status status = strcmp(what, "save") == 0         ? save()
                                : strcmp(what, "load") == 0       ? load(false)
                                : strcmp(what, "compact") == 0    ? load(true)
                                : strcmp(what, "tensor") == 0     ? read_tensor()
                                : strcmp(what, "train") == 0      ? train(true)
                                : strcmp(what, "go-on") == 0      ? train(false)
                                : strcmp(what, "estimate") == 0   ? plan(WLSTM_EFFORT_ESTIMATE)
                                : strcmp(what, "measure") == 0    ? plan(WLSTM_EFFORT_MEASURE)
                                : strcmp(what, "import") == 0     ? import()
                                : strcmp(what, "cache-load") == 0 ? wlstm_plan_cache_load(NULL)
                                                                  : WLSTM_ERROR_INVALID_ARGUMENT;
    if (status != WLSTM_OK) fprintf(stderr, "%s: %s\n", what, wlstm_last_error());
    return status == WLSTM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ------------------------------------------------------------------------------------------------ the folder's files */

typedef struct file {
    char name[NAME];
    unsigned char *bytes;
    size_t count;
} file;

typedef struct files {
    file files[MOST_FILES];
    int count;
} files;

static files good; /* as every run finds them */
static char cache_name[NAME];

static const file *find(const files *in, const char *name) {
    for (int k = 0; k < in->count; k++)
        if (strcmp(in->files[k].name, name) == 0) return &in->files[k];
    return NULL;
}

static bool same_file(const file *a, const file *b) {
    return a == b || (a && b && a->count == b->count && memcmp(a->bytes, b->bytes, a->count) == 0);
}

/* What is in the folder, but locks. */
static files take_files(void) {
    files all = { .count = 0 };
    DIR *directory = opendir(scratch_directory);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (length > 5 && strcmp(entry->d_name + length - 5, ".lock") == 0) continue;
        assert_true(all.count < MOST_FILES && length < NAME);
        file *taken = &all.files[all.count++];
        FILE *stream = fopen(scratch_path(entry->d_name), "rb");
        struct stat about;
        assert_true(stream && fstat(fileno(stream), &about) == 0);
        memcpy(taken->name, entry->d_name, length + 1);
        taken->count = (size_t)about.st_size;
        taken->bytes = malloc(taken->count + 1);
        assert_non_null(taken->bytes);
        assert_int_equal(fread(taken->bytes, 1, taken->count, stream), taken->count);
        fclose(stream);
    }
    closedir(directory);
    return all;
}

static void free_files(files *all) {
    for (int k = 0; k < all->count; k++) free(all->files[k].bytes);
    all->count = 0;
}

static void put_files_back(void) {
    scratch_clear(NULL);
    for (int k = 0; k < good.count; k++) scratch_write(good.files[k].name, good.files[k].bytes, good.files[k].count);
}

/* Of thread counts from `first` on. */
static void write_cache(const char *name, int first, int entries) {
    wli_cache_table table = { 0 };
    for (int k = 0; k < entries; k++) {
        wli_cache_entry entry = { .threads = first + k, .effort = WLSTM_EFFORT_MEASURE };
        assert_int_equal(wli_problem_parse("t9b6i21h99l2", &entry.problem), WLSTM_OK);
        assert_true(wli_cache_table_put(&table, &entry));
    }
    assert_int_equal(wli_cache_write(scratch_path(name), &table), WLSTM_OK);
    wli_cache_table_clear(&table);
}

static int make_files(void **state) {
    static const char *const old[] = { "out", "hn", "cn", "saved", "trainer", "exported" };
    const int64_t x_shape[] = { T, B, I }, state_shape[] = { L, B, H };
    const float zeros[T * B * I] = { 0 };
    if (scratch_create(state) != 0) return -1;
    setenv("F", scratch_directory, 1);
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_save(lstm, scratch_path("m.safetensors"), NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
    assert_int_equal(wli_npy_write(scratch_path("x.npy"), WLSTM_F32, 3, x_shape, zeros), WLSTM_OK);
    assert_int_equal(wli_npy_write(scratch_path("h.npy"), WLSTM_F32, 3, state_shape, zeros), WLSTM_OK);
    assert_int_equal(train(true), WLSTM_OK);
    assert_int_equal(rename(scratch_path("trainer"), scratch_path("trained")), 0);
    snprintf(cache_name, sizeof cache_name, "%s.json", wli_fingerprint_get()->id);
    write_cache(cache_name, 1, 2);
    write_cache("import", 11, 3);
    for (size_t k = 0; k < sizeof old / sizeof old[0]; k++) scratch_write(old[k], "old", 3);
    good = take_files();
    return 0;
}

static int remove_files(void **state) {
    free_files(&good);
    return scratch_remove(state);
}

/* ---------------------------------------------------------------------------------------------------- the operations */

/* Run by a shell, where F, RUN, TUNE and SELF are the folder and the programs. `quiet`: nothing that was asked for
 * depends on files, so it never fails. `waits`: some seconds, as for another writer of the cache, where that cannot be
 * written; so few faults. */
typedef struct operation {
    const char *name, *command, *results[3];
    bool quiet, waits;
} operation;

#define CACHE "the cache"
static const operation operations[] = {
    { "wlstm-run",
      "\"$RUN\" --threads 1 --model $F/m.safetensors --input $F/x.npy --h0 $F/h.npy --c0 $F/h.npy --output $F/out "
      "--hn $F/hn --cn $F/cn",
      { "out", "hn", "cn" },
      false,
      false },
    { "wlstm-run, a new file, compact",
      "\"$RUN\" --threads 1 --compact --model $F/m.safetensors --input $F/x.npy --output $F/new",
      { "new" },
      false,
      false },
    { "wlstm-tune --export", "\"$TUNE\" --export $F/exported", { "exported" }, false, false },
    { "wlstm-tune --import", "\"$TUNE\" --import $F/import", { CACHE }, false, true },
    { "wlstm_plan_cache_import and save", "\"$SELF\" import $F/import", { CACHE }, false, false },
    { "wlstm-tune --forget", "\"$TUNE\" --forget t9b6i21h99l2", { CACHE }, false, false },
    { "wlstm-tune --list", "\"$TUNE\" --list", { NULL }, false, false },
    { "wlstm_lstm_save", "\"$SELF\" save", { "saved" }, false, false },
    { "wlstm_lstm_load", "\"$SELF\" load", { NULL }, false, false },
    { "wlstm_lstm_load, compact", "\"$SELF\" compact", { NULL }, false, false },
    { "wlstm_tensor_read", "\"$SELF\" tensor", { NULL }, false, false },
    { "a trainer's file, written", "\"$SELF\" train", { "trainer" }, false, false },
    { "a trainer's file, read", "\"$SELF\" go-on", { NULL }, false, false },
    { "wlstm_plan_cache_load", "\"$SELF\" cache-load", { NULL }, false, false },
    { "a plan by the cache", "\"$SELF\" estimate", { NULL }, true, false },
    { "a plan that is tuned", "\"$SELF\" measure", { CACHE }, true, false },
};

/* The variables of io_faults.c; first: from the first call on only. */
typedef struct fault {
    const char *name, *kind;
    int error;
    bool on, spoils_inputs, first;
} fault;

static const fault faults[] = {
    { "one call fails", "any", EIO, false, false, false },
    { "a full disk", "room", ENOSPC, true, false, false },
    { "a disk that is gone", "any", EIO, true, false, false },
    { "a read-only disk", "write", EROFS, true, false, true },
    { "a read fails", "read", EIO, false, false, false },
    { "a file that shrinks", "read", 0, false, true, false },
};

typedef struct outcome {
    int status;
    long calls;
    char failed[32], messages[MESSAGES];
} outcome;

static outcome run(const operation *o, const fault *f, long at) {
    outcome result = { .calls = 0 };
    char command[1500], log[300], errors[300];
    snprintf(log, sizeof log, "%s.log", scratch_directory);
    snprintf(errors, sizeof errors, "%s.errors", scratch_directory);
    snprintf(command, sizeof command,
             "IO_FAULTS_FOLDER=$F/ IO_FAULTS_KIND=%s IO_FAULTS_AT=%ld IO_FAULTS_ON=%d IO_FAULTS_ERROR=%d "
             "IO_FAULTS_LOG='%s' WLSTM_CACHE=$F timeout 60 env LD_PRELOAD=\"$PRELOAD\" %s > /dev/null 2> '%s'",
             f->kind, at, f->on, f->error, log, o->command, errors);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    result.status = WEXITSTATUS(status);
    FILE *stream = fopen(log, "r");
    assert_non_null(stream);
    assert_int_equal(fscanf(stream, "%ld %31s", &result.calls, result.failed), 2);
    fclose(stream);
    stream = fopen(errors, "r");
    assert_non_null(stream);
    result.messages[fread(result.messages, 1, MESSAGES - 1, stream)] = '\0';
    fclose(stream);
    unlink(log), unlink(errors);
    return result;
}

static bool is_result(const operation *o, const char *name) {
    for (int k = 0; k < 3 && o->results[k]; k++)
        if (strcmp(strcmp(o->results[k], CACHE) == 0 ? cache_name : o->results[k], name) == 0) return true;
    return false;
}

/* Timings differ from one search to the next: there a cache with one entry more is new. */
static bool is_new(const operation *o, const file *now, const file *fresh) {
    if (same_file(now, fresh)) return true;
    wli_cache_table table;
    if (!o->quiet || wli_cache_decode("now", (const char *)now->bytes, now->count, &table) != WLSTM_OK) return false;
    const bool whole = table.count == 3;
    wli_cache_table_clear(&table);
    return whole;
}

/* Calls without which no result is on the disk. */
static bool is_told(const char *call) {
    return strcmp(call, "fwrite") == 0 || strcmp(call, "fsync") == 0 || strcmp(call, "rename") == 0;
}

static void check_outcome(const operation *o, const fault *f, long at, const outcome *got, const files *fresh) {
    char where[200];
    snprintf(where, sizeof where, "%s, %s, call %ld (%s), exit status %d", o->name, f->name, at, got->failed,
             got->status);
    if (got->status != 0 && got->status != 1) fail_msg("%s: 0 or 1 expected", where);
    if (got->status == 1 && (got->messages[0] == '\0' || o->quiet)) fail_msg("%s: %s", where, got->messages);
    if (got->status == 0 && !o->quiet && is_told(got->failed)) fail_msg("%s: a failure expected", where);
    files now = take_files();
    for (int k = 0; k < now.count; k++) {
        const char *name = now.files[k].name;
        const file *old = find(&good, name), *whole = find(fresh, name);
        /* What was to go away when that failed. */
        if (strncmp(name, ".wlstm-", 7) == 0 && (f->on || strcmp(got->failed, "unlink") == 0)) continue;
        if (!old && !whole) fail_msg("%s: %s is left", where, name);
        /* The cache is read before it is written. */
        if (f->spoils_inputs && (!is_result(o, name) || strcmp(name, cache_name) == 0)) continue;
        if (!same_file(&now.files[k], old) && !(is_result(o, name) && is_new(o, &now.files[k], whole)))
            fail_msg("%s: %s is neither the old one nor the new one", where, name);
        if (got->status == 0 && is_result(o, name) && !o->quiet && !same_file(&now.files[k], whole))
            fail_msg("%s: %s is not the new one", where, name);
    }
    for (int k = 0; k < good.count; k++)
        if (!find(&now, good.files[k].name)) fail_msg("%s: %s is gone", where, good.files[k].name);
    free_files(&now);
}

static void every_call_fails_once(void **state) {
    (void)state;
    static const fault none = { "no fault", "any", 0, false, false, false };
    for (size_t k = 0; k < sizeof operations / sizeof operations[0]; k++) {
        const operation *o = &operations[k];
        put_files_back();
        const outcome undisturbed = run(o, &none, 0);
        if (undisturbed.status != 0) fail_msg("%s: %s", o->name, undisturbed.messages);
        assert_true(undisturbed.calls >= 5);
        files fresh = take_files();
        long points = 0;
        for (size_t n = 0; n < sizeof faults / sizeof faults[0]; n++)
            for (long at = 1; !o->waits || faults[n].first; at++, points++) {
                put_files_back();
                const outcome got = run(o, &faults[n], at);
                check_outcome(o, &faults[n], at, &got, &fresh);
                if (strcmp(got.failed, "none") == 0 || faults[n].first) break;
            }
        printf("%s: %ld calls, %ld faults\n", o->name, undisturbed.calls, points);
        fflush(stdout);
        free_files(&fresh);
    }
}

/* In the place of each file in turn: it is refused where it is used, at once, and stays what it is. */
static void pipes_and_directories(void **state) {
    (void)state;
    static const fault none = { "no file", "any", 0, false, false, false };
    for (size_t k = 0; k < sizeof operations / sizeof operations[0]; k++)
        for (int n = 0; n < 2 * good.count; n++) {
            const operation *o = &operations[k];
            const char *name = good.files[n / 2].name;
            struct stat about;
            put_files_back();
            assert_int_equal(unlink(scratch_path(name)), 0);
            assert_int_equal(n % 2 ? mkfifo(scratch_path(name), 0600) : mkdir(scratch_path(name), 0700), 0);
            const outcome got = run(o, &none, 0);
            const bool refused = got.status == 1 && got.messages[0] != '\0';
            char path[NAME + 4];
            snprintf(path, sizeof path, "$F/%s", name);
            const bool uses = strstr(o->command, path) != NULL || (is_result(o, name) && !o->quiet);
            if (!refused && (uses || got.status != 0))
                fail_msg("%s, %s a %s: exit status %d %s", o->name, name, n % 2 ? "pipe" : "directory", got.status,
                         got.messages);
            if (refused && o->quiet) fail_msg("%s, %s: %s", o->name, name, got.messages);
            assert_int_equal(stat(scratch_path(name), &about), 0);
            assert_true(n % 2 ? S_ISFIFO(about.st_mode) : S_ISDIR(about.st_mode));
        }
}

int main(int argc, char **argv) {
    if (argc == 2 || argc == 3) return child(argv[1]);
    if (argc != 4) return 2;
    setenv("SELF", argv[0], 1), setenv("PRELOAD", argv[1], 1), setenv("RUN", argv[2], 1), setenv("TUNE", argv[3], 1);
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_call_fails_once),
                                        cmocka_unit_test(pipes_and_directories) };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
