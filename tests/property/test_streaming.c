/* Streaming: a sequence fed one step, or one chunk, at a time with the states carried is the whole sequence at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 40 };

static uint64_t stream;

static problem streaming_problem(void) {
    problem p = problem_draw(&stream);
    p.config.bidirectional = 0; /* the reverse direction needs the whole sequence */
    p.config.batch_first = 0;   /* so that a chunk of time is one block of memory */
    p.with_lengths = false;
    problem_build(&p, &stream);
    return p;
}

/* Runs p in chunks of 1 to max_chunk steps; the states go from call to call in place. */
static outcome run_in_chunks(const problem *p, wlstm_plan *plan, int64_t max_chunk) {
    const outcome o = outcome_create(p);
    const void *h = p->h_0, *c = p->c_0;
    for (int64_t t = 0, steps; t < p->seq_len; t += steps) {
        steps = random_between(&stream, 1, max_chunk < p->seq_len - t ? max_chunk : p->seq_len - t);
        const size_t size = dtype_size(p->config.dtype), row = (size_t)(t * p->batch);
        const char *x = (const char *)p->x + row * (size_t)p->config.input_size * size;
        char *out = (char *)o.out + row * (size_t)problem_out_width(p) * size;
        const wlstm_status status = plan ? wlstm_plan_execute(plan, steps, p->batch, NULL, x, h, c, out, o.h_n, o.c_n)
                                         : wlstm_forward(p->lstm, steps, p->batch, NULL, x, h, c, out, o.h_n, o.c_n);
        assert_int_equal(status, WLSTM_OK);
        h = o.h_n, c = o.c_n;
    }
    return o;
}

static void chunks_equal_whole(int64_t max_chunk, bool by_plan) {
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = streaming_problem();
        wlstm_plan *plan = NULL;
        outcome whole;
        assert_int_equal(problem_forward(&p, &whole), WLSTM_OK);
        if (by_plan) assert_int_equal(problem_plan(&p, WLSTM_BACKEND_AUTO, 0, &plan), WLSTM_OK);
        outcome chunked = run_in_chunks(&p, plan, max_chunk);
        assert_true(outcomes_agree(&p, "in chunks", &chunked, &whole, false));
        wlstm_plan_free(plan);
        outcome_free(&whole);
        outcome_free(&chunked);
        problem_free(&p);
    }
}

static void steps_equal_whole(void **state) {
    (void)state;
    chunks_equal_whole(1, false);
}

static void random_chunks_equal_whole(void **state) {
    (void)state;
    chunks_equal_whole(7, false);
}

static void a_plan_streams_steps(void **state) {
    (void)state;
    chunks_equal_whole(1, true);
}

static void a_plan_streams_chunks(void **state) {
    (void)state;
    chunks_equal_whole(7, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_equal_whole),
        cmocka_unit_test(random_chunks_equal_whole),
        cmocka_unit_test(a_plan_streams_steps),
        cmocka_unit_test(a_plan_streams_chunks),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
