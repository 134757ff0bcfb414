#include "plan/plan.h"

#include "status.h"

static bool hold(wli_pool_slot *slot) {
    return !atomic_load_explicit(&slot->held, memory_order_relaxed) &&
           !atomic_exchange_explicit(&slot->held, true, memory_order_acquire);
}

static void release(wli_pool_slot *slot) {
    if (slot) atomic_store_explicit(&slot->held, false, memory_order_release);
}

static bool fits(const wli_pool_slot *slot, const wli_call *call) {
    return slot->plan && wli_plan_fits(slot->plan, call->seq_len, call->batch);
}

/* Holds a slot whose plan fits; else one whose plan's successor will, else an empty one, else none. Any other that was looked at is
 * released: its plan is another thread's, of another size. */
static wli_pool_slot *take(wli_plan_pool *pool, const wli_call *call) {
    wli_pool_slot *spare = NULL;
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        wli_pool_slot *slot = &pool->slots[i];
        if (!hold(slot)) continue;
        if (fits(slot, call)) {
            release(spare);
            return slot;
        }
        const bool better = !spare || (!spare->plan && slot->plan);
        release(better ? spare : slot);
        if (better) spare = slot;
    }
    return spare;
}

/* A plan for the call that also serves what the misfit served, where that takes little more memory. Frees the misfit. */
static wlstm_status replace(wlstm_plan *misfit, wli_model *model, const wli_call *call, wlstm_plan **plan) {
    wlstm_plan_options own = WLSTM_PLAN_OPTIONS_INIT, widened;
    own.max_seq_len = call->seq_len, own.max_batch = call->batch;
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
static wlstm_status run_once(wli_model *model, const wli_call *call) {
    wlstm_plan *plan;
    wlstm_status status = replace(NULL, model, call, &plan);
    if (status != WLSTM_OK) return status;
    status = wli_plan_run(plan, call);
    wlstm_plan_free(plan);
    return status;
}

wlstm_status wli_plan_pool_run(wli_plan_pool *pool, wli_model *model, const wli_call *call) {
    if (call->batch == 0) return WLSTM_OK;
    wli_pool_slot *slot = take(pool, call);
    if (!slot) return run_once(model, call);
    wlstm_status status = WLSTM_OK;
    if (!fits(slot, call)) {
        wlstm_plan *misfit = slot->plan;
        slot->plan = NULL;
        status = replace(misfit, model, call, &slot->plan);
    }
    if (status == WLSTM_OK) status = wli_plan_run(slot->plan, call);
    release(slot);
    return status;
}

void wli_plan_pool_clear(wli_plan_pool *pool) {
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        wlstm_plan_free(pool->slots[i].plan);
        pool->slots[i].plan = NULL;
    }
}
