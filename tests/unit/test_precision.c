/* Whose precision counts: the plan's, then the lstm's or cell's, then the environment's, then full; what f64 makes
 * of each; what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

enum { T = 3, B = 2, X = T * B * 5, OUT = T * B * 4, NONE = -1 };

static const char *const suffixes[] = { "", ":", "-bf16:", "-int8:" };

static void fill(float *values, int count) {
    for (int k = 0; k < count; ++k) values[k] = (float)(k % 11 - 5) / 7;
}

static wlstm_plan *make_plan(wlstm_lstm *lstm, wlstm_precision precision) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1, options.precision = precision;
    assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_OK);
    return plan;
}

static void run_plan(wlstm_lstm *lstm, wlstm_precision precision, float out[OUT]) {
    float x[X];
    wlstm_plan *plan = make_plan(lstm, precision);
    fill(x, X);
    assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    wlstm_plan_free(plan);
}

static void run_forward(wlstm_lstm *lstm, float out[OUT]) {
    float x[X];
    fill(x, X);
    assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
}

/* The plan is named for the precision, and plans and wlstm_forward compute in it. */
static void assert_in_force(wlstm_lstm *lstm, wlstm_precision named, wlstm_precision in_force) {
    wlstm_plan *plan = make_plan(lstm, named);
    if (!strstr(wlstm_plan_describe(plan), suffixes[in_force]))
        fail_msg("\"%s\" expected, got \"%s\"", suffixes[in_force], wlstm_plan_describe(plan));
    wlstm_plan_free(plan);
    float expected[OUT], got[OUT];
    run_plan(lstm, in_force, expected);
    run_plan(lstm, named, got);
    assert_memory_equal(got, expected, sizeof got);
    if (named) return;
    run_forward(lstm, got);
    assert_memory_equal(got, expected, sizeof got);
}

static void the_plan_goes_before_the_lstm(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    float results[4][OUT];
    for (int of_lstm = WLSTM_PRECISION_DEFAULT; of_lstm <= WLSTM_PRECISION_INT8; ++of_lstm) {
        assert_int_equal(wlstm_lstm_set_precision(lstm, (wlstm_precision)of_lstm), WLSTM_OK);
        run_forward(lstm, results[of_lstm]);
        for (int of_plan = WLSTM_PRECISION_DEFAULT; of_plan <= WLSTM_PRECISION_INT8; ++of_plan)
            assert_in_force(lstm, (wlstm_precision)of_plan,
                            (wlstm_precision)(of_plan   ? of_plan
                                              : of_lstm ? of_lstm
                                                        : WLSTM_PRECISION_FULL));
    }
    /* They are three. */
    assert_memory_equal(results[0], results[1], sizeof results[0]);
    for (int a = 1; a <= 3; ++a)
        for (int b = 1; b < a; ++b) assert_memory_not_equal(results[a], results[b], sizeof results[a]);
    wlstm_lstm_free(lstm);
}

/* What is bfloat16 already is not rounded: full and bf16 are one, and int8 is another. */
static void bf16_arrays_have_two(void **state) {
    (void)state;
    static const char *const names[] = { "-bf16arrays: ", "-bf16arrays: ", "-bf16arrays: ", "-bf16arrays-int8: " };
    wlstm_lstm_config config = small_config();
    config.dtype = WLSTM_BF16;
    wlstm_lstm *lstm = create_lstm(&config);
    uint16_t x[X], out[4][OUT];
    for (int k = 0; k < X; ++k) x[k] = (uint16_t)(0x3f00 + k % 11);
    for (int precision = 0; precision <= WLSTM_PRECISION_INT8; ++precision) {
        wlstm_plan *plan = make_plan(lstm, (wlstm_precision)precision);
        assert_non_null(strstr(wlstm_plan_describe(plan), names[precision]));
        wlstm_plan_free(plan);
        assert_int_equal(wlstm_lstm_set_precision(lstm, (wlstm_precision)precision), WLSTM_OK);
        assert_int_equal(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out[precision], NULL, NULL), WLSTM_OK);
        if (precision < WLSTM_PRECISION_INT8) assert_memory_equal(out[precision], out[0], sizeof out[0]);
    }
    assert_memory_not_equal(out[WLSTM_PRECISION_INT8], out[0], sizeof out[0]);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_BF16), WLSTM_OK);
    assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_FULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
}

static void plans_made_before_keep_theirs(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    float x[X], before[OUT], after[OUT];
    fill(x, X);
    wlstm_plan *plan = make_plan(lstm, WLSTM_PRECISION_DEFAULT);
    assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, before, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_INT8), WLSTM_OK);
    assert_int_equal(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, after, NULL, NULL), WLSTM_OK);
    assert_memory_equal(after, before, sizeof after);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
}

/* A cell's step is that of an lstm of it; an lstm of cells does not take their precision. */
static void cells_have_one_too(void **state) {
    (void)state;
    wlstm_cell *cell = create_cell(5, 4, 1, WLSTM_F32);
    const wlstm_cell *cells[] = { cell };
    wlstm_lstm *lstm;
    float x[B * 5], h[B * 4], c[B * 4], out[B * 4], h_n[B * 4], c_n[B * 4];
    fill(x, B * 5);
    for (int precision = WLSTM_PRECISION_FULL; precision <= WLSTM_PRECISION_INT8; ++precision) {
        assert_int_equal(wlstm_cell_set_precision(cell, (wlstm_precision)precision), WLSTM_OK);
        assert_int_equal(wlstm_lstm_create_from_cells(cells, 1, &lstm), WLSTM_OK);
        assert_in_force(lstm, WLSTM_PRECISION_DEFAULT, WLSTM_PRECISION_FULL);
        assert_int_equal(wlstm_lstm_set_precision(lstm, (wlstm_precision)precision), WLSTM_OK);
        assert_int_equal(wlstm_forward(lstm, 1, B, NULL, x, NULL, NULL, out, h_n, c_n), WLSTM_OK);
        assert_int_equal(wlstm_cell_forward(cell, B, x, NULL, NULL, h, c), WLSTM_OK);
        assert_memory_equal(h, h_n, sizeof h);
        assert_memory_equal(c, c_n, sizeof c);
        wlstm_lstm_free(lstm);
    }
    wlstm_cell_free(cell);
}

#define assert_fails(call, status, sentence)                                                                           \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        assert_string_equal(wlstm_last_error(), sentence);                                                             \
    } while (0)

static void what_is_none_is_refused(void **state) {
    (void)state;
    wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_cell *cell = create_cell(5, 4, 1, WLSTM_F64);
    config.dtype = WLSTM_F64;
    wlstm_lstm *f64 = create_lstm(&config);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = T, options.max_batch = B, options.precision = WLSTM_PRECISION_INT8;
    static const char int8_of_f64[] =
        "precision: default or full expected with parameters of f64, got int8, which is for "
        "f32";
    static const char bf16_of_f64[] =
        "precision: default or full expected with parameters of f64, got bf16, which is for "
        "f32";
    assert_fails(wlstm_lstm_set_precision(NULL, WLSTM_PRECISION_FULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "lstm: a pointer expected, got NULL");
    assert_fails(wlstm_cell_set_precision(NULL, WLSTM_PRECISION_FULL), WLSTM_ERROR_INVALID_ARGUMENT,
                 "cell: a pointer expected, got NULL");
    assert_fails(wlstm_lstm_set_precision(lstm, (wlstm_precision)4), WLSTM_ERROR_INVALID_ARGUMENT,
                 "precision: a wlstm_precision expected, got 4");
    assert_fails(wlstm_cell_set_precision(cell, (wlstm_precision)NONE), WLSTM_ERROR_INVALID_ARGUMENT,
                 "precision: a wlstm_precision expected, got -1");
    assert_fails(wlstm_lstm_set_precision(f64, WLSTM_PRECISION_INT8), WLSTM_ERROR_UNSUPPORTED, int8_of_f64);
    assert_fails(wlstm_cell_set_precision(cell, WLSTM_PRECISION_BF16), WLSTM_ERROR_UNSUPPORTED, bf16_of_f64);
    assert_fails(wlstm_plan_create(f64, &options, &plan), WLSTM_ERROR_UNSUPPORTED, int8_of_f64);
    assert_null(plan);
    options.precision = WLSTM_PRECISION_FULL;
    assert_int_equal(wlstm_plan_create(f64, &options, &plan), WLSTM_OK);
    wlstm_plan_free(plan);
    assert_int_equal(wlstm_lstm_set_precision(f64, WLSTM_PRECISION_FULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_set_precision(cell, WLSTM_PRECISION_DEFAULT), WLSTM_OK);
    options.precision = WLSTM_PRECISION_BF16, options.backend = WLSTM_BACKEND_ONEDNN;
    assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_ERROR_UNSUPPORTED);
    assert_non_null(strstr(wlstm_last_error(), "backend: "));
    wlstm_lstm_free(lstm);
    wlstm_lstm_free(f64);
    wlstm_cell_free(cell);
}

/* A line each, of a second process: plans of f32, of f32 with full named, of an lstm with bf16, of f64. */
static int print_plans(void) {
    for (int kind = 0; kind < 4; ++kind) {
        wlstm_lstm_config config = small_config();
        if (kind == 3) config.dtype = WLSTM_F64;
        wlstm_lstm *lstm = create_lstm(&config);
        if (kind == 2 && wlstm_lstm_set_precision(lstm, WLSTM_PRECISION_BF16) != WLSTM_OK) return 1;
        wlstm_plan *plan = make_plan(lstm, kind == 1 ? WLSTM_PRECISION_FULL : WLSTM_PRECISION_DEFAULT);
        printf("%s\n", wlstm_plan_describe(plan));
        wlstm_plan_free(plan);
        wlstm_lstm_free(lstm);
    }
    return 0;
}

static const char *program;

static void the_environment_speaks_for_who_says_nothing(void **state) {
    (void)state;
    static const struct {
        const char *value, *plans[4];
    } cases[] = {
        { "", { "l2:", "l2:", "l2-bf16:", "l2-f64: project" } },
        { "full", { "l2:", "l2:", "l2-bf16:", "l2-f64: project" } },
        { "int8", { "l2-int8:", "l2:", "l2-bf16:", "l2-f64: project" } },
        { "bf16", { "l2-bf16:", "l2:", "l2-bf16:", "l2-f64: project" } },
        { "int4", { "l2:", "l2:", "l2-bf16:", "l2-f64: project" } },
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; ++k) {
        char command[600], line[1000];
        snprintf(command, sizeof command, "WLSTM_PRECISION=%s '%s' print-plans", cases[k].value, program);
        FILE *output = popen(command, "r");
        assert_non_null(output);
        for (int kind = 0; kind < 4; ++kind) {
            assert_non_null(fgets(line, sizeof line, output));
            if (!strstr(line, cases[k].plans[kind]))
                fail_msg("WLSTM_PRECISION=%s: %s expected, got %s", cases[k].value, cases[k].plans[kind], line);
        }
        assert_int_equal(pclose(output), 0);
    }
    char command[600], line[1000];
    snprintf(command, sizeof command, "WLSTM_VERBOSE=1 WLSTM_PRECISION=int4 '%s' print-plans 2>&1", program);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    assert_non_null(fgets(line, sizeof line, output));
    assert_string_equal(line, "wavelstm: WLSTM_PRECISION: one of full, bf16, int8 expected, got 'int4': ignored\n");
    while (fgets(line, sizeof line, output)) {
    }
    assert_int_equal(pclose(output), 0);
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "print-plans") == 0) return print_plans();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plan_goes_before_the_lstm), cmocka_unit_test(bf16_arrays_have_two),
        cmocka_unit_test(plans_made_before_keep_theirs), cmocka_unit_test(cells_have_one_too),
        cmocka_unit_test(what_is_none_is_refused),       cmocka_unit_test(the_environment_speaks_for_who_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
