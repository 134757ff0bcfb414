#include "api/pool.h"

#include "base/lock.h"
#include "base/status.h"

/* What a thread held that a fork left behind may be half made or half run: nobody touches it, nor frees it. */
static bool hold(wli_pool_slot *slot) {
    unsigned holder = atomic_load_explicit(&slot->holder, memory_order_relaxed);
    if (holder == wli_generation ||
        !atomic_compare_exchange_strong_explicit(&slot->holder, &holder, wli_generation, memory_order_acquire,
                                                 memory_order_relaxed))
        return false;
    if (holder) slot->plan = NULL;
    return true;
}

static void release(wli_pool_slot *slot) {
    if (slot) atomic_store_explicit(&slot->holder, 0, memory_order_release);
}

/* What a slot is to a call: its plan's wli_fit, or without one: */
enum { EMPTY = WLI_OTHER_THREADS + 1, USES };

static int use_of(const wli_pool_slot *slot, const wli_call *call) {
    return slot->plan ? (int)wli_plan_fit(slot->plan, call->seq_len, call->batch) : EMPTY;
}

/* Programs that go back and forth between thread counts find a plan for each; those that go through many do not fill the pool. */
enum { MOST_OTHERS = 8 };

/* Holds the first of these that there is: a slot whose plan fits, one whose plan is too small, an empty one while few plans are of other
 * thread counts, one of those plans. NULL where every slot is another thread's. Any other that was looked at is released. */
static wli_pool_slot *look_through(wli_plan_pool *pool, const wli_call *call, int *use) {
    wli_pool_slot *first[USES] = { NULL };
    int others = 0;
    for (int i = 0; i < WLI_POOL_SLOTS && !first[WLI_FITS]; i++) {
        wli_pool_slot *slot = &pool->slots[i];
        if (!hold(slot)) continue;
        const int found = use_of(slot, call);
        others += found == WLI_OTHER_THREADS;
        if (first[found])
            release(slot);
        else
            first[found] = slot;
    }
    *use = first[WLI_FITS]                                                       ? WLI_FITS
           : first[WLI_TOO_SMALL]                                                ? WLI_TOO_SMALL
           : first[EMPTY] && (others < MOST_OTHERS || !first[WLI_OTHER_THREADS]) ? EMPTY
                                                                                 : WLI_OTHER_THREADS;
    for (int i = 0; i < USES; i++)
        if (i != *use) release(first[i]);
    return first[*use];
}

/* A plan for the call that also serves what the misfit served, where that takes little more memory. Frees the misfit. */
static wlstm_status replace(wlstm_plan *misfit, wli_model *model, wlstm_precision precision, const wli_call *call,
                            wlstm_plan **plan) {
    wlstm_plan_options own = WLSTM_PLAN_OPTIONS_INIT, widened;
    own.max_seq_len = call->seq_len, own.max_batch = call->batch, own.precision = precision;
    widened = own;
    if (misfit) wli_plan_widen(misfit, &widened);
    wlstm_plan_free(misfit);
    char error[WLI_ERROR_BYTES];
    wli_error_save(error);
    wlstm_status status = wli_plan_make(model, &widened, plan);
    if (status != WLSTM_OK && (widened.max_seq_len > own.max_seq_len || widened.max_batch > own.max_batch)) {
        wli_error_restore(error);
        status = wli_plan_make(model, &own, plan);
    }
    return status;
}

/* Where every slot is another's. */
static wlstm_status run_once(wli_model *model, wlstm_precision precision, const wli_call *call) {
    wlstm_plan *plan;
    wlstm_status status = replace(NULL, model, precision, call, &plan);
    if (status != WLSTM_OK) return status;
    status = wli_plan_run(plan, call);
    wlstm_plan_free(plan);
    return status;
}

/* A held slot and its use; NULL where every slot is another's. Most calls find theirs in the first. */
static wli_pool_slot *take(wli_plan_pool *pool, const wli_call *call, int *use) {
    wli_pool_slot *slot = &pool->slots[0];
    if (hold(slot)) {
        *use = use_of(slot, call);
        if (*use == WLI_FITS) return slot;
        release(slot);
    }
    return look_through(pool, call, use);
}

wlstm_status wli_plan_pool_run(wli_plan_pool *pool, wli_model *model, wlstm_precision precision, const wli_call *call) {
    if (call->batch == 0) return WLSTM_OK;
    int use;
    wli_pool_slot *slot = take(pool, call, &use);
    if (!slot) return run_once(model, precision, call);
    wlstm_status status = WLSTM_OK;
    if (use != WLI_FITS) {
        wlstm_plan *misfit = slot->plan;
        slot->plan = NULL;
        status = replace(misfit, model, precision, call, &slot->plan);
    }
    if (status == WLSTM_OK) status = wli_plan_run(slot->plan, call);
    release(slot);
    return status;
}

void wli_plan_pool_clear(wli_plan_pool *pool) {
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        wli_pool_slot *slot = &pool->slots[i];
        if (!hold(slot)) continue;
        wlstm_plan_free(slot->plan);
        slot->plan = NULL;
        release(slot);
    }
}
