#include "model/model.h"

#include "base/allocator.h"
#include "base/precision.h"
#include "base/status.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static wlstm_status check_size(const char *name, int64_t value) {
    if (value < 1) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at least 1 expected, got %" PRId64, name, value);
    if (value > WLI_LARGEST_SIZE)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at most %" PRId64 " expected, got %" PRId64, name,
                        WLI_LARGEST_SIZE, value);
    return WLSTM_OK;
}

static wlstm_status check_spec(const wli_model_spec *spec) {
    wlstm_status status;
    if ((status = wli_check_dtype(spec->dtype)) != WLSTM_OK) return status;
    if ((status = check_size("input_size", spec->input_size)) != WLSTM_OK) return status;
    if ((status = check_size("num_layers", spec->num_layers)) != WLSTM_OK) return status;
    for (int64_t layer = 0; layer < (spec->hidden_sizes ? spec->num_layers : 1); layer++) {
        const int64_t H = spec->hidden_sizes ? spec->hidden_sizes[layer] : spec->hidden_size;
        if ((status = check_size("hidden_size", H)) != WLSTM_OK) return status;
        if (spec->proj_size < 0 || (spec->proj_size > 0 && spec->proj_size >= H))
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "proj_size: 0 or a positive integer smaller than hidden_size (%" PRId64
                            ") expected, got %" PRId64,
                            H, spec->proj_size);
    }
    if (!(spec->dropout >= 0.0 && spec->dropout <= 1.0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "dropout: a number in range [0, 1] expected, got %g",
                        spec->dropout);
    return WLSTM_OK;
}

/* A parameter of shape [rows, columns], or [rows] where columns is 0. */
static wlstm_status add_parameter(wli_model *model, const char *kind, int64_t layer, int direction, int64_t rows,
                                  int64_t columns, double bound, const void **values) {
    wli_parameter *parameter = &model->parameters[model->num_parameters];
    size_t bytes;
    if (model->is_cell)
        snprintf(parameter->name, sizeof parameter->name, "%s", kind);
    else
        snprintf(parameter->name, sizeof parameter->name, "%s_l%" PRId64 "%s", kind, layer,
                 direction ? "_reverse" : "");
    if (!wli_size_product(rows, columns ? columns : 1, (int64_t)wli_dtype_size(model->dtype), &bytes))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "%s: a size below 2^64 bytes expected, got [%" PRId64 ", %" PRId64 "]", parameter->name, rows,
                        columns);
    parameter->values = model->compact ? NULL : wli_alloc(bytes);
    if (!parameter->values && !model->compact) return wli_out_of_memory(parameter->name, bytes);
    parameter->ndim = columns ? 2 : 1;
    parameter->shape[0] = rows;
    parameter->shape[1] = columns ? columns : 1;
    parameter->count = bytes / wli_dtype_size(model->dtype);
    parameter->bound = bound;
    *values = parameter->values;
    model->num_parameters++;
    return WLSTM_OK;
}

static wlstm_status add_cell(wli_model *model, const wli_model_spec *spec, int64_t layer, int direction,
                             wli_cell_weights *cell) {
    int64_t H = cell->hidden_size;
    double bound = 1.0 / sqrt((double)H);
    wlstm_status status =
        add_parameter(model, "weight_ih", layer, direction, 4 * H, cell->input_size, bound, &cell->weight_ih);
    if (status == WLSTM_OK)
        status = add_parameter(model, "weight_hh", layer, direction, 4 * H, cell->state_size, bound, &cell->weight_hh);
    if (status == WLSTM_OK && spec->bias)
        status = add_parameter(model, "bias_ih", layer, direction, 4 * H, 0, bound, &cell->bias_ih);
    if (status == WLSTM_OK && spec->bias)
        status = add_parameter(model, "bias_hh", layer, direction, 4 * H, 0, bound, &cell->bias_hh);
    if (status == WLSTM_OK && spec->proj_size)
        status = add_parameter(model, "weight_hr", layer, direction, spec->proj_size, H, bound, &cell->weight_hr);
    return status;
}

static wlstm_status fill(wli_model *model, const wli_model_spec *spec) {
    int64_t num_cells = model->num_layers * model->num_directions, h_offset = 0, c_offset = 0;
    size_t cell_bytes, parameter_bytes;
    if (!wli_size_product(num_cells, sizeof(wli_cell_weights), 1, &cell_bytes) ||
        !wli_size_product(num_cells, 5 * sizeof(wli_parameter), 1, &parameter_bytes))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "num_layers: fewer expected, got %" PRId64, model->num_layers);
    if (!(model->cells = wli_alloc(cell_bytes))) return wli_out_of_memory("layers", cell_bytes);
    if (!(model->parameters = wli_alloc(parameter_bytes))) return wli_out_of_memory("parameters", parameter_bytes);
    if (!wli_shelf_make(&model->derived, num_cells)) return wli_out_of_memory("layers", cell_bytes);
    for (int64_t i = 0; i < num_cells; i++) {
        int64_t layer = i / model->num_directions;
        wli_cell_weights *cell = &model->cells[i];
        memset(cell, 0, sizeof *cell);
        cell->hidden_size = spec->hidden_sizes ? spec->hidden_sizes[layer] : spec->hidden_size;
        cell->proj_size = spec->proj_size;
        cell->state_size = spec->proj_size ? spec->proj_size : cell->hidden_size;
        cell->input_size =
            layer == 0 ? spec->input_size : model->num_directions * wli_model_cell(model, layer - 1, 0)->state_size;
        cell->h_offset = h_offset, cell->c_offset = c_offset;
        h_offset += cell->state_size, c_offset += cell->hidden_size;
        wlstm_status status = add_cell(model, spec, layer, (int)(i % model->num_directions), cell);
        if (status != WLSTM_OK) return status;
    }
    const size_t element = wli_dtype_size(model->dtype);
    const int64_t out_width = model->num_directions * model->cells[num_cells - 1].state_size;
    model->x_bytes = (size_t)spec->input_size * element, model->out_bytes = (size_t)out_width * element;
    model->h_bytes = (size_t)h_offset * element, model->c_bytes = (size_t)c_offset * element;
    return WLSTM_OK;
}

wlstm_status wli_model_create(const wli_model_spec *spec, wli_model **out) {
    *out = NULL;
    wlstm_status status = check_spec(spec);
    if (status != WLSTM_OK) return status;
    wli_model *model = wli_calloc(sizeof *model);
    if (!model) return wli_out_of_memory("model", sizeof *model);
    atomic_init(&model->references, 1);
    model->dtype = spec->dtype;
    model->num_layers = spec->num_layers;
    model->num_directions = spec->bidirectional ? 2 : 1;
    model->bias = spec->bias, model->batch_first = spec->batch_first, model->is_cell = spec->is_cell;
    model->dropout = spec->dropout;
    model->compact = spec->compact;
    if ((status = fill(model, spec)) != WLSTM_OK) {
        wli_model_release(model);
        return status;
    }
    *out = model;
    return WLSTM_OK;
}

void wli_model_retain(wli_model *model) {
    atomic_fetch_add(&model->references, 1);
}

void wli_model_release(wli_model *model) {
    if (!model || atomic_fetch_sub(&model->references, 1) > 1) return;
    wli_shelf_free(&model->derived);
    for (int64_t i = 0; i < model->num_parameters; i++) wli_free(model->parameters[i].values);
    wli_free(model->parameters);
    wli_free(model->cells);
    wli_free(model);
}

/* A model of the same shapes. */
static wlstm_status create_like(const wli_model *shared, bool compact, wli_model **copy) {
    int64_t *hidden_sizes = wli_alloc((size_t)shared->num_layers * sizeof(int64_t));
    if (!hidden_sizes) return wli_out_of_memory("layers", (size_t)shared->num_layers * sizeof(int64_t));
    for (int64_t layer = 0; layer < shared->num_layers; layer++)
        hidden_sizes[layer] = wli_model_cell(shared, layer, 0)->hidden_size;
    wli_model_spec spec = { .dtype = shared->dtype,
                            .num_layers = shared->num_layers,
                            .input_size = shared->cells[0].input_size,
                            .hidden_size = hidden_sizes[0],
                            .hidden_sizes = hidden_sizes,
                            .proj_size = shared->cells[0].proj_size,
                            .dropout = shared->dropout,
                            .bias = shared->bias,
                            .bidirectional = shared->num_directions == 2,
                            .batch_first = shared->batch_first,
                            .is_cell = shared->is_cell,
                            .compact = compact };
    const wlstm_status status = wli_model_create(&spec, copy);
    wli_free(hidden_sizes);
    return status;
}

/* Drops what was derived, where nobody shares it. */
static bool is_private(wli_model *model) {
    if (atomic_load(&model->references) > 1) return false;
    wli_shelf_clear(&model->derived);
    return true;
}

wlstm_status wli_model_make_private(wli_model **model) {
    wli_model *shared = *model, *copy;
    if (is_private(shared)) return WLSTM_OK;
    const wlstm_status status = create_like(shared, false, &copy);
    if (status != WLSTM_OK) return status;
    for (int64_t i = 0; i < copy->num_parameters; i++)
        memcpy(copy->parameters[i].values, shared->parameters[i].values,
               copy->parameters[i].count * wli_dtype_size(copy->dtype));
    wli_model_release(shared);
    *model = copy;
    return WLSTM_OK;
}

static wlstm_status copy_rows(void *context, int64_t parameter, int64_t first, int64_t rows, void *to) {
    const wli_model *model = context;
    const wli_parameter *from = &model->parameters[parameter];
    const size_t row_bytes = (size_t)from->shape[1] * wli_dtype_size(model->dtype);
    memcpy(to, (const char *)from->values + (size_t)first * row_bytes, (size_t)rows * row_bytes);
    return WLSTM_OK;
}

wli_values wli_model_values(wli_model *model) {
    return (wli_values){ copy_rows, model };
}

wlstm_status wli_model_compact(wli_model **model, wli_model_fill *filler, wlstm_precision precision) {
    wli_model *whole = *model, *compact;
    (void)is_private(whole);
    wlstm_status status = create_like(whole, true, &compact);
    if (status != WLSTM_OK) return status;
    const wli_values values = wli_model_values(whole);
    status = filler(compact, &values, precision);
    if (status == WLSTM_OK) *model = compact;
    wli_model_release(status == WLSTM_OK ? whole : compact);
    return status;
}

wlstm_status wli_model_check_values(const wli_model *model) {
    const char *what = model->is_cell ? "cell" : "lstm";
    if (!model->compact) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                    "%s: one with its parameters expected, got a compact one, which has packed weights alone (load it "
                    "again, not compact)",
                    what);
}

wlstm_status wli_model_check_precision(const wli_model *model, wlstm_precision precision) {
    const wlstm_status status = wli_precision_check(model->dtype, precision);
    if (status != WLSTM_OK || !model->compact || !precision ||
        wli_precision_choose(model->dtype, precision) == model->packed_precision)
        return status;
    return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                    "precision: default or %s, for which the compact %s has packed its weights, expected, got %s",
                    wli_precision_names[model->packed_precision], model->is_cell ? "cell" : "lstm",
                    wli_precision_names[precision]);
}

int64_t wli_model_widest_hidden(const wli_model *model) {
    int64_t widest = 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size > widest) widest = wli_model_cell(model, l, 0)->hidden_size;
    return widest;
}
