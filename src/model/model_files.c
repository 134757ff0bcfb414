/* A model out of a safetensors file, and into one: nn.LSTM and nn.LSTMCell as their state_dict names them. */
#include "base/allocator.h"
#include "base/number.h"
#include "base/precision.h"
#include "base/status.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "model/missing_tensor.h"
#include "model/model.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What the names with the prefix say before any shape is looked at. */
typedef struct name_census {
    bool any_cell, any_lstm; /* weight_ih; weight_ih_l0 */
    int64_t num_layers;
    bool bidirectional, bias, projection, f64;
} name_census;

/* Reads "weight_ih_l12_reverse" behind the prefix as kind weight_ih, layer 12, reverse; layer -1 for an LSTMCell's. */
static bool parse_name(const char *name, const char **kind, int64_t *layer, bool *reverse) {
    static const char *const kinds[] = { "weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr" };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(name, kinds[i], length) != 0) continue;
        *kind = kinds[i], *layer = -1, *reverse = false;
        if (name[length] == '\0') return true;
        const char *digits = name + length + 2;
        if (strncmp(name + length, "_l", 2) != 0 || (*digits == '0' && digits[1] >= '0' && digits[1] <= '9'))
            return false;
        if (!wli_take_integer(&digits, 0, INT64_MAX - 1, layer)) return false;
        *reverse = strcmp(digits, "_reverse") == 0;
        return *reverse || *digits == '\0';
    }
    return false;
}

static name_census take_census(const wli_safetensors *file, const char *prefix) {
    name_census census = { 0 };
    size_t prefix_length = strlen(prefix);
    for (int64_t i = 0; i < wli_safetensors_count(file); i++) {
        const wli_st_tensor *tensor = wli_safetensors_at(file, i);
        const char *name = tensor->name, *kind;
        int64_t layer;
        bool reverse;
        if (strncmp(name, prefix, prefix_length) != 0 || !parse_name(name + prefix_length, &kind, &layer, &reverse))
            continue;
        (layer < 0 ? &census.any_cell : &census.any_lstm)[0] = true;
        if (layer >= census.num_layers) census.num_layers = layer + 1;
        census.bidirectional = census.bidirectional || reverse;
        census.bias = census.bias || strncmp(kind, "bias", 4) == 0;
        census.projection = census.projection || strcmp(kind, "weight_hr") == 0;
        census.f64 = census.f64 || tensor->dtype == WLI_F64;
    }
    return census;
}

/* One file on its way to a model. */
typedef struct source {
    const char *path, *prefix;
    wli_safetensors *file;
    char shown[160];        /* the name of the tensor that was looked for last */
    const wli_model *model; /* that it makes */
    int64_t first_layer;    /* of the file: the model's layer 0 */
    bool names_of_cell;     /* without "_l0" */
} source;

/* The tensor prefix + name, of ndim dimensions none of which is 0; the error names it. */
static wlstm_status find(source *from, const char *name, int ndim, const wli_st_tensor **tensor) {
    char *full = wli_alloc(strlen(from->prefix) + strlen(name) + 1);
    *tensor = NULL;
    if (!full) return wli_out_of_memory("name", strlen(from->prefix) + strlen(name) + 1);
    strcpy(full, from->prefix);
    strcat(full, name);
    *tensor = wli_safetensors_find(from->file, full);
    wli_printable(full, strlen(full), from->shown, sizeof from->shown);
    wli_free(full);
    if (!*tensor) return wli_missing_parameter(from->path, from->file, from->prefix, name);
    if ((*tensor)->ndim != ndim)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': %d dimensions expected, got %d", from->path, from->shown,
                        ndim, (*tensor)->ndim);
    for (int i = 0; i < ndim; i++)
        if ((*tensor)->shape[i] < 1)
            return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': sizes of at least 1 expected, got 0", from->path,
                            from->shown);
    return WLSTM_OK;
}

/* Sizes from the shapes of weight_ih and weight_hr; hidden_sizes [num_layers] is filled for a stack of cells. */
static wlstm_status read_sizes(source *from, const name_census *census, wli_model_spec *spec, int64_t *hidden_sizes) {
    const wli_st_tensor *tensor;
    for (int64_t l = 0; l < spec->num_layers; l++) {
        char name[48];
        snprintf(name, sizeof name, census->any_lstm ? "weight_ih_l%" PRId64 : "weight_ih", from->first_layer + l);
        wlstm_status status = find(from, name, 2, &tensor);
        if (status != WLSTM_OK) return status;
        if (tensor->shape[0] % 4 != 0)
            return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': 4*hidden_size rows expected, got %" PRId64,
                            from->path, from->shown, tensor->shape[0]);
        hidden_sizes[l] = tensor->shape[0] / 4;
        if (l == 0) spec->input_size = tensor->shape[1], spec->hidden_size = hidden_sizes[0];
    }
    if (!census->projection) return WLSTM_OK;
    char name[48];
    snprintf(name, sizeof name, "weight_hr_l%" PRId64, from->first_layer);
    wlstm_status status = find(from, name, 2, &tensor);
    for (int64_t l = 0; l < spec->num_layers && status == WLSTM_OK; l++)
        if (tensor->shape[0] >= hidden_sizes[l])
            status = wli_fail(WLSTM_ERROR_FORMAT,
                              "%s: tensor '%s': fewer than the hidden_size %" PRId64 " of layer %" PRId64
                              " rows expected, got %" PRId64,
                              from->path, from->shown, hidden_sizes[l], from->first_layer + l, tensor->shape[0]);
    if (status == WLSTM_OK) spec->proj_size = tensor->shape[0];
    return status;
}

/* The tensor of a parameter, by the file's name for it, whose shape must be the parameter's. */
static wlstm_status find_parameter(source *from, const wli_model *model, int64_t index, const wli_st_tensor **tensor) {
    const wli_parameter *parameter = &model->parameters[index];
    const char *kind;
    int64_t layer;
    bool reverse;
    char name[sizeof parameter->name];
    (void)parse_name(parameter->name, &kind, &layer, &reverse);
    if (from->names_of_cell)
        snprintf(name, sizeof name, "%s", kind);
    else
        snprintf(name, sizeof name, "%s_l%" PRId64 "%s", kind, from->first_layer + layer, reverse ? "_reverse" : "");
    const wlstm_status status = find(from, name, parameter->ndim, tensor);
    if (status != WLSTM_OK) return status;
    const wli_st_tensor *found = *tensor;
    if (found->shape[0] == parameter->shape[0] && (parameter->ndim == 1 || found->shape[1] == parameter->shape[1]))
        return WLSTM_OK;
    char expected[WLI_SHAPE_TEXT], got[WLI_SHAPE_TEXT];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': shape %s expected, got %s", from->path, from->shown,
                    wli_shape_text(parameter->ndim, parameter->shape, expected),
                    wli_shape_text(found->ndim, found->shape, got));
}

/* As wli_values reads. */
static wlstm_status read_rows(void *context, int64_t parameter, int64_t first, int64_t rows, void *to) {
    source *from = context;
    const int64_t columns = from->model->parameters[parameter].shape[1];
    const wli_st_tensor *tensor;
    wlstm_status status = find_parameter(from, from->model, parameter, &tensor);
    if (status != WLSTM_OK) return status;
    return wli_safetensors_read_some(from->file, tensor, (uint64_t)(first * columns), (size_t)(rows * columns),
                                     from->model->dtype, to);
}

/* Every parameter from the file, or what the filler makes of them. */
static wlstm_status read_parameters(source *from, wli_model *model, wli_model_fill *filler, wlstm_precision precision) {
    wlstm_status status = WLSTM_OK;
    from->model = model;
    for (int64_t i = 0; i < model->num_parameters && status == WLSTM_OK; i++) {
        const wli_parameter *parameter = &model->parameters[i];
        const wli_st_tensor *tensor;
        status = model->compact ? find_parameter(from, model, i, &tensor)
                                : read_rows(from, i, 0, parameter->shape[0], parameter->values);
    }
    return status == WLSTM_OK && model->compact ? filler(model, &(wli_values){ read_rows, from }, precision) : status;
}

/* Which of the file's layers are meant: the first goes to the source. */
static wlstm_status take_layers(source *from, const wlstm_load_options *options, int64_t in_file, int64_t *num_layers) {
    if (options->first_layer < 0 || options->first_layer >= in_file)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "first_layer: 0 to %" PRId64 ", of the %" PRId64 " in %s, expected, got %" PRId64, in_file - 1,
                        in_file, from->path, options->first_layer);
    const int64_t rest = in_file - options->first_layer;
    if (options->num_layers < 0 || options->num_layers > rest)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "num_layers: 0 (all) to %" PRId64 ", from layer %" PRId64 " of %s on, expected, got %" PRId64,
                        rest, options->first_layer, from->path, options->num_layers);
    from->first_layer = options->first_layer;
    *num_layers = options->num_layers > 0 ? options->num_layers : rest;
    return WLSTM_OK;
}

static wlstm_status read_model(source *from, const wlstm_load_options *options, bool as_cell, wli_model_fill *filler,
                               wli_model **model) {
    const name_census census = take_census(from->file, from->prefix);
    if (!census.any_cell && (as_cell || !census.any_lstm))
        return wli_missing_module(from->path, from->file, from->prefix, as_cell);
    const wli_st_tensor *first;
    const bool names_of_cell = as_cell || (census.any_cell && !census.any_lstm);
    const int64_t in_file = names_of_cell ? 1 : census.num_layers;
    wli_model_spec spec = { .bias = census.bias,
                            .bidirectional = census.bidirectional && !names_of_cell,
                            .batch_first = options->batch_first != 0 && !as_cell,
                            .is_cell = as_cell,
                            .compact = options->compact != 0 };
    wlstm_status status = find(from, names_of_cell ? "weight_ih" : "weight_ih_l0", 2, &first);
    if (status != WLSTM_OK) return status;
    /* Each layer has tensors of its own, so that a lone weight_ih_l999999999 sizes nothing. */
    if (in_file > wli_safetensors_count(from->file))
        return wli_fail(WLSTM_ERROR_MISSING, "%s: tensors of all %" PRId64 " layers expected, got %" PRId64 " tensors",
                        from->path, in_file, wli_safetensors_count(from->file));
    status = take_layers(from, options, in_file, &spec.num_layers);
    if (status != WLSTM_OK) return status;
    spec.dtype = options->convert ? options->dtype : census.f64 ? WLSTM_F64 : WLSTM_F32;
    size_t bytes = (size_t)spec.num_layers * sizeof(int64_t);
    int64_t *hidden_sizes = wli_alloc(bytes);
    if (!hidden_sizes) return wli_out_of_memory("layers", bytes);
    name_census names = census;
    names.any_lstm = !names_of_cell, names.projection = census.projection && !names_of_cell;
    status = read_sizes(from, &names, &spec, hidden_sizes);
    spec.hidden_sizes = hidden_sizes;
    if (status == WLSTM_OK) status = wli_model_create(&spec, model);
    wli_free(hidden_sizes);
    from->names_of_cell = names_of_cell;
    if (status == WLSTM_OK) status = wli_precision_check(spec.dtype, options->precision);
    if (status == WLSTM_OK) status = read_parameters(from, *model, filler, options->precision);
    if (status != WLSTM_OK) {
        wli_model_release(*model);
        *model = NULL;
    }
    return status;
}

wlstm_status wli_model_load(const char *path, const wlstm_load_options *options, bool as_cell, wli_model_fill *filler,
                            wli_model **model) {
    *model = NULL;
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file's name expected, got NULL");
    source from = { .path = path, .prefix = options->prefix ? options->prefix : "" };
    wlstm_status status = wli_safetensors_open(path, &from.file);
    if (status == WLSTM_OK) status = read_model(&from, options, as_cell, filler, model);
    wli_safetensors_close(from.file);
    return status;
}

/* The outputs' names, each the prefix and a parameter's name. */
static void name_outputs(const wli_model *model, const char *prefix, char *names, size_t name_bytes,
                         wli_st_output *outputs) {
    for (int64_t i = 0; i < model->num_parameters; i++) {
        const wli_parameter *parameter = &model->parameters[i];
        char *name = names + (size_t)i * name_bytes;
        snprintf(name, name_bytes, "%s%s", prefix, parameter->name);
        outputs[i] = (wli_st_output){
            .name = name, .ndim = parameter->ndim, .dtype = model->dtype, .values = parameter->values
        };
        memcpy(outputs[i].shape, parameter->shape, sizeof parameter->shape);
    }
}

wlstm_status wli_model_save(const wli_model *model, const char *path, const char *prefix) {
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file's name expected, got NULL");
    wlstm_status status = wli_model_check_values(model);
    if (status != WLSTM_OK) return status;
    if (!prefix) prefix = "";
    size_t name_bytes = strlen(prefix) + sizeof model->parameters[0].name, bytes;
    if (!wli_size_product(model->num_parameters, (int64_t)name_bytes, 1, &bytes))
        return wli_out_of_memory("names", SIZE_MAX);
    char *names = wli_alloc(bytes);
    wli_st_output *outputs = wli_alloc((size_t)model->num_parameters * sizeof *outputs);
    if (!names || !outputs)
        status = wli_out_of_memory("names", bytes);
    else {
        name_outputs(model, prefix, names, name_bytes, outputs);
        status = wli_safetensors_write(path, outputs, model->num_parameters);
    }
    wli_free(outputs);
    wli_free(names);
    return status;
}
