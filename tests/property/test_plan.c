/* Plans: smaller problems than the largest, several at once, what they keep of their lstm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 25 / FEWER, THREADS = 4, REPEATS = 20 };

static uint64_t stream;

static void a_plan_runs_all_smaller_problems(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem largest = problem_draw(&stream);
        largest.seq_len = 14, largest.batch = 11;
        problem_build(&largest, &stream);
        wlstm_plan *plan;
        assert_int_equal(problem_plan(&largest, WLSTM_BACKEND_AUTO, (int)random_between(&stream, 1, 3), &plan),
                         WLSTM_OK);
        for (int repeat = 0; repeat < 6; ++repeat) {
            problem p = largest;
            p.seq_len = repeat == 0 ? 1 : random_between(&stream, 1, 14);
            p.batch = repeat == 1 ? 1 : random_between(&stream, 1, 11);
            if (p.lengths) {
                for (int64_t b = 0; b < p.batch; ++b) p.lengths[b] = random_between(&stream, 1, p.seq_len);
            }
            outcome expected, o;
            assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
            assert_int_equal(problem_execute(&p, plan, &o), WLSTM_OK);
            assert_true(outcomes_agree(&p, "smaller than its plan", &o, &expected, false));
            outcome_free(&expected);
            outcome_free(&o);
        }
        wlstm_plan_free(plan);
        problem_free(&largest);
    }
}

/* What one thread runs again and again; cmocka's assertions are for the main thread only. */
typedef struct worker {
    const problem *p;
    wlstm_plan *plan; /* NULL: wlstm_forward */
    const outcome *expected;
    bool agreed;
} worker;

static void *work(void *argument) {
    worker *w = argument;
    w->agreed = true;
    for (int repeat = 0; repeat < REPEATS && w->agreed; ++repeat) {
        outcome o;
        const wlstm_status status = w->plan ? problem_execute(w->p, w->plan, &o) : problem_forward(w->p, &o);
        w->agreed = status == WLSTM_OK && outcomes_agree(w->p, "among threads", &o, w->expected, false);
        outcome_free(&o);
    }
    return NULL;
}

static bool run_workers(worker *workers, int count) {
    pthread_t threads[THREADS];
    bool agreed = true;
    for (int i = 0; i < count; ++i) {
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) abort();
    }
    for (int i = 0; i < count; ++i) {
        pthread_join(threads[i], NULL);
        agreed &= workers[i].agreed;
    }
    return agreed;
}

static void two_plans_of_one_lstm_run_at_once(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        outcome expected;
        worker workers[2];
        problem_build(&p, &stream);
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        for (int i = 0; i < 2; ++i) {
            workers[i] = (worker){ .p = &p, .expected = &expected };
            assert_int_equal(problem_plan(&p, WLSTM_BACKEND_AUTO, 1 + i, &workers[i].plan), WLSTM_OK);
        }
        assert_true(run_workers(workers, 2));
        for (int i = 0; i < 2; ++i) wlstm_plan_free(workers[i].plan);
        outcome_free(&expected);
        problem_free(&p);
    }
}

/* The first calls of all at once, so that they race to make the lstm's own plan; each thread a problem size of its own. */
static void one_lstm_runs_forward_on_many_threads(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        problem smaller[THREADS];
        outcome expected[THREADS];
        worker workers[THREADS];
        problem_build(&p, &stream);
        for (int i = 0; i < THREADS; ++i) {
            smaller[i] = p;
            smaller[i].batch = random_between(&stream, 1, p.batch);
            assert_int_equal(problem_run(&smaller[i], WLSTM_BACKEND_REFERENCE, &expected[i]), WLSTM_OK);
            workers[i] = (worker){ .p = &smaller[i], .expected = &expected[i] };
        }
        assert_true(run_workers(workers, THREADS));
        for (int i = 0; i < THREADS; ++i) outcome_free(&expected[i]);
        problem_free(&p);
    }
}

static void a_plan_outlives_its_lstm(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
            problem p = problem_draw(&stream);
            wlstm_plan *plan;
            problem_build(&p, &stream);
            const wlstm_status status = problem_plan(&p, (wlstm_backend)backend, 2, &plan);
            if (status == WLSTM_OK) {
                outcome before, after;
                assert_int_equal(problem_execute(&p, plan, &before), WLSTM_OK);
                wlstm_lstm_free(p.lstm);
                p.owns_lstm = false;
                assert_int_equal(problem_execute(&p, plan, &after), WLSTM_OK);
                assert_true(outcomes_agree(&p, "its lstm freed", &after, &before, true));
                outcome_free(&before);
                outcome_free(&after);
            } else {
                assert_int_equal(status, WLSTM_ERROR_UNSUPPORTED);
                assert_true(backend >= WLSTM_BACKEND_ONEDNN);
            }
            wlstm_plan_free(plan);
            problem_free(&p);
        }
    }
}

/* A new weight_hh_l0: a plan made before keeps the old one, wlstm_forward and new plans take the new one. */
static void plans_keep_the_parameters_they_were_made_with(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
            problem p = problem_draw(&stream);
            wlstm_plan *plan;
            outcome before, kept, forward, expected;
            p.with_states = true; /* so that weight_hh counts from the first step */
            problem_build(&p, &stream);
            const wlstm_status status = problem_plan(&p, (wlstm_backend)backend, 1, &plan);
            if (status == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) {
                problem_free(&p);
                continue;
            }
            assert_int_equal(status, WLSTM_OK);
            assert_int_equal(problem_execute(&p, plan, &before), WLSTM_OK);
            assert_int_equal(problem_forward(&p, &forward), WLSTM_OK); /* wlstm_forward's own plan, soon out of date */
            outcome_free(&forward);

            const int64_t count = 4 * p.config.hidden_size * problem_width(&p);
            void *weight_hh = test_allocate(p.config.dtype, count);
            random_fill(p.config.dtype, weight_hh, count, (uint64_t)random_between(&stream, 0, 1000000), 0);
            assert_int_equal(wlstm_lstm_set_parameter(p.lstm, "weight_hh_l0", weight_hh, count), WLSTM_OK);
            assert_int_equal(problem_execute(&p, plan, &kept), WLSTM_OK);
            assert_true(outcomes_agree(&p, "a plan made before", &kept, &before, true));
            assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
            assert_int_equal(problem_forward(&p, &forward), WLSTM_OK);
            assert_true(outcomes_agree(&p, "wlstm_forward after set_parameter", &forward, &expected, false));
            assert_memory_not_equal(expected.c_n, before.c_n, (size_t)problem_c_count(&p) * dtype_size(p.config.dtype));

            test_release(weight_hh);
            outcome_free(&before);
            outcome_free(&kept);
            outcome_free(&forward);
            outcome_free(&expected);
            wlstm_plan_free(plan);
            problem_free(&p);
        }
    }
}

static void a_plan_says_what_it_is(void **state) {
    (void)state;
    problem p = problem_draw(&stream);
    problem_build(&p, &stream);
    wlstm_plan *plan;
    size_t weight_bytes = 0, scratch_bytes = 0;
    assert_int_equal(problem_plan(&p, WLSTM_BACKEND_REFERENCE, 1, &plan), WLSTM_OK);
    assert_non_null(strstr(wlstm_plan_describe(plan), "reference"));
    assert_null(strstr(wlstm_plan_describe(plan), ", estimated"));
    wlstm_plan_free(plan);
    assert_int_equal(problem_plan(&p, WLSTM_BACKEND_AUTO, 1, &plan), WLSTM_OK);
    assert_null(strchr(wlstm_plan_describe(plan), '\n'));
    assert_non_null(strstr(wlstm_plan_describe(plan), ": project and step native "));
    assert_non_null(strstr(wlstm_plan_describe(plan), ", 1 thread, weights "));
    assert_non_null(strstr(wlstm_plan_describe(plan), " MB, estimated"));
    assert_int_equal(wlstm_plan_memory(plan, &weight_bytes, &scratch_bytes), WLSTM_OK);
    assert_int_equal(wlstm_plan_memory(plan, NULL, NULL), WLSTM_OK);
    assert_true(scratch_bytes > 0); /* weight_bytes is 0 where the parameters are used as they are */
    wlstm_plan_free(plan);
    problem_free(&p);
}

/* What is asked for by name is not replaced by something else. */
static void an_explicit_backend_that_cannot_serve_fails(void **state) {
    (void)state;
    for (int f64 = 0; f64 < 2; ++f64) {
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
        wlstm_lstm *lstm;
        wlstm_plan *plan;
        config.input_size = 3, config.hidden_size = 2, config.dtype = f64 ? WLSTM_F64 : WLSTM_F32;
        options.max_seq_len = 1, options.max_batch = 1, options.backend = WLSTM_BACKEND_ONEDNN;
        options.deterministic = !f64;
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_ERROR_UNSUPPORTED);
        assert_null(plan);
        assert_non_null(strstr(wlstm_last_error(), "backend"));
        wlstm_lstm_free(lstm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_runs_all_smaller_problems),
        cmocka_unit_test(two_plans_of_one_lstm_run_at_once),
        cmocka_unit_test(one_lstm_runs_forward_on_many_threads),
        cmocka_unit_test(a_plan_outlives_its_lstm),
        cmocka_unit_test(plans_keep_the_parameters_they_were_made_with),
        cmocka_unit_test(a_plan_says_what_it_is),
        cmocka_unit_test(an_explicit_backend_that_cannot_serve_fails),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
