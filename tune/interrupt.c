#include "interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

atomic_int interrupted;

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;

static struct {
    void (*last_words)(void *context);
    void *context;
} end;

/* Those that nobody had ignored, as a shell does for what runs in the background. */
static sigset_t watched(void) {
    static const int both[] = { SIGINT, SIGTERM };
    sigset_t signals;
    sigemptyset(&signals);
    for (int i = 0; i < 2; i++) {
        struct sigaction old;
        if (sigaction(both[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN) sigaddset(&signals, both[i]);
    }
    return signals;
}

static void *watch(void *unused) {
    const sigset_t signals = watched();
    const struct timespec at_once = { 0, 0 }, moment = { 0, 200000000 }, patience = { 0, 600000000 };
    int signal;
    while (sigwait(&signals, &signal) != 0) {
    }
    atomic_store(&interrupted, signal);
    /* Who sends one may send it to the group as well. A second one later ends at once, as where nobody reads what is printed. */
    nanosleep(&moment, NULL);
    while (sigtimedwait(&signals, NULL, &at_once) > 0) {
    }
    (void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
    nanosleep(&patience, NULL);
    interrupt_hold();
    end.last_words(end.context);
    fflush(stdout);
    _exit(128 + signal);
    return unused;
}

int interrupt_watch(void (*last_words)(void *context), void *context) {
    const sigset_t signals = watched();
    pthread_t thread;
    end.last_words = last_words, end.context = context;
    int error = pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (error == 0) error = pthread_create(&thread, NULL, watch, NULL);
    if (error == 0) error = pthread_detach(thread);
    return error;
}

void interrupt_hold(void) {
    pthread_mutex_lock(&held);
}

void interrupt_release(void) {
    pthread_mutex_unlock(&held);
}
