/* The reference's gradients are what central differences say, in f64 and within 1e-6 of the largest, for random models of
 * every kind: of a loss that is a random linear form of out, h_n and c_n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/dropout_mask.h"
#include "random.h"
#include "reference/backward.h"
#include "reference/forward.h"

enum { PROBLEMS = 60 / FEWER, MOST_LAYERS = 3, LARGEST_T = 5, LARGEST_B = 3, LARGEST_H = 6, LARGEST_I = 5 };

static uint64_t stream;

/* An array that is given, and its gradient. */
typedef struct input {
    int64_t count;
    double *values, *gradients;
} input;

/* One that comes out, and the loss's gradient by it: NULL is zeros. */
typedef struct output {
    int64_t count;
    double *values, *gradients;
} output;

typedef struct problem {
    wli_model *model;
    wli_call call;
    int64_t lengths[LARGEST_B];
    double *mask;
    void *workspace;
    input x, h_0, c_0;
    output out, h_n, c_n;
    int64_t parameters;
    double *d_parameters;
} problem;

static double *draw_values(int64_t count) {
    double *values = malloc((size_t)(count + 1) * sizeof *values);
    assert_non_null(values);
    for (int64_t k = 0; k < count; k++) values[k] = (double)random_between(&stream, -1000, 1000) * 1e-3;
    return values;
}

static wli_model *draw_model(void) {
    int64_t hidden_sizes[MOST_LAYERS];
    wli_model_spec spec = { .dtype = WLSTM_F64,
                            .num_layers = random_between(&stream, 1, MOST_LAYERS),
                            .input_size = random_between(&stream, 1, LARGEST_I),
                            .hidden_size = random_between(&stream, 2, LARGEST_H),
                            .bias = random_between(&stream, 0, 3) > 0,
                            .bidirectional = random_flag(&stream),
                            .batch_first = random_flag(&stream) };
    if (random_flag(&stream)) {
        for (int layer = 0; layer < MOST_LAYERS; layer++) hidden_sizes[layer] = random_between(&stream, 2, LARGEST_H);
        spec.hidden_sizes = hidden_sizes;
    }
    if (random_flag(&stream)) {
        spec.proj_size = spec.hidden_sizes ? LARGEST_H : spec.hidden_size;
        for (int64_t layer = 0; layer < spec.num_layers && spec.hidden_sizes; layer++)
            if (hidden_sizes[layer] < spec.proj_size) spec.proj_size = hidden_sizes[layer];
        spec.proj_size = random_between(&stream, 1, spec.proj_size - 1);
    }
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    assert_int_equal(wli_model_reset(&model, random_bits(stream, 0)), WLSTM_OK);
    return model;
}

/* Of p drawn too; each layer's part is [T, B, D*R]. */
static double *draw_mask(const wli_model *model, int64_t seq_len, int64_t batch) {
    const wli_dropout dropout = { stream, (double)random_between(&stream, 0, 10) * 0.1 };
    double *mask = malloc((size_t)(seq_len * batch * MOST_LAYERS * 2 * LARGEST_H) * sizeof *mask), *row = mask;
    assert_non_null(mask);
    for (int64_t layer = 0; layer + 1 < model->num_layers; layer++) {
        const int64_t width = model->num_directions * wli_model_cell(model, layer, 0)->state_size;
        for (int64_t t = 0; t < seq_len; t++)
            for (int64_t b = 0; b < batch; b++, row += width) {
                for (int64_t k = 0; k < width; k++) row[k] = 1;
                wli_dropout_row(&dropout, (wli_dropout_place){ layer, t, b }, WLSTM_F64, 0, width, row);
            }
    }
    return mask;
}

static input draw_input(int64_t count, bool given) {
    return (input){ count, given ? draw_values(count) : NULL, draw_values(count) };
}

static output draw_output(int64_t count, bool counts) {
    return (output){ count, draw_values(count), counts ? draw_values(count) : NULL };
}

static problem draw_problem(void) {
    problem p = { .model = draw_model() };
    const int64_t T = random_between(&stream, 1, LARGEST_T), B = random_between(&stream, 1, LARGEST_B);
    const int64_t element = sizeof(double);
    const int64_t h_count = B * (int64_t)p.model->h_bytes / element, c_count = B * (int64_t)p.model->c_bytes / element;
    size_t bytes;
    p.x = draw_input(T * B * (int64_t)p.model->x_bytes / element, true);
    p.h_0 = draw_input(h_count, random_flag(&stream)), p.c_0 = draw_input(c_count, random_flag(&stream));
    p.out = draw_output(T * B * (int64_t)p.model->out_bytes / element, random_between(&stream, 0, 4) > 0);
    p.h_n = draw_output(h_count, random_flag(&stream)), p.c_n = draw_output(c_count, random_flag(&stream));
    if (random_flag(&stream)) p.mask = draw_mask(p.model, T, B);
    for (int64_t i = 0; i < p.model->num_parameters; i++) p.parameters += (int64_t)p.model->parameters[i].count;
    p.d_parameters = draw_values(p.parameters);
    assert_true(wli_reference_of(p.model)->workspace(p.model, T, B, &bytes));
    p.workspace = malloc(bytes);
    assert_non_null(p.workspace);
    p.call = (wli_call){ .seq_len = T,
                         .batch = B,
                         .x = p.x.values,
                         .h_0 = p.h_0.values,
                         .c_0 = p.c_0.values,
                         .out = p.out.values,
                         .h_n = p.h_n.values,
                         .c_n = p.c_n.values };
    return p;
}

static void free_problem(problem *p) {
    double *const arrays[] = { p->x.values,   p->h_0.values,   p->c_0.values,    p->x.gradients,   p->h_0.gradients,
                               p->out.values, p->h_n.values,   p->c_n.values,    p->out.gradients, p->c_0.gradients,
                               p->mask,       p->d_parameters, p->h_n.gradients, p->c_n.gradients };
    for (size_t k = 0; k < sizeof arrays / sizeof arrays[0]; k++) free(arrays[k]);
    free(p->workspace);
    wli_model_release(p->model);
}

static double form(const output *o) {
    double sum = 0;
    for (int64_t k = 0; k < o->count && o->gradients; k++) sum += o->gradients[k] * o->values[k];
    return sum;
}

static double loss(const problem *p) {
    wli_reference_of(p->model)->forward(p->model, WLSTM_PRECISION_FULL, &p->call, p->mask, p->workspace);
    return form(&p->out) + form(&p->h_n) + form(&p->c_n);
}

static double largest_of(const double *values, int64_t count) {
    double largest = 0;
    for (int64_t k = 0; k < count; k++) largest = fmax(largest, fabs(values[k]));
    return largest;
}

static void check(const problem *p, const char *what, double *values, const double *gradients, int64_t count,
                  double allowed) {
    const double step = 1e-5;
    for (int64_t k = 0; k < count && values; k++) {
        const double value = values[k];
        values[k] = value + step;
        const double above = loss(p);
        values[k] = value - step;
        const double difference = (above - loss(p)) / (2 * step);
        values[k] = value;
        if (!(fabs(difference - gradients[k]) <= allowed))
            fail_msg("%s, element %d: %.12g expected, got %.12g", what, (int)k, difference, gradients[k]);
    }
}

static wli_gradients gradients_of(const problem *p) {
    return (wli_gradients){ .d_out = p->out.gradients,
                            .d_h_n = p->h_n.gradients,
                            .d_c_n = p->c_n.gradients,
                            .d_x = p->x.gradients,
                            .d_h_0 = p->h_0.gradients,
                            .d_c_0 = p->c_0.gradients,
                            .d_parameters = p->d_parameters };
}

static void gradients_are_differences(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        problem p = draw_problem();
        if (random_flag(&stream)) p.call.lengths = p.lengths;
        for (int64_t b = 0; b < p.call.batch; b++) p.lengths[b] = random_between(&stream, 1, p.call.seq_len);
        const wli_gradients gradients = gradients_of(&p);
        assert_int_equal(wli_reference_backward(p.model, &p.call, p.mask, &gradients), WLSTM_OK);
        const double largest =
            fmax(fmax(largest_of(p.x.gradients, p.x.count), largest_of(p.d_parameters, p.parameters)),
                 fmax(largest_of(p.h_0.gradients, p.h_0.count), largest_of(p.c_0.gradients, p.c_0.count)));
        const double allowed = 1e-6 * largest;
        check(&p, "x", p.x.values, p.x.gradients, p.x.count, allowed);
        check(&p, "h_0", p.h_0.values, p.h_0.gradients, p.h_0.count, allowed);
        check(&p, "c_0", p.c_0.values, p.c_0.gradients, p.c_0.count, allowed);
        const double *d = p.d_parameters;
        for (int64_t i = 0; i < p.model->num_parameters; i++) {
            const wli_parameter *parameter = &p.model->parameters[i];
            check(&p, parameter->name, parameter->values, d, (int64_t)parameter->count, allowed);
            d += parameter->count;
        }
        free_problem(&p);
    }
}

/* What is not wanted changes nothing else. */
static void each_gradient_comes_alone(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        problem p = draw_problem();
        const wli_gradients all = gradients_of(&p);
        const int64_t counts[] = { p.x.count, p.h_0.count, p.c_0.count, p.parameters };
        const double *const expected[] = { p.x.gradients, p.h_0.gradients, p.c_0.gradients, p.d_parameters };
        assert_int_equal(wli_reference_backward(p.model, &p.call, p.mask, &all), WLSTM_OK);
        for (int wanted = 0; wanted < 4; wanted++) {
            double *got = draw_values(counts[wanted]);
            const wli_gradients one = { all.d_out,
                                        all.d_h_n,
                                        all.d_c_n,
                                        wanted == 0 ? got : NULL,
                                        wanted == 1 ? got : NULL,
                                        wanted == 2 ? got : NULL,
                                        wanted == 3 ? got : NULL };
            assert_int_equal(wli_reference_backward(p.model, &p.call, p.mask, &one), WLSTM_OK);
            assert_memory_equal(got, expected[wanted], (size_t)counts[wanted] * sizeof *got);
            free(got);
        }
        free_problem(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_are_differences),
        cmocka_unit_test(each_gradient_comes_alone),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
