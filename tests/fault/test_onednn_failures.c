/* A product that fails, on whichever thread of whichever schedule: the call says so, nobody waits for ever, and the next
 * call is right. Besides, every product runs where oneDNN starts no threads. oneDNN's function is taken by one of this
 * program's. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/module.h"
#include "plan/axes.h"
#include "plan/plan.h"
#include "problem.h"
#include "random.h"

enum { SECONDS = 240, FAILURE = 6 /* a dnnl_status_t but success and out of memory */ };

typedef int execute(const void *primitive, void *stream, int count, const void *arguments);
int dnnl_primitive_execute(const void *primitive, void *stream, int count, const void *arguments);

static atomic_int calls, failing = -1, forking; /* the call that fails; calls that would start threads */

int dnnl_primitive_execute(const void *primitive, void *stream, int count, const void *arguments) {
    static execute *real;
    if (!real) {
        void *found = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
        memcpy(&real, &found, sizeof real);
    }
    if (!omp_in_parallel() && omp_get_max_threads() > 1) atomic_fetch_add(&forking, 1);
    if (atomic_fetch_add(&calls, 1) == atomic_load(&failing)) return FAILURE;
    return real(primitive, stream, count, arguments);
}

/* One of several shapes, and a choice that its gemms and threads are of. */
typedef struct way {
    const char *name;
    int64_t num_layers, hidden_size, proj_size, batch;
    int bidirectional, threads;
    wli_candidate candidate;
} way;

#define MATMULS .index[WLI_AXIS_PROJECT] = WLI_GEMM_MATMUL, .index[WLI_AXIS_STEP] = WLI_GEMM_MATMUL

static const way ways[] = {
    { "serial", 2, 20, 0, 3, 0, 1, { MATMULS } },
    { "wavefront",
      3,
      20,
      0,
      3,
      0,
      2,
      { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT, .index[WLI_AXIS_CHUNK_STEPS] = 2 } },
    { "wavefront both ways",
      2,
      20,
      0,
      3,
      1,
      3,
      { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT, .index[WLI_AXIS_CHUNK_STEPS] = 1,
        .index[WLI_AXIS_PARTS] = 2 } },
    { "shares", 2, 64, 0, 1, 0, 3, { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_GANG } },
    { "shares of a projection", 2, 64, 40, 1, 0, 2, { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_GANG } },
    { "layers and shares",
      2,
      64,
      0,
      1,
      0,
      4,
      { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_GANG, .index[WLI_AXIS_GANG_LAYERS] = 1,
        .index[WLI_AXIS_CHUNK_STEPS] = 3 } },
    { "directions and parts",
      2,
      20,
      0,
      4,
      1,
      4,
      { MATMULS, .index[WLI_AXIS_SCHEDULE] = WLI_GANG, .index[WLI_AXIS_GANG_DIRECTIONS] = 1 } },
};

static problem build_problem(const way *w) {
    uint64_t stream = 7;
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT, .seq_len = 9, .batch = w->batch };
    p.config.input_size = 24, p.config.hidden_size = w->hidden_size, p.config.proj_size = w->proj_size;
    p.config.num_layers = w->num_layers, p.config.bidirectional = w->bidirectional;
    p.with_lengths = w->batch > 1;
    problem_build(&p, &stream);
    return p;
}

static wlstm_plan *make_plan(const way *w, const problem *p) {
    const wli_setting setting = {
        .model = p->lstm->module.model, .seq_len = p->seq_len, .batch = p->batch, .threads = w->threads
    };
    wlstm_plan *plan;
    if (!wli_candidate_legal(&setting, &w->candidate)) fail_msg("%s: legal expected", w->name);
    const wli_choice choice = wli_candidate_resolve(&setting, &w->candidate);
    if (choice.threads != w->threads) fail_msg("%s: %d threads expected", w->name, w->threads);
    assert_int_equal(wli_plan_make_choice(p->lstm->module.model, &setting, &choice, &plan), WLSTM_OK);
    return plan;
}

/* Products of one call, the failing one being so many calls away. */
static int execute_counted(const problem *p, wlstm_plan *plan, int fails, wlstm_status *status, outcome *o) {
    const int before = atomic_load(&calls);
    atomic_store(&failing, fails < 0 ? -1 : before + fails);
    *o = outcome_create(p);
    *status = wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o->out, o->h_n, o->c_n);
    atomic_store(&failing, -1);
    return atomic_load(&calls) - before;
}

static void any_product_may_fail(void **state) {
    (void)state;
    enum { FAILURES = 40 };
    alarm(SECONDS);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        problem p = build_problem(&ways[i]);
        wlstm_plan *plan = make_plan(&ways[i], &p);
        outcome expected, o;
        wlstm_status status;
        const int max_threads = omp_get_max_threads(), dynamic = omp_get_dynamic();
        const int products = execute_counted(&p, plan, -1, &status, &expected);
        assert_int_equal(status, WLSTM_OK);
        assert_true(products > 4);
        const int stride = products / FAILURES + 1;
        for (int k = 0; k < products; k += k + stride < products || k == products - 1 ? stride : products - 1 - k) {
            /* Another error of this thread's, which the next one takes the place of. */
            assert_int_not_equal(wlstm_plan_execute(NULL, 1, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
            (void)execute_counted(&p, plan, k, &status, &o);
            if (status != WLSTM_ERROR_BACKEND)
                fail_msg("%s, product %d: WLSTM_ERROR_BACKEND expected", ways[i].name, k);
            assert_non_null(strstr(wlstm_last_error(), "oneDNN matmul: success expected, got status 6"));
            outcome_free(&o);
            (void)execute_counted(&p, plan, -1, &status, &o);
            assert_int_equal(status, WLSTM_OK);
            assert_true(outcomes_agree(&p, ways[i].name, &o, &expected, true));
            outcome_free(&o);
            assert_true(omp_get_max_threads() == max_threads && omp_get_dynamic() == dynamic);
        }
        outcome_free(&expected);
        wlstm_plan_free(plan);
        problem_free(&p);
    }
    assert_int_equal(atomic_load(&forking), 0);
}

static const char *program;

/* Of a team that is smaller than was asked for, or one thread, too; OpenMP reads its variables once. */
static void no_product_starts_threads(void **state) {
    (void)state;
    static const char *const environments[] = { "OMP_THREAD_LIMIT=1", "OMP_THREAD_LIMIT=2 OMP_NUM_THREADS=2",
                                                "OMP_DYNAMIC=true OMP_NUM_THREADS=8" };
    for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
        char command[600];
        snprintf(command, sizeof command, "%s '%s' one-process", environments[i], program);
        fflush(stdout);
        if (system(command) != 0) fail_msg("%s: exit status 0 expected", command);
    }
}

int main(int argc, char **argv) {
    program = argv[0];
    const struct CMUnitTest one_process[] = { cmocka_unit_test(any_product_may_fail) };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_product_may_fail),
        cmocka_unit_test(no_product_starts_threads),
    };
    if (strstr(wlstm_build_info(), "no oneDNN")) {
        printf("no oneDNN: skipped\n");
        return 0;
    }
    return argc > 1 ? cmocka_run_group_tests(one_process, NULL, NULL) : cmocka_run_group_tests(tests, NULL, NULL);
}
