/* Lengths: a ragged batch is each row run alone at its own length; out is zero past the end, and what x holds there does
 * not matter. */
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

enum { PROBLEMS = 60 };

static uint64_t stream;

/* Position of (t, b) in a sequence of p, in rows. */
static int64_t line_of(const problem *p, int64_t t, int64_t b) {
    return p->config.batch_first ? b * p->seq_len + t : t * p->batch + b;
}

/* NaN into x past each row's end: padding must never be read into a result. */
static void spoil_padding(const problem *p) {
    for (int64_t b = 0; b < p->batch; ++b) {
        for (int64_t t = p->lengths[b]; t < p->seq_len; ++t) {
            for (int64_t i = 0; i < p->config.input_size; ++i) {
                const int64_t at = line_of(p, t, b) * p->config.input_size + i;
                wli_put(p->config.dtype, p->x, (size_t)at, (double)NAN);
            }
        }
    }
}

static bool zero_past_the_end(const problem *p, const outcome *o) {
    const int64_t width = problem_out_width(p);
    for (int64_t b = 0; b < p->batch; ++b) {
        for (int64_t t = p->lengths[b]; t < p->seq_len; ++t) {
            for (int64_t i = 0; i < width; ++i) {
                if (tensor_at(p->config.dtype, o->out, line_of(p, t, b) * width + i) != 0.0) return false;
            }
        }
    }
    return true;
}

static void check_rows(const problem *p, const char *what, const outcome *o) {
    assert_true(zero_past_the_end(p, o));
    for (int64_t b = 0; b < p->batch; ++b) {
        problem alone = problem_row(p, b, p->lengths[b]);
        outcome expected, row = outcome_row(p, o, b, p->lengths[b]);
        assert_int_equal(problem_run(&alone, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        assert_true(outcomes_agree(&alone, what, &row, &expected, false));
        outcome_free(&row);
        outcome_free(&expected);
        problem_free(&alone);
    }
}

static problem ragged_problem(void) {
    problem p = problem_draw(&stream);
    p.with_lengths = true;
    problem_build(&p, &stream);
    return p;
}

static void a_ragged_batch_is_its_rows(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = ragged_problem();
        spoil_padding(&p);
        for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
            outcome o;
            const wlstm_status status = problem_run(&p, (wlstm_backend)backend, &o);
            if (status == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
            assert_int_equal(status, WLSTM_OK);
            check_rows(&p, backend_name((wlstm_backend)backend), &o);
            outcome_free(&o);
        }
        problem_free(&p);
    }
}

static void wlstm_forward_takes_lengths(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = ragged_problem();
        outcome o;
        assert_int_equal(problem_forward(&p, &o), WLSTM_OK);
        check_rows(&p, "wlstm_forward", &o);
        outcome_free(&o);
        problem_free(&p);
    }
}

static void full_lengths_are_no_lengths(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = ragged_problem();
        outcome ragged, full;
        for (int64_t b = 0; b < p.batch; ++b) p.lengths[b] = p.seq_len;
        assert_int_equal(problem_forward(&p, &ragged), WLSTM_OK);
        problem without = p;
        without.lengths = NULL;
        assert_int_equal(problem_forward(&without, &full), WLSTM_OK);
        assert_true(outcomes_agree(&p, "lengths all T", &ragged, &full, false));
        outcome_free(&ragged);
        outcome_free(&full);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ragged_batch_is_its_rows),
        cmocka_unit_test(wlstm_forward_takes_lengths),
        cmocka_unit_test(full_lengths_are_no_lengths),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
