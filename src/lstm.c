/* wlstm_lstm: nn.LSTM's public functions over a model and a pool of plans. */
#include "allocator.h"
#include "plan/plan.h"
#include "status.h"
#include <string.h>

struct wlstm_lstm {
    wli_model *model;
    wli_plan_pool pool;
};

static wlstm_status null_argument(const char *name) {
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", name);
}

/* Takes over the caller's reference to the model. */
static wlstm_status wrap(wli_model *model, wlstm_lstm **lstm) {
    *lstm = wli_calloc(sizeof **lstm);
    if (!*lstm) {
        wli_model_release(model);
        return wli_out_of_memory("lstm", sizeof **lstm);
    }
    (*lstm)->model = model;
    return WLSTM_OK;
}

wlstm_status wlstm_lstm_create(const wlstm_lstm_config *config, wlstm_lstm **lstm) {
    if (!lstm) return null_argument("lstm");
    *lstm = NULL;
    if (!config) return null_argument("config");
    if (config->struct_size != sizeof *config)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "config->struct_size: %zu expected (WLSTM_LSTM_CONFIG_INIT), got %zu", sizeof *config,
                        config->struct_size);
    wli_model_spec spec = { .dtype = config->dtype,
                            .num_layers = config->num_layers,
                            .input_size = config->input_size,
                            .hidden_size = config->hidden_size,
                            .proj_size = config->proj_size,
                            .dropout = config->dropout,
                            .bias = config->bias != 0,
                            .bidirectional = config->bidirectional != 0,
                            .batch_first = config->batch_first != 0 };
    wli_model *model;
    wlstm_status status = wli_model_create(&spec, &model);
    if (status == WLSTM_OK) status = wli_model_reset(&model, 0);
    return status == WLSTM_OK ? wrap(model, lstm) : status;
}

wlstm_status wlstm_lstm_load(const char *path, const wlstm_load_options *options, wlstm_lstm **lstm) {
    if (!lstm) return null_argument("lstm");
    *lstm = NULL;
    wli_model *model;
    wlstm_status status = wli_model_load(path, options, false, &model);
    return status == WLSTM_OK ? wrap(model, lstm) : status;
}

wlstm_status wlstm_lstm_create_from_cells(const wlstm_cell *const *cells, int64_t count, wlstm_lstm **lstm) {
    if (!lstm) return null_argument("lstm");
    *lstm = NULL;
    if (!cells) return null_argument("cells");
    wli_model *model;
    wlstm_status status = wli_cells_stack(cells, count, &model);
    return status == WLSTM_OK ? wrap(model, lstm) : status;
}

wlstm_status wlstm_lstm_save(const wlstm_lstm *lstm, const char *path, const char *prefix) {
    return lstm ? wli_model_save(lstm->model, path, prefix) : null_argument("lstm");
}

void wlstm_lstm_free(wlstm_lstm *lstm) {
    if (!lstm) return;
    wli_plan_pool_clear(&lstm->pool);
    wli_model_release(lstm->model);
    wli_free(lstm);
}

wlstm_status wlstm_lstm_get_config(const wlstm_lstm *lstm, wlstm_lstm_config *config) {
    if (!lstm) return null_argument("lstm");
    if (!config) return null_argument("config");
    if (config->struct_size != sizeof *config)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "config->struct_size: %zu expected, got %zu", sizeof *config,
                        config->struct_size);
    const wli_model *model = lstm->model;
    const wli_cell_weights *last = wli_model_cell(model, model->num_layers - 1, 0);
    *config = (wlstm_lstm_config){ sizeof *config,
                                   model->cells[0].input_size,
                                   last->hidden_size,
                                   model->num_layers,
                                   last->proj_size,
                                   model->dropout,
                                   model->bias,
                                   model->batch_first,
                                   model->num_directions == 2,
                                   model->dtype };
    return WLSTM_OK;
}

wlstm_status wlstm_lstm_reset_parameters(wlstm_lstm *lstm, uint64_t seed) {
    if (!lstm) return null_argument("lstm");
    wli_plan_pool_clear(&lstm->pool);
    return wli_model_reset(&lstm->model, seed);
}

int64_t wlstm_lstm_num_parameters(const wlstm_lstm *lstm) {
    return lstm ? lstm->model->num_parameters : 0;
}

wlstm_status wlstm_lstm_parameter_info(const wlstm_lstm *lstm, int64_t index, const char **name, int *ndim,
                                       int64_t shape[2]) {
    return lstm ? wli_model_info(lstm->model, index, name, ndim, shape) : null_argument("lstm");
}

wlstm_status wlstm_lstm_set_parameter(wlstm_lstm *lstm, const char *name, const void *values, int64_t count) {
    if (!lstm) return null_argument("lstm");
    wli_plan_pool_clear(&lstm->pool);
    return wli_model_set(&lstm->model, name, values, count);
}

wlstm_status wlstm_lstm_get_parameter(const wlstm_lstm *lstm, const char *name, void *values, int64_t count) {
    return lstm ? wli_model_get(lstm->model, name, values, count) : null_argument("lstm");
}

wlstm_status wlstm_forward(wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths, const void *x,
                           const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!lstm) return null_argument("lstm");
    const wli_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n };
    wlstm_status status = wli_call_check(&call, INT64_MAX, INT64_MAX);
    return status == WLSTM_OK ? wli_plan_pool_run(&lstm->pool, lstm->model, &call) : status;
}

wlstm_status wlstm_plan_create(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan **plan) {
    if (!plan) return null_argument("plan");
    *plan = NULL;
    if (!lstm) return null_argument("lstm");
    if (!options) return null_argument("options");
    return wli_plan_make(lstm->model, options, plan);
}
