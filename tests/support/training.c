#include "training.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/module.h"
#include "compare.h"
#include "random.h"
#include "reference/backward.h"
#include "reference/forward.h"
#include "train/trainer.h"

static void *random_values(wlstm_dtype dtype, int64_t count, uint64_t *stream) {
    void *values = test_allocate(dtype, count);
    random_fill(dtype, values, count, random_bits(*stream, 1), 0);
    *stream = random_bits(*stream, 0);
    return values;
}

static int64_t parameters_of(const problem *p) {
    const wli_model *model = p->lstm->module.model;
    int64_t count = 0;
    for (int64_t i = 0; i < model->num_parameters; ++i) count += (int64_t)model->parameters[i].count;
    return count;
}

static void *wrong_values(wlstm_dtype dtype, int64_t count) {
    void *values = test_allocate(dtype, count);
    random_fill(dtype, values, count, 7, 10);
    return values;
}

static void make_room(const problem *p, gradients *g) {
    const wlstm_dtype dtype = p->config.dtype;
    g->parameters = parameters_of(p);
    g->d_x = wrong_values(dtype, problem_x_count(p));
    g->d_h_0 = wrong_values(dtype, problem_h_count(p));
    g->d_c_0 = wrong_values(dtype, problem_c_count(p));
    g->d_parameters = wrong_values(dtype, g->parameters);
}

gradients gradients_create(const problem *p, uint64_t *stream) {
    const wlstm_dtype dtype = p->config.dtype;
    gradients g = { 0 };
    if (random_between(stream, 0, 9) > 0) g.d_out = random_values(dtype, problem_out_count(p), stream);
    if (random_flag(stream)) g.d_h_n = random_values(dtype, problem_h_count(p), stream);
    if (random_flag(stream)) g.d_c_n = random_values(dtype, problem_c_count(p), stream);
    make_room(p, &g);
    return g;
}

gradients gradients_like(const problem *p, const gradients *g) {
    gradients like = { .d_out = g->d_out, .d_h_n = g->d_h_n, .d_c_n = g->d_c_n };
    make_room(p, &like);
    return like;
}

void gradients_free(gradients *g, bool given) {
    if (given) test_release(g->d_out), test_release(g->d_h_n), test_release(g->d_c_n);
    test_release(g->d_x), test_release(g->d_h_0), test_release(g->d_c_0), test_release(g->d_parameters);
    *g = (gradients){ 0 };
}

problem problem_draw_for_training(uint64_t *stream) {
    problem p = problem_draw(stream);
    if (p.config.dtype == WLSTM_BF16) p.config.dtype = WLSTM_F32;
    return p;
}

wlstm_trainer *problem_trainer(const problem *p, int64_t recompute_steps, int threads, wlstm_schedule schedule) {
    wlstm_trainer *trainer;
    if (wli_trainer_make(p->lstm->module.model, p->seq_len, p->batch, recompute_steps, threads, schedule, &trainer) !=
        WLSTM_OK) {
        fprintf(stderr, "%s: %s\n", p->name, wlstm_last_error());
        abort();
    }
    trainer->step_work = trainer->pass_work = 1; /* small problems are worth all threads */
    return trainer;
}

static wlstm_status complain(const char *what, wlstm_status status) {
    if (status != WLSTM_OK) fprintf(stderr, "%s: %s\n", what, wlstm_last_error());
    return status;
}

wlstm_status problem_train(const problem *p, wlstm_trainer *trainer, uint64_t seed, void *tape, outcome *o) {
    *o = outcome_create(p);
    return complain(p->name, wlstm_trainer_forward(trainer, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0,
                                                   o->out, o->h_n, o->c_n, 1, seed, 5, tape));
}

wlstm_status problem_back(wlstm_trainer *trainer, void *tape, gradients *g) {
    void *values;
    const wlstm_status status =
        wlstm_trainer_backward(trainer, tape, g->d_out, g->d_h_n, g->d_c_n, g->d_x, g->d_h_0, g->d_c_0, 0);
    wlstm_trainer_gradients(trainer, &values, NULL);
    memcpy(g->d_parameters, values, (size_t)g->parameters * trainer->element);
    return complain("backward", status);
}

void *problem_mask(const problem *p, const wlstm_trainer *trainer, const void *tape) {
    const int64_t layers = p->config.num_layers - 1, each = problem_out_count(p);
    char *mask = test_allocate(p->config.dtype, layers * each);
    for (int64_t layer = 0; layer < layers; ++layer)
        if (wlstm_trainer_dropout_mask(trainer, tape, layer,
                                       mask + (size_t)(layer * each) * dtype_size(p->config.dtype)) != WLSTM_OK)
            abort();
    return mask;
}

void problem_reference(const problem *p, const void *mask, outcome *o, gradients *g) {
    const wli_model *model = p->lstm->module.model;
    size_t bytes;
    *o = outcome_create(p);
    const wli_call call = { p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0,
                            o->out,     o->h_n,   o->c_n,     NULL, 0,      NULL };
    const wli_gradients all = { g->d_out, g->d_h_n, g->d_c_n, g->d_x, g->d_h_0, g->d_c_0, g->d_parameters };
    if (!wli_reference_of(model)->workspace(model, p->seq_len, p->batch, &bytes)) abort();
    void *workspace = malloc(bytes);
    if (!workspace) abort();
    wli_reference_of(model)->forward(model, WLSTM_PRECISION_FULL, &call, mask, workspace);
    free(workspace);
    if (wli_reference_backward(model, &call, mask, &all) != WLSTM_OK) abort();
}

/* Sums lose digits as their largest terms have them: errors count against the largest of the array. */
static bool near(const problem *p, const char *what, const char *array, const void *a, const void *b, int64_t count,
                 bool bitwise) {
    char name[256];
    snprintf(name, sizeof name, "%s: %s of %s", p->name, array, what);
    if (bitwise) return tensors_identical(name, p->config.dtype, a, b, count);
    double largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = fmax(largest, fabs(tensor_at(p->config.dtype, b, i)));
    const double allowed = (p->config.dtype == WLSTM_F64 ? 1e-12 : 2e-5) * (largest + 0.1);
    for (int64_t i = 0; i < count; ++i) {
        const double got = tensor_at(p->config.dtype, a, i), expected = tensor_at(p->config.dtype, b, i);
        if (fabs(got - expected) <= allowed) continue;
        fprintf(stderr, "%s: element %lld of %lld: %.9g, expected %.9g (largest %.3g)\n", name, (long long)i,
                (long long)count, got, expected, largest);
        return false;
    }
    return true;
}

bool gradients_agree(const problem *p, const char *what, const gradients *a, const gradients *b, bool bitwise) {
    return near(p, what, "d_x", a->d_x, b->d_x, problem_x_count(p), bitwise) &&
           near(p, what, "d_h_0", a->d_h_0, b->d_h_0, problem_h_count(p), bitwise) &&
           near(p, what, "d_c_0", a->d_c_0, b->d_c_0, problem_c_count(p), bitwise) &&
           near(p, what, "gradients", a->d_parameters, b->d_parameters, a->parameters, bitwise);
}
