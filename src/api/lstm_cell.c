/* wlstm_cell: nn.LSTMCell's public functions. A cell is a model of one layer whose names lack "_l0"; a step is a sequence of
 * length 1 whose out is h_out. */
#include "api/module.h"
#include "base/status.h"
#include "base/struct_size.h"
#include <inttypes.h>

wlstm_status wlstm_cell_create(const wlstm_cell_config *config, wlstm_cell **cell) {
    if (!cell) return wli_null_argument("cell");
    *cell = NULL;
    wlstm_cell_config own = WLSTM_CELL_CONFIG_INIT;
    wlstm_status status = wli_struct_read(&wli_cell_config_kind, config, &own);
    if (status != WLSTM_OK) return status;
    wli_model_spec spec = { .dtype = own.dtype,
                            .num_layers = 1,
                            .input_size = own.input_size,
                            .hidden_size = own.hidden_size,
                            .bias = own.bias != 0,
                            .is_cell = true };
    wli_module *module;
    status = wli_module_create(&spec, &module);
    *cell = (wlstm_cell *)module;
    return status;
}

wlstm_status wlstm_cell_load(const char *path, const wlstm_load_options *options, wlstm_cell **cell) {
    if (!cell) return wli_null_argument("cell");
    wli_module *module;
    wlstm_status status = wli_module_load(path, options, true, &module);
    *cell = (wlstm_cell *)module;
    return status;
}

wlstm_status wlstm_cell_save(const wlstm_cell *cell, const char *path, const char *prefix) {
    return wli_module_save(WLI_MODULE(cell), "cell", path, prefix);
}

void wlstm_cell_free(wlstm_cell *cell) {
    wli_module_free(WLI_MODULE(cell));
}

wlstm_status wlstm_cell_get_config(const wlstm_cell *cell, wlstm_cell_config *config) {
    if (!cell) return wli_null_argument("cell");
    const wli_model *model = cell->module.model;
    const wlstm_cell_config own = { sizeof own, model->cells[0].input_size, model->cells[0].hidden_size, model->bias,
                                    model->dtype };
    return wli_struct_write(&wli_cell_config_kind, &own, config);
}

wlstm_status wlstm_cell_reset_parameters(wlstm_cell *cell, uint64_t seed) {
    return wli_module_reset(WLI_MODULE(cell), "cell", seed);
}

wlstm_status wlstm_cell_set_precision(wlstm_cell *cell, wlstm_precision precision) {
    return wli_module_set_precision(WLI_MODULE(cell), "cell", precision);
}

wlstm_status wlstm_cell_compact(wlstm_cell *cell) {
    return wli_module_compact(WLI_MODULE(cell), "cell");
}

int64_t wlstm_cell_num_parameters(const wlstm_cell *cell) {
    return wli_module_num_parameters(WLI_MODULE(cell));
}

wlstm_status wlstm_cell_parameter_info(const wlstm_cell *cell, int64_t index, const char **name, int *ndim,
                                       int64_t shape[2]) {
    return wli_module_info(WLI_MODULE(cell), "cell", index, name, ndim, shape);
}

wlstm_status wlstm_cell_set_parameter(wlstm_cell *cell, const char *name, const void *values, int64_t count) {
    return wli_module_set(WLI_MODULE(cell), "cell", name, values, count);
}

wlstm_status wlstm_cell_get_parameter(const wlstm_cell *cell, const char *name, void *values, int64_t count) {
    return wli_module_get(WLI_MODULE(cell), "cell", name, values, count);
}

wlstm_status wlstm_cell_forward(wlstm_cell *cell, int64_t batch, const void *x, const void *h, const void *c,
                                void *h_out, void *c_out) {
    if (!cell) return wli_null_argument("cell");
    if (batch < 0 || batch > WLI_LARGEST_ROWS)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "batch: 0 to 2^40 expected, got %" PRId64, batch);
    if (batch > 0 && (!x || !h_out || !c_out)) return wli_null_argument(!x ? "x" : !h_out ? "h_out" : "c_out");
    const wli_call call = { 1, batch, NULL, x, h, c, h_out, NULL, c_out, NULL, 0, NULL };
    wlstm_status status = wli_call_check_overlap(cell->module.model, &call);
    return status == WLSTM_OK ? wli_module_run(&cell->module, &call) : status;
}
