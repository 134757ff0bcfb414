/* wlstm_lstm: nn.LSTM's public functions over a model and a pool of plans. */
#include "api/module.h"
#include "base/allocator.h"
#include "base/status.h"
#include "base/struct_size.h"
#include <inttypes.h>
#include <string.h>

wlstm_status wlstm_lstm_create(const wlstm_lstm_config *config, wlstm_lstm **lstm) {
    if (!lstm) return wli_null_argument("lstm");
    *lstm = NULL;
    wlstm_lstm_config own = WLSTM_LSTM_CONFIG_INIT;
    wlstm_status status = wli_struct_read(&wli_lstm_config_kind, config, &own);
    if (status != WLSTM_OK) return status;
    wli_model_spec spec = { .dtype = own.dtype,
                            .num_layers = own.num_layers,
                            .input_size = own.input_size,
                            .hidden_size = own.hidden_size,
                            .proj_size = own.proj_size,
                            .dropout = own.dropout,
                            .bias = own.bias != 0,
                            .bidirectional = own.bidirectional != 0,
                            .batch_first = own.batch_first != 0 };
    wli_module *module;
    status = wli_module_create(&spec, &module);
    *lstm = (wlstm_lstm *)module;
    return status;
}

wlstm_status wlstm_lstm_load(const char *path, const wlstm_load_options *options, wlstm_lstm **lstm) {
    if (!lstm) return wli_null_argument("lstm");
    wli_module *module;
    wlstm_status status = wli_module_load(path, options, false, &module);
    *lstm = (wlstm_lstm *)module;
    return status;
}

/* Each cell reads the h of the one below, and all have the dtype and bias of the first. */
static wlstm_status check_cells(const wlstm_cell *const *cells, int64_t count) {
    if (count < 1) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: at least 1 expected, got %" PRId64, count);
    for (int64_t k = 0; k < count; k++) {
        if (!cells[k])
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "cells[%" PRId64 "]: a cell expected, got NULL", k);
        const wli_model *first = cells[0]->module.model, *cell = cells[k]->module.model;
        if (k > 0 && cell->cells[0].input_size != cells[k - 1]->module.model->cells[0].hidden_size)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "cells[%" PRId64 "]: input_size %" PRId64 " (the hidden_size below) expected, got %" PRId64,
                            k, cells[k - 1]->module.model->cells[0].hidden_size, cell->cells[0].input_size);
        if (cell->dtype != first->dtype || cell->bias != first->bias)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "cells[%" PRId64 "]: the %s of cells[0] expected, got another", k,
                            cell->dtype != first->dtype ? "dtype" : "bias");
        if (cell->compact)
            return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                            "cells[%" PRId64 "]: one with its parameters expected, got a compact one", k);
    }
    return WLSTM_OK;
}

/* The checked cells as the layers of one model, bottom-up, their parameters copied. */
static wlstm_status stack_cells(const wlstm_cell *const *cells, int64_t count, wli_model **model) {
    const wli_model *first = cells[0]->module.model;
    int64_t *hidden_sizes = wli_alloc((size_t)count * sizeof *hidden_sizes);
    if (!hidden_sizes) return wli_out_of_memory("cells", (size_t)count * sizeof *hidden_sizes);
    for (int64_t k = 0; k < count; k++) hidden_sizes[k] = cells[k]->module.model->cells[0].hidden_size;
    wli_model_spec spec = { .dtype = first->dtype,
                            .num_layers = count,
                            .input_size = first->cells[0].input_size,
                            .hidden_size = hidden_sizes[0],
                            .hidden_sizes = hidden_sizes,
                            .bias = first->bias };
    wlstm_status status = wli_model_create(&spec, model);
    wli_free(hidden_sizes);
    const wli_parameter *parameter = status == WLSTM_OK ? (*model)->parameters : NULL;
    for (int64_t k = 0; k < count && parameter; k++)
        for (int64_t i = 0; i < cells[k]->module.model->num_parameters; i++, parameter++)
            memcpy(parameter->values, cells[k]->module.model->parameters[i].values,
                   parameter->count * wli_dtype_size(spec.dtype));
    return status;
}

wlstm_status wlstm_lstm_create_from_cells(const wlstm_cell *const *cells, int64_t count, wlstm_lstm **lstm) {
    if (!lstm) return wli_null_argument("lstm");
    *lstm = NULL;
    if (!cells) return wli_null_argument("cells");
    wli_model *model;
    wli_module *module = NULL;
    wlstm_status status = check_cells(cells, count);
    if (status == WLSTM_OK) status = stack_cells(cells, count, &model);
    if (status == WLSTM_OK) status = wli_module_wrap(model, &module);
    *lstm = (wlstm_lstm *)module;
    return status;
}

wlstm_status wlstm_lstm_save(const wlstm_lstm *lstm, const char *path, const char *prefix) {
    return wli_module_save(WLI_MODULE(lstm), "lstm", path, prefix);
}

void wlstm_lstm_free(wlstm_lstm *lstm) {
    wli_module_free(WLI_MODULE(lstm));
}

wlstm_status wlstm_lstm_get_config(const wlstm_lstm *lstm, wlstm_lstm_config *config) {
    if (!lstm) return wli_null_argument("lstm");
    const wli_model *model = lstm->module.model;
    const wli_cell_weights *last = wli_model_cell(model, model->num_layers - 1, 0);
    const wlstm_lstm_config own = { sizeof own,
                                    model->cells[0].input_size,
                                    last->hidden_size,
                                    model->num_layers,
                                    last->proj_size,
                                    model->dropout,
                                    model->bias,
                                    model->batch_first,
                                    model->num_directions == 2,
                                    model->dtype };
    return wli_struct_write(&wli_lstm_config_kind, &own, config);
}

wlstm_status wlstm_lstm_reset_parameters(wlstm_lstm *lstm, uint64_t seed) {
    return wli_module_reset(WLI_MODULE(lstm), "lstm", seed);
}

wlstm_status wlstm_lstm_set_precision(wlstm_lstm *lstm, wlstm_precision precision) {
    return wli_module_set_precision(WLI_MODULE(lstm), "lstm", precision);
}

wlstm_status wlstm_lstm_compact(wlstm_lstm *lstm) {
    return wli_module_compact(WLI_MODULE(lstm), "lstm");
}

int64_t wlstm_lstm_num_parameters(const wlstm_lstm *lstm) {
    return wli_module_num_parameters(WLI_MODULE(lstm));
}

wlstm_status wlstm_lstm_parameter_info(const wlstm_lstm *lstm, int64_t index, const char **name, int *ndim,
                                       int64_t shape[2]) {
    return wli_module_info(WLI_MODULE(lstm), "lstm", index, name, ndim, shape);
}

wlstm_status wlstm_lstm_set_parameter(wlstm_lstm *lstm, const char *name, const void *values, int64_t count) {
    return wli_module_set(WLI_MODULE(lstm), "lstm", name, values, count);
}

wlstm_status wlstm_lstm_get_parameter(const wlstm_lstm *lstm, const char *name, void *values, int64_t count) {
    return wli_module_get(WLI_MODULE(lstm), "lstm", name, values, count);
}

wlstm_status wlstm_forward(wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths, const void *x,
                           const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!lstm) return wli_null_argument("lstm");
    const wli_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n, NULL, 0, NULL };
    wlstm_status status = wli_call_check(lstm->module.model, &call, INT64_MAX, INT64_MAX);
    return status == WLSTM_OK ? wli_module_run(&lstm->module, &call) : status;
}

wlstm_status wlstm_forward_packed(wlstm_lstm *lstm, int64_t seq_len, const int64_t *batch_sizes, const void *x,
                                  const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!lstm) return wli_null_argument("lstm");
    wli_call call = { seq_len, 0, NULL, x, h_0, c_0, out, h_n, c_n, NULL, 0, batch_sizes };
    wlstm_status status = wli_call_check_packed(lstm->module.model, &call, INT64_MAX, INT64_MAX);
    return status == WLSTM_OK ? wli_module_run(&lstm->module, &call) : status;
}

wlstm_status wlstm_plan_create(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan **plan) {
    if (!plan) return wli_null_argument("plan");
    *plan = NULL;
    if (!lstm) return wli_null_argument("lstm");
    wlstm_plan_options own = WLSTM_PLAN_OPTIONS_INIT;
    const wlstm_status status = wli_struct_read(&wli_plan_options_kind, options, &own);
    if (own.precision == WLSTM_PRECISION_DEFAULT) own.precision = lstm->module.precision;
    return status == WLSTM_OK ? wli_plan_make(lstm->module.model, &own, plan) : status;
}
