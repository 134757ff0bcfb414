/* wlstm_cell: nn.LSTMCell's public functions. A cell is a model of one layer whose names lack "_l0"; a step is a sequence of
 * length 1 whose out is h_out. */
#include "allocator.h"
#include "plan/plan.h"
#include "status.h"
#include <inttypes.h>
#include <string.h>

struct wlstm_cell {
    wli_model *model;
    wli_plan_pool pool;
};

static wlstm_status null_argument(const char *name) {
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", name);
}

static wlstm_status wrap(wli_model *model, wlstm_cell **cell) {
    *cell = wli_calloc(sizeof **cell);
    if (!*cell) {
        wli_model_release(model);
        return wli_out_of_memory("cell", sizeof **cell);
    }
    (*cell)->model = model;
    return WLSTM_OK;
}

wlstm_status wlstm_cell_create(const wlstm_cell_config *config, wlstm_cell **cell) {
    if (!cell) return null_argument("cell");
    *cell = NULL;
    if (!config) return null_argument("config");
    if (config->struct_size != sizeof *config)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "config->struct_size: %zu expected (WLSTM_CELL_CONFIG_INIT), got %zu", sizeof *config,
                        config->struct_size);
    wli_model_spec spec = { .dtype = config->dtype,
                            .num_layers = 1,
                            .input_size = config->input_size,
                            .hidden_size = config->hidden_size,
                            .bias = config->bias != 0,
                            .is_cell = true };
    wli_model *model;
    wlstm_status status = wli_model_create(&spec, &model);
    if (status == WLSTM_OK) status = wli_model_reset(&model, 0);
    return status == WLSTM_OK ? wrap(model, cell) : status;
}

wlstm_status wlstm_cell_load(const char *path, const wlstm_load_options *options, wlstm_cell **cell) {
    if (!cell) return null_argument("cell");
    *cell = NULL;
    wli_model *model;
    wlstm_status status = wli_model_load(path, options, true, &model);
    return status == WLSTM_OK ? wrap(model, cell) : status;
}

wlstm_status wlstm_cell_save(const wlstm_cell *cell, const char *path, const char *prefix) {
    return cell ? wli_model_save(cell->model, path, prefix) : null_argument("cell");
}

void wlstm_cell_free(wlstm_cell *cell) {
    if (!cell) return;
    wli_plan_pool_clear(&cell->pool);
    wli_model_release(cell->model);
    wli_free(cell);
}

wlstm_status wlstm_cell_get_config(const wlstm_cell *cell, wlstm_cell_config *config) {
    if (!cell) return null_argument("cell");
    if (!config) return null_argument("config");
    if (config->struct_size != sizeof *config)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "config->struct_size: %zu expected, got %zu", sizeof *config,
                        config->struct_size);
    const wli_cell_weights *weights = cell->model->cells;
    *config = (wlstm_cell_config){ sizeof *config, weights->input_size, weights->hidden_size, cell->model->bias,
                                   cell->model->dtype };
    return WLSTM_OK;
}

wlstm_status wlstm_cell_reset_parameters(wlstm_cell *cell, uint64_t seed) {
    if (!cell) return null_argument("cell");
    wli_plan_pool_clear(&cell->pool);
    return wli_model_reset(&cell->model, seed);
}

int64_t wlstm_cell_num_parameters(const wlstm_cell *cell) {
    return cell ? cell->model->num_parameters : 0;
}

wlstm_status wlstm_cell_parameter_info(const wlstm_cell *cell, int64_t index, const char **name, int *ndim,
                                       int64_t shape[2]) {
    return cell ? wli_model_info(cell->model, index, name, ndim, shape) : null_argument("cell");
}

wlstm_status wlstm_cell_set_parameter(wlstm_cell *cell, const char *name, const void *values, int64_t count) {
    if (!cell) return null_argument("cell");
    wli_plan_pool_clear(&cell->pool);
    return wli_model_set(&cell->model, name, values, count);
}

wlstm_status wlstm_cell_get_parameter(const wlstm_cell *cell, const char *name, void *values, int64_t count) {
    return cell ? wli_model_get(cell->model, name, values, count) : null_argument("cell");
}

wlstm_status wlstm_cell_forward(wlstm_cell *cell, int64_t batch, const void *x, const void *h, const void *c,
                                void *h_out, void *c_out) {
    if (!cell) return null_argument("cell");
    if (batch < 0) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "batch: at least 0 expected, got %" PRId64, batch);
    if (batch > 0 && (!x || !h_out || !c_out)) return null_argument(!x ? "x" : !h_out ? "h_out" : "c_out");
    const wli_call call = { 1, batch, NULL, x, h, c, h_out, NULL, c_out };
    return wli_plan_pool_run(&cell->pool, cell->model, &call);
}

/* The cells' models as the layers of one. */
wlstm_status wli_cells_stack(const wlstm_cell *const *cells, int64_t count, wli_model **model) {
    *model = NULL;
    if (count < 1) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: at least 1 expected, got %" PRId64, count);
    for (int64_t k = 0; k < count; k++) {
        if (!cells[k])
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "cells[%" PRId64 "]: a cell expected, got NULL", k);
        const wli_model *cell = cells[k]->model, *first = cells[0]->model;
        int64_t below = k ? cells[k - 1]->model->cells[0].hidden_size : cell->cells[0].input_size;
        if (cell->cells[0].input_size != below)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "cells[%" PRId64 "]: input_size %" PRId64 " (the hidden_size below) expected, got %" PRId64,
                            k, below, cell->cells[0].input_size);
        if (cell->dtype != first->dtype || cell->bias != first->bias)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "cells[%" PRId64 "]: the %s of cells[0] expected, got another", k,
                            cell->dtype != first->dtype ? "dtype" : "bias");
    }
    int64_t *hidden_sizes = wli_alloc((size_t)count * sizeof *hidden_sizes);
    if (!hidden_sizes) return wli_out_of_memory("cells", (size_t)count * sizeof *hidden_sizes);
    for (int64_t k = 0; k < count; k++) hidden_sizes[k] = cells[k]->model->cells[0].hidden_size;
    wli_model_spec spec = { .dtype = cells[0]->model->dtype,
                            .num_layers = count,
                            .input_size = cells[0]->model->cells[0].input_size,
                            .hidden_size = hidden_sizes[0],
                            .hidden_sizes = hidden_sizes,
                            .bias = cells[0]->model->bias };
    wlstm_status status = wli_model_create(&spec, model);
    wli_free(hidden_sizes);
    int64_t parameter = 0;
    for (int64_t k = 0; k < count && status == WLSTM_OK; k++)
        for (int64_t i = 0; i < cells[k]->model->num_parameters; i++, parameter++)
            memcpy((*model)->parameters[parameter].values, cells[k]->model->parameters[i].values,
                   (*model)->parameters[parameter].count * wli_dtype_size(spec.dtype));
    return status;
}
