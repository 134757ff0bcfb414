/* Where the threads of a gang meet after each step: spins, as the wait is shorter than a system call, then yields, as with more
 * threads than cores the others need the core to arrive. */
#ifndef WLI_BARRIER_H
#define WLI_BARRIER_H

#include "allocator.h"

#include <stdatomic.h>

typedef struct wli_barrier {
    _Alignas(WLI_ALIGNMENT) atomic_int arrived;
    _Alignas(WLI_ALIGNMENT) atomic_int round;
} wli_barrier;

/* Returns when `threads` threads have called it; what they wrote before is visible to all. */
void wli_barrier_wait(wli_barrier *barrier, int threads);

#endif
