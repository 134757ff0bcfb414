/* What takes no memory: running a plan, a cell or streams, calls after the first, empty batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <pthread.h>

#include "ledger.h"
#include "problem.h"

enum { I = LEDGER_I, H = LEDGER_H, L = LEDGER_L, T = 6, B = 5 };

static float x[T * B * I], out[T * B * 2 * H], h[2 * L * B * H], c[2 * L * B * H];
static const int64_t lengths[B] = { 6, 1, 3, 5, 2 }, batch_sizes[T] = { 5, 4, 3, 2, 2, 1 };

static void executing_a_plan_allocates_nothing(void **state) {
    (void)state;
    for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
        for (int variant = 0; variant < 8; ++variant) {
            wlstm_lstm_config config = ledger_config(variant & 1 ? 3 : 0, variant >> 1 & 1);
            if (variant & 4) config.dtype = WLSTM_BF16;
            wlstm_lstm *lstm;
            wlstm_plan *plan;
            wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
            options.max_seq_len = T, options.max_batch = B, options.backend = (wlstm_backend)backend;
            options.num_threads = 2;
            assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
            if (test_plan_create(lstm, &options, &plan) == WLSTM_OK) {
                ledger_fail_at(0);
                for (int t = T; t > 0; --t) {
                    assert_int_equal(wlstm_plan_execute(plan, t, B, NULL, x, h, c, out, h, c), WLSTM_OK);
                    assert_int_equal(wlstm_plan_execute(plan, t, B - 1, NULL, x, NULL, NULL, out, NULL, NULL),
                                     WLSTM_OK);
                }
                assert_int_equal(wlstm_plan_execute(plan, T, B, lengths, x, h, c, out, h, c), WLSTM_OK);
                assert_int_equal(wlstm_plan_execute_packed(plan, T, batch_sizes, x, h, c, out, h, c), WLSTM_OK);
                assert_int_equal(ledger_made(), 0);
            }
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
            assert_int_equal(atomic_load(&books.live), 0);
        }
    }
}

static void a_cell_allocates_in_its_first_call_only(void **state) {
    (void)state;
    wlstm_cell *cell;
    assert_int_equal(ledger_cell(&cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, B, x, NULL, NULL, h, c), WLSTM_OK);
    ledger_fail_at(0);
    for (int step = 0; step < 10; ++step) {
        assert_int_equal(wlstm_cell_forward(cell, 1 + step % B, x, h, c, h, c), WLSTM_OK);
    }
    assert_int_equal(ledger_made(), 0);
    wlstm_cell_free(cell);
    assert_int_equal(atomic_load(&books.live), 0);
}

static void forward_allocates_in_its_first_call_only(void **state) {
    (void)state;
    const wlstm_lstm_config config = ledger_config(0, 1);
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, h, c), WLSTM_OK);
    ledger_fail_at(0);
    for (int step = 0; step < 5; ++step) {
        assert_int_equal(wlstm_forward(lstm, T - step, B - step, NULL, x, NULL, NULL, out, h, c), WLSTM_OK);
    }
    assert_int_equal(wlstm_forward(lstm, T, B, lengths, x, NULL, NULL, out, h, c), WLSTM_OK);
    assert_int_equal(wlstm_forward_packed(lstm, T, batch_sizes, x, NULL, NULL, out, h, c), WLSTM_OK);
    assert_int_equal(ledger_made(), 0);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

/* One long row, then many short ones: no room is needed for as many long ones. */
static void forward_does_not_add_up_unlike_sizes(void **state) {
    (void)state;
    enum { MANY = 4000 };
    static float long_x[MANY], long_out[MANY * 2 * 2];
    wlstm_lstm_config config = ledger_config(0, 1);
    wlstm_lstm *lstm;
    config.input_size = 1, config.hidden_size = 2;
    ledger_fail_at(0);
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    atomic_store(&books.largest, 0);
    assert_int_equal(wlstm_forward(lstm, MANY, 1, NULL, long_x, NULL, NULL, long_out, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, 1, MANY, NULL, long_x, NULL, NULL, long_out, NULL, NULL), WLSTM_OK);
    assert_true(atomic_load(&books.largest) < (size_t)16 << 20); /* MANY * MANY rows take a gigabyte */
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

static void streams_allocate_in_their_creation_only(void **state) {
    (void)state;
    for (int threads = 1; threads <= 2; ++threads) {
        const wlstm_lstm_config config = ledger_config(0, 0);
        wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
        wlstm_lstm *lstm;
        wlstm_streams *streams;
        int64_t ids[B];
        options.max_streams = B, options.max_batch = 3, options.num_threads = threads;
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_streams_create(lstm, &options, &streams), WLSTM_OK);
        ledger_fail_at(0);
        for (int round = 0; round < 5; ++round) {
            for (int i = 0; i < B; ++i) assert_int_equal(wlstm_streams_open(streams, &ids[i]), WLSTM_OK);
            for (int count = 0; count <= B; ++count)
                assert_int_equal(wlstm_streams_step(streams, count, ids, x, out), WLSTM_OK);
            assert_int_equal(wlstm_streams_run(streams, B, ids, T, lengths, x, out), WLSTM_OK);
            assert_int_equal(wlstm_streams_set_state(streams, ids[0], h, NULL), WLSTM_OK);
            assert_int_equal(wlstm_streams_get_state(streams, ids[0], h, c), WLSTM_OK);
            assert_int_equal(wlstm_streams_reset(streams, ids[1]), WLSTM_OK);
            for (int i = 0; i < B; ++i) assert_int_equal(wlstm_streams_close(streams, ids[i]), WLSTM_OK);
        }
        assert_int_equal(ledger_made(), 0);
        wlstm_streams_free(streams);
        wlstm_lstm_free(lstm);
        assert_int_equal(atomic_load(&books.live), 0);
    }
}

static void a_refused_set_parameter_keeps_the_plans(void **state) {
    (void)state;
    const wlstm_lstm_config config = ledger_config(0, 0);
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_parameter(lstm, "bias_ih", x, 4 * H), WLSTM_ERROR_MISSING);
    assert_int_equal(wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, H), WLSTM_ERROR_INVALID_ARGUMENT);
    ledger_fail_at(0);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_int_equal(ledger_made(), 0);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

static void a_trainer_allocates_in_its_creation_only(void **state) {
    (void)state;
    for (int variant = 0; variant < 4; ++variant) {
        const wlstm_lstm_config config = ledger_config(variant & 1 ? 3 : 0, variant >> 1);
        wlstm_lstm *lstm;
        wlstm_trainer *trainer;
        wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
        const wlstm_optimizer optimizer = WLSTM_OPTIMIZER_INIT;
        options.max_seq_len = T, options.max_batch = B, options.num_threads = 2;
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
        ledger_fail_at(0);
        for (int t = T; t > 0; --t) {
            static float d_x[T * B * I], d_h[2 * L * B * H], d_c[2 * L * B * H];
            const int64_t *some = t == T ? lengths : NULL;
            assert_int_equal(wlstm_trainer_forward(trainer, t, B, some, x, h, c, out, h, c, 1, 0, 0, NULL), WLSTM_OK);
            assert_int_equal(wlstm_trainer_backward(trainer, NULL, out, h, c, d_x, d_h, d_c, 1), WLSTM_OK);
            assert_int_equal(wlstm_trainer_clip_gradients(trainer, 1, NULL), WLSTM_OK);
            assert_int_equal(wlstm_trainer_update(trainer, &optimizer), WLSTM_OK);
        }
        assert_int_equal(wlstm_trainer_forward_packed(trainer, T, batch_sizes, x, h, c, out, NULL, NULL, 1, 0, 0, NULL),
                         WLSTM_OK);
        assert_int_equal(wlstm_trainer_backward(trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0), WLSTM_OK);
        assert_int_equal(ledger_made(), 0);
        wlstm_trainer_free(trainer);
        wlstm_lstm_free(lstm);
        assert_int_equal(atomic_load(&books.live), 0);
    }
}

/* On one thread there is nothing to choose, and nobody searches. */
static void a_trainers_search_leaves_nothing(void **state) {
    (void)state;
    wlstm_lstm_config config = ledger_config(0, 0);
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    long made[2][2], live[2][2];
    config.input_size = config.hidden_size = 64; /* worth two threads */
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    for (int threads = 1; threads <= 2; ++threads)
        for (int measures = 0; measures < 2; ++measures) {
            wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
            options.max_seq_len = T, options.max_batch = B, options.num_threads = threads;
            options.effort = measures ? WLSTM_EFFORT_MEASURE : WLSTM_EFFORT_ESTIMATE;
            ledger_fail_at(0);
            assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
            made[threads - 1][measures] = ledger_made(), live[threads - 1][measures] = atomic_load(&books.live);
            wlstm_trainer_free(trainer);
        }
    assert_int_equal(made[0][0], made[0][1]);
    assert_int_equal(live[1][0], live[1][1]);
    if (omp_get_num_procs() > 1) assert_true(made[1][0] < made[1][1]);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.live), 0);
}

/* Batch 0 is an empty result, not a plan. */
static void an_empty_batch_allocates_nothing(void **state) {
    (void)state;
    const wlstm_lstm_config config = ledger_config(0, 1);
    wlstm_lstm *lstm;
    wlstm_cell *cell;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(ledger_cell(&cell), WLSTM_OK);
    ledger_fail_at(0);
    assert_int_equal(wlstm_forward(lstm, T, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_forward(cell, 0, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    assert_int_equal(ledger_made(), 0);
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
        const wlstm_lstm_config config = ledger_config(0, 1);
        pthread_t threads[B];
        wlstm_lstm *lstm;
        ledger_fail_at(0);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(executing_a_plan_allocates_nothing),
        cmocka_unit_test(a_cell_allocates_in_its_first_call_only),
        cmocka_unit_test(forward_allocates_in_its_first_call_only),
        cmocka_unit_test(forward_does_not_add_up_unlike_sizes),
        cmocka_unit_test(streams_allocate_in_their_creation_only),
        cmocka_unit_test(a_refused_set_parameter_keeps_the_plans),
        cmocka_unit_test(a_trainer_allocates_in_its_creation_only),
        cmocka_unit_test(a_trainers_search_leaves_nothing),
        cmocka_unit_test(an_empty_batch_allocates_nothing),
        cmocka_unit_test(forward_on_many_threads_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, ledger_open, NULL);
}
