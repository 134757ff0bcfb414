/* Where threads wait for each other: spinning, as the wait is shorter than a system call, then yielding, as with
 * more threads than cores the others need the core to arrive. */
#ifndef WLI_BARRIER_H
#define WLI_BARRIER_H

#include "base/allocator.h"

#include <stdatomic.h>

/* Something that grows, alone on its cache line. */
typedef struct wli_counter {
    _Alignas(WLI_ALIGNMENT) _Atomic(int64_t) value;
} wli_counter;

typedef struct wli_barrier {
    wli_counter arrived, round;
} wli_barrier;

/* Returns when the counter is at least `least`; what was written before it became so is visible. */
void wli_counter_wait(const wli_counter *counter, int64_t least);

/* Returns when `threads` threads have called it; what they wrote before is visible to all. */
void wli_barrier_wait(wli_barrier *barrier, int threads);

#endif
