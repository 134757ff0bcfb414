/* Schedules by name: what is asked for runs where the lstm can have it, with the same bits; where it cannot, the plan
 * says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problem.h"
#include "random.h"

enum { PROBLEMS = 60 };

static uint64_t stream;

static wlstm_plan *make_plan_by(const problem *p, wlstm_backend backend, int num_threads, wlstm_schedule schedule,
                                int64_t chunk_steps) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch, options.num_threads = num_threads;
    options.backend = backend, options.schedule = schedule, options.chunk_steps = chunk_steps;
    assert_int_equal(wlstm_plan_create(p->lstm, &options, &plan), WLSTM_OK);
    return plan;
}

/* Native, so that bits are promised. */
static wlstm_plan *make_plan(const problem *p, int num_threads, wlstm_schedule schedule, int64_t chunk_steps) {
    return make_plan_by(p, WLSTM_BACKEND_NATIVE, num_threads, schedule, chunk_steps);
}

/* What the description has of a schedule that runs, and of one that cannot. */
static const char *expected_words(const problem *p, int num_threads, wlstm_schedule schedule) {
    const bool cells = problem_blocks(p) > 1, shared = cells || p->batch > 1 || p->config.hidden_size >= 32;
    switch (schedule) {
    case WLSTM_SCHEDULE_SERIAL:
        return " 1 thread, ";
    case WLSTM_SCHEDULE_WAVEFRONT:
        return num_threads > 1 && cells ? " as wavefront, " : " (no wavefront), ";
    default:
        return num_threads > 1 && shared ? " as gangs, " : " 1 thread (no gangs), ";
    }
}

static void check_words(const problem *p, int num_threads, wlstm_schedule schedule, const wlstm_plan *plan) {
    const char *words = expected_words(p, num_threads, schedule);
    if (!strstr(wlstm_plan_describe(plan), words))
        fail_msg("%s, %d threads: \"%s\" expected, got \"%s\"", p->name, num_threads, words, wlstm_plan_describe(plan));
}

/* oneDNN has the schedules that native kernels have, and the reference's results. */
static void a_named_schedule_runs_by_onednn(void **state) {
    (void)state;
    if (omp_get_num_procs() < 2 || strstr(wlstm_build_info(), "no oneDNN")) skip();
    for (int k = 0; k < PROBLEMS / 2; ++k) {
        problem p = problem_draw(&stream);
        outcome expected, o;
        p.config.dtype = WLSTM_F32;
        problem_build(&p, &stream);
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        for (int schedule = WLSTM_SCHEDULE_SERIAL; schedule <= WLSTM_SCHEDULE_GANGS; ++schedule) {
            wlstm_plan *plan = make_plan_by(&p, WLSTM_BACKEND_ONEDNN, 2, (wlstm_schedule)schedule, k % 3);
            check_words(&p, 2, (wlstm_schedule)schedule, plan);
            assert_non_null(strstr(wlstm_plan_describe(plan), "project and step onednn "));
            assert_int_equal(problem_execute(&p, plan, &o), WLSTM_OK);
            assert_true(outcomes_agree(&p, wlstm_plan_describe(plan), &o, &expected, false));
            outcome_free(&o);
            wlstm_plan_free(plan);
        }
        outcome_free(&expected);
        problem_free(&p);
    }
}

static void a_named_schedule_runs_with_the_same_bits(void **state) {
    (void)state;
    static const int64_t chunks[] = { 0, 1, 2, 5, INT64_MAX };
    if (omp_get_num_procs() < 2) skip();
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        problem_build(&p, &stream);
        wlstm_plan *serial = make_plan(&p, 1, WLSTM_SCHEDULE_AUTO, 0);
        outcome expected, o;
        assert_int_equal(problem_execute(&p, serial, &expected), WLSTM_OK);
        for (int schedule = WLSTM_SCHEDULE_SERIAL; schedule <= WLSTM_SCHEDULE_GANGS; ++schedule)
            for (int num_threads = 1; num_threads <= 2; ++num_threads) {
                const int64_t chunk = chunks[random_between(&stream, 0, 4)];
                wlstm_plan *plan = make_plan(&p, num_threads, (wlstm_schedule)schedule, chunk);
                check_words(&p, num_threads, (wlstm_schedule)schedule, plan);
                assert_int_equal(problem_execute(&p, plan, &o), WLSTM_OK);
                assert_true(outcomes_agree(&p, wlstm_plan_describe(plan), &o, &expected, true));
                outcome_free(&o);
                wlstm_plan_free(plan);
            }
        outcome_free(&expected);
        wlstm_plan_free(serial);
        problem_free(&p);
    }
}

/* A layer waits for so many steps of the one below. */
static void chunk_steps_are_taken(void **state) {
    (void)state;
    if (omp_get_num_procs() < 2) skip();
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = 20, .batch = 2 };
    p.config.input_size = p.config.hidden_size = 8, p.config.num_layers = 3;
    problem_build(&p, &stream);
    for (int64_t chunk = 1; chunk < 30; chunk += 7)
        for (int schedule = WLSTM_SCHEDULE_WAVEFRONT; schedule <= WLSTM_SCHEDULE_GANGS; ++schedule) {
            wlstm_plan *plan = make_plan(&p, 2, (wlstm_schedule)schedule, chunk);
            char words[32];
            snprintf(words, sizeof words, ", chunk %d,", chunk < 20 ? (int)chunk : 20);
            if (!strstr(wlstm_plan_describe(plan), words))
                fail_msg("\"%s\" expected, got \"%s\"", words, wlstm_plan_describe(plan));
            wlstm_plan_free(plan);
        }
    problem_free(&p);
}

/* The environment's is passed on to a plan of AUTO, an option goes before it: the main() of a second process. */
static int print_plans(void) {
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = 20, .batch = 2 };
    p.config.input_size = p.config.hidden_size = 8, p.config.num_layers = 3;
    problem_build(&p, &stream);
    for (int schedule = WLSTM_SCHEDULE_AUTO; schedule <= WLSTM_SCHEDULE_SERIAL; ++schedule) {
        wlstm_plan *plan = make_plan(&p, 2, (wlstm_schedule)schedule, 0);
        printf("%s\n", wlstm_plan_describe(plan));
        wlstm_plan_free(plan);
    }
    problem_free(&p);
    return 0;
}

static const char *program;

static void the_environment_names_one_too(void **state) {
    (void)state;
    static const char *const names[] = { "wavefront", "gangs" };
    if (omp_get_num_procs() < 2) skip();
    for (int k = 0; k < 2; ++k) {
        char command[600], line[1000], words[32];
        snprintf(command, sizeof command, "WLSTM_SCHEDULE=%s '%s' print-plans 2>&1", names[k], program);
        snprintf(words, sizeof words, " threads as %s, ", names[k]);
        FILE *output = popen(command, "r");
        assert_non_null(output);
        assert_non_null(fgets(line, sizeof line, output));
        if (!strstr(line, words)) fail_msg("\"%s\" expected, got \"%s\"", words, line);
        assert_non_null(fgets(line, sizeof line, output));
        if (!strstr(line, " 1 thread, ")) fail_msg("\" 1 thread, \" expected, got \"%s\"", line);
        assert_int_equal(pclose(output), 0);
    }
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "print-plans") == 0) return print_plans();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_named_schedule_runs_with_the_same_bits),
        cmocka_unit_test(a_named_schedule_runs_by_onednn),
        cmocka_unit_test(chunk_steps_are_taken),
        cmocka_unit_test(the_environment_names_one_too),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
