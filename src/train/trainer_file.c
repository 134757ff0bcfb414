#include "train/trainer_file.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "model/missing_tensor.h"

#include <stdio.h>
#include <string.h>

enum { NAME_BYTES = 96 };

static const char step_name[] = "optimizer.step";

/* The prefix of moment `index` where there are `count`. */
static const char *prefix_of(int count, int index) {
    return count == 1 ? "optimizer.momentum_buffer." : index == 0 ? "optimizer.exp_avg." : "optimizer.exp_avg_sq.";
}

/* The flat arrays: the parameters, and the moments from 1 on. */
static char *array_of(const wli_trainer_state *state, int index, const char **prefix) {
    *prefix = index ? prefix_of(state->num_moments, index - 1) : "";
    return index ? state->moments[index - 1] : state->parameters;
}

static void list_outputs(const wli_trainer_state *state, const double *step, char (*names)[NAME_BYTES],
                         wli_st_output *outputs) {
    const wli_model *model = state->model;
    for (int array = 0; array <= state->num_moments; array++) {
        const char *prefix;
        char *values = array_of(state, array, &prefix);
        for (int64_t i = 0; i < model->num_parameters; i++, names++, outputs++) {
            const wli_parameter *parameter = &model->parameters[i];
            snprintf(*names, NAME_BYTES, "%s%s", prefix, parameter->name);
            *outputs = (wli_st_output){ .name = *names,
                                        .ndim = parameter->ndim,
                                        .shape = { parameter->shape[0], parameter->shape[1] },
                                        .dtype = model->dtype,
                                        .values = values };
            values += parameter->count * wli_dtype_size(model->dtype);
        }
    }
    *outputs = (wli_st_output){ .name = step_name, .dtype = WLSTM_F64, .values = step };
}

wlstm_status wli_trainer_file_write(const char *path, const wli_trainer_state *state) {
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file's name expected, got NULL");
    const int64_t count = (1 + state->num_moments) * state->model->num_parameters;
    const double step = (double)state->step;
    size_t bytes;
    if (!wli_size_product(count + 1, NAME_BYTES + sizeof(wli_st_output), 1, &bytes))
        return wli_out_of_memory("names", SIZE_MAX);
    wli_st_output *outputs = wli_alloc(bytes);
    if (!outputs) return wli_out_of_memory("names", bytes);
    list_outputs(state, &step, (char(*)[NAME_BYTES])(outputs + count + 1), outputs);
    const wlstm_status status = wli_safetensors_write(path, outputs, count + 1);
    wli_free(outputs);
    return status;
}

/* One file on its way into a trainer. */
typedef struct source {
    const char *path;
    wli_safetensors *file;
} source;

/* The tensor of a parameter, or of a moment of it, that is as the model says. */
static wlstm_status find(const source *from, const wli_model *model, const char *prefix, const wli_parameter *parameter,
                         const wli_st_tensor **tensor) {
    char name[NAME_BYTES], expected[WLI_SHAPE_TEXT], got[WLI_SHAPE_TEXT];
    snprintf(name, sizeof name, "%s%s", prefix, parameter->name);
    *tensor = wli_safetensors_find(from->file, name);
    if (!*tensor) return wli_missing_parameter(from->path, from->file, prefix, parameter->name);
    if ((*tensor)->dtype != (int)model->dtype)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': dtype %s, the trainer's, expected, got %s", from->path,
                        name, wli_numbers[model->dtype].safetensors, (*tensor)->dtype_name);
    if ((*tensor)->ndim != parameter->ndim ||
        memcmp((*tensor)->shape, parameter->shape, (size_t)parameter->ndim * sizeof *parameter->shape) != 0)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': shape %s, the trainer's, expected, got %s", from->path,
                        name, wli_shape_text(parameter->ndim, parameter->shape, expected),
                        wli_shape_text((*tensor)->ndim, (*tensor)->shape, got));
    return WLSTM_OK;
}

static wlstm_status read_step(const source *from, int64_t *step) {
    const double most = 0x1p53;
    double value;
    const wli_st_tensor *tensor = wli_safetensors_find(from->file, step_name);
    char shape[WLI_SHAPE_TEXT];
    if (!tensor)
        return wli_fail(
            WLSTM_ERROR_MISSING,
            "%s: tensor '%s' expected, got none of that name (a model's file? wlstm_lstm_load reads it, and "
            "wlstm_trainer_create begins with that)",
            from->path, step_name);
    if (tensor->ndim != 0 || tensor->dtype != WLI_F64)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': a scalar of F64 expected, got shape %s of %s", from->path,
                        step_name, wli_shape_text(tensor->ndim, tensor->shape, shape), tensor->dtype_name);
    const wlstm_status status = wli_safetensors_read(from->file, tensor, WLSTM_F64, &value);
    if (status != WLSTM_OK) return status;
    if (!(value >= 0 && value <= most && value == (double)(int64_t)value))
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': an integer from 0 to 2^53 expected, got %g", from->path,
                        step_name, value);
    *step = (int64_t)value;
    return WLSTM_OK;
}

/* How many moments there are, as the first parameter's are. */
static int count_moments(const source *from, const wli_model *model) {
    for (int count = 2; count > 0; count--) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "%s%s", prefix_of(count, 0), model->parameters[0].name);
        if (wli_safetensors_find(from->file, name)) return count;
    }
    return 0;
}

/* Finds all tensors, and with `values` reads them. */
static wlstm_status read_arrays(const source *from, const wli_trainer_state *state, bool values) {
    const wli_model *model = state->model;
    wlstm_status status = WLSTM_OK;
    for (int array = 0; array <= state->num_moments; array++) {
        const char *prefix;
        char *to = array_of(state, array, &prefix);
        for (int64_t i = 0; i < model->num_parameters && status == WLSTM_OK; i++) {
            const wli_st_tensor *tensor;
            status = find(from, model, prefix, &model->parameters[i], &tensor);
            if (status == WLSTM_OK && values) status = wli_safetensors_read(from->file, tensor, model->dtype, to);
            to += model->parameters[i].count * wli_dtype_size(model->dtype);
        }
    }
    return status;
}

static wlstm_status read_state(const source *from, wli_trainer_state *state) {
    wli_trainer_state found = *state;
    size_t bytes = 0;
    found.num_moments = count_moments(from, state->model);
    wlstm_status status = read_arrays(from, &found, false);
    if (status == WLSTM_OK) status = read_step(from, &found.step);
    if (status != WLSTM_OK) return status;
    for (int64_t i = 0; i < state->model->num_parameters; i++)
        bytes += state->model->parameters[i].count * wli_dtype_size(state->model->dtype);
    for (int moment = found.num_moments; moment < 2; moment++) memset(found.moments[moment], 0, bytes);
    *state = found;
    return read_arrays(from, state, true);
}

wlstm_status wli_trainer_file_read(const char *path, wli_trainer_state *state) {
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file's name expected, got NULL");
    source from = { .path = path };
    wlstm_status status = wli_safetensors_open(path, &from.file);
    if (status == WLSTM_OK) status = read_state(&from, state);
    wli_safetensors_close(from.file);
    return status;
}
