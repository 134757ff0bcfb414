/* A fork beside a thread that is inside the library: the child, in which that thread is gone, finishes calls of every kind with right
 * results, and what the thread was doing in the parent comes to its end as if nobody had forked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan/cache.h"
#include "problem.h"
#include "random.h"
#include "scratch_dir.h"

enum { SECONDS = 60, MOMENTS = 10 };

static uint64_t stream;

/* What every call uses: made anew for each fork, so that the weights are packed beside it, and of another size, so that oneDNN's
 * primitives are made. */
static problem shared;
static outcome expected;
static wlstm_cell *cell;
static char model_file[300], exported[300];

static void build_shared(int64_t hidden_size) {
    uint64_t fixed = 7;
    shared = (problem){ .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = 5, .batch = 3 };
    shared.config.input_size = 9, shared.config.hidden_size = hidden_size, shared.config.num_layers = 2;
    problem_build(&shared, &fixed);
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = 9, config.hidden_size = 8;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    assert_int_equal(problem_run(&shared, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
}

static void free_shared(void) {
    wlstm_cell_free(cell);
    outcome_free(&expected);
    problem_free(&shared);
}

/* ------------------------------------------------------------------------------------------------ calls of every kind */

static bool right_outcome(wlstm_status status, outcome *o) {
    const bool right = status == WLSTM_OK && outcomes_agree(&shared, "beside a fork", o, &expected, false);
    outcome_free(o);
    return right;
}

static bool forward(void) {
    outcome o;
    return right_outcome(problem_forward(&shared, &o), &o);
}

static bool plan_of(wlstm_backend backend, wlstm_effort effort) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    outcome o;
    options.max_seq_len = shared.seq_len, options.max_batch = shared.batch, options.num_threads = 2;
    options.backend = backend, options.effort = effort, options.time_limit = 0.01;
    const wlstm_status status = wlstm_plan_create(shared.lstm, &options, &plan);
    if (status != WLSTM_OK) return status == WLSTM_ERROR_UNSUPPORTED;
    const bool right = right_outcome(problem_execute(&shared, plan, &o), &o);
    wlstm_plan_free(plan);
    return right;
}

static bool native_plan(void) {
    return plan_of(WLSTM_BACKEND_NATIVE, WLSTM_EFFORT_ESTIMATE);
}

static bool onednn_plan(void) {
    return plan_of(WLSTM_BACKEND_ONEDNN, WLSTM_EFFORT_ESTIMATE);
}

static bool searched_plan(void) {
    return plan_of(WLSTM_BACKEND_AUTO, WLSTM_EFFORT_MEASURE);
}

static bool cell_forward(void) {
    const float x[3 * 9] = { 1 };
    float h[3 * 8], c[3 * 8];
    return wlstm_cell_forward(cell, 3, x, NULL, NULL, h, c) == WLSTM_OK;
}

static bool save_model(void) {
    return wlstm_lstm_save(shared.lstm, model_file, NULL) == WLSTM_OK;
}

static bool load_model(void) {
    wlstm_lstm *loaded;
    if (wlstm_lstm_load(model_file, NULL, &loaded) != WLSTM_OK) return false;
    wlstm_lstm_free(loaded);
    return true;
}

static bool stack_cells(void) {
    const wlstm_cell *const cells[] = { cell };
    wlstm_lstm *lstm;
    if (wlstm_lstm_create_from_cells(cells, 1, &lstm) != WLSTM_OK) return false;
    wlstm_lstm_free(lstm);
    return true;
}

/* Two processes may save at once: one of them is told so. */
static bool save_cache(void) {
    wli_cache_entry entry = { .threads = 1, .effort = WLSTM_EFFORT_MEASURE };
    if (wli_problem_parse("t9b6i21h99l2", &entry.problem) != WLSTM_OK) return false;
    wli_cache_keep(&entry);
    return wlstm_plan_cache_save(NULL) == WLSTM_OK || strstr(wlstm_last_error(), "lock");
}

static bool load_cache(void) {
    return wlstm_plan_cache_load(NULL) == WLSTM_OK;
}

static bool export_cache(void) {
    return wlstm_plan_cache_export(exported) == WLSTM_OK;
}

static bool import_cache(void) {
    return wlstm_plan_cache_import(exported) == WLSTM_OK;
}

static bool forget_problem(void) {
    return wlstm_plan_cache_forget("t9b6i21h99l2") == WLSTM_OK || strstr(wlstm_last_error(), "lock");
}

static bool ask_build_info(void) {
    return strstr(wlstm_build_info(), wlstm_version());
}

static const struct {
    const char *name;
    bool (*run)(void);
} calls[] = { { "wlstm_forward", forward },
              { "a native plan", native_plan },
              { "a oneDNN plan", onednn_plan },
              { "a plan of effort MEASURE", searched_plan },
              { "wlstm_cell_forward", cell_forward },
              { "wlstm_lstm_save", save_model },
              { "wlstm_lstm_load", load_model },
              { "wlstm_lstm_create_from_cells", stack_cells },
              { "wlstm_plan_cache_save", save_cache },
              { "wlstm_plan_cache_load", load_cache },
              { "wlstm_plan_cache_export", export_cache },
              { "wlstm_plan_cache_import", import_cache },
              { "wlstm_plan_cache_forget", forget_problem },
              { "wlstm_build_info", ask_build_info } };
enum { CALLS = sizeof calls / sizeof calls[0] };

/* ------------------------------------------------------------------------------------------- one of them in a thread */

/* The thread stops in its pause_at-th allocation (from 1) until it is told to go on. */
static _Thread_local bool is_worker;
static _Thread_local long allocations;
static long pause_at;
static sem_t stopped, go_on;

static void *pausing_allocate(size_t bytes, void *context) {
    (void)context;
    if (++allocations == pause_at && is_worker) {
        sem_post(&stopped);
        sem_wait(&go_on);
    }
    return malloc(bytes);
}

static void plain_deallocate(void *memory, void *context) {
    (void)context;
    free(memory);
}

typedef struct work {
    int call;
    bool done, right;
} work;

static void *run_call(void *context) {
    work *w = context;
    is_worker = true, allocations = 0;
    w->right = calls[w->call].run();
    w->done = true;
    sem_post(&stopped);
    return NULL;
}

/* One thread for them all: libomp of LLVM 14 aborts in some later task where a thread that ran tasks has ended, fork or no fork. */
static work *next_work;
static sem_t begin;

static void *run_calls(void *context) {
    for (;;) {
        sem_wait(&begin);
        run_call(next_work);
    }
    return context;
}

static void start(work *w) {
    next_work = w;
    sem_post(&begin);
}

/* What the child does before it ends: 0, or the number of the first call that was wrong. A hang ends by SIGALRM, a crash by its own
 * signal, which cmocka would take for the end of a test of its own. */
static int run_all_calls(int first) {
    int wrong = 0;
    signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL), signal(SIGFPE, SIG_DFL);
    alarm(SECONDS);
    for (int i = 0; i < CALLS && !wrong; ++i)
        if (!calls[(first + i) % CALLS].run()) wrong = (first + i) % CALLS + 1;
    free_shared();
    return wrong;
}

static void fork_beside(int call, long moment) {
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(run_all_calls(call));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status))
        fail_msg("a child forked beside %s (%ld): an end expected, got signal %d", calls[call].name, moment,
                 WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        fail_msg("a child forked beside %s (%ld): %s is wrong there", calls[call].name, moment,
                 WEXITSTATUS(status) <= CALLS ? calls[WEXITSTATUS(status) - 1].name : "its end");
}

/* ---------------------------------------------------------------------------------------------------------- the tests */

static void at_each_allocation(void **state) {
    (void)state;
    int64_t size = 1;
    for (int call = 0; call < CALLS; ++call) {
        bool done = false;
        for (long at = 1; !done; at += 1 + at / 8) {
            work w = { .call = call };
            build_shared(size++);
            pause_at = at;
            start(&w);
            sem_wait(&stopped);
            done = w.done;
            if (!done) {
                fork_beside(call, at);
                sem_post(&go_on);
                sem_wait(&stopped);
            }
            if (!w.right) fail_msg("%s beside a fork at allocation %ld is wrong", calls[call].name, at);
            free_shared();
        }
    }
}

static void at_any_moment(void **state) {
    (void)state;
    pause_at = 0;
    for (int n = 0; n < MOMENTS * CALLS; ++n) {
        work w = { .call = n % CALLS };
        const struct timespec moment = { 0, 1000 * random_between(&stream, 0, 1000) };
        build_shared(100 + n / CALLS);
        start(&w);
        nanosleep(&moment, NULL);
        fork_beside(w.call, n);
        sem_wait(&stopped);
        if (!w.right) fail_msg("%s beside a fork is wrong", calls[w.call].name);
        free_shared();
    }
}

/* A thread that a fork leaves behind keeps its plan and the place of it: in the child the place is free again. */
static int keeps_plans(void) {
    alarm(SECONDS);
    if (!forward()) return 1;
    const long made = allocations;
    return forward() && allocations == made ? 0 : 2;
}

static void where_every_plan_was_in_use(void **state) {
    (void)state;
    enum { THREADS = 64 };
    pthread_t threads[THREADS];
    work w[THREADS];
    build_shared(12);
    pause_at = 1;
    for (int i = 0; i < THREADS; ++i) {
        w[i] = (work){ .call = 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, run_call, &w[i]), 0);
        sem_wait(&stopped);
    }
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(keeps_plans());
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    for (int i = 0; i < THREADS; ++i) sem_post(&go_on);
    for (int i = 0; i < THREADS; ++i) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        sem_wait(&stopped);
        assert_true(w[i].right);
    }
    assert_int_equal(status, 0);
    free_shared();
}

static int set_up(void **state) {
    if (scratch_create(state) != 0) return -1;
    setenv("WLSTM_CACHE", scratch_path("cache"), 1);
    snprintf(model_file, sizeof model_file, "%s", scratch_path("model.safetensors"));
    snprintf(exported, sizeof exported, "%s", scratch_path("exported.json"));
    pthread_t thread;
    sem_init(&stopped, 0, 0), sem_init(&go_on, 0, 0), sem_init(&begin, 0, 0);
    if (wlstm_set_allocator(pausing_allocate, plain_deallocate, NULL) != WLSTM_OK ||
        pthread_create(&thread, NULL, run_calls, NULL) != 0)
        return -1;
    build_shared(1);
    const bool built = save_model() && save_cache() && export_cache();
    free_shared();
    return built ? 0 : -1;
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_each_allocation),
        cmocka_unit_test(at_any_moment),
        cmocka_unit_test(where_every_plan_was_in_use),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove_all);
}
