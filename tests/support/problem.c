#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "base/number_types.h"
#include "compare.h"
#include "pages.h"
#include "plan/plan.h"
#include "random.h"

void *test_allocate(wlstm_dtype dtype, int64_t count) {
    return pages_take((size_t)count * dtype_size(dtype));
}

void test_release(void *values) {
    pages_give(values);
}

int64_t problem_width(const problem *p) {
    return p->config.proj_size > 0 ? p->config.proj_size : p->config.hidden_size;
}

int64_t problem_out_width(const problem *p) {
    return problem_width(p) * (p->config.bidirectional ? 2 : 1);
}

int64_t problem_blocks(const problem *p) {
    return p->config.num_layers * (p->config.bidirectional ? 2 : 1);
}

int64_t problem_x_count(const problem *p) {
    return p->seq_len * p->batch * p->config.input_size;
}

int64_t problem_out_count(const problem *p) {
    return p->seq_len * p->batch * problem_out_width(p);
}

int64_t problem_h_count(const problem *p) {
    return problem_blocks(p) * p->batch * problem_width(p);
}

int64_t problem_c_count(const problem *p) {
    return problem_blocks(p) * p->batch * p->config.hidden_size;
}

problem problem_draw(uint64_t *stream) {
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT };
    const int64_t drawn = random_between(stream, 0, 7);
    p.config.dtype = drawn < 2 ? WLSTM_F64 : drawn < 4 ? WLSTM_BF16 : WLSTM_F32;
    p.config.input_size = random_between(stream, 1, 40);
    p.config.hidden_size = random_between(stream, 1, 40);
    p.config.num_layers = random_between(stream, 1, 3);
    if (p.config.hidden_size > 1 && random_between(stream, 0, 3) == 0) {
        p.config.proj_size = random_between(stream, 1, p.config.hidden_size - 1);
    }
    p.config.bias = random_flag(stream);
    p.config.bidirectional = random_flag(stream);
    p.config.batch_first = random_flag(stream);
    p.seq_len = random_between(stream, 1, 12);
    p.batch = random_between(stream, 1, 9);
    p.with_states = random_flag(stream);
    p.with_lengths = random_flag(stream);
    return p;
}

static void *random_tensor(wlstm_dtype dtype, int64_t count, uint64_t *stream) {
    void *values = test_allocate(dtype, count);
    random_fill(dtype, values, count, random_bits(*stream, 1), 0);
    *stream = random_bits(*stream, 0);
    return values;
}

void problem_build(problem *p, uint64_t *stream) {
    const wlstm_lstm_config *c = &p->config;
    snprintf(p->name, sizeof p->name, "t%lldb%lldi%lldh%lldl%lldp%lld%s%s%s%s%s%s", (long long)p->seq_len,
             (long long)p->batch, (long long)c->input_size, (long long)c->hidden_size, (long long)c->num_layers,
             (long long)c->proj_size, c->bidirectional ? "-bi" : "", c->bias ? "" : "-nobias",
             wli_numbers[c->dtype].problem, c->batch_first ? "-batch_first" : "", p->with_states ? "-states" : "",
             p->with_lengths ? "-lengths" : "");
    if (wlstm_lstm_create(c, &p->lstm) != WLSTM_OK ||
        wlstm_lstm_reset_parameters(p->lstm, random_bits(*stream, 2)) != WLSTM_OK) {
        fprintf(stderr, "%s: %s\n", p->name, wlstm_last_error());
        abort();
    }
    p->owns_lstm = true;
    p->x = random_tensor(c->dtype, problem_x_count(p), stream);
    p->h_0 = p->with_states ? random_tensor(c->dtype, problem_h_count(p), stream) : NULL;
    p->c_0 = p->with_states ? random_tensor(c->dtype, problem_c_count(p), stream) : NULL;
    if (p->with_lengths) {
        p->lengths = pages_take((size_t)p->batch * sizeof *p->lengths);
        for (int64_t b = 0; b < p->batch; ++b) p->lengths[b] = random_between(stream, 1, p->seq_len);
    }
}

void problem_free(problem *p) {
    if (p->owns_lstm) wlstm_lstm_free(p->lstm);
    test_release(p->x);
    test_release(p->h_0);
    test_release(p->c_0);
    test_release(p->lengths);
    *p = (problem){ .config = WLSTM_LSTM_CONFIG_INIT };
}

/* Row `row` of whole [outer, batch, width], its first `outer_wanted` of outer: fresh memory [outer_wanted, width]. */
static void *middle_row(wlstm_dtype dtype, const void *whole, int64_t outer_wanted, int64_t batch, int64_t width,
                        int64_t row) {
    const size_t line = (size_t)width * dtype_size(dtype);
    char *picked = test_allocate(dtype, outer_wanted * width);
    for (int64_t o = 0; o < outer_wanted; ++o) {
        memcpy(picked + (size_t)o * line, (const char *)whole + (size_t)(o * batch + row) * line, line);
    }
    return picked;
}

/* The same of a sequence: [T, B, width], or [B, T, width] if batch_first. */
static void *sequence_row(const problem *whole, const void *sequence, int64_t width, int64_t row, int64_t seq_len) {
    const wlstm_dtype dtype = whole->config.dtype;
    if (!whole->config.batch_first) return middle_row(dtype, sequence, seq_len, whole->batch, width, row);
    const size_t line = (size_t)width * dtype_size(dtype);
    void *picked = test_allocate(dtype, seq_len * width);
    memcpy(picked, (const char *)sequence + (size_t)(row * whole->seq_len) * line, (size_t)seq_len * line);
    return picked;
}

problem problem_row(const problem *whole, int64_t row, int64_t seq_len) {
    const wlstm_dtype dtype = whole->config.dtype;
    const int64_t blocks = problem_blocks(whole);
    problem p = *whole;
    p.owns_lstm = false;
    p.batch = 1;
    p.seq_len = seq_len;
    p.lengths = NULL;
    p.with_lengths = false;
    p.x = sequence_row(whole, whole->x, whole->config.input_size, row, seq_len);
    if (whole->h_0) p.h_0 = middle_row(dtype, whole->h_0, blocks, whole->batch, problem_width(whole), row);
    if (whole->c_0) p.c_0 = middle_row(dtype, whole->c_0, blocks, whole->batch, whole->config.hidden_size, row);
    return p;
}

outcome outcome_create(const problem *p) {
    const wlstm_dtype dtype = p->config.dtype;
    const outcome o = { test_allocate(dtype, problem_out_count(p)), test_allocate(dtype, problem_h_count(p)),
                        test_allocate(dtype, problem_c_count(p)) };
    random_fill(dtype, o.out, problem_out_count(p), 1, 10);
    random_fill(dtype, o.h_n, problem_h_count(p), 2, 10);
    random_fill(dtype, o.c_n, problem_c_count(p), 3, 10);
    return o;
}

void outcome_free(outcome *o) {
    test_release(o->out);
    test_release(o->h_n);
    test_release(o->c_n);
    *o = (outcome){ NULL, NULL, NULL };
}

outcome outcome_row(const problem *whole, const outcome *o, int64_t row, int64_t seq_len) {
    const wlstm_dtype dtype = whole->config.dtype;
    const int64_t blocks = problem_blocks(whole);
    const outcome picked = {
        sequence_row(whole, o->out, problem_out_width(whole), row, seq_len),
        middle_row(dtype, o->h_n, blocks, whole->batch, problem_width(whole), row),
        middle_row(dtype, o->c_n, blocks, whole->batch, whole->config.hidden_size, row),
    };
    return picked;
}

static wlstm_status complain(const problem *p, const char *call, wlstm_status status) {
    if (status != WLSTM_OK && status != WLSTM_ERROR_UNSUPPORTED) {
        fprintf(stderr, "%s: %s: %s\n", p->name, call, wlstm_last_error());
    }
    return status;
}

wlstm_status problem_forward(const problem *p, outcome *o) {
    *o = outcome_create(p);
    return complain(
        p, "wlstm_forward",
        wlstm_forward(p->lstm, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o->out, o->h_n, o->c_n));
}

wlstm_status problem_execute(const problem *p, wlstm_plan *plan, outcome *o) {
    *o = outcome_create(p);
    return complain(
        p, "wlstm_plan_execute",
        wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o->out, o->h_n, o->c_n));
}

wlstm_status test_plan_create(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan **plan) {
    if ((int)options->backend != TEST_MATMUL) return wlstm_plan_create(lstm, options, plan);
    const wli_setting setting = {
        .model = lstm->module.model, .seq_len = options->max_seq_len, .batch = options->max_batch, .threads = 1
    };
    wli_candidate candidate = { { 0 } };
    candidate.index[WLI_AXIS_PROJECT] = candidate.index[WLI_AXIS_STEP] = WLI_GEMM_MATMUL;
    *plan = NULL;
    if (!wli_candidate_legal(&setting, &candidate)) return WLSTM_ERROR_UNSUPPORTED;
    const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
    return wli_plan_make_choice(lstm->module.model, &setting, &choice, plan);
}

wlstm_status problem_plan(const problem *p, wlstm_backend backend, int num_threads, wlstm_plan **plan) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p->seq_len;
    options.max_batch = p->batch > 0 ? p->batch : 1;
    options.backend = backend;
    options.num_threads = num_threads;
    return complain(p, "wlstm_plan_create", test_plan_create(p->lstm, &options, plan));
}

wlstm_status problem_run(const problem *p, wlstm_backend backend, outcome *o) {
    wlstm_plan *plan;
    *o = (outcome){ NULL, NULL, NULL };
    wlstm_status status = problem_plan(p, backend, 1, &plan);
    if (status == WLSTM_OK) status = problem_execute(p, plan, o);
    wlstm_plan_free(plan);
    return status;
}

bool outcomes_agree(const problem *p, const char *what, const outcome *a, const outcome *b, bool bitwise) {
    const struct {
        const char *tensor;
        const void *actual, *expected;
        int64_t count;
    } pairs[] = { { "out", a->out, b->out, problem_out_count(p) },
                  { "h_n", a->h_n, b->h_n, problem_h_count(p) },
                  { "c_n", a->c_n, b->c_n, problem_c_count(p) } };
    bool agree = true;
    for (int i = 0; i < 3; ++i) {
        char label[256];
        snprintf(label, sizeof label, "%s: %s: %s", p->name, what, pairs[i].tensor);
        agree &= (bitwise ? tensors_identical : tensors_close)(label, p->config.dtype, pairs[i].actual,
                                                               pairs[i].expected, pairs[i].count);
    }
    return agree;
}

const char *backend_name(wlstm_backend backend) {
    static const char *const names[] = { "auto", "reference", "onednn", "native", "onednn matmul" };
    return names[backend];
}
