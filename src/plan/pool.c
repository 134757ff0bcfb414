#include "plan/plan.h"

#include <stdatomic.h>

static void put(wli_plan_pool *pool, wlstm_plan *plan) {
    for (int i = 0; i < WLI_POOL_SLOTS && plan; i++) {
        wlstm_plan *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&pool->slots[i], &empty, plan, memory_order_release,
                                                    memory_order_relaxed))
            plan = NULL;
    }
    wlstm_plan_free(plan);
}

/* A plan that fits, or NULL and in *misfit one that does not (or NULL), whose successor takes its place. Any other plan that
 * was looked at goes back: it is another thread's, of another size. */
static wlstm_plan *take(wli_plan_pool *pool, const wli_call *call, wlstm_plan **misfit) {
    *misfit = NULL;
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        if (!atomic_load_explicit(&pool->slots[i], memory_order_relaxed)) continue;
        wlstm_plan *plan = atomic_exchange_explicit(&pool->slots[i], NULL, memory_order_acquire);
        if (!plan) continue;
        if (wli_plan_fits(plan, call->seq_len, call->batch)) {
            put(pool, *misfit);
            *misfit = NULL;
            return plan;
        }
        if (*misfit)
            put(pool, plan);
        else
            *misfit = plan;
    }
    return NULL;
}

/* A plan for the call that also serves what the misfit served, where that takes little more memory. Frees the misfit. */
static wlstm_status replace(wlstm_plan *misfit, wli_model *model, const wli_call *call, wlstm_plan **plan) {
    wlstm_plan_options own = WLSTM_PLAN_OPTIONS_INIT, widened;
    own.max_seq_len = call->seq_len, own.max_batch = call->batch;
    widened = own;
    if (misfit) wli_plan_widen(misfit, &widened);
    wlstm_plan_free(misfit);
    wlstm_status status = wli_plan_make(model, &widened, plan);
    if (status != WLSTM_OK && (widened.max_seq_len > own.max_seq_len || widened.max_batch > own.max_batch))
        status = wli_plan_make(model, &own, plan);
    return status;
}

wlstm_status wli_plan_pool_run(wli_plan_pool *pool, wli_model *model, const wli_call *call) {
    if (call->batch == 0) return WLSTM_OK;
    wlstm_plan *misfit, *plan = take(pool, call, &misfit);
    wlstm_status status = plan ? WLSTM_OK : replace(misfit, model, call, &plan);
    if (status != WLSTM_OK) return status;
    status = wli_plan_run(plan, call);
    put(pool, plan);
    return status;
}

void wli_plan_pool_clear(wli_plan_pool *pool) {
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        wlstm_plan_free(atomic_load(&pool->slots[i]));
        atomic_store(&pool->slots[i], NULL);
    }
}
