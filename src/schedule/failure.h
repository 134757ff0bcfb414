/* The first error of a run by several threads. Who meets one does nothing from then on but what others wait for. */
#ifndef WLI_FAILURE_H
#define WLI_FAILURE_H

#include "base/status.h"

#include <stdatomic.h>

typedef struct wli_failure {
    atomic_int status; /* a wlstm_status */
    char text[WLI_ERROR_BYTES];
} wli_failure;

static inline wlstm_status wli_failure_seen(const wli_failure *failure) {
    return (wlstm_status)atomic_load_explicit(&failure->status, memory_order_relaxed);
}

/* Keeps a thread's error, its last one, unless another came first. WLSTM_OK is none. */
void wli_failure_keep(wli_failure *failure, wlstm_status status);

/* When all threads are done: what was kept, as the calling thread's own error; there is none any more. */
wlstm_status wli_failure_take(wli_failure *failure);

#endif
