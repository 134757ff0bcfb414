/* A library among others: wherever and however often at once it is called, whatever OpenMP's settings say, and in the child of a
 * fork, it gives the same bits as one thread alone (oneDNN nearly the same), does not hang, and leaves the settings as
 * they were. Each test runs under every environment of `environments` in a process of its own, as OpenMP reads its
 * variables once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "problem.h"
#include "random.h"

enum { CALLERS = 6, CALLS = 3, SECONDS = 100, KINDS = 5 };

/* Large enough that a plan for several threads uses them, one for each kind of gang. */
static problem problems[KINDS];
static outcome expected[KINDS];

static void build_problems(void) {
    static const struct {
        int64_t seq_len, batch, hidden_size, num_layers, proj_size;
        int bidirectional;
    } shapes[KINDS] = { { 12, 1, 96, 1, 0, 0 },
                        { 20, 1, 64, 4, 0, 0 },
                        { 10, 9, 48, 1, 0, 0 },
                        { 10, 2, 64, 2, 0, 1 },
                        { 10, 2, 96, 2, 64, 0 } };
    uint64_t stream = random_test_stream();
    for (int k = 0; k < KINDS; ++k) {
        problem *p = &problems[k];
        *p = (problem){ .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = shapes[k].seq_len, .batch = shapes[k].batch };
        p->config.input_size = 40, p->config.hidden_size = shapes[k].hidden_size;
        p->config.num_layers = shapes[k].num_layers, p->config.proj_size = shapes[k].proj_size;
        p->config.bidirectional = shapes[k].bidirectional;
        p->with_lengths = shapes[k].batch > 1;
        problem_build(p, &stream);
        assert_int_equal(problem_run(p, WLSTM_BACKEND_AUTO, &expected[k]), WLSTM_OK);
    }
}

/* oneDNN's bits are another thread count's too. */
static bool is_exact(void) {
    const char *backend = getenv("WLSTM_BACKEND");
    return !backend || strcmp(backend, "onednn") != 0;
}

static bool forward_is_right(int k) {
    outcome o;
    const bool right = problem_forward(&problems[k], &o) == WLSTM_OK &&
                       outcomes_agree(&problems[k], "wlstm_forward", &o, &expected[k], is_exact());
    outcome_free(&o);
    return right;
}

static bool all_are_right(void) {
    bool right = true;
    for (int k = 0; k < KINDS; ++k) right &= forward_is_right(k);
    return right;
}

/* ---------------------------------------------------------------------------------------- places to be called from */

static bool from_the_initial_thread(void) {
    return all_are_right();
}

static bool from_a_region(void) {
    int wrong = 0;
#pragma omp parallel num_threads(3) reduction(+ : wrong)
    wrong += !all_are_right();
    return wrong == 0;
}

static bool from_a_nested_region(void) {
    const int levels = omp_get_max_active_levels();
    int wrong = 0;
    omp_set_max_active_levels(3);
#pragma omp parallel num_threads(2) reduction(+ : wrong)
    {
        int inner = 0;
#pragma omp parallel num_threads(2) reduction(+ : inner)
        inner += !all_are_right();
        wrong += inner;
    }
    omp_set_max_active_levels(levels);
    return wrong == 0;
}

/* One thread's region is no parallel one: the plan may fork in it. */
static bool from_a_region_of_one(void) {
    bool right = false;
#pragma omp parallel num_threads(1)
    right = all_are_right();
    return right;
}

static bool from_tasks(void) {
    int wrong = 0;
#pragma omp parallel num_threads(2)
#pragma omp single
    for (int k = 0; k < 2 * KINDS; ++k) {
#pragma omp task shared(wrong) firstprivate(k)
        {
            const int failed = !forward_is_right(k % KINDS);
#pragma omp atomic
            wrong += failed;
        }
    }
    return wrong == 0;
}

/* Outside any region. */
static bool from_a_task(void) {
    bool right = false;
#pragma omp task shared(right)
    right = all_are_right();
#pragma omp taskwait
    return right;
}

static void *call_often(void *result) {
    bool *right = result;
    *right = true;
    for (int call = 0; call < CALLS; ++call) *right &= all_are_right();
    return NULL;
}

/* Host threads that know nothing of OpenMP. */
static bool from_host_threads(void) {
    pthread_t threads[CALLERS];
    bool right[CALLERS], all = true;
    for (int i = 0; i < CALLERS; ++i) assert_int_equal(pthread_create(&threads[i], NULL, call_often, &right[i]), 0);
    for (int i = 0; i < CALLERS; ++i) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        all &= right[i];
    }
    return all;
}

/* Whether the child's calls, by plans made before the fork and by plans made after it, are right; a hang ends by SIGALRM. */
static bool from_a_child(void) {
    wlstm_plan *plan;
    assert_int_equal(problem_plan(&problems[0], WLSTM_BACKEND_AUTO, 0, &plan), WLSTM_OK);
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        outcome o;
        bool right = all_are_right() && problem_execute(&problems[0], plan, &o) == WLSTM_OK &&
                     outcomes_agree(&problems[0], "plan made before the fork", &o, &expected[0], is_exact());
        fflush(NULL);
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    wlstm_plan_free(plan);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ------------------------------------------------------------------------------------------------------- one process */

/* OpenMP's settings that a call could change. */
typedef struct settings {
    int max_threads, dynamic, max_active_levels, thread_limit, chunk;
    omp_sched_t schedule;
} settings;

static settings current_settings(void) {
    settings s = { .max_threads = omp_get_max_threads(),
                   .dynamic = omp_get_dynamic(),
                   .max_active_levels = omp_get_max_active_levels(),
                   .thread_limit = omp_get_thread_limit() };
    omp_get_schedule(&s.schedule, &s.chunk);
    return s;
}

static bool same(const settings *a, const settings *b) {
    return a->max_threads == b->max_threads && a->dynamic == b->dynamic &&
           a->max_active_levels == b->max_active_levels && a->thread_limit == b->thread_limit &&
           a->schedule == b->schedule && a->chunk == b->chunk;
}

static const struct {
    const char *name;
    bool (*run)(void);
} places[] = { { "the initial thread", from_the_initial_thread },
               { "a region", from_a_region },
               { "a nested region", from_a_nested_region },
               { "a region of one", from_a_region_of_one },
               { "tasks of a region", from_tasks },
               { "a task", from_a_task },
               { "host threads", from_host_threads },
               { "a child of a fork", from_a_child },
               { "the initial thread after it all", from_the_initial_thread } };

/* With `child` the fork comes first: before this process has used more than one thread of OpenMP's. */
static int check_places(bool child_first) {
    alarm(SECONDS);
    build_problems();
    const settings before = current_settings();
    int wrong = 0;
    if (child_first && !from_a_child()) wrong += printf("the first child: wrong\n");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; ++i) {
        if (!places[i].run()) wrong += printf("called from %s: wrong\n", places[i].name);
        const settings after = current_settings();
        if (!same(&before, &after)) wrong += printf("called from %s: OpenMP's settings changed\n", places[i].name);
    }
    for (int k = 0; k < KINDS; ++k) {
        problem_free(&problems[k]);
        outcome_free(&expected[k]);
    }
    return wrong != 0;
}

/* ------------------------------------------------------------------------------------------------- the environments */

static const char *program;

static const char *const environments[] = { "OMP_NUM_THREADS=2",
                                            "OMP_NUM_THREADS=8 OMP_DYNAMIC=true",
                                            "OMP_NUM_THREADS=8 OMP_WAIT_POLICY=passive",
                                            "OMP_NUM_THREADS=3 OMP_WAIT_POLICY=active OMP_THREAD_LIMIT=4",
                                            "OMP_THREAD_LIMIT=1",
                                            "OMP_NUM_THREADS=2,2 OMP_MAX_ACTIVE_LEVELS=2 OMP_PROC_BIND=true",
                                            "WLSTM_NUM_THREADS=5",
                                            "WLSTM_BACKEND=onednn",
                                            "WLSTM_BACKEND=onednn WLSTM_SCHEDULE=wavefront OMP_NUM_THREADS=8",
                                            "WLSTM_BACKEND=onednn OMP_NUM_THREADS=8 OMP_DYNAMIC=true",
                                            "WLSTM_BACKEND=onednn OMP_NUM_THREADS=3 OMP_THREAD_LIMIT=1",
                                            "OMP_NUM_THREADS=2 taskset -c 0" };

static void run_under(const char *environment, const char *argument) {
    char command[600];
    if (strstr(environment, "taskset") && system("taskset -c 0 true > /dev/null 2>&1") != 0) return;
    snprintf(command, sizeof command, "%s '%s' %s", environment, program, argument);
    fflush(stdout);
    const int status = system(command);
    if (status != 0)
        fail_msg("%s: exit status 0 expected, got %d", command, WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void every_environment_works(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof environments / sizeof environments[0]; ++i) run_under(environments[i], "places");
}

static void a_fork_may_come_first(void **state) {
    (void)state;
    run_under("OMP_NUM_THREADS=2", "child-first");
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc > 1) return check_places(strcmp(argv[1], "child-first") == 0);
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_environment_works),
                                        cmocka_unit_test(a_fork_may_come_first) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
