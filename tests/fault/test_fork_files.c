/* A fork beside a thread that reads or writes a file: the child has a copy of every stream, descriptor and lock, and whatever becomes
 * of them there, what the thread reads and writes is right. */
#define _GNU_SOURCE /* fcloseall */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plan/cache.h"
#include "random.h"
#include "scratch_dir.h"

enum { SECONDS = 100, EXITS = 1500, LIVING = 60, LAYERS = 60 };

static uint64_t stream;

/* A thread that works until it is told to stop or something is wrong. */
typedef struct work {
    atomic_bool stop, over;
    bool right;
    char error[200];
} work;

static void end_work(work *w) {
    if (!w->right) snprintf(w->error, sizeof w->error, "%s", wlstm_last_error());
    atomic_store(&w->over, true);
}

static pid_t fork_after_a_moment(void) {
    const struct timespec moment = { 0, 1000 * random_between(&stream, 0, 400) };
    nanosleep(&moment, NULL);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    return child;
}

static bool same_parameters(const wlstm_lstm *a, const wlstm_lstm *b) {
    float of_a[16], of_b[16];
    char name[40];
    bool same = true;
    for (int l = 0; l < LAYERS && same; ++l) {
        snprintf(name, sizeof name, "bias_hh_l%d", l);
        same = wlstm_lstm_get_parameter(a, name, of_a, 16) == WLSTM_OK &&
               wlstm_lstm_get_parameter(b, name, of_b, 16) == WLSTM_OK && memcmp(of_a, of_b, sizeof of_a) == 0;
    }
    return same;
}

/* Of many small tensors. */
static wlstm_lstm *make_model(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = config.hidden_size = 4, config.num_layers = LAYERS;
    if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK) abort();
    return lstm;
}

static bool loads(const char *path, const wlstm_lstm *expected) {
    wlstm_lstm *lstm;
    if (wlstm_lstm_load(path, NULL, &lstm) != WLSTM_OK) return false;
    const bool same = same_parameters(lstm, expected);
    wlstm_lstm_free(lstm);
    return same;
}

static void *save_models(void *context) {
    work *w = context;
    wlstm_lstm *lstm = make_model();
    const char *path = scratch_path("saved.safetensors");
    while (w->right && !atomic_load(&w->stop))
        w->right = wlstm_lstm_save(lstm, path, NULL) == WLSTM_OK && loads(path, lstm);
    wlstm_lstm_free(lstm);
    end_work(w);
    return NULL;
}

static void *load_models(void *context) {
    work *w = context;
    wlstm_lstm *lstm = make_model();
    const char *path = scratch_path("loaded.safetensors");
    w->right = wlstm_lstm_save(lstm, path, NULL) == WLSTM_OK;
    while (w->right && !atomic_load(&w->stop)) w->right = loads(path, lstm);
    wlstm_lstm_free(lstm);
    end_work(w);
    return NULL;
}

/* What exit does to streams: those that the thread was using share their place in the file with the parent's. */
static void beside_children_that_end(void *(*run)(void *)) {
    work w = { .right = true };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, &w), 0);
    for (int n = 0; n < EXITS && !atomic_load(&w.over); ++n) {
        const pid_t child = fork_after_a_moment();
        if (child == 0) {
            (void)fcloseall();
            _exit(0);
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    atomic_store(&w.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    if (!w.right) fail_msg("the saved parameters expected, got others: %s", w.error);
}

static void saving_beside_children_that_end(void **state) {
    (void)state;
    beside_children_that_end(save_models);
}

static void loading_beside_children_that_end(void **state) {
    (void)state;
    beside_children_that_end(load_models);
}

static void *save_caches(void *context) {
    work *w = context;
    wli_cache_entry entry = { .threads = 1, .effort = WLSTM_EFFORT_MEASURE };
    w->right = wli_problem_parse("t9b6i21h99l2", &entry.problem) == WLSTM_OK;
    while (w->right && !atomic_load(&w->stop)) {
        wli_cache_keep(&entry);
        w->right = wlstm_plan_cache_save(NULL) == WLSTM_OK;
    }
    end_work(w);
    return NULL;
}

static void saving_beside_children_that_live_on(void **state) {
    (void)state;
    work w = { .right = true };
    pthread_t thread;
    pid_t children[LIVING];
    int count = 0;
    assert_int_equal(pthread_create(&thread, NULL, save_caches, &w), 0);
    while (count < LIVING && !atomic_load(&w.over)) {
        const pid_t child = fork_after_a_moment();
        if (child == 0) {
            alarm(SECONDS);
            pause();
            _exit(0);
        }
        children[count++] = child;
    }
    atomic_store(&w.stop, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int n = 0; n < count; ++n) {
        kill(children[n], SIGKILL);
        assert_int_equal(waitpid(children[n], NULL, 0), children[n]);
    }
    if (!w.right) fail_msg("a plan cache saved expected, got: %s", w.error);
}

static int set_up(void **state) {
    if (scratch_create(state) != 0) return -1;
    return setenv("WLSTM_CACHE", scratch_path("cache"), 1);
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saving_beside_children_that_end),
        cmocka_unit_test(loading_beside_children_that_end),
        cmocka_unit_test(saving_beside_children_that_live_on),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove_all);
}
