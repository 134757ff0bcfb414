/* The plans that wlstm_forward and wlstm_cell_forward keep are for the thread count in force at the call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "base/cpu_quota.h"

enum { SEQ_LEN = 20, BATCH = 4, INPUT = 16, HIDDEN = 256, MOST_COUNTS = 40 };

static float x[SEQ_LEN * BATCH * INPUT], out[SEQ_LEN * BATCH * HIDDEN], c_out[BATCH * HIDDEN];

static wlstm_lstm *make_lstm(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = INPUT, config.hidden_size = HIDDEN, config.num_layers = 2;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    return lstm;
}

static void forward(wlstm_lstm *lstm, int64_t seq_len) {
    assert_int_equal(wlstm_forward(lstm, seq_len, BATCH, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
}

static int count_plans(const wli_plan_pool *pool) {
    int count = 0;
    for (int i = 0; i < WLI_POOL_SLOTS; i++) count += pool->slots[i].plan != NULL;
    return count;
}

/* The plan of the pool for a count, by what it says of its threads. */
static const wlstm_plan *plan_for(const wli_plan_pool *pool, int threads) {
    for (int i = 0; i < WLI_POOL_SLOTS; i++) {
        const wlstm_plan *plan = pool->slots[i].plan;
        if (plan && wli_plan_threads(plan) == threads) return plan;
    }
    return NULL;
}

static void a_change_is_obeyed(void **state) {
    (void)state;
    wlstm_lstm *lstm = make_lstm();
    const wli_plan_pool *pool = &lstm->module.pool;
    omp_set_num_threads(2);
    forward(lstm, SEQ_LEN);
    const wlstm_plan *two = plan_for(pool, 2);
    assert_non_null(two);
    if (omp_get_num_procs() >= 2 && wli_cpu_quota() >= 2)
        assert_non_null(strstr(wlstm_plan_describe(two), ", 2 threads "));
    omp_set_num_threads(1);
    forward(lstm, SEQ_LEN);
    const wlstm_plan *one = plan_for(pool, 1);
    assert_non_null(one);
    assert_non_null(strstr(wlstm_plan_describe(one), ", 1 thread, "));
    /* Back and forth: no plan is made again. */
    for (int n = 0; n < 20; n++) {
        omp_set_num_threads(1 + n % 2);
        forward(lstm, SEQ_LEN - n % 3);
        assert_ptr_equal(plan_for(pool, 1), one);
        assert_ptr_equal(plan_for(pool, 2), two);
        assert_int_equal(count_plans(pool), 2);
    }
    wlstm_lstm_free(lstm);
}

static void a_cell_obeys_too(void **state) {
    (void)state;
    const wlstm_cell_config config = { sizeof config, INPUT, HIDDEN, 1, WLSTM_F32 };
    wlstm_cell *cell;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    for (int threads = 2; threads > 0; threads--) {
        omp_set_num_threads(threads);
        assert_int_equal(wlstm_cell_forward(cell, BATCH, x, NULL, NULL, out, c_out), WLSTM_OK);
        assert_non_null(plan_for(&cell->module.pool, threads));
    }
    assert_non_null(strstr(wlstm_plan_describe(plan_for(&cell->module.pool, 1)), ", 1 thread, "));
    wlstm_cell_free(cell);
}

/* A longer call takes the place of the plan of its own count. */
static void each_count_grows_by_itself(void **state) {
    (void)state;
    wlstm_lstm *lstm = make_lstm();
    for (int64_t seq_len = 1; seq_len <= SEQ_LEN; seq_len++)
        for (int threads = 1; threads <= 2; threads++) {
            omp_set_num_threads(threads);
            forward(lstm, seq_len);
            assert_int_equal(count_plans(&lstm->module.pool), seq_len == 1 ? threads : 2);
        }
    wlstm_lstm_free(lstm);
}

static void many_counts_do_not_fill_the_pool(void **state) {
    (void)state;
    wlstm_lstm *lstm = make_lstm();
    for (int round = 0; round < 2; round++)
        for (int threads = 1; threads <= MOST_COUNTS; threads++) {
            omp_set_num_threads(threads);
            forward(lstm, 1);
            assert_non_null(plan_for(&lstm->module.pool, threads));
        }
    assert_in_range(count_plans(&lstm->module.pool), 2, WLI_POOL_SLOTS / 4);
    wlstm_lstm_free(lstm);
}

/* In somebody's region a plan runs on the calling thread alone, whatever count is in force there. */
static void a_region_makes_no_plans_of_its_own(void **state) {
    (void)state;
    wlstm_lstm *lstm = make_lstm();
    omp_set_num_threads(2);
    forward(lstm, SEQ_LEN);
    const wlstm_plan *two = plan_for(&lstm->module.pool, 2);
    wlstm_status status = WLSTM_OK;
    for (int n = 0; n < 10; n++) {
#pragma omp parallel num_threads(2)
#pragma omp single
        {
            omp_set_num_threads(3 + n % 2); /* of this region alone */
            status = wlstm_forward(lstm, SEQ_LEN, BATCH, NULL, x, NULL, NULL, out, NULL, NULL);
        }
        assert_int_equal(status, WLSTM_OK);
        forward(lstm, SEQ_LEN);
        assert_int_equal(count_plans(&lstm->module.pool), 1);
        assert_ptr_equal(plan_for(&lstm->module.pool, 2), two);
    }
    wlstm_lstm_free(lstm);
}

/* The first argument of a process of its own, as the environment is read once: WLSTM_NUM_THREADS goes before OpenMP's count. */
static int run_under_the_variable(void) {
    wlstm_lstm *lstm = make_lstm();
    for (int threads = 1; threads <= 3; threads++) {
        omp_set_num_threads(threads);
        forward(lstm, SEQ_LEN);
    }
    const int count = count_plans(&lstm->module.pool);
    wlstm_lstm_free(lstm);
    return count == 1 ? 0 : 1;
}

static const char *program;

static void the_variable_goes_first(void **state) {
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "WLSTM_NUM_THREADS=2 '%s' variable", program);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "variable") == 0) return run_under_the_variable();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_obeyed),
        cmocka_unit_test(a_cell_obeys_too),
        cmocka_unit_test(each_count_grows_by_itself),
        cmocka_unit_test(many_counts_do_not_fill_the_pool),
        cmocka_unit_test(a_region_makes_no_plans_of_its_own),
        cmocka_unit_test(the_variable_goes_first),
    };
    unsetenv("WLSTM_NUM_THREADS");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
