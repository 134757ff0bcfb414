/* No call touches what is beside the arrays that it is given, or writes to what it is to read: every array lies between
 * pages that nobody may touch (pages.h), inputs in pages that are only read, at addresses aligned to an element and no
 * more. By each backend, precision and schedule, in every layout; CMakeLists.txt has it under every WLSTM_ISA too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "pages.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 60, CELLS = 40 };

static uint64_t stream;

static void protect_inputs(const problem *p) {
    pages_protect(p->x);
    if (p->h_0) pages_protect(p->h_0);
    if (p->c_0) pages_protect(p->c_0);
    if (p->lengths) pages_protect(p->lengths);
}

static wlstm_plan_options draw_options(const problem *p, wlstm_backend backend) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch;
    options.num_threads = (int)random_between(&stream, 1, 4);
    options.backend = backend;
    options.schedule = (wlstm_schedule)random_between(&stream, WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_GANGS);
    options.chunk_steps = random_between(&stream, 0, 4);
    if (p->config.dtype == WLSTM_F32 && (int)backend != TEST_MATMUL)
        options.precision = (wlstm_precision)random_between(&stream, WLSTM_PRECISION_DEFAULT, WLSTM_PRECISION_INT8);
    return options;
}

/* Whichever results are wanted. */
static void run(const problem *p, wlstm_backend backend) {
    const wlstm_plan_options options = draw_options(p, backend);
    wlstm_plan *plan;
    const wlstm_status status = test_plan_create(p->lstm, &options, &plan);
    if (status == WLSTM_ERROR_UNSUPPORTED && (int)backend >= WLSTM_BACKEND_ONEDNN) return;
    assert_int_equal(status, WLSTM_OK);
    outcome o = outcome_create(p);
    void *h_n = random_between(&stream, 0, 3) ? o.h_n : NULL, *c_n = random_between(&stream, 0, 3) ? o.c_n : NULL;
    assert_int_equal(wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o.out, h_n, c_n),
                     WLSTM_OK);
    outcome_free(&o);
    wlstm_plan_free(plan);
}

/* Each parameter from read-only memory in, and out again. */
static void copy_parameters(const problem *p) {
    for (int64_t k = 0; k < wlstm_lstm_num_parameters(p->lstm); k++) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_lstm_parameter_info(p->lstm, k, &name, &ndim, shape), WLSTM_OK);
        const int64_t count = shape[0] * shape[1];
        void *values = test_allocate(p->config.dtype, count), *again = test_allocate(p->config.dtype, count);
        char kept[64];
        snprintf(kept, sizeof kept, "%s", name);
        random_fill(p->config.dtype, values, count, (uint64_t)k, -2);
        pages_protect(values);
        assert_int_equal(wlstm_lstm_set_parameter(p->lstm, kept, values, count), WLSTM_OK);
        assert_int_equal(wlstm_lstm_get_parameter(p->lstm, kept, again, count), WLSTM_OK);
        assert_memory_equal(values, again, (size_t)count * dtype_size(p->config.dtype));
        test_release(values);
        test_release(again);
    }
}

static void a_sequence_touches_its_arrays_alone(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        problem p = problem_draw(&stream);
        problem_build(&p, &stream);
        copy_parameters(&p);
        protect_inputs(&p);
        for (int backend = 0; backend < TEST_BACKENDS; backend++) run(&p, (wlstm_backend)backend);
        outcome o;
        assert_int_equal(problem_forward(&p, &o), WLSTM_OK);
        outcome_free(&o);
        problem_free(&p);
    }
}

static void a_cell_touches_its_arrays_alone(void **state) {
    (void)state;
    for (int k = 0; k < CELLS; k++) {
        wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
        config.input_size = random_between(&stream, 1, 70), config.hidden_size = random_between(&stream, 1, 70);
        config.bias = random_flag(&stream), config.dtype = random_flag(&stream) ? WLSTM_F32 : WLSTM_F64;
        const int64_t B = random_between(&stream, 1, 9), states = B * config.hidden_size;
        wlstm_cell *cell;
        assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
        void *x = test_allocate(config.dtype, B * config.input_size), *arrays[4];
        random_fill(config.dtype, x, B * config.input_size, 1, 0);
        for (int a = 0; a < 4; a++) {
            arrays[a] = test_allocate(config.dtype, states);
            random_fill(config.dtype, arrays[a], states, (uint64_t)a, 0);
            if (a < 2) pages_protect(arrays[a]);
        }
        pages_protect(x);
        assert_int_equal(wlstm_cell_forward(cell, B, x, arrays[0], arrays[1], arrays[2], arrays[3]), WLSTM_OK);
        assert_int_equal(wlstm_cell_forward(cell, B, x, arrays[2], arrays[3], arrays[2], arrays[3]), WLSTM_OK);
        for (int a = 0; a < 4; a++) test_release(arrays[a]);
        test_release(x);
        wlstm_cell_free(cell);
    }
}

/* The guard itself: a byte past the end, one before a beginning and one of an input end the process. */
static void a_touch_beside_an_array_is_seen(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            volatile unsigned char *arrays[4];
            signal(SIGSEGV, SIG_DFL);
            for (int a = 0; a < 4; a++) arrays[a] = pages_take(24); /* one of four begins a page */
            for (int a = 0; a < 4; a++) {
                const bool begins = (uintptr_t)arrays[a] % 256 == 0;
                if (kind == 0 && !begins) (void)arrays[a][24];
                if (kind == 1 && begins) (void)arrays[a][-1];
                if (kind == 2) pages_protect((const void *)arrays[a]), arrays[a][0] = 1;
            }
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_not_equal(status, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sequence_touches_its_arrays_alone),
        cmocka_unit_test(a_cell_touches_its_arrays_alone),
        cmocka_unit_test(a_touch_beside_an_array_is_seen),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
