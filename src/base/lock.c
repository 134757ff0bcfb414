#include "base/lock.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given = PTHREAD_COND_INITIALIZER;

unsigned wli_generation = 1;

void wli_lock(void) {
    pthread_mutex_lock(&lock);
}

void wli_unlock(void) {
    pthread_mutex_unlock(&lock);
}

void wli_turn_take(wli_turn *turn) {
    while (turn->generation == wli_generation) pthread_cond_wait(&given, &lock);
    turn->generation = wli_generation;
}

void wli_turn_give(wli_turn *turn) {
    turn->generation = 0;
    pthread_cond_broadcast(&given);
}

void wli_once_run(wli_once *once, void (*make)(void)) {
    if (atomic_load_explicit(&once->done, memory_order_acquire)) return;
    wli_lock();
    wli_turn_take(&once->turn);
    if (!atomic_load_explicit(&once->done, memory_order_relaxed)) {
        wli_unlock();
        make();
        wli_lock();
        atomic_store_explicit(&once->done, true, memory_order_release);
    }
    wli_turn_give(&once->turn);
    wli_unlock();
}

/* Who waits for a turn is gone too, of which the condition still knows. */
static void in_child(void) {
    wli_generation++;
    pthread_cond_init(&given, NULL);
    pthread_mutex_unlock(&lock);
}

/* Watched from the start: a fork beside the first use would miss handlers that this use is just setting. */
__attribute__((constructor)) static void watch_forks(void) {
    (void)pthread_atfork(wli_lock, wli_unlock, in_child);
}
