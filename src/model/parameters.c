/* Getting, setting and drawing parameters by PyTorch's names. */
#include "model/model.h"

#include "base/random.h"
#include "base/status.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

wlstm_status wli_model_info(const wli_model *model, int64_t index, const char **name, int *ndim, int64_t shape[2]) {
    if (!name || !ndim || !shape)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL",
                        !name   ? "name"
                        : !ndim ? "ndim"
                                : "shape");
    *name = NULL;
    if (index < 0 || index >= model->num_parameters)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "index: 0 to %" PRId64 " expected, got %" PRId64,
                        model->num_parameters - 1, index);
    const wli_parameter *parameter = &model->parameters[index];
    *name = parameter->name;
    *ndim = parameter->ndim;
    shape[0] = parameter->shape[0], shape[1] = parameter->shape[1];
    return WLSTM_OK;
}

/* The index of a name, -1 for none. The name says the cell; all cells have as many parameters. */
static int64_t find_name(const wli_model *model, const char *name) {
    const int64_t each = wli_model_cell_parameters(model);
    const char *suffix = model->is_cell ? NULL : strstr(name, "_l");
    const int64_t layer = suffix ? strtoll(suffix + 2, NULL, 10) : 0;
    if (layer < 0 || layer >= model->num_layers) return -1;
    const int64_t cell = layer * model->num_directions + (model->num_directions == 2 && strstr(name, "_reverse"));
    for (int64_t i = cell * each; i < (cell + 1) * each; i++)
        if (strcmp(model->parameters[i].name, name) == 0) return i;
    return -1;
}

wlstm_status wli_model_find(const wli_model *model, const char *name, const void *values, int64_t count,
                            int64_t *index) {
    if (!name || !values)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", name ? "values" : "name");
    const int64_t i = find_name(model, name);
    if (i < 0)
        return wli_fail(WLSTM_ERROR_MISSING, "name: one of the %" PRId64 " parameters from %s on expected, got \"%s\"",
                        model->num_parameters, model->parameters[0].name, name);
    if (count < 0 || (size_t)count != model->parameters[i].count)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: %zu elements of %s expected, got %" PRId64,
                        model->parameters[i].count, name, count);
    *index = i;
    return wli_model_check_values(model);
}

wlstm_status wli_model_set(wli_model **model, int64_t index, const void *values) {
    wlstm_status status = wli_model_make_private(model);
    if (status != WLSTM_OK) return status;
    const wli_parameter *parameter = &(*model)->parameters[index];
    memcpy(parameter->values, values, parameter->count * wli_dtype_size((*model)->dtype));
    return WLSTM_OK;
}

void wli_model_get(const wli_model *model, int64_t index, void *values) {
    memcpy(values, model->parameters[index].values, model->parameters[index].count * wli_dtype_size(model->dtype));
}

wlstm_status wli_model_reset(wli_model **model, uint64_t seed) {
    wlstm_status status = wli_model_make_private(model);
    if (status != WLSTM_OK) return status;
    uint64_t drawn = 0;
    const size_t element = wli_dtype_size((*model)->dtype);
    for (int64_t i = 0; i < (*model)->num_parameters; i++) {
        const wli_parameter *parameter = &(*model)->parameters[i];
        double block[512];
        for (size_t done = 0, most = sizeof block / sizeof block[0]; done < parameter->count; done += most) {
            const size_t now = parameter->count - done < most ? parameter->count - done : most;
            for (size_t k = 0; k < now; k++) block[k] = wli_random_real(seed, drawn++) * parameter->bound;
            wli_numbers[(*model)->dtype].from_doubles(block, now, (char *)parameter->values + done * element);
        }
    }
    return WLSTM_OK;
}
