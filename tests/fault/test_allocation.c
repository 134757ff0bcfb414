/* Memory: everything goes through the allocator that was set, each failure of it comes out as WLSTM_ERROR_OUT_OF_MEMORY with
 * nothing leaked, and running a plan or a cell takes none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "problem.h"

enum { I = 9, H = 7, L = 2, T = 6, B = 5 };

/* The allocator under test counts; allocation number fail_at (from 1) gets NULL. */
typedef struct ledger {
    atomic_long made, live, fail_at;
    atomic_size_t largest; /* bytes asked for at once */
    atomic_bool failed;
} ledger;

static ledger books;

static void *counting_allocate(size_t bytes, void *context) {
    ledger *l = context;
    const long number = atomic_fetch_add(&l->made, 1) + 1;
    if (bytes > atomic_load(&l->largest)) atomic_store(&l->largest, bytes);
    if (number == atomic_load(&l->fail_at)) {
        atomic_store(&l->failed, true);
        return NULL;
    }
    void *memory = malloc(bytes);
    if (memory) atomic_fetch_add(&l->live, 1);
    return memory;
}

static void counting_deallocate(void *memory, void *context) {
    ledger *l = context;
    if (!memory) return;
    atomic_fetch_sub(&l->live, 1);
    free(memory);
}

static void fail_at(long number) {
    atomic_store(&books.made, 0);
    atomic_store(&books.fail_at, number);
    atomic_store(&books.failed, false);
}

static long made(void) {
    return atomic_load(&books.made);
}

static wlstm_lstm_config config_of(int proj_size, int bidirectional) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = I, config.hidden_size = H, config.num_layers = L;
    config.proj_size = proj_size, config.bidirectional = bidirectional;
    return config;
}

static float x[T * B * I], out[T * B * 2 * H], h[2 * L * B * H], c[2 * L * B * H];
static const int64_t lengths[B] = { 6, 1, 3, 5, 2 };
static char path[] = "/tmp/wavelstm-test-XXXXXX/model.safetensors";
static char directory[] = "/tmp/wavelstm-test-XXXXXX";

static void executing_a_plan_allocates_nothing(void **state) {
    (void)state;
    for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
        for (int variant = 0; variant < 4; ++variant) {
            const wlstm_lstm_config config = config_of(variant & 1 ? 3 : 0, variant >> 1);
            wlstm_lstm *lstm;
            wlstm_plan *plan;
            wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
            options.max_seq_len = T, options.max_batch = B, options.backend = (wlstm_backend)backend;
            options.num_threads = 2;
            assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
            if (test_plan_create(lstm, &options, &plan) == WLSTM_OK) {
                fail_at(0);
                for (int t = T; t > 0; --t) {
                    assert_int_equal(wlstm_plan_execute(plan, t, B, NULL, x, h, c, out, h, c), WLSTM_OK);
                    assert_int_equal(wlstm_plan_execute(plan, t, B - 1, NULL, x, NULL, NULL, out, NULL, NULL),
                                     WLSTM_OK);
                }
                assert_int_equal(wlstm_plan_execute(plan, T, B, lengths, x, h, c, out, h, c), WLSTM_OK);
                assert_int_equal(made(), 0);
            }
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
            assert_int_equal(atomic_load(&books.live), 0);
        }
    }
}

static wlstm_status create_cell(wlstm_cell **cell) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = I, config.hidden_size = H;
    return wlstm_cell_create(&config, cell);
}

static void a_cell_allocates_in_its_first_call_only(void **state) {
    (void)state;
    wlstm_cell *cell;
    assert_int_equal(create_cell(&cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, B, x, NULL, NULL, h, c), WLSTM_OK);
    fail_at(0);
    for (int step = 0; step < 10; ++step) {
        assert_int_equal(wlstm_cell_forward(cell, 1 + step % B, x, h, c, h, c), WLSTM_OK);
    }
    assert_int_equal(made(), 0);
    wlstm_cell_free(cell);
    assert_int_equal(atomic_load(&books.live), 0);
}

static void forward_allocates_in_its_first_call_only(void **state) {
    (void)state;
    const wlstm_lstm_config config = config_of(0, 1);
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, h, c), WLSTM_OK);
    fail_at(0);
    for (int step = 0; step < 5; ++step) {
        assert_int_equal(wlstm_forward(lstm, T - step, B - step, NULL, x, NULL, NULL, out, h, c), WLSTM_OK);
    }
    assert_int_equal(wlstm_forward(lstm, T, B, lengths, x, NULL, NULL, out, h, c), WLSTM_OK);
    assert_int_equal(made(), 0);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

/* One long row, then many short ones: no room is needed for as many long ones. */
static void forward_does_not_add_up_unlike_sizes(void **state) {
    (void)state;
    enum { MANY = 4000 };
    static float long_x[MANY], long_out[MANY * 2 * 2];
    wlstm_lstm_config config = config_of(0, 1);
    wlstm_lstm *lstm;
    config.input_size = 1, config.hidden_size = 2;
    fail_at(0);
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    atomic_store(&books.largest, 0);
    assert_int_equal(wlstm_forward(lstm, MANY, 1, NULL, long_x, NULL, NULL, long_out, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, 1, MANY, NULL, long_x, NULL, NULL, long_out, NULL, NULL), WLSTM_OK);
    assert_true(atomic_load(&books.largest) < (size_t)16 << 20); /* MANY * MANY rows take a gigabyte */
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

/* (2, 1), then (1, 2): the plan that would serve both cannot be had, the one of the call can. */
static void forward_makes_do_with_the_calls_own_size(void **state) {
    (void)state;
    for (long number = 1, failed = 1; failed; ++number) {
        const wlstm_lstm_config config = config_of(0, 1);
        wlstm_lstm *lstm;
        fail_at(0);
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_forward(lstm, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        fail_at(number);
        assert_int_equal(wlstm_forward(lstm, 1, 2, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        failed = atomic_load(&books.failed);
        fail_at(0);
        assert_int_equal(wlstm_forward(lstm, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        assert_true(failed || made() == 0);
        wlstm_lstm_free(lstm);
        assert_int_equal(atomic_load(&books.live), 0);
    }
}

static void a_refused_set_parameter_keeps_the_plans(void **state) {
    (void)state;
    const wlstm_lstm_config config = config_of(0, 0);
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_parameter(lstm, "bias_ih", x, 4 * H), WLSTM_ERROR_MISSING);
    assert_int_equal(wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, H), WLSTM_ERROR_INVALID_ARGUMENT);
    fail_at(0);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_int_equal(made(), 0);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

/* Batch 0 is an empty result, not a plan. */
static void an_empty_batch_allocates_nothing(void **state) {
    (void)state;
    const wlstm_lstm_config config = config_of(0, 1);
    wlstm_lstm *lstm;
    wlstm_cell *cell;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(create_cell(&cell), WLSTM_OK);
    fail_at(0);
    assert_int_equal(wlstm_forward(lstm, T, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, 0, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    assert_int_equal(made(), 0);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
}

typedef struct caller {
    wlstm_lstm *lstm;
    int64_t batch;
    bool failed;
    float out[T * B * 2 * H];
} caller;

static void *call_forward(void *argument) {
    caller *self = argument;
    for (int repeat = 0; repeat < 20; ++repeat) {
        self->failed |=
            wlstm_forward(self->lstm, T, self->batch, NULL, x, NULL, NULL, self->out, NULL, NULL) != WLSTM_OK;
    }
    return NULL;
}

/* Threads with a batch each, so that the lstm comes to keep plans of several sizes at once. */
static void forward_on_many_threads_leaks_nothing(void **state) {
    (void)state;
    static caller callers[B];
    for (int round = 0; round < 20; ++round) {
        const wlstm_lstm_config config = config_of(0, 1);
        pthread_t threads[B];
        wlstm_lstm *lstm;
        fail_at(0);
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        for (int i = 0; i < B; ++i) {
            callers[i].lstm = lstm, callers[i].batch = i + 1, callers[i].failed = false;
            assert_int_equal(pthread_create(&threads[i], NULL, call_forward, &callers[i]), 0);
        }
        for (int i = 0; i < B; ++i) pthread_join(threads[i], NULL);
        for (int i = 0; i < B; ++i) assert_false(callers[i].failed);
        wlstm_lstm_free(lstm);
        assert_int_equal(atomic_load(&books.live), 0);
    }
}

/* What is done while allocations fail. Each returns the first status that is not WLSTM_OK and frees all it made. */
typedef wlstm_status (*scenario)(void);

static wlstm_status create_and_set(void) {
    const wlstm_lstm_config config = config_of(3, 1);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) {
        assert_null(lstm);
        return status;
    }
    status = wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, 4 * H);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_backend scenario_backend;

static wlstm_status plan_and_execute(void) {
    const wlstm_lstm_config config = config_of(scenario_backend <= WLSTM_BACKEND_REFERENCE ? 3 : 0, 1);
    wlstm_lstm *lstm;
    wlstm_plan *plan, *second = NULL;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2, options.backend = scenario_backend;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = test_plan_create(lstm, &options, &plan);
    if (status != WLSTM_OK) assert_null(plan);
    if (status == WLSTM_OK) status = test_plan_create(lstm, &options, &second);
    if (status == WLSTM_OK) status = wlstm_plan_execute(second, T, B, lengths, x, NULL, NULL, out, h, c);
    wlstm_plan_free(second);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    return status;
}

/* A larger problem after a smaller one, and a changed parameter in between: wlstm_forward makes its plans anew. */
static wlstm_status forward(void) {
    const wlstm_lstm_config config = config_of(0, 0);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_forward(lstm, 1, 1, NULL, x, NULL, NULL, out, NULL, NULL);
    if (status == WLSTM_OK) status = wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, 4 * H);
    if (status == WLSTM_OK) status = wlstm_forward(lstm, T, B, lengths, x, h, c, out, h, c);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status cell_forward(void) {
    wlstm_cell *cell;
    wlstm_status status = create_cell(&cell);
    if (status != WLSTM_OK) return status;
    status = wlstm_cell_forward(cell, 1, x, NULL, NULL, h, c);
    if (status == WLSTM_OK) status = wlstm_cell_forward(cell, B, x, NULL, NULL, h, c);
    wlstm_cell_free(cell);
    return status;
}

static wlstm_status stack_cells(void) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *bottom, *top = NULL;
    wlstm_lstm *lstm = NULL;
    config.input_size = H, config.hidden_size = 4;
    wlstm_status status = create_cell(&bottom);
    if (status == WLSTM_OK) status = wlstm_cell_create(&config, &top);
    if (status == WLSTM_OK) {
        const wlstm_cell *const cells[] = { bottom, top };
        status = wlstm_lstm_create_from_cells(cells, 2, &lstm);
    }
    wlstm_lstm_free(lstm);
    wlstm_cell_free(top);
    wlstm_cell_free(bottom);
    return status;
}

static wlstm_status save(void) {
    const wlstm_lstm_config config = config_of(3, 1);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_lstm_save(lstm, path, "prefix.");
    assert_int_equal(access(path, F_OK) == 0, status == WLSTM_OK); /* whole or not at all */
    unlink(path);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status load(void) {
    wlstm_lstm *lstm;
    wlstm_cell *cell = NULL;
    wlstm_status status = wlstm_lstm_load(path, NULL, &lstm);
    if (status == WLSTM_OK) status = wlstm_cell_load(path, NULL, &cell);
    if (status == WLSTM_OK) status = wlstm_tensor_read(path, "weight_ih", WLSTM_F32, NULL, 0, NULL, NULL);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
    return status;
}

/* Runs the scenario with its first, second, ... allocation failing until none is left to fail. */
static void every_allocation_fails_cleanly(scenario run) {
    const long live = atomic_load(&books.live);
    for (long number = 1;; ++number) {
        fail_at(number);
        const wlstm_status status = run();
        const bool failed = atomic_load(&books.failed);
        fail_at(0);
        assert_int_equal(atomic_load(&books.live), live);
        assert_int_equal(status, failed ? WLSTM_ERROR_OUT_OF_MEMORY : WLSTM_OK);
        if (!failed) break;
        assert_true(strlen(wlstm_last_error()) > 0);
    }
}

static void creation_fails_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(create_and_set);
    every_allocation_fails_cleanly(stack_cells);
}

static void plans_fail_cleanly(void **state) {
    (void)state;
    for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
        scenario_backend = (wlstm_backend)backend;
        fail_at(0);
        if (plan_and_execute() == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
        every_allocation_fails_cleanly(plan_and_execute);
    }
}

static void forward_fails_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(forward);
    every_allocation_fails_cleanly(cell_forward);
}

static void files_fail_cleanly(void **state) {
    (void)state;
    wlstm_cell *cell;
    every_allocation_fails_cleanly(save);
    fail_at(0);
    assert_int_equal(create_cell(&cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_save(cell, path, NULL), WLSTM_OK);
    wlstm_cell_free(cell);
    every_allocation_fails_cleanly(load);
    assert_int_equal(unlink(path), 0);
}

static void the_allocator_is_set_with_nothing_in_use(void **state) {
    (void)state;
    wlstm_cell *cell;
    assert_int_equal(wlstm_set_allocator(counting_allocate, NULL, &books), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_set_allocator(NULL, counting_deallocate, &books), WLSTM_ERROR_INVALID_ARGUMENT);
    fail_at(0);
    assert_int_equal(create_cell(&cell), WLSTM_OK);
    assert_true(made() > 0);
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    wlstm_cell_free(cell);
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_OK);
    fail_at(0);
    assert_int_equal(create_cell(&cell), WLSTM_OK);
    assert_int_equal(made(), 0);
    wlstm_cell_free(cell);
    assert_int_equal(wlstm_set_allocator(counting_allocate, counting_deallocate, &books), WLSTM_OK);
}

static int set_up(void **state) {
    (void)state;
    if (!mkdtemp(directory)) return -1;
    memcpy(path, directory, strlen(directory));
    return wlstm_set_allocator(counting_allocate, counting_deallocate, &books) == WLSTM_OK ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    return rmdir(directory); /* fails if a save left a file behind */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_allocator_is_set_with_nothing_in_use),
        cmocka_unit_test(executing_a_plan_allocates_nothing),
        cmocka_unit_test(a_cell_allocates_in_its_first_call_only),
        cmocka_unit_test(forward_allocates_in_its_first_call_only),
        cmocka_unit_test(forward_does_not_add_up_unlike_sizes),
        cmocka_unit_test(forward_makes_do_with_the_calls_own_size),
        cmocka_unit_test(a_refused_set_parameter_keeps_the_plans),
        cmocka_unit_test(an_empty_batch_allocates_nothing),
        cmocka_unit_test(forward_on_many_threads_leaks_nothing),
        cmocka_unit_test(creation_fails_cleanly),
        cmocka_unit_test(plans_fail_cleanly),
        cmocka_unit_test(forward_fails_cleanly),
        cmocka_unit_test(files_fail_cleanly),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
