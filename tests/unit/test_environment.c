/* The environment's say in which plan is made, in processes of its own: it is read once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <wavelstm.h>

/* What such a process prints of f32, f32 deterministic and f64: what wlstm_forward returns and wlstm_plan_create, the
 * description. */
static int print_plans(void) {
    for (int kind = 0; kind < 3; ++kind) {
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
        const double x[3] = { 0 };
        double out[2];
        wlstm_lstm *lstm;
        wlstm_plan *plan;
        config.input_size = 3, config.hidden_size = 2, config.dtype = kind == 2 ? WLSTM_F64 : WLSTM_F32;
        options.max_seq_len = 1, options.max_batch = 1, options.deterministic = kind == 1;
        if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK) return 1;
        const wlstm_status forward = wlstm_forward(lstm, 1, 1, NULL, x, NULL, NULL, out, NULL, NULL);
        const wlstm_status made = wlstm_plan_create(lstm, &options, &plan);
        printf("%d %d %s\n", (int)forward, (int)made, wlstm_plan_describe(plan));
        wlstm_plan_free(plan);
        wlstm_lstm_free(lstm);
    }
    return 0;
}

static const char *program;

/* Standard output and standard error of print_plans() with these variables set. */
static void run_with(const char *variables, char *text, size_t size) {
    char command[600];
    snprintf(command, sizeof command, "%s '%s' print-plans 2>&1", variables, program);
    FILE *output = popen(command, "r");
    assert_non_null(output);
    text[fread(text, 1, size - 1, output)] = '\0';
    assert_int_equal(pclose(output), 0);
}

/* Line `index` of the plans: both calls succeeded, and the plan is `word`'s. */
static void assert_plan_of(const char *text, int index, const char *word) {
    for (int i = 0; i < index && text; ++i) text = strchr(text, '\n') ? strchr(text, '\n') + 1 : NULL;
    assert_non_null(text);
    const size_t length = strcspn(text, "\n");
    const char *found = strstr(text, word);
    if (strncmp(text, "0 0 ", 4) != 0 || !found || found > text + length)
        fail_msg("\"0 0 ... %s ...\" expected, got \"%.*s\"", word, (int)length, text);
}

static void the_environment_chooses_where_it_can(void **state) {
    (void)state;
    char text[4000];
    run_with("WLSTM_BACKEND=reference", text, sizeof text);
    for (int kind = 0; kind < 3; ++kind) assert_plan_of(text, kind, "reference");
    run_with("WLSTM_BACKEND=onednn", text, sizeof text);
    assert_plan_of(text, 0, strstr(wlstm_build_info(), "no oneDNN") ? "native" : "onednn inner product");
    assert_plan_of(text, 1, "native");
    assert_plan_of(text, 2, "native");
    run_with("WLSTM_ISA=neon", text, sizeof text);
    for (int kind = 0; kind < 3; ++kind) assert_plan_of(text, kind, "native baseline");
}

static void an_environment_value_not_understood_is_named(void **state) {
    (void)state;
    char text[4000];
    run_with("WLSTM_ISA=sse9 WLSTM_BACKEND=cudnn WLSTM_NUM_THREADS=0", text, sizeof text);
    assert_null(strstr(text, "WLSTM_"));
    assert_plan_of(text, 0, "native");
    run_with("WLSTM_VERBOSE=1 WLSTM_ISA=sse9 WLSTM_BACKEND=cudnn WLSTM_NUM_THREADS=0 WLSTM_EFFORT=", text, sizeof text);
    assert_non_null(strstr(
        text,
        "wavelstm: WLSTM_ISA: one of baseline, neon, avx2, avx2_vnni, avx512, avx512_vnni, avx512_bf16, amx expected, "
        "got 'sse9': ignored\n"));
    assert_non_null(strstr(text, "WLSTM_BACKEND: one of auto, reference, onednn, native expected, got 'cudnn'"));
    assert_non_null(strstr(text, "WLSTM_NUM_THREADS: 1 to 65536 expected, got '0'"));
    assert_null(strstr(text, "WLSTM_EFFORT"));
    static const char *const numbers[] = { "' 2'", "'2 '", "+2", "-2", "0x2", "2.0", "65537", "99999999999999999999" };
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; ++k) {
        char variables[100];
        snprintf(variables, sizeof variables, "WLSTM_VERBOSE=1 WLSTM_NUM_THREADS=%s", numbers[k]);
        run_with(variables, text, sizeof text);
        if (!strstr(text, "wavelstm: WLSTM_NUM_THREADS: 1 to 65536 expected, got "))
            fail_msg("WLSTM_NUM_THREADS=%s is understood: %s", numbers[k], text);
    }
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "print-plans") == 0) return print_plans();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_environment_chooses_where_it_can),
        cmocka_unit_test(an_environment_value_not_understood_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
