/* Rounded products: a row's bits depend on nothing but the row: not on the rest of the batch, on how the sequence is
 * cut into calls, on lengths and padding, or on threads; what is not finite stays in its row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 30 };

static uint64_t stream;

static problem rounded_problem(bool streamed) {
    problem p = problem_draw(&stream);
    p.config.dtype = WLSTM_F32; /* of whose arrays it makes magnitudes */
    if (streamed) p.config.bidirectional = p.config.batch_first = 0, p.with_lengths = false;
    problem_build(&p, &stream);
    assert_int_equal(
        wlstm_lstm_set_precision(p.lstm, random_flag(&stream) ? WLSTM_PRECISION_BF16 : WLSTM_PRECISION_INT8), WLSTM_OK);
    return p;
}

/* Rows of magnitudes that are far apart, as a scale for the whole batch would lose the small ones. */
static void scale_rows(const problem *p) {
    float *x = p->x;
    for (int64_t t = 0; t < p->seq_len; ++t)
        for (int64_t b = 0; b < p->batch; ++b) {
            float *row = x + (p->config.batch_first ? b * p->seq_len + t : t * p->batch + b) * p->config.input_size;
            for (int64_t i = 0; i < p->config.input_size; ++i) row[i] = ldexpf(row[i], (int)(b % 3) * 8 - 8);
        }
}

static outcome run(const problem *p, int num_threads) {
    wlstm_plan *plan;
    outcome o;
    assert_int_equal(problem_plan(p, WLSTM_BACKEND_NATIVE, num_threads, &plan), WLSTM_OK);
    assert_int_equal(problem_execute(p, plan, &o), WLSTM_OK);
    wlstm_plan_free(plan);
    return o;
}

static void check_row(const problem *p, const outcome *whole, int64_t b, const char *what) {
    const int64_t length = p->lengths ? p->lengths[b] : p->seq_len;
    problem alone = problem_row(p, b, length);
    outcome row = outcome_row(p, whole, b, length), expected = run(&alone, 1);
    assert_true(outcomes_agree(&alone, what, &row, &expected, true));
    outcome_free(&row);
    outcome_free(&expected);
    problem_free(&alone);
}

static void a_row_alone_is_the_row_in_any_batch(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = rounded_problem(false);
        scale_rows(&p);
        outcome o = run(&p, (int)random_between(&stream, 1, 3));
        for (int64_t b = 0; b < p.batch; ++b) check_row(&p, &o, b, "in a batch");
        outcome_free(&o);
        problem_free(&p);
    }
}

static void steps_and_chunks_are_the_sequence(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = rounded_problem(true);
        outcome whole = run(&p, 2), parts = outcome_create(&p);
        const int64_t longest = random_flag(&stream) ? 1 : 5;
        const void *h = p.h_0, *c = p.c_0;
        for (int64_t t = 0, steps; t < p.seq_len; t += steps) {
            const float *x = (const float *)p.x + t * p.batch * p.config.input_size;
            float *out = (float *)parts.out + t * p.batch * problem_out_width(&p);
            steps = random_between(&stream, 1, longest < p.seq_len - t ? longest : p.seq_len - t);
            assert_int_equal(wlstm_forward(p.lstm, steps, p.batch, NULL, x, h, c, out, parts.h_n, parts.c_n), WLSTM_OK);
            h = parts.h_n, c = parts.c_n;
        }
        assert_true(outcomes_agree(&p, "step by step", &parts, &whole, true));
        outcome_free(&parts);
        outcome_free(&whole);
        problem_free(&p);
    }
}

/* NaN, infinity and the largest there is, in one row. */
static void a_spoilt_row_leaves_the_others(void **state) {
    (void)state;
    static const float spoilt[] = { NAN, INFINITY, -INFINITY, 3e38f };
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = rounded_problem(false);
        outcome before = run(&p, 1);
        const int64_t row = random_between(&stream, 0, p.batch - 1);
        const float value = spoilt[random_between(&stream, 0, 3)];
        ((float *)p.x)[row * p.config.input_size * (p.config.batch_first ? p.seq_len : 1)] = value;
        outcome after = run(&p, 2);
        for (int64_t b = 0; b < p.batch; ++b) {
            const int64_t length = p.lengths ? p.lengths[b] : p.seq_len;
            problem alone = problem_row(&p, b, length);
            outcome was = outcome_row(&p, &before, b, length), is = outcome_row(&p, &after, b, length);
            if (b != row)
                assert_true(outcomes_agree(&alone, "beside a spoilt row", &is, &was, true));
            else if (isnan(value))
                for (int64_t i = 0; i < problem_width(&p); ++i) assert_true(isnan(tensor_at(WLSTM_F32, is.out, i)));
            outcome_free(&was);
            outcome_free(&is);
            problem_free(&alone);
        }
        outcome_free(&before);
        outcome_free(&after);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_alone_is_the_row_in_any_batch),
        cmocka_unit_test(steps_and_chunks_are_the_sequence),
        cmocka_unit_test(a_spoilt_row_leaves_the_others),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
