/* The plans that wlstm_forward keeps: which one a call takes, and which it replaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/pool.h"
#include "base/lock.h"

enum { THREADS = 4 };

/* The pool behind wlstm_forward, with plans for these batches in it as four threads would leave them. */
static void fill_pool(wli_plan_pool *pool, wli_model **model, const int64_t batches[THREADS]) {
    const wli_model_spec spec = { .dtype = WLSTM_F32, .num_layers = 1, .input_size = 3, .hidden_size = 2 };
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    assert_int_equal(wli_model_create(&spec, model), WLSTM_OK);
    assert_int_equal(wli_model_reset(model, 0), WLSTM_OK);
    for (int i = 0; i < THREADS; ++i) {
        wlstm_plan *plan;
        options.max_seq_len = 1, options.max_batch = batches[i];
        assert_int_equal(wli_plan_make(*model, &options, &plan), WLSTM_OK);
        pool->slots[i].plan = plan;
    }
}

/* Plans in the pool that can run this batch; 0 counts all. */
static int plans_for(wli_plan_pool *pool, int64_t batch) {
    int count = 0;
    for (int slot = 0; slot < WLI_POOL_SLOTS; ++slot) {
        const wlstm_plan *plan = pool->slots[slot].plan;
        count += plan && wli_plan_fit(plan, 1, batch) == WLI_FITS;
    }
    return count;
}

static void a_call_replaces_one_plan_at_most(void **state) {
    (void)state;
    enum { LARGE = 8 };
    const float x[LARGE * 3] = { 0 };
    float out[LARGE * 2];
    const wli_call call = { .seq_len = 1, .batch = LARGE, .x = x, .out = out };
    const int64_t batches[][THREADS] = { { 1, 2, 1, 2 }, { 1, 2, 1, LARGE } };
    static wli_plan_pool pools[2];
    for (int i = 0; i < 2; ++i) {
        wli_plan_pool *pool = &pools[i];
        wli_model *model;
        fill_pool(pool, &model, batches[i]);
        for (int repeat = 0; repeat < 3; ++repeat) {
            assert_int_equal(wli_plan_pool_run(pool, model, WLSTM_PRECISION_DEFAULT, &call), WLSTM_OK);
            assert_int_equal(plans_for(pool, 0), THREADS);
            assert_int_equal(plans_for(pool, LARGE), 1);
        }
        wli_plan_pool_clear(pool);
        wli_model_release(model);
    }
}

/* As with more threads inside than slots. */
static void a_call_finds_its_way_past_held_slots(void **state) {
    (void)state;
    const float x[3] = { 0 };
    float out[2];
    const wli_call call = { .seq_len = 1, .batch = 1, .x = x, .out = out };
    static wli_plan_pool pool;
    wli_model *model;
    fill_pool(&pool, &model, (const int64_t[THREADS]){ 1, 1, 1, 1 });
    for (int slot = 0; slot < WLI_POOL_SLOTS; ++slot) {
        atomic_store(&pool.slots[slot].holder, wli_generation);
        assert_int_equal(wli_plan_pool_run(&pool, model, WLSTM_PRECISION_DEFAULT, &call), WLSTM_OK);
        assert_int_equal(plans_for(&pool, 1), slot + 1 < THREADS || slot + 1 == WLI_POOL_SLOTS ? THREADS : THREADS + 1);
        for (int i = 0; i < WLI_POOL_SLOTS; ++i) assert_int_equal(atomic_load(&pool.slots[i].holder) != 0, i <= slot);
        for (int i = THREADS; i < WLI_POOL_SLOTS; ++i) {
            wlstm_plan_free(pool.slots[i].plan);
            pool.slots[i].plan = NULL;
        }
    }
    for (int slot = 0; slot < WLI_POOL_SLOTS; ++slot) atomic_store(&pool.slots[slot].holder, 0);
    wli_plan_pool_clear(&pool);
    wli_model_release(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_replaces_one_plan_at_most),
        cmocka_unit_test(a_call_finds_its_way_past_held_slots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
