/* A trainer against the reference: whatever the model, the sizes and the threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "random.h"
#include "training.h"

enum { ROUNDS = 120 / FEWER, SEED = 42 };

/* Random options; in every third round so many pairs that there are several blocks of sums, in every second more layers. */
static problem draw(uint64_t *stream, int round) {
    problem p = problem_draw_for_training(stream);
    if (random_flag(stream)) p.config.dropout = (double)random_between(stream, 1, 4) / 4;
    if (round % 3 == 0) p.seq_len = random_between(stream, 1, 60), p.batch = random_between(stream, 1, 40);
    if (round % 2 == 0) p.config.num_layers = random_between(stream, 1, 6);
    problem_build(&p, stream);
    return p;
}

static wlstm_schedule random_schedule(uint64_t *stream) {
    return (wlstm_schedule)random_between(stream, WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_GANGS);
}

static void gradients_are_those_of_the_reference(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS; ++round) {
        problem p = draw(&stream, round);
        const int threads = (int)random_between(&stream, 1, 3);
        wlstm_trainer *trainer = problem_trainer(&p, 0, threads, random_schedule(&stream));
        gradients got = gradients_create(&p, &stream), expected = gradients_like(&p, &got);
        outcome o, of_reference;
        assert_int_equal(problem_train(&p, trainer, SEED, NULL, &o), WLSTM_OK);
        void *mask = problem_mask(&p, trainer, NULL);
        assert_int_equal(problem_back(trainer, NULL, &got), WLSTM_OK);
        problem_reference(&p, mask, &of_reference, &expected);
        assert_true(outcomes_agree(&p, "trainer", &o, &of_reference, false));
        assert_true(gradients_agree(&p, "trainer", &got, &expected, false));
        outcome_free(&o), outcome_free(&of_reference);
        gradients_free(&got, false), gradients_free(&expected, true);
        test_release(mask);
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

/* One pass by so many threads. */
static void run(const problem *p, int64_t recompute_steps, int threads, wlstm_schedule schedule, const gradients *loss,
                outcome *o, gradients *g) {
    wlstm_trainer *trainer = problem_trainer(p, recompute_steps, threads, schedule);
    *g = gradients_like(p, loss);
    assert_int_equal(problem_train(p, trainer, SEED, NULL, o), WLSTM_OK);
    assert_int_equal(problem_back(trainer, NULL, g), WLSTM_OK);
    wlstm_trainer_free(trainer);
}

static void threads_and_schedules_do_not_change_a_bit(void **state) {
    (void)state;
    static const int counts[] = { 2, 3, 5, 8 };
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 6; ++round) {
        problem p = draw(&stream, round);
        gradients loss = gradients_create(&p, &stream), expected, got;
        outcome o, of_one;
        run(&p, 0, 1, WLSTM_SCHEDULE_AUTO, &loss, &of_one, &expected);
        for (size_t n = 0; n < sizeof counts / sizeof counts[0]; ++n)
            for (int schedule = WLSTM_SCHEDULE_AUTO; schedule <= WLSTM_SCHEDULE_GANGS; ++schedule) {
                run(&p, 0, counts[n], (wlstm_schedule)schedule, &loss, &o, &got);
                assert_true(outcomes_agree(&p, "threads", &o, &of_one, true));
                assert_true(gradients_agree(&p, "threads", &got, &expected, true));
                outcome_free(&o), gradients_free(&got, false);
            }
        outcome_free(&of_one), gradients_free(&expected, false), gradients_free(&loss, true);
        problem_free(&p);
    }
}

/* Trainers inside a parallel region of the caller's run on its threads alone. */
static void regions_do_not_change_a_bit(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 12; ++round) {
        problem p = draw(&stream, round);
        gradients loss = gradients_create(&p, &stream), expected, got[2];
        outcome of_one, o[2];
        wlstm_trainer *trainers[2];
        run(&p, 0, 1, WLSTM_SCHEDULE_AUTO, &loss, &of_one, &expected);
        for (int n = 0; n < 2; ++n)
            trainers[n] = problem_trainer(&p, 0, 3, WLSTM_SCHEDULE_GANGS), got[n] = gradients_like(&p, &loss);
        int failed = 0;
        /* One's pass back is by its own threads again. */
#pragma omp parallel for num_threads(2) reduction(+ : failed)
        for (int n = 0; n < 2; ++n) {
            failed += problem_train(&p, trainers[n], SEED, NULL, &o[n]) != WLSTM_OK;
            if (n == 0) failed += problem_back(trainers[n], NULL, &got[n]) != WLSTM_OK;
        }
        assert_int_equal(failed, 0);
        assert_int_equal(problem_back(trainers[1], NULL, &got[1]), WLSTM_OK);
        for (int n = 0; n < 2; ++n) {
            assert_true(outcomes_agree(&p, "region", &o[n], &of_one, true));
            assert_true(gradients_agree(&p, "region", &got[n], &expected, true));
            outcome_free(&o[n]), gradients_free(&got[n], false);
            wlstm_trainer_free(trainers[n]);
        }
        outcome_free(&of_one), gradients_free(&expected, false), gradients_free(&loss, true);
        problem_free(&p);
    }
}

/* Row `row` of whole [outer, batch, width], its first `outer_wanted` of outer; NULL stays NULL. */
static void *row_of(const problem *p, const void *whole, int64_t outer_wanted, int64_t width, int64_t row) {
    const size_t line = (size_t)width * dtype_size(p->config.dtype);
    if (!whole) return NULL;
    char *picked = test_allocate(p->config.dtype, outer_wanted * width);
    for (int64_t o = 0; o < outer_wanted; ++o)
        memcpy(picked + (size_t)o * line, (const char *)whole + (size_t)(o * p->batch + row) * line, line);
    return picked;
}

/* The results and gradients of a row, but for the parameters', are those of the row alone. */
static void rows_do_not_touch_each_other(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 3; ++round) {
        problem p = problem_draw_for_training(&stream);
        p.config.batch_first = 0, p.batch = random_between(&stream, 1, 30);
        problem_build(&p, &stream);
        gradients loss = gradients_create(&p, &stream), all;
        outcome o;
        run(&p, 0, 3, random_schedule(&stream), &loss, &o, &all);
        const int64_t row = random_between(&stream, 0, p.batch - 1), blocks = problem_blocks(&p);
        const int64_t length = p.lengths ? p.lengths[row] : p.seq_len;
        problem one = problem_row(&p, row, length);
        gradients of_row = { .d_out = row_of(&p, loss.d_out, length, problem_out_width(&p), row),
                             .d_h_n = row_of(&p, loss.d_h_n, blocks, problem_width(&p), row),
                             .d_c_n = row_of(&p, loss.d_c_n, blocks, p.config.hidden_size, row) };
        outcome expected = outcome_row(&p, &o, row, length), got;
        gradients alone;
        run(&one, 0, 1, WLSTM_SCHEDULE_AUTO, &of_row, &got, &alone);
        gradients row_of_all = { .d_x = row_of(&p, all.d_x, length, p.config.input_size, row),
                                 .d_h_0 = row_of(&p, all.d_h_0, blocks, problem_width(&p), row),
                                 .d_c_0 = row_of(&p, all.d_c_0, blocks, p.config.hidden_size, row) };
        row_of_all.d_parameters = test_allocate(p.config.dtype, alone.parameters);
        memcpy(row_of_all.d_parameters, alone.d_parameters, (size_t)alone.parameters * dtype_size(p.config.dtype));
        assert_true(outcomes_agree(&one, "row", &got, &expected, true));
        assert_true(gradients_agree(&one, "row", &alone, &row_of_all, true));
        gradients_free(&row_of_all, false);
        outcome_free(&o), outcome_free(&expected), outcome_free(&got);
        gradients_free(&alone, false), gradients_free(&all, false), gradients_free(&of_row, true);
        gradients_free(&loss, true);
        problem_free(&one), problem_free(&p);
    }
}

static void recomputation_does_not_change_a_bit(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 4; ++round) {
        problem p = problem_draw_for_training(&stream);
        p.config.bidirectional = 0;
        p.seq_len = random_between(&stream, 1, 60), p.batch = random_between(&stream, 1, 40);
        if (random_flag(&stream)) p.config.dropout = 0.5;
        problem_build(&p, &stream);
        gradients loss = gradients_create(&p, &stream), expected, got;
        outcome o, of_all;
        run(&p, 0, 1, WLSTM_SCHEDULE_AUTO, &loss, &of_all, &expected);
        for (int n = 0; n < 6; ++n) {
            const int64_t recompute_steps = random_between(&stream, 1, p.seq_len + 1);
            run(&p, recompute_steps, 1 + n % 5, random_schedule(&stream), &loss, &o, &got);
            assert_true(outcomes_agree(&p, "recomputation", &o, &of_all, true));
            assert_true(gradients_agree(&p, "recomputation", &got, &expected, true));
            outcome_free(&o), gradients_free(&got, false);
        }
        outcome_free(&of_all), gradients_free(&expected, false), gradients_free(&loss, true);
        problem_free(&p);
    }
}

/* Two passes forward, then both back in any order, on tapes of the caller's that are not aligned. */
static void tapes_are_independent(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 3; ++round) {
        problem p = draw(&stream, round);
        wlstm_trainer *trainer = problem_trainer(&p, 0, 2, random_schedule(&stream));
        gradients first = gradients_create(&p, &stream), second = gradients_create(&p, &stream);
        gradients alone = gradients_like(&p, &first), alone_too = gradients_like(&p, &second);
        outcome o[4];
        size_t bytes;
        assert_int_equal(wlstm_trainer_tape_bytes(trainer, p.seq_len, p.batch, &bytes), WLSTM_OK);
        char *memory = malloc(bytes + 8);
        assert_non_null(memory);
        assert_int_equal(problem_train(&p, trainer, SEED, NULL, &o[0]), WLSTM_OK);
        assert_int_equal(problem_back(trainer, NULL, &alone), WLSTM_OK);
        assert_int_equal(problem_train(&p, trainer, SEED + 1, NULL, &o[1]), WLSTM_OK);
        assert_int_equal(problem_back(trainer, NULL, &alone_too), WLSTM_OK);
        assert_int_equal(problem_train(&p, trainer, SEED, memory + 8, &o[2]), WLSTM_OK);
        assert_int_equal(problem_train(&p, trainer, SEED + 1, NULL, &o[3]), WLSTM_OK);
        const bool in_order = random_flag(&stream);
        assert_int_equal(problem_back(trainer, in_order ? memory + 8 : NULL, in_order ? &first : &second), WLSTM_OK);
        assert_int_equal(problem_back(trainer, in_order ? NULL : memory + 8, in_order ? &second : &first), WLSTM_OK);
        assert_true(gradients_agree(&p, "first tape", &first, &alone, true));
        assert_true(gradients_agree(&p, "second tape", &second, &alone_too, true));
        for (int i = 0; i < 4; ++i) outcome_free(&o[i]);
        gradients_free(&alone, false), gradients_free(&alone_too, false);
        gradients_free(&first, true), gradients_free(&second, true);
        free(memory);
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

/* Adds one pass's gradients to another's, which are what each alone leaves. */
static void gradients_accumulate(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 3; ++round) {
        problem p = draw(&stream, round);
        wlstm_trainer *trainer = problem_trainer(&p, 0, 2, random_schedule(&stream));
        gradients once = gradients_create(&p, &stream), twice = gradients_like(&p, &once);
        outcome o;
        void *values;
        assert_int_equal(problem_train(&p, trainer, SEED, NULL, &o), WLSTM_OK);
        assert_int_equal(problem_back(trainer, NULL, &once), WLSTM_OK);
        outcome_free(&o);
        assert_int_equal(problem_train(&p, trainer, SEED, NULL, &o), WLSTM_OK);
        assert_int_equal(wlstm_trainer_backward(trainer, NULL, once.d_out, once.d_h_n, once.d_c_n, twice.d_x,
                                                twice.d_h_0, twice.d_c_0, 1),
                         WLSTM_OK);
        assert_int_equal(wlstm_trainer_gradients(trainer, &values, NULL), WLSTM_OK);
        for (int64_t i = 0; i < once.parameters; ++i) {
            const double sum = tensor_at(p.config.dtype, values, i),
                         part = tensor_at(p.config.dtype, once.d_parameters, i);
            const double off = sum > 2 * part ? sum - 2 * part : 2 * part - sum;
            assert_true(off <= (p.config.dtype == WLSTM_F64 ? 1e-12 : 1e-4));
        }
        memcpy(twice.d_parameters, once.d_parameters, (size_t)once.parameters * dtype_size(p.config.dtype));
        assert_true(gradients_agree(&p, "second pass", &twice, &once, true));
        outcome_free(&o);
        gradients_free(&twice, false), gradients_free(&once, true);
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

/* What was told of, as it was then, in its place. */
typedef struct watched {
    const char *flat;
    char *copy;
    pthread_t caller;
    int64_t told, calls;
    int directions;
    const char *end, *layer; /* of what was not told yet; of the layer that is being told */
} watched;

static void watch(void *context, wlstm_dtype dtype, void *values, int64_t count) {
    watched *w = context;
    assert_true(pthread_equal(pthread_self(), w->caller));
    if (w->calls % w->directions == 0) w->layer = values;
    if ((w->calls + 1) % w->directions == 0) { /* the last layer first */
        assert_ptr_equal((const char *)values + (size_t)count * dtype_size(dtype), w->end);
        w->end = w->layer;
    }
    memcpy(w->copy + ((const char *)values - w->flat), values, (size_t)count * dtype_size(dtype));
    w->told += count, w->calls++;
}

/* Each cell once, by the calling thread, of a batch without rows too. */
static void gradients_are_complete_when_told(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS / 2; ++round) {
        problem p = draw(&stream, round);
        const int64_t recompute = p.config.bidirectional || random_flag(&stream) ? 0 : random_between(&stream, 1, 5);
        wlstm_trainer *trainer =
            problem_trainer(&p, recompute, (int)random_between(&stream, 1, 4), random_schedule(&stream));
        gradients g = gradients_create(&p, &stream);
        void *flat;
        outcome o;
        assert_int_equal(wlstm_trainer_gradients(trainer, &flat, NULL), WLSTM_OK);
        for (int rows = 1; rows >= 0; --rows) {
            const char *end = (const char *)flat + (size_t)g.parameters * dtype_size(p.config.dtype);
            watched w = { .flat = flat,
                          .copy = test_allocate(p.config.dtype, g.parameters),
                          .caller = pthread_self(),
                          .directions = p.config.bidirectional ? 2 : 1,
                          .end = end };
            assert_int_equal(wlstm_trainer_watch_gradients(trainer, watch, &w), WLSTM_OK);
            if (!rows) p.batch = 0;
            assert_int_equal(problem_train(&p, trainer, SEED, NULL, &o), WLSTM_OK);
            assert_int_equal(problem_back(trainer, NULL, &g), WLSTM_OK);
            assert_int_equal(w.told, g.parameters);
            assert_int_equal(w.calls, problem_blocks(&p));
            assert_memory_equal(w.copy, flat, (size_t)g.parameters * dtype_size(p.config.dtype));
            assert_int_equal(wlstm_trainer_watch_gradients(trainer, NULL, NULL), WLSTM_OK);
            outcome_free(&o), test_release(w.copy);
        }
        gradients_free(&g, true);
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_those_of_the_reference),
        cmocka_unit_test(threads_and_schedules_do_not_change_a_bit),
        cmocka_unit_test(regions_do_not_change_a_bit),
        cmocka_unit_test(rows_do_not_touch_each_other),
        cmocka_unit_test(recomputation_does_not_change_a_bit),
        cmocka_unit_test(tapes_are_independent),
        cmocka_unit_test(gradients_accumulate),
        cmocka_unit_test(gradients_are_complete_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
