#include "plan/plan.h"

#include <stdatomic.h>

/* A plan that fits, or NULL and in *misfit one that does not (or NULL), whose successor takes its place. */
static wlstm_plan *take(wli_plan_pool *pool, const wli_call *call, wlstm_plan **misfit) {
    *misfit = NULL;
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        if (!atomic_load_explicit(&pool->slots[i], memory_order_relaxed)) continue;
        wlstm_plan *plan = atomic_exchange_explicit(&pool->slots[i], NULL, memory_order_acquire);
        if (!plan) continue;
        if (wli_plan_fits(plan, call->seq_len, call->batch)) {
            wlstm_plan_free(*misfit);
            return plan;
        }
        wlstm_plan_free(*misfit);
        *misfit = plan;
    }
    return NULL;
}

static void put(wli_plan_pool *pool, wlstm_plan *plan) {
    for (int i = 0; i < WLI_POOL_SLOTS && plan; i++) {
        wlstm_plan *empty = NULL;
        if (atomic_compare_exchange_strong_explicit(&pool->slots[i], &empty, plan, memory_order_release,
                                                    memory_order_relaxed))
            plan = NULL;
    }
    wlstm_plan_free(plan);
}

wlstm_status wli_plan_pool_run(wli_plan_pool *pool, wli_model *model, const wli_call *call) {
    wlstm_plan *misfit, *plan = take(pool, call, &misfit);
    if (!plan) {
        wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
        options.max_seq_len = call->seq_len, options.max_batch = call->batch ? call->batch : 1;
        if (misfit) wli_plan_widen(misfit, &options);
        wlstm_plan_free(misfit);
        wlstm_status status = wli_plan_make(model, &options, &plan);
        if (status != WLSTM_OK) return status;
    }
    wlstm_status status = wli_plan_run(plan, call);
    put(pool, plan);
    return status;
}

void wli_plan_pool_clear(wli_plan_pool *pool) {
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        wlstm_plan_free(atomic_load(&pool->slots[i]));
        atomic_store(&pool->slots[i], NULL);
    }
}
