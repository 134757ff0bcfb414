/* Every choice of a trainer gives the bits of one thread; what a search chose is what the next trainer and the next process
 * find, for exactly its problem; and a trainer that was searched for is a fresh one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "compare.h"
#include "plan/cache.h"
#include "random.h"
#include "scratch_dir.h"
#include "train/choices.h"
#include "train/tuning.h"
#include "training.h"

enum { ROUNDS = 40, SEED = 42, THREADS = 2 };

static uint64_t stream;

/* ------------------------------------------------------------------------------------------------- any choice */

static void run(const problem *p, wlstm_trainer *trainer, const gradients *loss, outcome *o, gradients *g) {
    *g = gradients_like(p, loss);
    assert_int_equal(problem_train(p, trainer, SEED, NULL, o), WLSTM_OK);
    assert_int_equal(problem_back(trainer, NULL, g), WLSTM_OK);
}

static wli_train_choice draw_choice(const wlstm_trainer *trainer) {
    const wli_span crews = wli_possible_crews(trainer, wli_whole_threads(trainer));
    wli_train_choice choice = { .crews = random_between(&stream, crews.first, crews.end - 1) };
    choice.chunk_steps = random_between(&stream, choice.crews > 1 ? 1 : trainer->max_seq_len, trainer->max_seq_len);
    choice.parts = random_between(&stream, 1, wli_most_parts(trainer, choice.crews));
    assert_true(wli_train_choice_legal(trainer, &choice));
    return choice;
}

static void choices_do_not_change_a_bit(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; ++round) {
        problem p = problem_draw_for_training(&stream);
        p.config.num_layers = random_between(&stream, 1, 5);
        if (round % 2) p.seq_len = random_between(&stream, 1, 60), p.batch = random_between(&stream, 1, 40);
        if (random_flag(&stream)) p.config.dropout = 0.5;
        problem_build(&p, &stream);
        gradients loss = gradients_create(&p, &stream), expected, got;
        outcome o, of_one;
        wlstm_trainer *one = problem_trainer(&p, 0, 1, WLSTM_SCHEDULE_AUTO);
        run(&p, one, &loss, &of_one, &expected);
        for (int n = 0; n < 8; ++n) {
            const int64_t K = p.config.bidirectional || n % 2 ? 0 : random_between(&stream, 1, p.seq_len + 1);
            wlstm_trainer *trainer = problem_trainer(&p, K, (int)random_between(&stream, 2, 6),
                                                     (wlstm_schedule)random_between(&stream, 0, 3));
            char text[WLI_TRAIN_CHOICE_TEXT];
            trainer->choice = draw_choice(trainer);
            wli_train_choice_print(&trainer->choice, text);
            run(&p, trainer, &loss, &o, &got);
            assert_true(outcomes_agree(&p, text, &o, &of_one, true));
            assert_true(gradients_agree(&p, text, &got, &expected, true));
            outcome_free(&o), gradients_free(&got, false);
            wlstm_trainer_free(trainer);
        }
        wlstm_trainer_free(one);
        outcome_free(&of_one), gradients_free(&expected, false), gradients_free(&loss, true);
        problem_free(&p);
    }
}

/* The rule's own choice, said in numbers, is what the rule does; another is for passes of the trainer's whole size alone. */
static void a_choice_is_for_its_size(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; ++round) {
        problem p = problem_draw_for_training(&stream);
        p.config.num_layers = random_between(&stream, 1, 5);
        problem_build(&p, &stream);
        wlstm_trainer *trainer =
            problem_trainer(&p, 0, (int)random_between(&stream, 1, 8), (wlstm_schedule)random_between(&stream, 0, 3));
        const wli_tape tape = { .call = { .seq_len = p.seq_len, .batch = p.batch }, .pairs = p.seq_len * p.batch };
        const int threads = wli_worth_threads(trainer, &tape);
        const wli_train_choice rule = wli_rule_for(trainer, 0);
        assert_true(wli_train_choice_legal(trainer, &rule));
        assert_int_equal(rule.crews, wli_crews_for(trainer, &tape, threads));
        assert_int_equal(rule.chunk_steps, wli_crew_chunk(rule.crews, p.seq_len, p.batch));
        assert_int_equal(rule.parts, wli_parts_for(trainer, &tape, threads / rule.crews));
        trainer->choice = draw_choice(trainer);
        assert_int_equal(wli_crews_for(trainer, &tape, threads), trainer->choice.crews);
        assert_int_equal(wli_parts_for(trainer, &tape, threads / trainer->choice.crews), trainer->choice.parts);
        for (int n = 0; n < 2; ++n) {
            wli_tape other = tape;
            *(n ? &other.call.seq_len : &other.call.batch) += 1;
            const wli_hand hand = { .trainer = trainer, .tape = &other, .crews = trainer->choice.crews };
            assert_int_equal(wli_crews_for(trainer, &other, threads), wli_rule_crews(trainer, &other, threads));
            assert_int_equal(wli_parts_for(trainer, &other, threads),
                             wli_deal_for(trainer, other.call.batch, threads, 0).parts);
            assert_int_equal(wli_chunk_for(&hand, p.seq_len), wli_crew_chunk(hand.crews, p.seq_len, other.call.batch));
        }
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

/* ----------------------------------------------------------------------------------------------- the plan cache */

/* Worth two threads. */
static problem make_problem(int64_t layers) {
    uint64_t fixed = 7;
    problem p = problem_draw_for_training(&fixed);
    p.config.dtype = WLSTM_F32, p.config.input_size = p.config.hidden_size = 48, p.config.num_layers = layers;
    p.config.proj_size = 0, p.config.bidirectional = 0, p.config.bias = 1, p.config.dropout = 0;
    p.seq_len = 12, p.batch = 20, p.with_lengths = false;
    problem_build(&p, &fixed);
    return p;
}

static wlstm_trainer *create(const problem *p, wlstm_effort effort, wlstm_schedule schedule, int64_t recompute_steps,
                             int threads) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_trainer *trainer;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch, options.num_threads = threads;
    options.schedule = schedule, options.recompute_steps = recompute_steps, options.effort = effort;
    assert_int_equal(wlstm_trainer_create(p->lstm, &options, &trainer), WLSTM_OK);
    return trainer;
}

static wli_cache_entry entry_of(const problem *p, wli_train_choice choice) {
    wli_cache_entry entry = { .threads = THREADS, .effort = WLSTM_EFFORT_MEASURE, .train_choice = choice };
    assert_true(wli_problem_of(p->lstm->module.model, WLSTM_PRECISION_FULL, p->seq_len, p->batch, &entry.problem));
    entry.problem.training = true;
    return entry;
}

static void keep(const problem *p, wli_train_choice choice) {
    const wli_cache_entry entry = entry_of(p, choice);
    wli_cache_keep(&entry);
}

static void forget(const problem *p) {
    const wli_cache_entry entry = entry_of(p, (wli_train_choice){ 0 });
    char name[WLI_PROBLEM_NAME_BYTES];
    wli_problem_format(&entry.problem, name);
    assert_int_equal(wlstm_plan_cache_forget(name), WLSTM_OK);
}

static bool same_choice(const wlstm_trainer *trainer, wli_train_choice choice) {
    return memcmp(&trainer->choice, &choice, sizeof choice) == 0;
}

static bool taken(const problem *p, wlstm_schedule schedule, int64_t recompute_steps, wli_train_choice choice) {
    wlstm_trainer *trainer = create(p, WLSTM_EFFORT_ESTIMATE, schedule, recompute_steps, THREADS);
    const bool same = same_choice(trainer, choice);
    assert_true(same || trainer->choice.crews == 0);
    wlstm_trainer_free(trainer);
    return same;
}

static void what_the_cache_holds_is_run(void **state) {
    (void)state;
    if (omp_get_num_procs() < THREADS) skip();
    problem p = make_problem(3);
    gradients loss = gradients_create(&p, &stream), expected, got;
    outcome o, of_one;
    wlstm_trainer *one = create(&p, WLSTM_EFFORT_ESTIMATE, WLSTM_SCHEDULE_AUTO, 0, 1);
    run(&p, one, &loss, &of_one, &expected);
    for (int64_t crews = 1; crews <= THREADS; ++crews)
        for (int64_t chunk = crews > 1 ? 1 : p.seq_len; chunk <= p.seq_len; chunk += 3)
            for (int64_t parts = 1; parts <= THREADS / crews; ++parts) {
                const wli_train_choice choice = { crews, chunk, parts };
                keep(&p, choice);
                wlstm_trainer *trainer = create(&p, WLSTM_EFFORT_ESTIMATE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
                assert_true(same_choice(trainer, choice));
                run(&p, trainer, &loss, &o, &got);
                assert_true(outcomes_agree(&p, "cached", &o, &of_one, true));
                assert_true(gradients_agree(&p, "cached", &got, &expected, true));
                outcome_free(&o), gradients_free(&got, false);
                wlstm_trainer_free(trainer);
            }
    forget(&p);
    assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 0, (wli_train_choice){ 2, 10, 1 }));
    wlstm_trainer_free(one);
    outcome_free(&of_one), gradients_free(&expected, false), gradients_free(&loss, true);
    problem_free(&p);
}

/* Another schedule, another size or another tape, and what nobody can run. */
static void what_does_not_fit_is_passed_over(void **state) {
    (void)state;
    if (omp_get_num_procs() < THREADS) skip();
    problem p = make_problem(3);
    const wli_train_choice crews = { 2, 3, 1 }, serial = { 1, 12, 2 };
    keep(&p, crews);
    assert_true(taken(&p, WLSTM_SCHEDULE_AUTO, 0, crews));
    assert_true(taken(&p, WLSTM_SCHEDULE_GANGS, 0, crews));
    assert_false(taken(&p, WLSTM_SCHEDULE_SERIAL, 0, crews));
    assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 4, crews));
    p.seq_len--;
    assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 0, crews));
    p.seq_len++, p.batch++;
    assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 0, crews));
    p.batch--;
    keep(&p, serial);
    assert_true(taken(&p, WLSTM_SCHEDULE_AUTO, 0, serial));
    assert_true(taken(&p, WLSTM_SCHEDULE_SERIAL, 0, serial));
    assert_false(taken(&p, WLSTM_SCHEDULE_GANGS, 0, serial));
    static const wli_train_choice hostile[] = { { 3, 3, 1 }, { 65536, 3, 1 }, { 2, 13, 1 }, { 2, WLI_LARGEST_SIZE, 1 },
                                                { 2, 3, 2 }, { 1, 11, 1 },    { 1, 12, 3 }, { 1, 12, 65536 } };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; ++i) {
        keep(&p, hostile[i]);
        assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 0, hostile[i]));
    }
    /* A plan's entry of the same name is none of a trainer's. */
    wli_cache_entry of_plan = entry_of(&p, crews);
    of_plan.problem.training = false;
    forget(&p);
    wli_cache_keep(&of_plan);
    assert_false(taken(&p, WLSTM_SCHEDULE_AUTO, 0, crews));
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    problem_free(&p);
}

/* --------------------------------------------------------------------------------------------------- the search */

static bool any(const wli_cache_entry *entry, const void *context) {
    (void)entry, (void)context;
    return true;
}

static bool is_kept(const problem *p, wli_cache_entry *found) {
    const wli_cache_entry entry = entry_of(p, (wli_train_choice){ 0 });
    return wli_cache_find(&entry.problem, THREADS, any, NULL, found) == WLI_CACHE_EXACT;
}

static void assert_fresh(const wlstm_trainer *trainer, const wlstm_trainer *fresh) {
    const char *zeros = trainer->gradients;
    size_t bytes[2], tapes[2];
    assert_memory_equal(trainer->parameters, fresh->parameters, (size_t)fresh->count * fresh->element);
    for (size_t i = 0; i < (size_t)trainer->count * trainer->element; ++i) assert_int_equal(zeros[i], 0);
    assert_int_equal(wlstm_trainer_memory(trainer, &bytes[0], &tapes[0]), WLSTM_OK);
    assert_int_equal(wlstm_trainer_memory(fresh, &bytes[1], &tapes[1]), WLSTM_OK);
    assert_true(bytes[0] == bytes[1] && tapes[0] == tapes[1]);
    assert_true(trainer->updates == 0 && trainer->version == fresh->version && !trainer->handed_out);
}

static void a_search_leaves_a_fresh_trainer(void **state) {
    (void)state;
    if (omp_get_num_procs() < THREADS) skip();
    problem p = make_problem(2);
    gradients loss = gradients_create(&p, &stream), expected, got;
    outcome o, of_fresh;
    wli_cache_entry found;
    wlstm_trainer *fresh = create(&p, WLSTM_EFFORT_ESTIMATE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    run(&p, fresh, &loss, &of_fresh, &expected);
    wlstm_trainer_free(fresh);
    fresh = create(&p, WLSTM_EFFORT_ESTIMATE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    assert_false(is_kept(&p, &found));
    wlstm_trainer *trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    assert_fresh(trainer, fresh);
    assert_true(wli_train_choice_legal(trainer, &trainer->choice));
    got = gradients_like(&p, &loss);
    assert_int_equal(wlstm_trainer_backward(trainer, NULL, loss.d_out, NULL, NULL, got.d_x, NULL, NULL, 0),
                     WLSTM_ERROR_INVALID_ARGUMENT);
    gradients_free(&got, false);
    run(&p, trainer, &loss, &o, &got);
    assert_true(outcomes_agree(&p, "searched", &o, &of_fresh, true));
    assert_true(gradients_agree(&p, "searched", &got, &expected, true));
    assert_true(is_kept(&p, &found));
    assert_true(same_choice(trainer, found.train_choice) && found.effort == WLSTM_EFFORT_MEASURE);
    assert_true(found.tuned_seconds > 0 && found.tuned_seconds <= found.untuned_seconds);
    outcome_free(&o), outcome_free(&of_fresh);
    gradients_free(&got, false), gradients_free(&expected, false), gradients_free(&loss, true);
    wlstm_trainer_free(trainer), wlstm_trainer_free(fresh);
    forget(&p);
    problem_free(&p);
}

/* What is there by as much effort is taken as it is; more effort passes it over. */
static void efforts_are_compared(void **state) {
    (void)state;
    if (omp_get_num_procs() < THREADS) skip();
    problem p = make_problem(2);
    wli_cache_entry found;
    keep(&p, (wli_train_choice){ 2, 11, 1 });
    wlstm_trainer *trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    assert_true(same_choice(trainer, (wli_train_choice){ 2, 11, 1 }));
    wlstm_trainer_free(trainer);
    trainer = create(&p, WLSTM_EFFORT_PATIENT, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    assert_true(is_kept(&p, &found) && found.effort == WLSTM_EFFORT_PATIENT);
    assert_true(same_choice(trainer, found.train_choice));
    wlstm_trainer_free(trainer);
    forget(&p);
    problem_free(&p);
}

/* Of a schedule that is named, of a tape that is computed again; where there is nothing to choose; inside a region. */
static void what_is_narrowed_is_not_kept(void **state) {
    (void)state;
    if (omp_get_num_procs() < THREADS) skip();
    problem p = make_problem(2);
    wli_cache_entry found;
    wlstm_trainer *trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_SERIAL, 0, THREADS);
    assert_int_equal(trainer->choice.crews, 1);
    wlstm_trainer_free(trainer);
    trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_GANGS, 0, THREADS);
    assert_int_equal(trainer->choice.crews, 2);
    wlstm_trainer_free(trainer);
    trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, 5, THREADS);
    assert_true(trainer->choice.crews > 0);
    wlstm_trainer_free(trainer);
    trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, INT64_MAX, THREADS);
    assert_true(trainer->choice.crews > 0);
    wlstm_trainer_free(trainer);
    trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, 0, 1);
    assert_int_equal(trainer->choice.crews, 0);
    wlstm_trainer_free(trainer);
#pragma omp parallel num_threads(THREADS)
#pragma omp single
    trainer = create(&p, WLSTM_EFFORT_MEASURE, WLSTM_SCHEDULE_AUTO, 0, THREADS);
    assert_int_equal(trainer->choice.crews, 0);
    wlstm_trainer_free(trainer);
    assert_false(is_kept(&p, &found));
    problem_free(&p);
}

static void a_search_ends_when_told_to(void **state) {
    (void)state;
    problem p = make_problem(2);
    wlstm_trainer *trainer = problem_trainer(&p, 0, THREADS, WLSTM_SCHEDULE_AUTO);
    const atomic_int stop = 1;
    wli_train_result result;
    assert_int_equal(wli_train_search(trainer, WLSTM_EFFORT_MEASURE, 10, &stop, &result), WLSTM_ERROR_BACKEND);
    assert_int_equal(wli_train_search(trainer, WLSTM_EFFORT_MEASURE, 1e-6, NULL, &result), WLSTM_OK);
    assert_int_equal(result.tried, 0);
    assert_memory_equal(&result.tuned, &result.untuned, sizeof result.tuned);
    wlstm_trainer_free(trainer);
    problem_free(&p);
}

/* Whatever the problem, the tape and the schedule: legal, no slower, and the trainer untouched. */
static void a_search_finds_a_legal_choice(void **state) {
    (void)state;
    for (int n = 0; n < 8; n++) {
        problem p = problem_draw_for_training(&stream);
        p.config.num_layers = random_between(&stream, 1, 4);
        problem_build(&p, &stream);
        const int64_t K = p.config.bidirectional || n % 2 ? 0 : random_between(&stream, 1, p.seq_len);
        wlstm_trainer *trainer =
            problem_trainer(&p, K, (int)random_between(&stream, 2, 3), (wlstm_schedule)random_between(&stream, 0, 3));
        wlstm_trainer *fresh = problem_trainer(&p, K, trainer->threads, trainer->schedule);
        wli_train_result result;
        const wlstm_effort effort = n % 2 ? WLSTM_EFFORT_PATIENT : WLSTM_EFFORT_MEASURE;
        assert_int_equal(wli_train_search(trainer, effort, 0.2, NULL, &result), WLSTM_OK);
        assert_true(wli_train_choice_legal(trainer, &result.tuned) && wli_train_choice_legal(trainer, &result.untuned));
        assert_true(result.tuned_seconds > 0 && result.tuned_seconds <= result.untuned_seconds);
        assert_fresh(trainer, fresh);
        assert_int_equal(trainer->choice.crews, 0);
        wlstm_trainer_free(trainer), wlstm_trainer_free(fresh);
        problem_free(&p);
    }
}

/* ------------------------------------------------------------------------------------------ processes of their own */

static int create_by_environment(void) {
    problem p = make_problem(2);
    wlstm_trainer_free(create(&p, WLSTM_EFFORT_DEFAULT, WLSTM_SCHEDULE_AUTO, 0, THREADS));
    problem_free(&p);
    return 0;
}

static const char *program;

static void run_with(const char *variables, char text[2000]) {
    char command[900];
    snprintf(command, sizeof command, "%s WLSTM_VERBOSE=1 '%s' create 2>&1", variables, program);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    text[fread(text, 1, 1999, output)] = '\0';
    if (pclose(output) != 0) fail_msg("%s: %s", command, text);
}

/* The line without what it begins with. */
static const char *line_of(const char *text) {
    const char *line = strstr(text, "wavelstm: train/t12b20i48h48l2: native ");
    if (!line) fail_msg("a trainer's line expected, got \"%s\"", text);
    return line;
}

static void the_next_process_finds_it(void **state) {
    (void)state;
    char variables[300], first[2000], next[2000];
    if (omp_get_num_procs() < THREADS) skip();
    snprintf(variables, sizeof variables, "WLSTM_CACHE='%s/next' WLSTM_EFFORT=", scratch_directory);
    run_with(variables, first);
    assert_non_null(strstr(line_of(first), " 2 threads, crews "));
    assert_non_null(strstr(line_of(first), ", estimated\n"));
    snprintf(variables, sizeof variables, "WLSTM_CACHE='%s/next' WLSTM_EFFORT=measure", scratch_directory);
    run_with(variables, first);
    assert_non_null(strstr(line_of(first), ", tuned\n"));
    for (int effort = 0; effort < 2; ++effort) {
        if (effort == 0) snprintf(variables, sizeof variables, "WLSTM_CACHE='%s/next'", scratch_directory);
        run_with(variables, next);
        assert_string_equal(line_of(next), line_of(first));
    }
    run_with("WLSTM_CACHE=off", next);
    assert_non_null(strstr(line_of(next), ", estimated\n"));
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "create") == 0) return create_by_environment();
    char directory[sizeof scratch_directory + 8];
    if (scratch_create(NULL) != 0) return 1;
    snprintf(directory, sizeof directory, "%s/own", scratch_directory);
    setenv("WLSTM_CACHE", directory, 1); /* read once, before the library's first call */
    unsetenv("WLSTM_EFFORT"), unsetenv("WLSTM_SCHEDULE");
    stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_do_not_change_a_bit),     cmocka_unit_test(a_choice_is_for_its_size),
        cmocka_unit_test(what_the_cache_holds_is_run),     cmocka_unit_test(what_does_not_fit_is_passed_over),
        cmocka_unit_test(a_search_leaves_a_fresh_trainer), cmocka_unit_test(efforts_are_compared),
        cmocka_unit_test(what_is_narrowed_is_not_kept),    cmocka_unit_test(a_search_ends_when_told_to),
        cmocka_unit_test(a_search_finds_a_legal_choice),   cmocka_unit_test(the_next_process_finds_it),
    };
    return cmocka_run_group_tests(tests, NULL, scratch_remove_all);
}
