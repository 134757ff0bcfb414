/* Rows: what becomes of a batch row does not depend on the other rows, and what is not finite stays in its row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/number_types.h"
#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 40 };

static uint64_t stream;

static const wlstm_backend backends[] = { WLSTM_BACKEND_REFERENCE, WLSTM_BACKEND_ONEDNN, WLSTM_BACKEND_NATIVE,
                                          (wlstm_backend)TEST_MATMUL };

/* A plan that promises the same bits whatever the neighbours and the threads. */
static wlstm_status run_deterministic(const problem *p, int num_threads, outcome *o) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch;
    options.num_threads = num_threads, options.deterministic = 1;
    wlstm_status status = wlstm_plan_create(p->lstm, &options, &plan);
    if (status == WLSTM_OK) status = problem_execute(p, plan, o);
    wlstm_plan_free(plan);
    return status;
}

static void a_row_alone_is_the_row_in_a_batch(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        p.with_lengths = false;
        problem_build(&p, &stream);
        const int64_t b = random_between(&stream, 0, p.batch - 1);
        problem alone = problem_row(&p, b, p.seq_len);
        for (size_t i = 0; i < sizeof backends / sizeof backends[0]; ++i) {
            outcome whole, expected;
            const wlstm_status status = problem_run(&p, backends[i], &whole);
            if (status == WLSTM_ERROR_UNSUPPORTED && backends[i] != WLSTM_BACKEND_REFERENCE) continue;
            assert_int_equal(status, WLSTM_OK);
            assert_int_equal(problem_run(&alone, backends[i], &expected), WLSTM_OK);
            outcome row = outcome_row(&p, &whole, b, p.seq_len);
            assert_true(outcomes_agree(&alone, backend_name(backends[i]), &row, &expected,
                                       backends[i] == WLSTM_BACKEND_REFERENCE));
            outcome_free(&whole);
            outcome_free(&expected);
            outcome_free(&row);
        }
        problem_free(&alone);
        problem_free(&p);
    }
}

static void deterministic_plans_give_a_row_the_same_bits(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        p.with_lengths = false;
        if (k % 2) /* sizes at which one row may take narrower vectors than several */
            p.config.hidden_size = random_between(&stream, 1, 8), p.config.proj_size = 0;
        problem_build(&p, &stream);
        const int64_t b = random_between(&stream, 0, p.batch - 1);
        problem alone = problem_row(&p, b, p.seq_len);
        outcome whole, expected, threaded;
        assert_int_equal(run_deterministic(&p, 1, &whole), WLSTM_OK);
        assert_int_equal(run_deterministic(&p, 3, &threaded), WLSTM_OK);
        assert_true(outcomes_agree(&p, "deterministic, 3 threads and 1", &threaded, &whole, true));
        assert_int_equal(run_deterministic(&alone, 1, &expected), WLSTM_OK);
        outcome row = outcome_row(&p, &whole, b, p.seq_len);
        assert_true(outcomes_agree(&alone, "deterministic, in a batch and alone", &row, &expected, true));
        outcome_free(&whole);
        outcome_free(&threaded);
        outcome_free(&expected);
        outcome_free(&row);
        problem_free(&alone);
        problem_free(&p);
    }
}

/* Writes `value` to one element of row b of x, at a random time. */
static void spoil_row(const problem *p, int64_t b, double value) {
    const int64_t t = random_between(&stream, 0, p->seq_len - 1);
    const int64_t line = p->config.batch_first ? b * p->seq_len + t : t * p->batch + b;
    const int64_t at = line * p->config.input_size + random_between(&stream, 0, p->config.input_size - 1);
    wli_put(p->config.dtype, p->x, (size_t)at, value);
}

static bool has_nan(const problem *alone, const outcome *o) {
    bool found = false;
    for (int64_t i = 0; i < problem_out_count(alone); ++i) found |= isnan(tensor_at(alone->config.dtype, o->out, i));
    return found;
}

static void what_is_not_finite_stays_in_its_row(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        p.with_lengths = false;
        p.batch = random_between(&stream, 2, 9);
        problem_build(&p, &stream);
        const int64_t spoilt = random_between(&stream, 0, p.batch - 1);
        for (size_t i = 0; i < sizeof backends / sizeof backends[0]; ++i) {
            const bool with_nan = random_flag(&stream);
            outcome before, after;
            const wlstm_status status = problem_run(&p, backends[i], &before);
            if (status == WLSTM_ERROR_UNSUPPORTED && backends[i] != WLSTM_BACKEND_REFERENCE) continue;
            assert_int_equal(status, WLSTM_OK);
            spoil_row(&p, spoilt, with_nan ? NAN : INFINITY);
            assert_int_equal(problem_run(&p, backends[i], &after), WLSTM_OK);
            for (int64_t b = 0; b < p.batch; ++b) {
                problem alone = problem_row(&p, b, p.seq_len);
                outcome expected = outcome_row(&p, &before, b, p.seq_len);
                outcome row = outcome_row(&p, &after, b, p.seq_len);
                if (b != spoilt) {
                    assert_true(outcomes_agree(&alone, backend_name(backends[i]), &row, &expected,
                                               backends[i] == WLSTM_BACKEND_REFERENCE));
                } else if (with_nan) {
                    assert_true(has_nan(&alone, &row));
                }
                outcome_free(&expected);
                outcome_free(&row);
                problem_free(&alone);
            }
            outcome_free(&before);
            outcome_free(&after);
        }
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_alone_is_the_row_in_a_batch),
        cmocka_unit_test(deterministic_plans_give_a_row_the_same_bits),
        cmocka_unit_test(what_is_not_finite_stays_in_its_row),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
