/* What training goes on from: what is written is read again, and the file is a model's; one that lacks something, or that
 * another trainer wrote, is refused by name, with nothing changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "io/safetensors.h"
#include "random.h"
#include "scratch_dir.h"
#include "train/trainer_file.h"

enum { MOST_PARAMETERS = 20, MOST_TENSORS = 3 * MOST_PARAMETERS + 1, NAME = 96 };

static wli_model *make_model(wlstm_dtype dtype) {
    const wli_model_spec spec = { .dtype = dtype,
                                  .num_layers = 2,
                                  .input_size = 3,
                                  .hidden_size = 4,
                                  .proj_size = 2,
                                  .bias = true,
                                  .bidirectional = true };
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    assert_int_equal(model->num_parameters, MOST_PARAMETERS);
    return model;
}

static size_t bytes_of(const wli_model *model) {
    size_t bytes = 0;
    for (int64_t i = 0; i < model->num_parameters; i++)
        bytes += model->parameters[i].count * wli_dtype_size(model->dtype);
    return bytes;
}

/* Arrays of their own, of numbers that follow from `seed`. */
static wli_trainer_state make_state(const wli_model *model, int num_moments, int64_t step, uint64_t seed) {
    const size_t bytes = bytes_of(model);
    wli_trainer_state state = { .model = model, .num_moments = num_moments, .step = step };
    void **const arrays[] = { &state.parameters, &state.moments[0], &state.moments[1] };
    for (uint64_t k = 0; k < 3; k++) {
        *arrays[k] = malloc(bytes);
        assert_non_null(*arrays[k]);
        random_fill(model->dtype, *arrays[k], (int64_t)(bytes / wli_dtype_size(model->dtype)), seed + k, 0);
    }
    return state;
}

static void free_state(wli_trainer_state *state) {
    free(state->parameters), free(state->moments[0]), free(state->moments[1]);
}

static void assert_zeros(const char *values, size_t bytes) {
    for (size_t k = 0; k < bytes; k++) assert_int_equal(values[k], 0);
}

static void what_is_written_is_read_again(void **none) {
    (void)none;
    for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++)
        for (int num_moments = 0; num_moments <= 2; num_moments++) {
            wli_model *model = make_model(dtype);
            const size_t bytes = bytes_of(model);
            const char *path = scratch_path("trainer.safetensors");
            const int64_t step = num_moments ? (INT64_C(1) << 53) - 1 : 0;
            wli_trainer_state written = make_state(model, num_moments, step, 1), read = make_state(model, 1, 99, 2);
            assert_int_equal(wli_trainer_file_write(path, &written), WLSTM_OK);
            assert_int_equal(wli_trainer_file_read(path, &read), WLSTM_OK);
            assert_int_equal(read.num_moments, num_moments);
            assert_int_equal(read.step, step);
            assert_memory_equal(read.parameters, written.parameters, bytes);
            for (int moment = 0; moment < 2; moment++)
                if (moment < num_moments)
                    assert_memory_equal(read.moments[moment], written.moments[moment], bytes);
                else
                    assert_zeros(read.moments[moment], bytes);
            free_state(&written), free_state(&read);
            wli_model_release(model);
        }
}

static void it_is_a_models_file_too(void **none) {
    (void)none;
    wli_model *model = make_model(WLSTM_F64), *loaded;
    const char *path = scratch_path("trainer.safetensors");
    wli_trainer_state state = make_state(model, 2, 7, 3);
    assert_int_equal(wli_trainer_file_write(path, &state), WLSTM_OK);
    const wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    assert_int_equal(wli_model_load(path, &options, false, NULL, &loaded), WLSTM_OK);
    assert_int_equal(loaded->num_parameters, model->num_parameters);
    const char *values = state.parameters;
    for (int64_t i = 0; i < loaded->num_parameters; i++) {
        const size_t bytes = loaded->parameters[i].count * sizeof(double);
        assert_string_equal(loaded->parameters[i].name, model->parameters[i].name);
        assert_memory_equal(loaded->parameters[i].values, values, bytes);
        values += bytes;
    }
    wli_model_release(loaded);
    wli_model_release(model);
    free_state(&state);
}

/* A file like that of a trainer with Adam, in which one tensor is another. */
typedef struct damage {
    const char *name;     /* whose */
    bool missing;         /* it is not there, else it has */
    wli_st_output tensor; /* this ndim, shape and dtype; of none of them what it had */
    double step;          /* "optimizer.step" */
} damage;

static const char *write_damaged(const wli_model *model, const damage *d) {
    static const char *const prefixes[] = { "", "optimizer.exp_avg.", "optimizer.exp_avg_sq." };
    static char names[MOST_TENSORS][NAME];
    static const double zeros[256];
    wli_st_output outputs[MOST_TENSORS];
    int64_t count = 0;
    for (int array = 0; array < 3; array++)
        for (int64_t i = 0; i < model->num_parameters; i++) {
            const wli_parameter *parameter = &model->parameters[i];
            snprintf(names[count], NAME, "%s%s", prefixes[array], parameter->name);
            outputs[count] = (wli_st_output){
                names[count], parameter->ndim, { parameter->shape[0], parameter->shape[1] }, model->dtype, zeros
            };
            count++;
        }
    outputs[count++] = (wli_st_output){ .name = "optimizer.step", .dtype = WLSTM_F64, .values = &d->step };
    for (int64_t k = 0; k < count; k++)
        if (d->name && strcmp(outputs[k].name, d->name) == 0) {
            const char *name = outputs[k].name;
            if (d->missing)
                outputs[k] = outputs[--count];
            else
                outputs[k] = d->tensor, outputs[k].name = name, outputs[k].values = zeros;
            break;
        }
    const char *path = scratch_path("damaged.safetensors");
    assert_int_equal(wli_safetensors_write(path, outputs, count), WLSTM_OK);
    return path;
}

static void expect_refused(damage d, wlstm_status status, const char *sentence) {
    wli_model *model = make_model(WLSTM_F32);
    const size_t bytes = bytes_of(model);
    wli_trainer_state state = make_state(model, 1, 5, 4), before = make_state(model, 1, 5, 4);
    const char *path = write_damaged(model, &d);
    assert_int_equal(wli_trainer_file_read(path, &state), status);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_true(state.num_moments == 1 && state.step == 5);
    assert_memory_equal(state.parameters, before.parameters, bytes);
    for (int moment = 0; moment < 2; moment++)
        assert_memory_equal(state.moments[moment], before.moments[moment], bytes);
    free_state(&state), free_state(&before);
    wli_model_release(model);
}

static void what_lacks_a_tensor_is_refused(void **none) {
    (void)none;
    expect_refused((damage){ .name = "weight_hr_l1", .missing = true }, WLSTM_ERROR_MISSING,
                   "tensor 'weight_hr_l1' expected, got none of that name");
    expect_refused((damage){ .name = "optimizer.exp_avg.bias_hh_l0_reverse", .missing = true }, WLSTM_ERROR_MISSING,
                   "tensor 'optimizer.exp_avg.bias_hh_l0_reverse' expected, got none of that name");
    expect_refused((damage){ .name = "optimizer.exp_avg_sq.weight_ih_l0", .missing = true }, WLSTM_ERROR_MISSING,
                   "tensor 'optimizer.exp_avg_sq.weight_ih_l0' expected, got none of that name");
    expect_refused((damage){ .name = "optimizer.step", .missing = true }, WLSTM_ERROR_MISSING,
                   "tensor 'optimizer.step' expected, got none of that name (a model's file? wlstm_lstm_load reads it, "
                   "and wlstm_trainer_create begins with that)");
}

static void another_trainers_file_is_refused(void **none) {
    (void)none;
    expect_refused((damage){ .name = "weight_ih_l0", .tensor = { .ndim = 2, .shape = { 16, 4 } } }, WLSTM_ERROR_FORMAT,
                   "tensor 'weight_ih_l0': shape [16, 3], the trainer's, expected, got [16, 4]");
    expect_refused((damage){ .name = "optimizer.exp_avg_sq.bias_ih_l1", .tensor = { .ndim = 2, .shape = { 16, 1 } } },
                   WLSTM_ERROR_FORMAT,
                   "tensor 'optimizer.exp_avg_sq.bias_ih_l1': shape [16], the trainer's, expected, got [16, 1]");
    expect_refused((damage){ .name = "optimizer.exp_avg.weight_hh_l0",
                             .tensor = { .ndim = 2, .shape = { 16, 2 }, .dtype = WLSTM_F64 } },
                   WLSTM_ERROR_FORMAT,
                   "tensor 'optimizer.exp_avg.weight_hh_l0': dtype F32, the trainer's, expected, got F64");
}

static void a_step_is_a_count(void **none) {
    (void)none;
    const char *const sentence = "tensor 'optimizer.step': an integer from 0 to 2^53 expected, got %g";
    const double steps[] = { -1, 0.5, 1e30, -INFINITY, NAN };
    for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
        char expected[128];
        snprintf(expected, sizeof expected, sentence, steps[k]);
        expect_refused((damage){ .step = steps[k] }, WLSTM_ERROR_FORMAT, expected);
    }
    expect_refused((damage){ .name = "optimizer.step", .tensor = { .ndim = 1, .shape = { 1 } } }, WLSTM_ERROR_FORMAT,
                   "tensor 'optimizer.step': a scalar of F64 expected, got shape [1] of F32");
}

static void paths_are_needed(void **none) {
    (void)none;
    wli_model *model = make_model(WLSTM_F32);
    wli_trainer_state state = make_state(model, 0, 0, 5);
    assert_int_equal(wli_trainer_file_write(NULL, &state), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), "path: a file's name expected, got NULL");
    assert_int_equal(wli_trainer_file_read(NULL, &state), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), "path: a file's name expected, got NULL");
    assert_int_equal(wli_trainer_file_read(scratch_path("none"), &state), WLSTM_ERROR_FILE);
    assert_int_equal(wli_trainer_file_read(scratch_write("short", "abc", 3), &state), WLSTM_ERROR_FORMAT);
    free_state(&state);
    wli_model_release(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_written_is_read_again, scratch_clear),
        cmocka_unit_test_teardown(it_is_a_models_file_too, scratch_clear),
        cmocka_unit_test_teardown(what_lacks_a_tensor_is_refused, scratch_clear),
        cmocka_unit_test_teardown(another_trainers_file_is_refused, scratch_clear),
        cmocka_unit_test_teardown(a_step_is_a_count, scratch_clear),
        cmocka_unit_test_teardown(paths_are_needed, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
