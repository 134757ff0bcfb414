/* A compact lstm computes what it did with its parameters, bit for bit, however it came to be and is run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "problem.h"
#include "random.h"
#include "scratch_dir.h"

enum { PROBLEMS = 60, RUNS = 4 };

static uint64_t stream;

/* Of all sizes, some so deep that a matrix is packed in several blocks. */
static problem draw(wlstm_precision *precision) {
    problem p = problem_draw(&stream);
    if (random_between(&stream, 0, 3) == 0) p.config.input_size = random_between(&stream, 2000, 5000);
    *precision = WLSTM_PRECISION_DEFAULT;
    if (p.config.dtype != WLSTM_F64) *precision = (wlstm_precision)random_between(&stream, 0, WLSTM_PRECISION_INT8);
    problem_build(&p, &stream);
    assert_int_equal(wlstm_lstm_set_precision(p.lstm, *precision), WLSTM_OK);
    return p;
}

/* Loads what the lstm saves, compact, or takes the lstm itself. */
static problem make_compact(const problem *p, wlstm_precision precision, bool in_place) {
    problem compact = *p;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    const char *path = scratch_path("model.safetensors");
    compact.owns_lstm = !in_place;
    if (in_place) {
        assert_int_equal(wlstm_lstm_compact(p->lstm), WLSTM_OK);
        return compact;
    }
    options.batch_first = p->config.batch_first, options.compact = 1, options.precision = precision;
    options.convert = 1, options.dtype = p->config.dtype;
    assert_int_equal(wlstm_lstm_save(p->lstm, path, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_load(path, &options, &compact.lstm), WLSTM_OK);
    return compact;
}

/* Any options but those that name another backend or precision. */
static void run_by_any_plan(const problem *p, const outcome *expected) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    outcome o;
    options.max_seq_len = p->seq_len + random_between(&stream, 0, 50);
    options.max_batch = p->batch + random_between(&stream, 0, 50);
    options.num_threads = (int)random_between(&stream, 0, 4);
    options.schedule = (wlstm_schedule)random_between(&stream, 0, WLSTM_SCHEDULE_GANGS);
    options.chunk_steps = random_between(&stream, 0, 5);
    options.deterministic = random_flag(&stream);
    options.effort = (wlstm_effort)random_between(&stream, 0, WLSTM_EFFORT_PATIENT);
    options.backend = random_flag(&stream) ? WLSTM_BACKEND_NATIVE : WLSTM_BACKEND_AUTO;
    assert_int_equal(wlstm_plan_create(p->lstm, &options, &plan), WLSTM_OK);
    assert_int_equal(problem_execute(p, plan, &o), WLSTM_OK);
    assert_true(outcomes_agree(p, wlstm_plan_describe(plan), &o, expected, true));
    outcome_free(&o);
    wlstm_plan_free(plan);
}

static void a_compact_lstm_computes_the_same(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        wlstm_precision precision;
        problem p = draw(&precision);
        outcome expected, o;
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_NATIVE, &expected), WLSTM_OK);
        problem compact = make_compact(&p, precision, random_flag(&stream));
        assert_int_equal(problem_forward(&compact, &o), WLSTM_OK);
        assert_true(outcomes_agree(&p, "compact", &o, &expected, true));
        outcome_free(&o);
        for (int n = 0; n < RUNS; ++n) run_by_any_plan(&compact, &expected);
        if (compact.owns_lstm) wlstm_lstm_free(compact.lstm);
        outcome_free(&expected);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_compact_lstm_computes_the_same) };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
