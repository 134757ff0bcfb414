/* oneDNN's gemms in every schedule, on any number of threads, those of a gang fewer than were planned too: the reference's
 * results, and the same bits from one call to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "plan/axes.h"
#include "plan/plan.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 30, PROBLEMS_OF_FEWER = 10 };

static uint64_t stream;
static int problems = PROBLEMS;

static uint8_t draw(int64_t most) {
    return (uint8_t)(random_flag(&stream) ? random_between(&stream, 0, most) : 0);
}

/* Of a named schedule, the gemms by oneDNN, one or both; half of them such that gangs may share units. */
static wli_candidate draw_candidate(wli_schedule schedule) {
    wli_candidate candidate = { { 0 } };
    const bool sharing = random_flag(&stream);
    const int64_t last = sharing ? WLI_GEMM_MATMUL : WLI_GEMM_INNER_PRODUCT;
    do {
        candidate.index[WLI_AXIS_PROJECT] = (uint8_t)random_between(&stream, 0, last);
        candidate.index[WLI_AXIS_STEP] = (uint8_t)random_between(&stream, 0, last);
    } while (candidate.index[WLI_AXIS_PROJECT] + candidate.index[WLI_AXIS_STEP] == 0);
    candidate.index[WLI_AXIS_SCHEDULE] = (uint8_t)schedule;
    candidate.index[WLI_AXIS_GANG_LAYERS] = sharing ? 0 : draw(2);
    candidate.index[WLI_AXIS_GANG_DIRECTIONS] = sharing ? 0 : draw(1);
    candidate.index[WLI_AXIS_PARTS] = sharing ? 1 : draw(4);
    candidate.index[WLI_AXIS_CHUNK_STEPS] = draw(5);
    candidate.index[WLI_AXIS_LANES] = wli_native_at(WLI_PRODUCT_F32, 1) ? draw(1) : 0;
    return candidate;
}

/* From a region of its own a plan runs on one thread, which then has all slices. */
static wlstm_status execute_in_region(const problem *p, wlstm_plan *plan, outcome *o) {
    wlstm_status status = WLSTM_ERROR_BACKEND;
#pragma omp parallel num_threads(2)
#pragma omp master
    status = problem_execute(p, plan, o);
    return status;
}

static void check(const problem *p, const wli_setting *setting, const wli_candidate *candidate,
                  const outcome *expected) {
    const wli_choice choice = wli_candidate_resolve(setting, candidate);
    char text[WLI_CANDIDATE_TEXT + 32];
    wlstm_plan *plan;
    outcome first, again, alone;
    wli_candidate_print(candidate, text);
    snprintf(text + strlen(text), sizeof text - strlen(text), ", %d threads", setting->threads);
    assert_int_equal(wli_plan_make_choice(p->lstm->module.model, setting, &choice, &plan), WLSTM_OK);
    assert_int_equal(problem_execute(p, plan, &first), WLSTM_OK);
    assert_true(outcomes_agree(p, text, &first, expected, false));
    assert_int_equal(problem_execute(p, plan, &again), WLSTM_OK);
    assert_true(outcomes_agree(p, text, &again, &first, true));
    assert_int_equal(execute_in_region(p, plan, &alone), WLSTM_OK);
    assert_true(outcomes_agree(p, text, &alone, &first, true));
    outcome_free(&first), outcome_free(&again), outcome_free(&alone);
    wlstm_plan_free(plan);
}

/* How many choices were legal, of all schedules, and how many of gangs that share units. */
typedef struct tally {
    int schedules[3], shares;
} tally;

static void check_problem(const problem *p, tally *count) {
    static const int thread_counts[] = { 1, 2, 3, 5 };
    outcome expected;
    assert_int_equal(problem_run(p, WLSTM_BACKEND_REFERENCE, &expected), WLSTM_OK);
    for (int schedule = WLI_SERIAL; schedule <= WLI_GANG; schedule++)
        for (int t = 0; t < 4; t++) {
            const wli_setting setting = {
                .model = p->lstm->module.model, .seq_len = p->seq_len, .batch = p->batch, .threads = thread_counts[t]
            };
            const wli_candidate candidate = draw_candidate((wli_schedule)schedule);
            if (!wli_candidate_legal(&setting, &candidate)) continue;
            const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
            count->schedules[choice.schedule]++;
            count->shares += wli_choice_shares(&choice) > 1;
            check(p, &setting, &candidate, &expected);
        }
    outcome_free(&expected);
}

static void every_schedule_gives_the_reference_result(void **state) {
    (void)state;
    tally count = { 0 };
    for (int n = 0; n < problems; n++) {
        problem p = problem_draw(&stream);
        p.config.dtype = WLSTM_F32;
        if (n % 2) p.config.hidden_size += random_between(&stream, 31, 80); /* so many units may be shared */
        problem_build(&p, &stream);
        check_problem(&p, &count);
        problem_free(&p);
    }
    for (int schedule = WLI_SERIAL; schedule <= WLI_GANG; schedule++)
        assert_true(count.schedules[schedule] > problems / 3);
    assert_true(count.shares > problems / 6);
}

static const char *program;

/* OpenMP reads its variables once. */
static void fewer_threads_than_planned(void **state) {
    (void)state;
    static const char *const limits[] = { "1", "2", "3", "4" };
    for (int i = 0; i < 4; i++) {
        char command[600];
        snprintf(command, sizeof command, "OMP_THREAD_LIMIT=%s '%s' one-process", limits[i], program);
        fflush(stdout);
        if (system(command) != 0) fail_msg("%s: exit status 0 expected", command);
    }
}

int main(int argc, char **argv) {
    program = argv[0];
    const struct CMUnitTest one_process[] = { cmocka_unit_test(every_schedule_gives_the_reference_result) };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_schedule_gives_the_reference_result),
        cmocka_unit_test(fewer_threads_than_planned),
    };
    if (strstr(wlstm_build_info(), "no oneDNN")) {
        printf("no oneDNN: skipped\n");
        return 0;
    }
    stream = random_test_stream();
    if (argc > 1) problems = PROBLEMS_OF_FEWER;
    return argc > 1 ? cmocka_run_group_tests(one_process, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
