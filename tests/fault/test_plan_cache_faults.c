/* Whatever is wrong with the plan cache, the forward pass succeeds: each fault is set up in a directory and met by a process of
 * its own, which says at most one line about it, and none unless asked. */
#define _DEFAULT_SOURCE /* flock */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <omp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan/cache.h"
#include "plan/fingerprint.h"
#include "problem.h"
#include "random.h"

#if defined(__has_feature)
#define HAS_SANITIZER (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#else
#define HAS_SANITIZER 0
#endif
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || HAS_SANITIZER
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static const char *program;
static char directory[64], cache_file[160], lock_file[160];

/* ------------------------------------------------------------------------------------------------- what a child does */

static problem make_problem(int64_t hidden_size) {
    uint64_t fixed = 7;
    problem p = problem_draw(&fixed);
    p.config = (wlstm_lstm_config)WLSTM_LSTM_CONFIG_INIT;
    p.config.input_size = 21, p.config.hidden_size = hidden_size, p.config.num_layers = 2;
    p.seq_len = 9, p.batch = 6, p.with_states = p.with_lengths = false;
    problem_build(&p, &fixed);
    return p;
}

/* A plan of the effort, its result against the reference's: 0 if it agrees. */
static int run_plan(wlstm_effort effort, int64_t hidden_size) {
    problem p = make_problem(hidden_size);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p.seq_len, options.max_batch = p.batch, options.num_threads = 2, options.time_limit = 1;
    options.effort = effort;
    wlstm_plan *plan;
    outcome o, expected;
    if (wlstm_plan_create(p.lstm, &options, &plan) != WLSTM_OK || problem_execute(&p, plan, &o) != WLSTM_OK ||
        problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected) != WLSTM_OK)
        return 1;
    const bool agree = outcomes_agree(&p, "plan", &o, &expected, false);
    /* Nothing failed that the caller asked for. */
    const bool quiet = wlstm_last_error()[0] == '\0';
    outcome_free(&o);
    outcome_free(&expected);
    wlstm_plan_free(plan);
    problem_free(&p);
    return agree && quiet ? 0 : 1;
}

/* Writes entries until it is killed. */
static int save_for_ever(void) {
    for (int n = 1;; n++) {
        wli_cache_entry entry = { .threads = n % 50 + 1, .effort = WLSTM_EFFORT_MEASURE };
        if (wli_problem_parse("t9b6i21h99l2", &entry.problem) != WLSTM_OK) return 1;
        for (int i = 0; i < 40; i++) {
            entry.problem.seq_len = n + i;
            entry.candidate.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)(n % 4);
            wli_cache_keep(&entry);
        }
        (void)wlstm_plan_cache_save(NULL); /* the parent may just be looking */
        if (n % 20 == 0) wlstm_plan_cache_forget(NULL);
    }
}

static void *use_the_cache(void *stop) {
    const wli_cache_entry entry = {
        .problem = { .seq_len = 1, .batch = 1, .input_size = 1, .hidden_size = 1, .num_layers = 1 }, .threads = 1
    };
    wli_rates one, all;
    while (!atomic_load((atomic_bool *)stop)) {
        wli_cache_keep(&entry);
        (void)wli_cache_rates(2, &one, &all);
    }
    return NULL;
}

/* A child has its parent's locks as they were, and must find the cache's open: 0 if all do. */
static int fork_beside_a_user(int forks) {
    atomic_bool stop = false;
    pthread_t thread;
    if (pthread_create(&thread, NULL, use_the_cache, &stop) != 0) return 1;
    int finished = 0;
    for (; finished < forks; finished++) {
        const pid_t pid = fork();
        if (pid == 0) {
            wli_rates one, all;
            alarm(5);
            (void)wli_cache_rates(1, &one, &all);
            _exit(0);
        }
        int status = -1;
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) break;
    }
    atomic_store(&stop, true);
    return pthread_join(thread, NULL) == 0 && finished == forks ? 0 : 1;
}

static int child(const char *mode, const char *argument) {
    if (strcmp(mode, "save") == 0) return save_for_ever();
    if (strcmp(mode, "fork") == 0) return fork_beside_a_user(atoi(argument));
    if (strcmp(mode, "full") == 0) { /* no file may grow: what a full disk is like */
        const struct rlimit none = { 0, 0 };
        signal(SIGXFSZ, SIG_IGN);
        (void)omp_get_num_procs(); /* some OpenMP runtimes begin by making a file of their own */
        if (setrlimit(RLIMIT_FSIZE, &none) != 0) return 1;
        return run_plan(WLSTM_EFFORT_MEASURE, atoi(argument));
    }
    return run_plan(strcmp(mode, "measure") == 0 ? WLSTM_EFFORT_MEASURE : WLSTM_EFFORT_ESTIMATE, atoi(argument));
}

/* ------------------------------------------------------------------------------------------------------ the parent */

/* Runs a child with these variables (NULL: WLSTM_CACHE is the directory); it must succeed, and print so many lines beside the plans'. */
static void run_verbose_child(const char *variables, const char *mode, int verbose, int lines) {
    char command[600], own[100], text[4000];
    snprintf(own, sizeof own, "WLSTM_CACHE=%s/cache", directory);
    snprintf(command, sizeof command, "env %s WLSTM_VERBOSE=%d '%s' %s 23 2>&1", variables ? variables : own, verbose,
             program, mode);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    text[fread(text, 1, sizeof text - 1, output)] = '\0';
    const int status = pclose(output);
    int count = 0;
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "wavelstm: t9b6i21", 17) != 0) count++; /* the plans' own lines */
        if (!strchr(line, '\n')) break;
    }
    if (status != 0 || count != lines)
        fail_msg("%s: success and %d lines expected, got %d and:\n%s", command, lines, status, text);
}

/* Silent, and with WLSTM_VERBOSE=1 in `lines` lines. */
static void run_child(const char *variables, const char *mode, int lines) {
    run_verbose_child(variables, mode, 0, 0);
    run_verbose_child(variables, mode, 1, lines);
}

static void run_command(const char *format, const char *argument) {
    char command[400];
    snprintf(command, sizeof command, format, argument);
    assert_int_equal(system(command), 0);
}

static void write_file(const char *path, const char *bytes, size_t count) {
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, count, stream), count);
    fclose(stream);
}

/* A cache that is in order, of the children's problem. */
static char *good_text(void) {
    wli_cache_table table = { 0 };
    wli_cache_entry entry = { .threads = 2, .effort = WLSTM_EFFORT_MEASURE };
    assert_int_equal(wli_problem_parse("t9b6i21h23l2", &entry.problem), WLSTM_OK);
    entry.candidate.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT, entry.candidate.index[WLI_AXIS_CHUNK_STEPS] = 2;
    assert_true(wli_cache_table_put(&table, &entry));
    char *text = wli_cache_encode(&table);
    assert_non_null(text);
    wli_cache_table_clear(&table);
    return text;
}

static int set_up(void **state) {
    (void)state;
    strcpy(directory, "/tmp/wavelstm-test-XXXXXX");
    if (!mkdtemp(directory)) return -1;
    char cache[80];
    snprintf(cache, sizeof cache, "%s/cache", directory);
    snprintf(cache_file, sizeof cache_file, "%s/%s.json", cache, wli_fingerprint_get()->id);
    snprintf(lock_file, sizeof lock_file, "%s/%s.lock", cache, wli_fingerprint_get()->id);
    return mkdir(cache, 0700);
}

static int tear_down(void **state) {
    (void)state;
    run_command("rm -rf '%s'", directory);
    return 0;
}

static void nothing_there_and_all_in_order(void **state) {
    (void)state;
    run_child(NULL, "estimate", 0);
    run_verbose_child(NULL, "estimate", 2, 0); /* what is absent is no trouble at all */
    run_verbose_child("WLSTM_CACHE=/nonexistent/directory", "estimate", 2, 0);
    run_verbose_child("WLSTM_CACHE=/dev/null/directory", "estimate", 2, 0);
    char *text = good_text();
    write_file(cache_file, text, strlen(text));
    run_child(NULL, "estimate", 0);
    run_verbose_child(NULL, "estimate", 2, 0);
    free(text);
}

static void damaged_text(void **state) {
    (void)state;
    char *text = good_text();
    const size_t length = strlen(text);
    for (size_t n = 0; n < length; n += length / 7) {
        write_file(cache_file, text, n);
        run_child(NULL, "estimate", 1);
    }
    char *version = strstr(text, "\"version\": 1");
    assert_non_null(version);
    version[11] = '9';
    write_file(cache_file, text, length);
    run_child(NULL, "estimate", 1);
    version[11] = '1';
    char *cpu = strstr(text, "\"cpu\": \"");
    assert_non_null(cpu);
    cpu[8] = '#';
    write_file(cache_file, text, length);
    run_child(NULL, "estimate", 1);
    free(text);
    enum { MANY = 300000 };
    char *bytes = malloc(MANY);
    assert_non_null(bytes);
    uint64_t stream = random_test_stream();
    for (int i = 0; i < MANY; i++) bytes[i] = (char)random_between(&stream, 0, 255);
    write_file(cache_file, bytes, MANY);
    run_child(NULL, "estimate", 1);
    memset(bytes, '[', MANY);
    write_file(cache_file, bytes, MANY);
    run_child(NULL, "estimate", 1);
    for (int i = 0; i + 5 <= MANY; i += 5) memcpy(bytes + i, "{\"a\":", 5);
    write_file(cache_file, bytes, MANY);
    run_child(NULL, "estimate", 1);
    free(bytes);
    /* And tuning puts a good one in its place: the second child finds it. */
    run_child(NULL, "measure", 0);
    wli_cache_table table;
    assert_int_equal(wli_cache_read(cache_file, &table), WLSTM_OK);
    wli_cache_table_clear(&table);
}

static void not_a_file(void **state) {
    (void)state;
    assert_int_equal(mkdir(cache_file, 0700), 0);
    run_child(NULL, "estimate", 0);
    run_verbose_child(NULL, "estimate", 2, 1);
    run_child(NULL, "measure", 1);
    assert_int_equal(rmdir(cache_file), 0);
    assert_int_equal(mkfifo(cache_file, 0600), 0);
    run_child(NULL, "estimate", 0);
    run_child(NULL, "measure", 1);
    assert_int_equal(unlink(cache_file), 0);
    assert_int_equal(symlink("/nonexistent/file", cache_file), 0);
    run_child(NULL, "estimate", 0);
    assert_int_equal(unlink(cache_file), 0);
    assert_int_equal(symlink("/dev/zero", cache_file), 0);
    run_child(NULL, "estimate", 0);
    assert_int_equal(unlink(cache_file), 0);
    assert_int_equal(unlink(lock_file), 0);
    assert_int_equal(mkfifo(lock_file, 0600), 0);
    run_child(NULL, "measure", 0);
}

static void nowhere_to_write(void **state) {
    (void)state;
    run_child("WLSTM_CACHE=/proc/wavelstm", "measure", 1);
    run_child("WLSTM_CACHE=/dev/null/wavelstm", "measure", 1);
    run_child("-u WLSTM_CACHE -u HOME -u XDG_CACHE_HOME", "measure", 0);
    run_child("-u WLSTM_CACHE -u HOME XDG_CACHE_HOME=relative", "measure", 0);
    assert_int_not_equal(access("relative", F_OK), 0);
    run_child(NULL, "full", 1);
    assert_int_not_equal(access(cache_file, F_OK), 0);
    run_command("test -z \"$(find '%s' -name '*.tmp')\"", directory);
}

static void a_read_only_directory(void **state) {
    (void)state;
    if (geteuid() == 0) skip(); /* root may write anywhere */
    char *text = good_text();
    write_file(cache_file, text, strlen(text));
    free(text);
    run_command("chmod 500 '%s/cache'", directory);
    run_child(NULL, "estimate", 0);
    run_command("chmod 700 '%s/cache'", directory);
}

/* XDG_CACHE_HOME and HOME lead to the file where WLSTM_CACHE is not set. */
static void directories_of_the_environment(void **state) {
    (void)state;
    char variables[200];
    snprintf(variables, sizeof variables, "-u WLSTM_CACHE XDG_CACHE_HOME=%s/xdg", directory);
    run_child(variables, "measure", 0);
    run_command("test -e '%s'/xdg/wavelstm/*.json", directory);
    snprintf(variables, sizeof variables, "-u WLSTM_CACHE -u XDG_CACHE_HOME HOME=%s/home", directory);
    run_child(variables, "measure", 0);
    run_command("test -e '%s'/home/.cache/wavelstm/*.json", directory);
    run_child("WLSTM_CACHE=off", "measure", 0);
    assert_int_not_equal(access(cache_file, F_OK), 0);
}

/* A lock that somebody holds is not waited for. */
static void somebody_holds_the_lock(void **state) {
    (void)state;
    const int lock = open(lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    run_child(NULL, "measure", 1);
    assert_int_not_equal(access(cache_file, F_OK), 0);
    close(lock);
    run_child(NULL, "measure", 0);
    assert_int_equal(access(cache_file, F_OK), 0);
}

static pid_t start(const char *mode, const char *argument) {
    const pid_t pid = fork();
    if (pid == 0) {
        char cache[80];
        snprintf(cache, sizeof cache, "%s/cache", directory);
        setenv("WLSTM_CACHE", cache, 1);
        execl(program, program, mode, argument, (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void two_tuners_at_once(void **state) {
    (void)state;
    static const char *const sizes[] = { "23", "24", "25" };
    pid_t pids[3];
    for (int i = 0; i < 3; i++) pids[i] = start("measure", sizes[i]);
    for (int i = 0; i < 3; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    wli_cache_table table;
    assert_int_equal(wli_cache_read(cache_file, &table), WLSTM_OK);
    assert_in_range(table.count, 1, 3);
    wli_cache_table_clear(&table);
}

/* The processes start to use the cache just when they fork. A sanitizer has locks of its own, which a child may find taken. */
static void forked_beside_a_user(void **state) {
    (void)state;
    if (SANITIZED) skip();
    for (int n = 0; n < 400; n++) {
        const pid_t pid = start("fork", "4");
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void wait_milliseconds(int64_t milliseconds) {
    const struct timespec pause = { 0, 1000000 * milliseconds };
    nanosleep(&pause, NULL);
}

static void killed_while_writing(void **state) {
    (void)state;
    enum { ROUNDS = 25 };
    uint64_t stream = random_test_stream();
    int seen = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const pid_t pid = start("save", "0");
        /* The first one writes, however slow the machine. */
        while (round == 0 && access(cache_file, F_OK) != 0) wait_milliseconds(1);
        wait_milliseconds(random_between(&stream, 5, 40));
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        wli_cache_table table;
        const wlstm_status status = wli_cache_read(cache_file, &table);
        assert_true(status == WLSTM_OK || (status == WLSTM_ERROR_FILE && seen == 0));
        seen += status == WLSTM_OK;
        wli_cache_table_clear(&table);
    }
    assert_true(seen > 0);
    /* What they left goes away with a later write, but not what another may be writing now. */
    char leftover[200], fresh[200];
    snprintf(leftover, sizeof leftover, "%s/cache/.wlstm-1-0.tmp", directory);
    snprintf(fresh, sizeof fresh, "%s/cache/.wlstm-1-1.tmp", directory);
    write_file(leftover, "x", 1);
    write_file(fresh, "x", 1);
    const struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };
    assert_int_equal(utimensat(AT_FDCWD, leftover, long_ago, 0), 0);
    run_child(NULL, "measure", 0);
    assert_int_not_equal(access(leftover, F_OK), 0);
    assert_int_equal(access(fresh, F_OK), 0);
}

/* Every axis at its extremes, alone and all at once, for problems that they fit and others: a right result, or the file is
 * passed over. */
static void a_hostile_cache(void **state) {
    (void)state;
    static const char *const problems[] = { "t9b6i21h23l2", "t1b1i21h23l2", "t1000000b1000000i21h23l2" };
    for (int which = 0; which < 3; which++)
        for (int axis = -1; axis < WLI_AXES; axis++) {
            const wli_rates extreme = { .threads = 1,
                                        .flops = { 1e18, 1e3, 1e18, 1e3 },
                                        .region = 1,
                                        .barrier = 1e-12,
                                        .task = 1,
                                        .cell[WLSTM_F32] = 1e-12,
                                        .cell[WLSTM_F64] = 1 };
            wli_cache_table table = { .rates = { extreme, extreme } };
            wli_cache_entry entry = { .threads = 2, .effort = WLSTM_EFFORT_PATIENT, .untuned_seconds = 1e9 };
            table.rates[1].threads = 2;
            if (axis % 2) table.rates[1].barrier = 1, table.rates[1].region = table.rates[1].task = 1e-12;
            for (int s = 0; s < WLI_RATE_SIZES; s++)
                table.rates[0].bandwidths[s] = table.rates[1].bandwidths[s] = s % 2 ? 1e18 : 1e3;
            assert_int_equal(wli_problem_parse(problems[which], &entry.problem), WLSTM_OK);
            for (int a = 0; a < WLI_AXES; a++)
                if (axis == -1 || axis == a) entry.candidate.index[a] = (uint8_t)(wli_axes[a].count - 1);
            assert_true(wli_cache_table_put(&table, &entry));
            char *text = wli_cache_encode(&table);
            assert_non_null(text);
            write_file(cache_file, text, strlen(text));
            run_child(NULL, "estimate", 0);
            free(text);
            wli_cache_table_clear(&table);
        }
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 3) return child(argv[1], argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_there_and_all_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(not_a_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nowhere_to_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_read_only_directory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(directories_of_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(somebody_holds_the_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_tuners_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forked_beside_a_user, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_while_writing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hostile_cache, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
