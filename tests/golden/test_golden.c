/* PyTorch's own results (tests/golden/data, made by make_golden.py), and of rounded products a model's (data/rounded,
 * made by make_rounded.py), against wlstm_forward, wlstm_cell_forward and a plan of each backend. The directory of
 * the data: the first argument, else WLSTM_TEST_DATA at compile time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_types.h"
#include "compare.h"
#include "problem.h"
#include "random.h"

#ifndef WLSTM_TEST_DATA
#define WLSTM_TEST_DATA "tests/golden/data"
#endif

enum { MAX_CASES = 256, LINE_LENGTH = 512 };

typedef struct golden_case {
    problem p; /* of a cell: one layer, its lstm NULL */
    bool is_cell;
    char special[16];
    int64_t special_row;
    wlstm_precision precision;
} golden_case;

static const char *data_directory = WLSTM_TEST_DATA;
static int ran[TEST_BACKENDS], not_covered[TEST_BACKENDS];

static uint64_t seed_of(const golden_case *g, const char *tensor) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", g->p.name, tensor);
    return random_seed_of(path);
}

static bool is_special(const golden_case *g, const char *name) {
    return strcmp(g->special, name) == 0;
}

static void put(wlstm_dtype dtype, void *values, int64_t index, double value) {
    wli_put(dtype, values, (size_t)index, value);
}

/* Of bfloat16 arrays no value lies between two roundings, so that there is one result, but of the smallest. */
static bool are_one(const golden_case *g, const char *what, const outcome *a, const outcome *b) {
    const problem *p = &g->p;
    const void *got[] = { a->out, a->h_n, a->c_n }, *expected[] = { b->out, b->h_n, b->c_n };
    const int64_t counts[] = { problem_out_count(p), problem_h_count(p), problem_c_count(p) };
    for (int k = 0; k < 3 && p->config.dtype == WLSTM_BF16; ++k)
        for (int64_t i = 0; i < counts[k]; ++i) {
            const double value = tensor_at(WLSTM_BF16, got[k], i), known = tensor_at(WLSTM_BF16, expected[k], i);
            if (fabs(value - known) <= 2e-6) continue;
            fprintf(stderr, "%s: %s: [%d] of %d is %.9g, expected %.9g\n", p->name, what, (int)i, k, value, known);
            return false;
        }
    return outcomes_agree(p, what, a, b, false);
}

/* A line of cases.txt, columns as its second line names them; false if it is not one. */
static bool parse_case(const char *line, golden_case *g) {
    static const char *const precisions[] = { "default", "full", "bf16", "int8" };
    char module[8], dtype[8], lengths[256], precision[8] = "full";
    long long n[12];
    *g = (golden_case){ .p.config = WLSTM_LSTM_CONFIG_INIT };
    if (sscanf(line, "%127s %7s %7s %lld %lld %lld %lld %lld %lld %lld %lld %lld %lld %15s %lld %255s %7s", g->p.name,
               module, dtype, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6], &n[7], &n[8], &n[9], g->special, &n[10],
               lengths, precision) < 16) {
        return false;
    }
    for (int k = WLSTM_PRECISION_FULL; k <= WLSTM_PRECISION_INT8; ++k) {
        if (strcmp(precision, precisions[k]) == 0) g->precision = (wlstm_precision)k;
    }
    wlstm_lstm_config *c = &g->p.config;
    g->is_cell = strcmp(module, "cell") == 0;
    c->dtype = strcmp(dtype, "f64") == 0 ? WLSTM_F64 : strcmp(dtype, "bf16") == 0 ? WLSTM_BF16 : WLSTM_F32;
    c->input_size = n[0], c->hidden_size = n[1], c->num_layers = n[2], c->proj_size = n[3];
    c->bias = n[4] != 0, c->bidirectional = n[5] != 0, c->batch_first = n[6] != 0;
    g->p.seq_len = n[7], g->p.batch = n[8], g->p.with_states = n[9] != 0, g->special_row = n[10];
    g->p.with_lengths = lengths[0] != '-';
    if (!g->p.with_lengths) return true;
    g->p.lengths = test_allocate(WLSTM_F64, g->p.batch); /* as wide */
    char *rest = lengths;
    for (int64_t b = 0; b < g->p.batch; ++b) {
        g->p.lengths[b] = strtoll(rest, &rest, 10);
        if (*rest == ',') ++rest;
    }
    return g->p.lengths != NULL;
}

/* x, h_0 and c_0 as golden_cases.py's inputs() makes them. */
static void make_inputs(golden_case *g) {
    problem *p = &g->p;
    const wlstm_dtype dtype = p->config.dtype;
    const int64_t row = g->special_row;
    const int64_t first = row * p->config.input_size * (p->config.batch_first ? p->seq_len : 1);
    p->x = test_allocate(dtype, problem_x_count(p));
    random_fill(dtype, p->x, problem_x_count(p), seed_of(g, "x"),
                is_special(g, "huge_x")    ? 100
                : is_special(g, "large_x") ? 6
                : is_special(g, "tiny_x")  ? -122
                                           : 0);
    if (is_special(g, "nan_x")) put(dtype, p->x, first, NAN);
    if (is_special(g, "inf_x") || is_special(g, "infs_x")) put(dtype, p->x, first, INFINITY);
    if (is_special(g, "infs_x")) put(dtype, p->x, first + 1, -INFINITY);
    if (!p->with_states) return;

    p->h_0 = test_allocate(dtype, problem_h_count(p));
    p->c_0 = test_allocate(dtype, problem_c_count(p));
    random_fill(dtype, p->h_0, problem_h_count(p), seed_of(g, "h_0"), is_special(g, "huge_h") ? 100 : 0);
    random_fill(dtype, p->c_0, problem_c_count(p), seed_of(g, "c_0"), is_special(g, "huge_c") ? 100 : 0);
    if (is_special(g, "nan_h")) put(dtype, p->h_0, row * problem_width(p), NAN);
    if (is_special(g, "inf_h")) put(dtype, p->h_0, row * problem_width(p), INFINITY);
    if (is_special(g, "nan_c")) put(dtype, p->c_0, row * p->config.hidden_size, NAN);
    if (is_special(g, "inf_c")) put(dtype, p->c_0, row * p->config.hidden_size, INFINITY);
}

static void *make_parameter(const golden_case *g, const char *name, int64_t count) {
    const int exponent = random_weight_exponent(g->p.config.hidden_size) + (is_special(g, "large_weights") ? 3 : 0);
    void *values = test_allocate(g->p.config.dtype, count);
    random_fill(g->p.config.dtype, values, count, seed_of(g, name), exponent);
    if (strcmp(name, "weight_ih_l0") == 0 && (is_special(g, "nan_w") || is_special(g, "inf_w")))
        put(g->p.config.dtype, values, 0, is_special(g, "nan_w") ? NAN : INFINITY);
    return values;
}

static void make_lstm(golden_case *g) {
    assert_int_equal(wlstm_lstm_create(&g->p.config, &g->p.lstm), WLSTM_OK);
    g->p.owns_lstm = true;
    assert_int_equal(wlstm_lstm_set_precision(g->p.lstm, g->precision), WLSTM_OK);
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(g->p.lstm); ++i) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_lstm_parameter_info(g->p.lstm, i, &name, &ndim, shape), WLSTM_OK);
        void *values = make_parameter(g, name, shape[0] * shape[1]);
        assert_int_equal(wlstm_lstm_set_parameter(g->p.lstm, name, values, shape[0] * shape[1]), WLSTM_OK);
        test_release(values);
    }
}

static wlstm_cell *make_cell(const golden_case *g) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = g->p.config.input_size, config.hidden_size = g->p.config.hidden_size;
    config.bias = g->p.config.bias, config.dtype = g->p.config.dtype;
    wlstm_cell *cell;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_set_precision(cell, g->precision), WLSTM_OK);
    for (int64_t i = 0; i < wlstm_cell_num_parameters(cell); ++i) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_cell_parameter_info(cell, i, &name, &ndim, shape), WLSTM_OK);
        void *values = make_parameter(g, name, shape[0] * shape[1]);
        assert_int_equal(wlstm_cell_set_parameter(cell, name, values, shape[0] * shape[1]), WLSTM_OK);
        test_release(values);
    }
    return cell;
}

static outcome read_expected(const golden_case *g) {
    const problem *p = &g->p;
    const size_t size = dtype_size(p->config.dtype);
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.bin", data_directory, p->name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s: cannot be opened", path);
    const outcome o = outcome_create(p);
    size_t got = fread(o.out, size, (size_t)problem_out_count(p), file);
    got += fread(o.h_n, size, (size_t)problem_h_count(p), file);
    got += fread(o.c_n, size, (size_t)problem_c_count(p), file);
    assert_int_equal(got, problem_out_count(p) + problem_h_count(p) + problem_c_count(p));
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    return o;
}

/* h, c = cell(x[t], (h, c)) for all t, the states carried in place; out is h at all times. */
static outcome iterate_cell(const golden_case *g) {
    const problem *p = &g->p;
    const size_t size = dtype_size(p->config.dtype);
    const size_t x_step = (size_t)(p->batch * p->config.input_size) * size, h_step = (size_t)problem_h_count(p) * size;
    wlstm_cell *cell = make_cell(g);
    const outcome o = outcome_create(p);
    const void *h = p->h_0, *c = p->c_0;
    for (size_t t = 0; t < (size_t)p->seq_len; ++t) {
        assert_int_equal(wlstm_cell_forward(cell, p->batch, (const char *)p->x + t * x_step, h, c, o.h_n, o.c_n),
                         WLSTM_OK);
        memcpy((char *)o.out + t * h_step, o.h_n, h_step);
        h = o.h_n, c = o.c_n;
    }
    wlstm_cell_free(cell);
    return o;
}

static bool backends_agree(const golden_case *g, const outcome *expected) {
    /* What only tuning chooses rounds nothing. */
    const int end = g->precision == WLSTM_PRECISION_FULL ? (int)TEST_BACKENDS : (int)TEST_MATMUL;
    bool agree = true;
    for (int backend = WLSTM_BACKEND_AUTO; backend < end; ++backend) {
        outcome o;
        const wlstm_status status = problem_run(&g->p, (wlstm_backend)backend, &o);
        if (status == WLSTM_ERROR_UNSUPPORTED && (int)backend >= WLSTM_BACKEND_ONEDNN) {
            ++not_covered[backend];
            continue;
        }
        assert_int_equal(status, WLSTM_OK);
        ++ran[backend];
        agree &= are_one(g, backend_name((wlstm_backend)backend), &o, expected);
        outcome_free(&o);
    }
    return agree;
}

static void matches_what_is_known(void **state) {
    golden_case *g = *state;
    make_inputs(g);
    outcome expected = read_expected(g), o;
    bool agree = true;
    if (g->is_cell) {
        o = iterate_cell(g);
    } else {
        make_lstm(g);
        assert_int_equal(problem_forward(&g->p, &o), WLSTM_OK);
        agree = backends_agree(g, &expected);
    }
    agree &= are_one(g, g->is_cell ? "wlstm_cell_forward" : "wlstm_forward", &o, &expected);
    outcome_free(&o);
    outcome_free(&expected);
    assert_true(agree);
}

int main(int argc, char **argv) {
    static golden_case cases[MAX_CASES];
    static struct CMUnitTest tests[MAX_CASES];
    size_t count = 0;
    char line[LINE_LENGTH];
    if (argc > 1) data_directory = argv[1];
    snprintf(line, sizeof line, "%s/cases.txt", data_directory);
    FILE *manifest = fopen(line, "r");
    if (!manifest) return fprintf(stderr, "%s: cannot be opened\n", line), 1;
    while (fgets(line, sizeof line, manifest)) {
        if (line[0] == '#') continue;
        if (count == MAX_CASES || !parse_case(line, &cases[count])) return fprintf(stderr, "not a case: %s", line), 1;
        tests[count] = (struct CMUnitTest){ cases[count].p.name, matches_what_is_known, NULL, NULL, &cases[count] };
        ++count;
    }
    fclose(manifest);
    if (count == 0) return fprintf(stderr, "%s: no cases\n", data_directory), 1;

    const int failed = _cmocka_run_group_tests("golden", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; ++i) problem_free(&cases[i].p);
    for (int backend = 0; backend < TEST_BACKENDS; ++backend) {
        printf("%s: %d cases run, %d not covered\n", backend_name((wlstm_backend)backend), ran[backend],
               not_covered[backend]);
    }
    return failed;
}
