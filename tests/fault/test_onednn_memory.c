/* Where memory is short a plan by oneDNN is refused, and a search leaves it out: oneDNN's own allocations would end the process. Each
 * case is a process of its own, whose address space may grow by so much and no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wavelstm.h>

enum { SEQ_LEN = 12, BATCH = 5, INPUT = 200, MB = 1 << 20 };

static float x[SEQ_LEN * BATCH * INPUT], out[SEQ_LEN * BATCH * 600];

/* The process may have `bytes` more than it has. */
static bool limit_memory(size_t bytes) {
    long pages = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    const bool known = stream && fscanf(stream, "%ld", &pages) == 1;
    if (stream) fclose(stream);
    const rlim_t most = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
    return known && setrlimit(RLIMIT_AS, &(struct rlimit){ most, most }) == 0;
}

/* In a child: 0 where a plan was made and ran, 1 where it was refused for want of memory, 2 for anything else. */
static int make_and_run(wlstm_lstm *lstm, wlstm_plan_options options, size_t room) {
    wlstm_plan *plan;
    if (!limit_memory(room)) return 2;
    wlstm_status status = wlstm_plan_create(lstm, &options, &plan);
    if (status == WLSTM_ERROR_OUT_OF_MEMORY) return wlstm_last_error()[0] && !plan ? 1 : 2;
    for (int n = 0; n < 3 && status == WLSTM_OK; n++)
        status = wlstm_plan_execute(plan, SEQ_LEN, BATCH, NULL, x, NULL, NULL, out, NULL, NULL);
    if (status != WLSTM_OK) fprintf(stderr, "%s\n", wlstm_last_error());
    wlstm_plan_free(plan);
    return status == WLSTM_OK ? 0 : 2;
}

/* In MiB: what oneDNN wants for the first of its primitives, for all of them, and plenty. */
static const size_t rooms[] = { 0, 4, 8, 12, 16, 20, 24, 28, 36, 44, 52, 60, 76, 92, 108, 124, 140, 160, 1024 };

/* Each amount of room from none on: the process lives, and the last plan is made. How many were refused. */
static int run_children(const wlstm_plan_options *options, int64_t hidden_size, int64_t num_layers) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    int refused = 0, last = -1;
    config.input_size = INPUT, config.hidden_size = hidden_size, config.num_layers = num_layers;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    for (size_t r = 0; r < sizeof rooms / sizeof rooms[0]; r++) {
        const pid_t pid = fork();
        if (pid == 0) {
            signal(SIGSEGV, SIG_DFL), signal(SIGABRT, SIG_DFL); /* cmocka's would go on with the next test */
            _exit(make_and_run(lstm, *options, rooms[r] * MB));
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
            fail_msg("%zu MiB more: a plan or OUT_OF_MEMORY expected, got status %d", rooms[r], status);
        last = WEXITSTATUS(status);
        refused += last;
    }
    assert_int_equal(last, 0);
    wlstm_lstm_free(lstm);
    return refused;
}

static const struct { int64_t hidden_size, num_layers; } models[] = { { 20, 1 }, { 100, 3 }, { 600, 2 } };

static void a_plan_by_onednn_is_refused(void **state) {
    (void)state;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = SEQ_LEN, options.max_batch = BATCH, options.backend = WLSTM_BACKEND_ONEDNN;
    for (int m = 0; m < 3; m++) assert_true(run_children(&options, models[m].hidden_size, models[m].num_layers) > 0);
}

static void a_search_leaves_it_out(void **state) {
    (void)state;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = SEQ_LEN, options.max_batch = BATCH, options.num_threads = 1;
    options.effort = WLSTM_EFFORT_MEASURE, options.time_limit = 0.2;
    for (int m = 0; m < 2; m++) (void)run_children(&options, models[m].hidden_size, models[m].num_layers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_by_onednn_is_refused),
        cmocka_unit_test(a_search_leaves_it_out),
    };
    if (strstr(wlstm_build_info(), "no oneDNN")) {
        printf("no oneDNN: skipped\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
