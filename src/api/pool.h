/* The plans that an lstm or a cell keeps. */
#ifndef WLI_POOL_H
#define WLI_POOL_H

#include "base/allocator.h"
#include "plan/plan.h"

#include <stdatomic.h>

/* Plans that wlstm_forward and wlstm_cell_forward made and keep, about one for each thread that was inside at once; without waiting,
 * as a thread holds a slot while it runs or looks at its plan, and others pass it over. Each has a cache line of its own: threads that
 * step small cells would feel a shared one. */
enum { WLI_POOL_SLOTS = 64 };
typedef struct wli_pool_slot {
    _Alignas(WLI_ALIGNMENT) atomic_uint holder; /* the wli_generation of the thread that holds it; 0: nobody does */
    wlstm_plan *plan;                           /* of who holds the slot; NULL where it is empty */
} wli_pool_slot;
typedef struct wli_plan_pool {
    wli_pool_slot slots[WLI_POOL_SLOTS];
} wli_plan_pool;

/* Runs a checked call by a plan of the pool, made for (seq_len, batch), the precision and the thread count in force
 * if none fits: in place of one that is too small, else beside those of a few other counts, else in place of one of
 * these. The precision is the same for all calls between two of wli_plan_pool_clear. */
wlstm_status wli_plan_pool_run(wli_plan_pool *pool, wli_model *model, wlstm_precision precision, const wli_call *call);

/* Frees the plans; nobody may be inside. */
void wli_plan_pool_clear(wli_plan_pool *pool);

#endif
