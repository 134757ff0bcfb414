#include "schedule/barrier.h"

#include <sched.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static void pause_briefly(void) {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void wli_counter_wait(const wli_counter *counter, int64_t least) {
    enum { SPINS = 1000 };
    for (int spin = 0; atomic_load_explicit(&counter->value, memory_order_acquire) < least; spin++) {
        if (spin < SPINS) {
            pause_briefly();
        } else {
            spin = SPINS;
            (void)sched_yield();
        }
    }
}

void wli_barrier_wait(wli_barrier *barrier, int threads) {
    const int64_t round = atomic_load_explicit(&barrier->round.value, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived.value, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&barrier->arrived.value, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->round.value, round + 1, memory_order_release);
        return;
    }
    wli_counter_wait(&barrier->round, round + 1);
}
