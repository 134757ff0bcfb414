/* A fork beside the first use of JSON, for which jansson draws a seed that everybody waits for. Here that takes as long as the fork. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <wavelstm.h>

#include "scratch_dir.h"

enum { SECONDS = 60 };

static sem_t seeding;

/* In the place of the C library's, for jansson, which opens /dev/urandom. */
__attribute__((visibility("default"))) int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = flags & O_CREAT ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    if (strcmp(path, "/dev/urandom") == 0) {
        const struct timespec while_a_fork = { 0, 100000000 };
        sem_post(&seeding);
        nanosleep(&while_a_fork, NULL);
    }
    return openat(AT_FDCWD, path, flags, mode);
}

static void *export_cache(void *path) {
    if (wlstm_plan_cache_export(path) != WLSTM_OK) return path;
    sem_post(&seeding); /* also where nobody draws a seed */
    return NULL;
}

static void a_child_does_not_wait_for_the_seed(void **state) {
    (void)state;
    char path[300];
    pthread_t thread;
    void *wrong;
    snprintf(path, sizeof path, "%s", scratch_path("exported.json"));
    assert_int_equal(pthread_create(&thread, NULL, export_cache, path), 0);
    sem_wait(&seeding);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        _exit(wlstm_plan_cache_export(scratch_path("exported_by_the_child.json")) == WLSTM_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(pthread_join(thread, &wrong), 0);
    assert_null(wrong);
    assert_int_equal(status, 0);
}

static int set_up(void **state) {
    sem_init(&seeding, 0, 0);
    return scratch_create(state);
}

static int tear_down(void **state) {
    return scratch_remove(state);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_child_does_not_wait_for_the_seed) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
