/* PyTorch's own gradients (tests/golden/data/gradients.safetensors, made by make_gradients.py in float64) against the
 * reference's and a trainer's: in f64 within 1e-9 of each, in f32, whose numbers are the same, within the tolerances of
 * results. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"
#include "reference/backward.h"
#include "train/trainer.h"

enum { MOST_LAYERS = 3, BATCH = 4, NAME = 96 };

static const char *path;

/* make_gradients.py's CASES; 0 stands for what a case there takes by default. */
typedef struct golden_case {
    const char *name;
    int64_t hidden_sizes[MOST_LAYERS]; /* the last ones may be 0: none */
    int64_t proj_size, seq_len, batch;
    bool no_bias, bidirectional, states, masked;
    int64_t lengths[BATCH];
} golden_case;

static const golden_case cases[] = {
    { "one", .hidden_sizes = { 7 } },
    { "one-step", .hidden_sizes = { 7 }, .seq_len = 1, .batch = 1, .states = true },
    { "three-layers", .hidden_sizes = { 7, 7, 7 } },
    { "bidirectional", .hidden_sizes = { 7, 7 }, .bidirectional = true },
    { "projection", .hidden_sizes = { 7, 7 }, .proj_size = 3 },
    { "bidirectional-projection", .hidden_sizes = { 7, 7 }, .proj_size = 3, .bidirectional = true },
    { "no-bias", .hidden_sizes = { 7, 7 }, .no_bias = true },
    { "ragged", .hidden_sizes = { 7, 7 }, .bidirectional = true, .lengths = { 5, 1, 6, 3 }, .states = true },
    { "states", .hidden_sizes = { 7, 7 }, .bidirectional = true, .states = true },
    { "dropout", .hidden_sizes = { 7, 7, 7 }, .masked = true },
    { "cells", .hidden_sizes = { 7, 4, 9 }, .states = true },
    { "all", .hidden_sizes = { 7, 7, 7 }, .proj_size = 3, .no_bias = true, .bidirectional = true,
      .lengths = { 2, 6, 1, 4 }, .states = true, .masked = true },
};

static void *draw(const golden_case *g, wlstm_dtype dtype, const char *what, int64_t count, int exponent) {
    char name[NAME];
    snprintf(name, sizeof name, "%s/%s", g->name, what);
    void *values = test_allocate(dtype, count);
    random_fill(dtype, values, count, random_seed_of(name), exponent);
    return values;
}

static wli_model *make_model(const golden_case *g, wlstm_dtype dtype) {
    wli_model_spec spec = { .dtype = dtype,
                            .input_size = 5,
                            .hidden_sizes = g->hidden_sizes,
                            .proj_size = g->proj_size,
                            .bias = !g->no_bias,
                            .bidirectional = g->bidirectional };
    while (spec.num_layers < MOST_LAYERS && g->hidden_sizes[spec.num_layers]) spec.num_layers++;
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    for (int64_t i = 0; i < model->num_parameters; i++) {
        const wli_parameter *parameter = &model->parameters[i];
        void *values = draw(g, dtype, parameter->name, (int64_t)parameter->count, -1);
        assert_int_equal(wli_model_set(&model, i, values), WLSTM_OK);
        test_release(values);
    }
    return model;
}

/* 0 or 2, a layer's after the other's. */
static void *make_mask(const golden_case *g, const wli_model *model, int64_t rows) {
    const int64_t last = model->num_layers - 1;
    void *mask = test_allocate(model->dtype, rows * wli_model_cell(model, last, 0)->h_offset);
    size_t to = 0;
    for (int64_t layer = 0; layer < last; layer++) {
        const int64_t count = rows * model->num_directions * wli_model_cell(model, layer, 0)->state_size;
        char what[16];
        snprintf(what, sizeof what, "mask%d", (int)layer);
        void *drawn = draw(g, model->dtype, what, count, 0);
        for (int64_t k = 0; k < count; k++)
            wli_put(model->dtype, mask, to++, tensor_at(model->dtype, drawn, k) < 0 ? 0 : 2);
        test_release(drawn);
    }
    return mask;
}

/* f32's sums are of rounded numbers: an element that all but vanishes is not judged by its own size alone. */
static void expect(const golden_case *g, wlstm_dtype dtype, const char *what, const void *got, int64_t count) {
    char name[NAME];
    double *expected = test_allocate(WLSTM_F64, count);
    snprintf(name, sizeof name, "%s/%s", g->name, what);
    if (wlstm_tensor_read(path, name, WLSTM_F64, expected, count, NULL, NULL) != WLSTM_OK)
        fail_msg("%s", wlstm_last_error());
    for (int64_t k = 0; k < count; k++) {
        const double value = tensor_at(dtype, got, k), size = fabs(expected[k]);
        const double allowed = dtype == WLSTM_F64 ? 1e-9 * size : 1e-5 + 1.3e-6 * size;
        if (!(fabs(value - expected[k]) <= allowed))
            fail_msg("%s, element %d: %.17g expected, got %.17g", name, (int)k, expected[k], value);
    }
    test_release(expected);
}

static void judge(const golden_case *g, const wli_model *model, const wli_gradients *gradients, int64_t x_count,
                  int64_t h_count, int64_t c_count) {
    const char *values = gradients->d_parameters;
    expect(g, model->dtype, "d_x", gradients->d_x, x_count);
    if (g->states) expect(g, model->dtype, "d_h_0", gradients->d_h_0, h_count);
    if (g->states) expect(g, model->dtype, "d_c_0", gradients->d_c_0, c_count);
    for (int64_t i = 0; i < model->num_parameters; i++) {
        expect(g, model->dtype, model->parameters[i].name, values, (int64_t)model->parameters[i].count);
        values += model->parameters[i].count * dtype_size(model->dtype);
    }
}

/* The same by a trainer, whose dropout is not of a given mask. */
static void train(wli_model *model, const wli_call *call, const wli_gradients *to, int64_t parameters) {
    wlstm_trainer *trainer;
    void *out = test_allocate(model->dtype, call->seq_len * call->batch * 64), *found;
    assert_int_equal(wli_trainer_make(model, call->seq_len, call->batch, 0, 2, WLSTM_SCHEDULE_AUTO, &trainer),
                     WLSTM_OK);
    trainer->step_work = trainer->pass_work = 1; /* on both threads */
    assert_int_equal(wlstm_trainer_forward(trainer, call->seq_len, call->batch, call->lengths, call->x, call->h_0,
                                           call->c_0, out, NULL, NULL, 1, 0, 0, NULL),
                     WLSTM_OK);
    assert_int_equal(
        wlstm_trainer_backward(trainer, NULL, to->d_out, to->d_h_n, to->d_c_n, to->d_x, to->d_h_0, to->d_c_0, 0),
        WLSTM_OK);
    assert_int_equal(wlstm_trainer_gradients(trainer, &found, NULL), WLSTM_OK);
    memcpy(to->d_parameters, found, (size_t)parameters * dtype_size(model->dtype));
    wlstm_trainer_free(trainer);
    test_release(out);
}

static void run(const golden_case *g, wlstm_dtype dtype) {
    wli_model *model = make_model(g, dtype);
    const int64_t T = g->seq_len ? g->seq_len : 6, B = g->batch ? g->batch : BATCH,
                  element = (int64_t)dtype_size(dtype);
    const int64_t x_count = T * B * (int64_t)model->x_bytes / element, h_count = B * (int64_t)model->h_bytes / element;
    const int64_t c_count = B * (int64_t)model->c_bytes / element;
    int64_t parameters = 0;
    for (int64_t i = 0; i < model->num_parameters; i++) parameters += (int64_t)model->parameters[i].count;
    void *x = draw(g, dtype, "x", x_count, 0), *h_0 = NULL, *c_0 = NULL, *d_h_n = NULL, *d_c_n = NULL;
    if (g->states) {
        h_0 = draw(g, dtype, "h_0", h_count, 0), c_0 = draw(g, dtype, "c_0", c_count, 0);
        d_h_n = draw(g, dtype, "d_h_n", h_count, 0), d_c_n = draw(g, dtype, "d_c_n", c_count, 0);
    }
    void *d_out = draw(g, dtype, "d_out", T * B * (int64_t)model->out_bytes / element, 0);
    void *mask = g->masked ? make_mask(g, model, T * B) : NULL;
    void *d_x = test_allocate(dtype, x_count), *d_h_0 = test_allocate(dtype, h_count);
    void *d_c_0 = test_allocate(dtype, c_count), *d_parameters = test_allocate(dtype, parameters);
    const wli_call call = {
        .seq_len = T, .batch = B, .lengths = g->lengths[0] ? g->lengths : NULL, .x = x, .h_0 = h_0, .c_0 = c_0
    };
    const wli_gradients gradients = { d_out, d_h_n, d_c_n, d_x, d_h_0, d_c_0, d_parameters };
    assert_int_equal(wli_reference_backward(model, &call, mask, &gradients), WLSTM_OK);

    judge(g, model, &gradients, x_count, h_count, c_count);
    if (!g->masked) train(model, &call, &gradients, parameters), judge(g, model, &gradients, x_count, h_count, c_count);
    void *const arrays[] = { x, h_0, c_0, d_h_n, d_c_n, d_out, mask, d_x, d_h_0, d_c_0, d_parameters };
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) test_release(arrays[k]);
    wli_model_release(model);
}

static void gradients_are_pytorchs(void **state) {
    run(*state, WLSTM_F64);
    run(*state, WLSTM_F32);
}

int main(int argc, char **argv) {
    enum { CASES = sizeof cases / sizeof cases[0] };
    struct CMUnitTest tests[CASES];
    if (argc < 2) return fprintf(stderr, "gradients.safetensors expected as the argument\n"), 1;
    path = argv[1];
    for (int k = 0; k < CASES; k++)
        tests[k] =
            (struct CMUnitTest){ cases[k].name, gradients_are_pytorchs, NULL, NULL, (void *)(uintptr_t)&cases[k] };
    return _cmocka_run_group_tests("gradients", tests, CASES, NULL, NULL);
}
