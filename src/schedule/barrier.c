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

void wli_barrier_wait(wli_barrier *barrier, int threads) {
    enum { SPINS = 1000 };
    const int round = atomic_load_explicit(&barrier->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->round, round + 1, memory_order_release);
        return;
    }
    for (int spin = 0; atomic_load_explicit(&barrier->round, memory_order_acquire) == round; spin++) {
        if (spin < SPINS)
            pause_briefly();
        else
            (void)sched_yield();
    }
}
