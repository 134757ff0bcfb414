/* torch.optim's own updates and clipping (tests/golden/data/optimizers.safetensors, made by make_optimizers.py): one
 * update within 2 ulp of the parameter or of the update, whichever is larger, the hundredth within 1e-6 of the larger of
 * the parameter and 100 lr; and that no bit follows from the pieces an array is gone through in. */
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
#include "random.h"
#include "train/optimizer.h"

enum { COUNT = 67, STEPS = 100, NAME = 64 };

static const char *path;

static const struct {
    const char *name;
    wli_optimizer optimizer;
} cases[] = {
    { "sgd", { .kind = WLI_SGD, .lr = 0.1 } },
    { "sgd-decay", { .kind = WLI_SGD, .lr = 0.1, .weight_decay = 0.01 } },
    { "sgd-momentum", { .kind = WLI_SGD, .lr = 0.01, .momentum = 0.9 } },
    { "sgd-dampening", { .kind = WLI_SGD, .lr = 0.02, .momentum = 0.8, .dampening = 0.3, .weight_decay = 0.05 } },
    { "sgd-nesterov", { .kind = WLI_SGD, .lr = 0.01, .momentum = 0.9, .nesterov = true, .weight_decay = 0.001 } },
    { "adam", { .kind = WLI_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 } },
    { "adam-decay", { .kind = WLI_ADAM, .lr = 0.01, .beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1 } },
    { "adam-forgetful", { .kind = WLI_ADAM, .lr = 0.003, .beta1 = 0.3, .beta2 = 0.9, .eps = 1e-8 } },
    { "adamw", { .kind = WLI_ADAMW, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .weight_decay = 0.01 } },
    { "adamw-decay",
      { .kind = WLI_ADAMW, .lr = 0.02, .beta1 = 0.95, .beta2 = 0.98, .eps = 1e-4, .weight_decay = 0.5 } },
};
enum { CASES = sizeof cases / sizeof cases[0] };

/* Of either type. */
typedef union array {
    float single[COUNT];
    double wide[COUNT];
} array;

typedef struct training {
    array p, moments[2];
} training;

static const char *name_of(int k, wlstm_dtype dtype) {
    static char name[NAME];
    snprintf(name, sizeof name, "%s%s", cases[k].name, dtype == WLSTM_F64 ? "-f64" : "");
    return name;
}

static void read_tensor(const char *name, const char *what, int step, wlstm_dtype dtype, void *values) {
    char tensor[2 * NAME];
    snprintf(tensor, sizeof tensor, "%s/%s%d", name, what, step);
    if (wlstm_tensor_read(path, tensor, dtype, values, COUNT, NULL, NULL) != WLSTM_OK)
        fail_msg("%s", wlstm_last_error());
}

static void draw(const char *name, const char *what, int step, int exponent, wlstm_dtype dtype, void *values) {
    char tensor[2 * NAME];
    snprintf(tensor, sizeof tensor, step ? "%s/%s%d" : "%s/%s", name, what, step);
    random_fill(dtype, values, COUNT, random_seed_of(tensor), exponent);
    if (step) memset(values, 0, dtype_size(dtype));
}

/* Update `step`, in two pieces. */
static void update(int k, wlstm_dtype dtype, int step, int64_t cut, training *t) {
    array g;
    void *const moments[2] = { &t->moments[0], &t->moments[1] };
    draw(name_of(k, dtype), "g", step, -(step % 4), dtype, &g);
    wli_optimizer_update(&cases[k].optimizer, dtype, step, 0, cut, &t->p, &g, moments);
    wli_optimizer_update(&cases[k].optimizer, dtype, step, cut, COUNT, &t->p, &g, moments);
}

static double ulp(wlstm_dtype dtype, double value) {
    const double size = fabs(value);
    return dtype == WLSTM_F64 ? nextafter(size, INFINITY) - size
                              : (double)(nextafterf((float)size, INFINITY) - (float)size);
}

static void expect_one_update(int k, wlstm_dtype dtype, int step, const void *before, const void *got) {
    array expected;
    read_tensor(name_of(k, dtype), "p", step, dtype, &expected);
    for (int64_t i = 0; i < COUNT; i++) {
        const double value = tensor_at(dtype, &expected, i), moved = value - tensor_at(dtype, before, i);
        const double error = fabs(tensor_at(dtype, got, i) - value);
        if (error > 2 * ulp(dtype, fmax(fabs(value), fabs(moved))))
            fail_msg("%s, update %d, element %d: %.17g expected, got %.17g", name_of(k, dtype), step, (int)i, value,
                     tensor_at(dtype, got, i));
    }
}

static training start(int k, wlstm_dtype dtype) {
    training t;
    memset(&t, 0, sizeof t);
    draw(name_of(k, dtype), "p", 0, 0, dtype, &t.p);
    return t;
}

static void an_update_is_torchs(void **state) {
    (void)state;
    for (int k = 0; k < CASES; k++)
        for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++) {
            training t = start(k, dtype), before = t;
            update(k, dtype, 1, 0, &t);
            expect_one_update(k, dtype, 1, &before.p, &t.p);

            memset(&t, 0, sizeof t);
            read_tensor(name_of(k, dtype), "p", STEPS - 1, dtype, &t.p);
            for (int moment = 0; moment < wli_optimizer_moments(&cases[k].optimizer); moment++)
                read_tensor(name_of(k, dtype), moment ? "moment1_" : "moment0_", STEPS - 1, dtype, &t.moments[moment]);
            before = t;
            update(k, dtype, STEPS, 0, &t);
            expect_one_update(k, dtype, STEPS, &before.p, &t.p);
        }
}

static void a_hundred_updates_are_torchs(void **state) {
    (void)state;
    for (int k = 0; k < CASES; k++)
        for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++) {
            training t = start(k, dtype), pieces = t;
            array expected;
            for (int step = 1; step <= STEPS; step++) {
                update(k, dtype, step, 0, &t);
                update(k, dtype, step, (step * 7) % COUNT, &pieces);
            }
            assert_memory_equal(&t, &pieces, sizeof t);
            read_tensor(name_of(k, dtype), "p", STEPS, dtype, &expected);
            for (int64_t i = 0; i < COUNT; i++) {
                const double value = tensor_at(dtype, &expected, i);
                const double allowed = 1e-6 * fmax(fabs(value), 100 * cases[k].optimizer.lr);
                assert_true(fabs(tensor_at(dtype, &t.p, i) - value) <= allowed);
            }
        }
}

static double clip(wlstm_dtype dtype, double max_norm, int64_t n, void *gradients) {
    const int64_t blocks = wli_norm_blocks(n);
    double *squares = malloc((size_t)blocks * sizeof *squares);
    wli_norm_squares(dtype, gradients, n, blocks / 2, blocks, squares);
    wli_norm_squares(dtype, gradients, n, 0, blocks / 2, squares);
    const double norm = wli_norm_of(squares, blocks), factor = wli_clip_factor(norm, max_norm);
    wli_clip_scale(dtype, factor, 0, n / 3, gradients);
    wli_clip_scale(dtype, factor, n / 3, n, gradients);
    free(squares);
    return norm;
}

static void clipping_is_torchs(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double max_norm, first;
    } clips[] = {
        { "above", 1000, 0 }, { "below", 0.25, 0 }, { "zero", 0, 0 }, { "infinite", 1, INFINITY }, { "nan", 1, NAN }
    };
    for (size_t k = 0; k < sizeof clips / sizeof clips[0]; k++)
        for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++) {
            char name[NAME], tensor[2 * NAME];
            double expected_norm;
            array g, expected;
            snprintf(name, sizeof name, "clip-%s%s", clips[k].name, dtype == WLSTM_F64 ? "-f64" : "");
            draw(name, "g", 0, 2, dtype, &g);
            if (clips[k].first != 0) wli_put(dtype, &g, 0, clips[k].first);
            snprintf(tensor, sizeof tensor, "%s/norm", name);
            assert_int_equal(wlstm_tensor_read(path, tensor, WLSTM_F64, &expected_norm, 1, NULL, NULL), WLSTM_OK);
            snprintf(tensor, sizeof tensor, "%s/g", name);
            assert_int_equal(wlstm_tensor_read(path, tensor, dtype, &expected, COUNT, NULL, NULL), WLSTM_OK);
            const double norm = clip(dtype, clips[k].max_norm, COUNT, &g), rtol = dtype == WLSTM_F64 ? 1e-14 : 1e-6;
            assert_true(norm == expected_norm || (isnan(norm) && isnan(expected_norm)) ||
                        fabs(norm - expected_norm) <= rtol * expected_norm);
            for (int64_t i = 0; i < COUNT; i++) {
                const double value = tensor_at(dtype, &expected, i), got = tensor_at(dtype, &g, i);
                assert_true(got == value || (isnan(got) && isnan(value)) || fabs(got - value) <= rtol * fabs(value));
            }
        }
}

/* Many blocks, and one that is not whole. */
static void a_norm_is_that_of_all(void **state) {
    (void)state;
    enum { N = 20011 };
    float *values = malloc(N * sizeof *values);
    assert_non_null(values);
    random_fill(WLSTM_F32, values, N, 7, 60);
    long double sum = 0;
    for (int64_t k = 0; k < N; k++) sum += (long double)values[k] * (long double)values[k];
    const double norm = clip(WLSTM_F32, 1, N, values);
    assert_true(fabs(norm - (double)sqrtl(sum)) <= 1e-14 * norm);
    assert_true(fabs(clip(WLSTM_F32, 2, N, values) - 1) <= 1e-6);
    assert_int_equal(wli_norm_blocks(0), 0);
    free(values);
}

static void expect_refused(wli_optimizer optimizer, const char *sentence) {
    assert_int_equal(wli_optimizer_check(&optimizer), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), sentence);
}

static void wrong_options_are_named(void **state) {
    (void)state;
    for (int k = 0; k < CASES; k++) assert_int_equal(wli_optimizer_check(&cases[k].optimizer), WLSTM_OK);
    expect_refused((wli_optimizer){ .kind = (wli_optimizer_kind)3 }, "kind: 0 (SGD) to 2 (AdamW) expected, got 3");
    expect_refused((wli_optimizer){ .lr = -1 }, "lr: a finite number of at least 0 expected, got -1");
    expect_refused((wli_optimizer){ .lr = INFINITY }, "lr: a finite number of at least 0 expected, got inf");
    expect_refused((wli_optimizer){ .beta1 = 1 }, "beta1: a number from 0 to below 1 expected, got 1");
    expect_refused((wli_optimizer){ .beta2 = NAN }, "beta2: a number from 0 to below 1 expected, got nan");
    expect_refused((wli_optimizer){ .weight_decay = -0.5 },
                   "weight_decay: a finite number of at least 0 expected, got -0.5");
    expect_refused((wli_optimizer){ .dampening = INFINITY }, "dampening: a finite number expected, got inf");
    expect_refused((wli_optimizer){ .nesterov = true },
                   "nesterov: momentum above 0 and dampening 0 expected beside it, got 0 and 0");
    expect_refused((wli_optimizer){ .nesterov = true, .momentum = 0.9, .dampening = 0.1 },
                   "nesterov: momentum above 0 and dampening 0 expected beside it, got 0.9 and 0.1");
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_is_torchs),     cmocka_unit_test(a_hundred_updates_are_torchs),
        cmocka_unit_test(clipping_is_torchs),      cmocka_unit_test(a_norm_is_that_of_all),
        cmocka_unit_test(wrong_options_are_named),
    };
    if (argc < 2) return fprintf(stderr, "optimizers.safetensors expected as the argument\n"), 1;
    path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
