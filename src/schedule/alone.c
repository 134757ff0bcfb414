/* Whether there may be other threads. */
#include "schedule/sequence.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* A team of OpenMP's threads does not survive a fork, and starting one in the child may hang, so there a plan runs
 * on one thread; unless the parent had no other threads, and so no team, when it forked. */
static atomic_bool threads_at_fork, forked;

static void before_fork(void) {
    struct stat tasks; /* its links: one a thread, "." and ".." */
    atomic_store(&threads_at_fork, stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != 3);
}

static void in_child(void) {
    if (atomic_load(&threads_at_fork)) atomic_store(&forked, true);
}

/* At the start, as the team may be made, and forked with, before a plan is. */
__attribute__((constructor)) static void watch_forks(void) {
    (void)pthread_atfork(before_fork, NULL, in_child);
}

bool wli_runs_alone(void) {
    return omp_in_parallel() || atomic_load_explicit(&forked, memory_order_relaxed);
}
