/* Backends: every one that covers a problem gives what the scalar reference gives, on any number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 300 / FEWER };

static uint64_t stream;
static int ran[TEST_BACKENDS], not_covered[TEST_BACKENDS], out_in_place;

/* h_n into h_0's memory and c_n into c_0's: o gets copies of them. */
static wlstm_status execute_in_place(const problem *p, wlstm_plan *plan, outcome *o) {
    const size_t size = dtype_size(p->config.dtype);
    *o = outcome_create(p);
    memcpy(o->h_n, p->h_0, (size_t)problem_h_count(p) * size);
    memcpy(o->c_n, p->c_0, (size_t)problem_c_count(p) * size);
    return wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, o->h_n, o->c_n, o->out, o->h_n, o->c_n);
}

/* out in h_0's memory, which one layer and direction allow. */
static wlstm_status execute_out_in_place(const problem *p, wlstm_plan *plan, outcome *o) {
    *o = outcome_create(p);
    memcpy(o->out, p->h_0, (size_t)problem_h_count(p) * dtype_size(p->config.dtype));
    return wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, o->out, p->c_0, o->out, o->h_n, o->c_n);
}

/* As problem_execute with h_n and c_n not wanted; o's are filled from `expected`, to compare out alone. */
static wlstm_status execute_out_only(const problem *p, wlstm_plan *plan, const outcome *expected, outcome *o) {
    const size_t size = dtype_size(p->config.dtype);
    *o = outcome_create(p);
    memcpy(o->h_n, expected->h_n, (size_t)problem_h_count(p) * size);
    memcpy(o->c_n, expected->c_n, (size_t)problem_c_count(p) * size);
    return wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o->out, NULL, NULL);
}

static void check_backend(const problem *p, wlstm_backend backend, const outcome *expected) {
    wlstm_plan *plan;
    outcome o;
    const wlstm_status status = problem_plan(p, backend, (int)random_between(&stream, 1, 4), &plan);
    if (status == WLSTM_ERROR_UNSUPPORTED && (int)backend >= WLSTM_BACKEND_ONEDNN) {
        assert_null(plan);
        ++not_covered[backend];
        return;
    }
    assert_int_equal(status, WLSTM_OK);
    ++ran[backend];
    assert_int_equal(problem_execute(p, plan, &o), WLSTM_OK);
    assert_true(outcomes_agree(p, backend_name(backend), &o, expected, false));

    outcome again;
    assert_int_equal(problem_execute(p, plan, &again), WLSTM_OK);
    assert_true(outcomes_agree(p, "the same plan again", &again, &o, true));
    outcome_free(&o);
    outcome_free(&again);
    if (p->with_states) {
        assert_int_equal(execute_in_place(p, plan, &o), WLSTM_OK);
        assert_true(outcomes_agree(p, "in place", &o, expected, false));
        outcome_free(&o);
    }
    if (p->with_states && problem_blocks(p) == 1) {
        ++out_in_place;
        assert_int_equal(execute_out_in_place(p, plan, &o), WLSTM_OK);
        assert_true(outcomes_agree(p, "out in h_0's place", &o, expected, false));
        outcome_free(&o);
    }
    assert_int_equal(execute_out_only(p, plan, expected, &o), WLSTM_OK);
    assert_true(outcomes_agree(p, "without h_n and c_n", &o, expected, false));
    outcome_free(&o);
    wlstm_plan_free(plan);
}

static void every_backend_gives_the_reference(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        outcome expected;
        if (k == 0) p.config.num_layers = 1, p.config.bidirectional = 0, p.with_states = true;
        problem_build(&p, &stream);
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        for (int backend = 0; backend < TEST_BACKENDS; ++backend) check_backend(&p, (wlstm_backend)backend, &expected);
        outcome_free(&expected);
        problem_free(&p);
    }
    assert_true(out_in_place > 0);
    for (int backend = 0; backend < TEST_BACKENDS; ++backend) {
        printf("%s: %d problems run, %d not covered\n", backend_name((wlstm_backend)backend), ran[backend],
               not_covered[backend]);
    }
}

/* NULL h_0 or c_0 is zeros, each by itself. */
static void null_states_are_zeros(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS / 4; ++k) {
        problem p = problem_draw(&stream);
        p.with_states = true;
        problem_build(&p, &stream);
        const size_t size = dtype_size(p.config.dtype);
        const bool drop_h = random_flag(&stream), drop_c = !drop_h || random_flag(&stream);
        if (drop_h) memset(p.h_0, 0, (size_t)problem_h_count(&p) * size);
        if (drop_c) memset(p.c_0, 0, (size_t)problem_c_count(&p) * size);
        problem without = p;
        if (drop_h) without.h_0 = NULL;
        if (drop_c) without.c_0 = NULL;
        for (int backend = 0; backend < TEST_BACKENDS; ++backend) {
            outcome zeros, null;
            const wlstm_status status = problem_run(&p, (wlstm_backend)backend, &zeros);
            if (status == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
            assert_int_equal(status, WLSTM_OK);
            assert_int_equal(problem_run(&without, (wlstm_backend)backend, &null), WLSTM_OK);
            assert_true(outcomes_agree(&p, backend_name((wlstm_backend)backend), &null, &zeros, false));
            outcome_free(&zeros);
            outcome_free(&null);
        }
        problem_free(&p);
    }
}

/* batch 0 succeeds and writes nothing. */
static void an_empty_batch_gives_an_empty_result(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS / 10; ++k) {
        problem p = problem_draw(&stream);
        problem_build(&p, &stream);
        for (int backend = 0; backend < TEST_BACKENDS; ++backend) {
            wlstm_plan *plan;
            const wlstm_status status = problem_plan(&p, (wlstm_backend)backend, 2, &plan);
            if (status == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
            assert_int_equal(status, WLSTM_OK);
            outcome untouched = outcome_create(&p), o = outcome_create(&p);
            assert_int_equal(wlstm_plan_execute(plan, p.seq_len, 0, p.lengths, p.x, p.h_0, p.c_0, o.out, o.h_n, o.c_n),
                             WLSTM_OK);
            assert_int_equal(wlstm_forward(p.lstm, p.seq_len, 0, p.lengths, p.x, p.h_0, p.c_0, o.out, o.h_n, o.c_n),
                             WLSTM_OK);
            assert_true(outcomes_agree(&p, "batch 0", &o, &untouched, true));
            outcome_free(&o);
            outcome_free(&untouched);
            wlstm_plan_free(plan);
        }
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_backend_gives_the_reference),
        cmocka_unit_test(null_states_are_zeros),
        cmocka_unit_test(an_empty_batch_gives_an_empty_result),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
