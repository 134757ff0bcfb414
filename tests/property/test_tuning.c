/* Any choice gives the reference's results; what a search chose does, in this process and in the next one, which finds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/module.h"
#include "plan/cache.h"
#include "plan/choice.h"
#include "plan/plan.h"
#include "plan/search.h"
#include "plan/trial.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 40 / FEWER, CANDIDATES = 12 };

static uint64_t stream;

static wli_setting setting_of(const problem *p, int threads) {
    return (
        wli_setting){ .model = p->lstm->module.model, .seq_len = p->seq_len, .batch = p->batch, .threads = threads };
}

/* The index vector of a hostile cache that is in range: whatever of it is legal must compute what the reference computes, and of
 * native kernels with the widest vectors the same bits. */
static void any_legal_choice_gives_the_reference_result(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        problem p = problem_draw(&stream);
        problem_build(&p, &stream);
        outcome expected, native, o;
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_NATIVE, &native), WLSTM_OK);
        const wli_setting setting = setting_of(&p, (int)random_between(&stream, 1, 4));
        for (int k = 0; k < CANDIDATES; k++) {
            wli_candidate candidate;
            do
                for (int a = 0; a < WLI_AXES; a++)
                    candidate.index[a] = (uint8_t)random_between(&stream, 0, wli_axes[a].count - 1);
            while (!wli_candidate_legal(&setting, &candidate));
            const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
            char text[WLI_CANDIDATE_TEXT];
            wlstm_plan *plan;
            wli_candidate_print(&candidate, text);
            assert_int_equal(wli_plan_make_choice(p.lstm->module.model, &setting, &choice, &plan), WLSTM_OK);
            assert_int_equal(problem_execute(&p, plan, &o), WLSTM_OK);
            const bool same_bits = choice.project == WLI_GEMM_NATIVE && choice.step == WLI_GEMM_NATIVE &&
                                   candidate.index[WLI_AXIS_LANES] == 0;
            if (same_bits)
                assert_true(outcomes_agree(&p, text, &o, &native, true));
            else
                assert_true(outcomes_agree(&p, text, &o, &expected, false));
            outcome_free(&o);
            wlstm_plan_free(plan);
        }
        assert_true(outcomes_agree(&p, "native", &native, &expected, false));
        outcome_free(&expected);
        outcome_free(&native);
        problem_free(&p);
    }
}

static void check_pair(const problem *p, const wli_candidate *candidate, const outcome *expected) {
    const wli_setting setting = setting_of(p, 1);
    assert_true(wli_candidate_legal(&setting, candidate));
    const wli_choice choice = wli_candidate_resolve(&setting, candidate);
    const int64_t b = random_between(&stream, 0, p->batch - 1);
    problem alone = problem_row(p, b, p->lengths ? p->lengths[b] : p->seq_len);
    outcome o, one, row = outcome_row(p, expected, b, alone.seq_len);
    char text[WLI_CANDIDATE_TEXT];
    wlstm_plan *plan;
    wli_candidate_print(candidate, text);
    assert_int_equal(wli_plan_make_choice(p->lstm->module.model, &setting, &choice, &plan), WLSTM_OK);
    assert_int_equal(problem_execute(p, plan, &o), WLSTM_OK);
    assert_true(outcomes_agree(p, text, &o, expected, false));
    assert_int_equal(problem_execute(&alone, plan, &one), WLSTM_OK);
    assert_true(outcomes_agree(&alone, text, &one, &row, false));
    outcome_free(&o);
    outcome_free(&one);
    outcome_free(&row);
    wlstm_plan_free(plan);
    problem_free(&alone);
}

/* x W_ih^T by one and h W_hh^T by another, onto the same G, for the batch and for one row of it; one step of one cell, which has a
 * short way by native kernels, too. */
static void every_pair_of_gemms_gives_the_reference_result(void **state) {
    (void)state;
    if (strstr(wlstm_build_info(), "no oneDNN")) skip();
    for (int n = 0; n < PROBLEMS; n++) {
        problem p = problem_draw(&stream);
        p.config.dtype = WLSTM_F32;
        if (n % 8 == 0) p.config.num_layers = 1, p.config.bidirectional = 0, p.seq_len = 1, p.with_states = true;
        problem_build(&p, &stream);
        outcome expected;
        assert_int_equal(problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
        for (int pair = 0; pair < WLI_GEMM_KINDS * WLI_GEMM_KINDS; pair++) {
            wli_candidate candidate = { { 0 } };
            candidate.index[WLI_AXIS_PROJECT] = (uint8_t)(pair % WLI_GEMM_KINDS);
            candidate.index[WLI_AXIS_STEP] = (uint8_t)(pair / WLI_GEMM_KINDS);
            candidate.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)random_between(&stream, 0, 2);
            candidate.index[WLI_AXIS_LANES] =
                (uint8_t)(wli_native_at(WLI_PRODUCT_F32, 1) ? random_between(&stream, 0, 1) : 0);
            check_pair(&p, &candidate, &expected);
        }
        outcome_free(&expected);
        problem_free(&p);
    }
}

static void a_search_finds_a_legal_choice_within_its_time(void **state) {
    (void)state;
    for (int n = 0; n < 6; n++) {
        problem p = problem_draw(&stream);
        problem_build(&p, &stream);
        wli_setting setting = setting_of(&p, 2);
        setting.schedule = n % 3 ? (wlstm_schedule)random_between(&stream, 0, 3) : WLSTM_SCHEDULE_AUTO;
        const wli_search_request request = { p.lstm->module.model, setting,
                                             n % 2 ? WLSTM_EFFORT_PATIENT : WLSTM_EFFORT_MEASURE, 0.1, NULL };
        wli_search_result result;
        assert_int_equal(wli_search(&request, &result), WLSTM_OK);
        assert_true(wli_candidate_legal(&setting, &result.tuned) && wli_candidate_legal(&setting, &result.untuned));
        assert_true(result.tuned_seconds > 0 && result.tuned_seconds <= result.untuned_seconds);
        problem_free(&p);
    }
}

static void a_stopped_search_fails(void **state) {
    (void)state;
    const atomic_int stop = 1;
    problem p = problem_draw(&stream);
    problem_build(&p, &stream);
    const wli_search_request request = { p.lstm->module.model, setting_of(&p, 2), WLSTM_EFFORT_MEASURE, 10, &stop };
    wli_search_result result;
    assert_int_equal(wli_search(&request, &result), WLSTM_ERROR_BACKEND);
    problem_free(&p);
}

static bool is_over(void *context) {
    return *(const bool *)context;
}

/* Of a batch whose shortest run takes seconds few rows are run, and its runners have scratch for those; who is to give up does so before
 * a candidate runs. */
static void a_large_batch_is_tried_in_part(void **state) {
    (void)state;
    bool over = false;
    wlstm_lstm *lstm;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = 64, config.hidden_size = 256;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    const wli_setting whole = { .model = lstm->module.model, .seq_len = 5, .batch = 100000, .threads = 2 };
    const wli_machine_model machine = wli_machine_model_get(2);
    const wli_candidate first = wli_choose(&whole, &machine);
    const wli_trials_request request = { .model = lstm->module.model,
                                         .setting = &whole,
                                         .first = &first,
                                         .machine = &machine,
                                         .longest_run = 0.01,
                                         .over = is_over,
                                         .context = &over };
    wli_trials *trials;
    wli_runner *runner, *another;
    size_t weights, scratch;
    assert_int_equal(wli_trials_make(&request, &trials, &runner), WLSTM_OK);
    const wli_setting timed = wli_trials_timed(trials);
    assert_true(timed.batch >= 128 && timed.batch <= 10000 && timed.batch == wli_trials_setting(trials)->batch);
    wli_runner_memory(runner, &weights, &scratch);
    assert_true(scratch < (size_t)100 << 20);
    assert_int_equal(wli_trials_runner(trials, &first, &another), WLSTM_OK);
    wli_runner_free(another);
    over = true;
    assert_int_equal(wli_trials_runner(trials, &first, &another), WLSTM_ERROR_BACKEND);
    assert_null(another);
    wli_trials_free(trials);
    wli_runner_free(runner);
    wlstm_lstm_free(lstm);
}

/* ------------------------------------------------------------------------------------------- processes of their own */

/* Makes a plan of the effort and prints its result as bits, against the reference's; then its description. */
static int run_plan(const char *effort, int deterministic) {
    uint64_t fixed = 7;
    problem p = problem_draw(&fixed);
    p.config.dtype = WLSTM_F32, p.config.input_size = 33, p.config.hidden_size = 40, p.config.num_layers = 2;
    p.config.proj_size = 0, p.config.bidirectional = 0, p.seq_len = 20, p.batch = 5;
    problem_build(&p, &fixed);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p.seq_len, options.max_batch = p.batch, options.num_threads = 2, options.time_limit = 2;
    options.effort = strcmp(effort, "measure") == 0 ? WLSTM_EFFORT_MEASURE : WLSTM_EFFORT_ESTIMATE;
    options.deterministic = deterministic;
    wlstm_plan *plan;
    outcome o, expected;
    if (wlstm_plan_create(p.lstm, &options, &plan) != WLSTM_OK || problem_execute(&p, plan, &o) != WLSTM_OK ||
        problem_run(&p, WLSTM_BACKEND_REFERENCE, &expected) != WLSTM_OK ||
        !outcomes_agree(&p, "plan", &o, &expected, false))
        return 1;
    uint64_t bits = 0;
    for (int64_t i = 0; i < problem_out_count(&p); i++) {
        uint32_t word;
        memcpy(&word, (float *)o.out + i, sizeof word);
        bits = bits * UINT64_C(0x100000001b3) + word;
    }
    printf("%016" PRIx64 " %s\n", bits, wlstm_plan_describe(plan));
    outcome_free(&o);
    outcome_free(&expected);
    wlstm_plan_free(plan);
    problem_free(&p);
    return 0;
}

/* Prints the description of a plan for which the cache holds a pair of gemms. */
static int describe_pair(int pair) {
    uint64_t fixed = 7;
    problem p = problem_draw(&fixed);
    wli_cache_entry entry = { .threads = 1, .effort = WLSTM_EFFORT_MEASURE };
    wlstm_plan *plan;
    p.config.dtype = WLSTM_F32;
    problem_build(&p, &fixed);
    wli_problem_of(p.lstm->module.model, WLSTM_PRECISION_FULL, p.seq_len, p.batch, &entry.problem);
    entry.candidate.index[WLI_AXIS_PROJECT] = (uint8_t)(pair % WLI_GEMM_KINDS);
    entry.candidate.index[WLI_AXIS_STEP] = (uint8_t)(pair / WLI_GEMM_KINDS);
    wli_cache_keep(&entry);
    if (problem_plan(&p, WLSTM_BACKEND_AUTO, 1, &plan) != WLSTM_OK) return 1;
    printf("%s\n", wlstm_plan_describe(plan));
    wlstm_plan_free(plan);
    problem_free(&p);
    return 0;
}

/* Prints the description of a plan of much arithmetic. */
static int describe_large(wlstm_effort effort) {
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = 20, .batch = 32 };
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    p.config.input_size = p.config.hidden_size = 128, p.config.num_layers = 1;
    problem_build(&p, &stream);
    options.max_seq_len = p.seq_len, options.max_batch = p.batch, options.num_threads = 2, options.effort = effort;
    if (wlstm_plan_create(p.lstm, &options, &plan) != WLSTM_OK) return 1;
    printf("%s\n", wlstm_plan_describe(plan));
    wlstm_plan_free(plan);
    problem_free(&p);
    return 0;
}

static const char *program;

static void run_with(const char *variables, const char *arguments, char text[2000]) {
    char command[900];
    snprintf(command, sizeof command, "%s '%s' %s 2>&1", variables, program, arguments);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    text[fread(text, 1, 1999, output)] = '\0';
    if (pclose(output) != 0) fail_msg("%s: %s", command, text);
}

static bool ends_with(const char *text, const char *end) {
    const size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

static void the_next_process_runs_what_was_tuned(void **state) {
    (void)state;
    char directory[] = "/tmp/wavelstm-test-XXXXXX", variables[300], first[2000], next[2000], command[100];
    assert_non_null(mkdtemp(directory));
    snprintf(variables, sizeof variables, "WLSTM_CACHE=%s/cache", directory);
    run_with(variables, "run estimate 0", first);
    assert_true(ends_with(first, ", estimated\n"));
    run_with(variables, "run measure 0", first);
    assert_true(ends_with(first, ", tuned\n"));
    for (int effort = 0; effort < 2; effort++) {
        run_with(variables, effort ? "run measure 0" : "run estimate 0", next);
        assert_string_equal(first, next);
    }
    snprintf(variables, sizeof variables, "WLSTM_VERBOSE=1 WLSTM_CACHE=%s/cache", directory);
    run_with(variables, "run estimate 0", next);
    assert_non_null(strstr(next, "wavelstm: t20b5i33h40l2")); /* stderr comes first: stdout is a pipe */
    assert_non_null(strstr(next, ", tuned\n"));
    /* deterministic: native kernels, whatever the cache holds */
    run_with("WLSTM_CACHE=off", "run estimate 1", first);
    snprintf(variables, sizeof variables, "WLSTM_CACHE=%s/cache", directory);
    run_with(variables, "run estimate 1", next);
    assert_memory_equal(first, next, 16);
    /* off: neither read nor written */
    run_with("WLSTM_CACHE=off", "run estimate 0", next);
    assert_true(ends_with(next, ", estimated\n"));
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void a_plan_names_its_gemms(void **state) {
    (void)state;
    static const char *const names[WLI_GEMM_KINDS] = { "native ", "onednn matmul ", "onednn inner product " };
    if (strstr(wlstm_build_info(), "no oneDNN")) skip();
    for (int pair = 0; pair < WLI_GEMM_KINDS * WLI_GEMM_KINDS; pair++) {
        const char *project = names[pair % WLI_GEMM_KINDS], *step = names[pair / WLI_GEMM_KINDS];
        char arguments[30], expected[60], text[2000];
        snprintf(arguments, sizeof arguments, "describe %d", pair);
        run_with("WLSTM_CACHE=/tmp/wavelstm-test-no-such-directory", arguments, text);
        snprintf(expected, sizeof expected, project == step ? ": project and step %s" : ": project %s", project);
        if (!strstr(text, expected)) fail_msg("\"%s\" expected, got \"%s\"", expected, text);
        snprintf(expected, sizeof expected, project == step ? "step %s" : ", step %s", step);
        if (!strstr(text, expected)) fail_msg("\"%s\" expected, got \"%s\"", expected, text);
    }
}

/* Native kernels held to narrow vectors, of which oneDNN knows nothing: a tuned plan takes it, on all threads, and so does the
 * next process, from the cache; an untuned one does not. */
static void a_faster_library_is_taken(void **state) {
    (void)state;
    char directory[] = "/tmp/wavelstm-test-XXXXXX", variables[300], first[2000], next[2000], command[100];
    const int searches = 6; /* other programs may disturb all but one */
    if (strstr(wlstm_build_info(), "no oneDNN") || wli_native_get(WLI_PRODUCT_F32)->lanes < 8) skip();
    if (FEWER > 1) skip(); /* kernels are not what they are, and a search ends before it has timed one */
    assert_non_null(mkdtemp(directory));
    snprintf(variables, sizeof variables, "WLSTM_ISA=baseline WLSTM_CACHE=%s/cache", directory);
    run_with(variables, "large estimate", first);
    if (strstr(first, "onednn")) fail_msg("native kernels expected, got \"%s\"", first);
    snprintf(command, sizeof command, "rm -rf %s/*", directory); /* a search that was disturbed keeps nothing */
    for (int n = 0; n < searches && !strstr(first, "step onednn "); n++) {
        if (n > 0) assert_int_equal(system(command), 0);
        run_with(variables, "large measure", first);
    }
    if (!strstr(first, "step onednn ")) fail_msg("oneDNN's step expected, got \"%s\"", first);
    assert_true(ends_with(first, ", tuned\n"));
    run_with(variables, "large estimate", next);
    assert_string_equal(first, next);
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 4 && strcmp(argv[1], "run") == 0) return run_plan(argv[2], argv[3][0] == '1');
    if (argc == 3 && strcmp(argv[1], "large") == 0)
        return describe_large(strcmp(argv[2], "measure") == 0 ? WLSTM_EFFORT_MEASURE : WLSTM_EFFORT_ESTIMATE);
    if (argc == 3 && strcmp(argv[1], "describe") == 0) return describe_pair(argv[2][0] - '0');
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_legal_choice_gives_the_reference_result),
        cmocka_unit_test(every_pair_of_gemms_gives_the_reference_result),
        cmocka_unit_test(a_plan_names_its_gemms),
        cmocka_unit_test(a_search_finds_a_legal_choice_within_its_time),
        cmocka_unit_test(a_stopped_search_fails),
        cmocka_unit_test(a_large_batch_is_tried_in_part),
        cmocka_unit_test(the_next_process_runs_what_was_tuned),
        cmocka_unit_test(a_faster_library_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
