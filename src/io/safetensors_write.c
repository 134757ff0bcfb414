#include "io/safetensors.h"

#include "base/allocator.h"
#include "base/status.h"
#include "io/json.h"
#include "io/output_file.h"

#include <stdlib.h>
#include <string.h>

static wlstm_status tensor_bytes(const wli_st_output *tensor, size_t *bytes) {
    if (!wli_dtype_runs(tensor->dtype))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tensor '%s': dtype f32, f64 or bf16 expected, got %d",
                        tensor->name, (int)tensor->dtype);
    if (tensor->ndim < 0 || tensor->ndim > WLI_ST_MAX_DIMS)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tensor '%s': 0 to %d dimensions expected, got %d", tensor->name,
                        WLI_ST_MAX_DIMS, tensor->ndim);
    *bytes = wli_dtype_size(tensor->dtype);
    for (int d = 0; d < tensor->ndim; d++)
        if (!wli_size_product((int64_t)*bytes, tensor->shape[d], 1, bytes) || *bytes > INT64_MAX)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "tensor '%s': dimensions of at least 0 and of a size that fits expected", tensor->name);
    return WLSTM_OK;
}

// Adds one tensor's entry to the header; its data goes to [begin, *end).
static wlstm_status add_entry(json_t *header, const wli_st_output *tensor, int64_t begin, int64_t *end) {
    if (tensor->name == NULL || strcmp(tensor->name, "__metadata__") == 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "name: a tensor's name expected, got %s",
                        tensor->name == NULL ? "NULL" : tensor->name);
    if (json_object_get(header, tensor->name) != NULL)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tensor '%s': each name once expected", tensor->name);
    size_t bytes;
    wlstm_status status = tensor_bytes(tensor, &bytes);
    if (status != WLSTM_OK) return status;
    if (bytes > (size_t)(INT64_MAX - begin))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tensor '%s': the file would be too large", tensor->name);
    *end = begin + (int64_t)bytes;
    json_t *shape = json_array();
    int failed = shape == NULL;
    for (int d = 0; d < tensor->ndim; d++) failed |= json_array_append_new(shape, json_integer(tensor->shape[d]));
    if (failed) {
        json_decref(shape);
        return wli_out_of_memory("header", 0);
    }
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", wli_numbers[tensor->dtype].safetensors, "shape", shape,
                              "data_offsets", (json_int_t)begin, (json_int_t)*end);
    if (entry == NULL) return wli_out_of_memory("header", 0);
    // jansson refuses a key for one reason besides memory
    if (json_object_set_new(header, tensor->name, entry) != 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "name: UTF-8 expected");
    return WLSTM_OK;
}

// The header's text, padded with spaces so that the data starts at a multiple of 8.
static wlstm_status write_header(wli_output *output, const json_t *header) {
    char *text = json_dumps(header, JSON_COMPACT);
    if (text == NULL) return wli_out_of_memory("header", 0);
    size_t length = strlen(text), padding = (8 - length % 8) % 8;
    uint64_t total = length + padding;
    wlstm_status status = wli_output_write(output, &total, sizeof total);
    if (status == WLSTM_OK) status = wli_output_write(output, text, length);
    if (status == WLSTM_OK) status = wli_output_write(output, "       ", padding);
    free(text);
    return status;
}

wlstm_status wli_safetensors_write(const char *path, const wli_st_output *tensors, int64_t count) {
    wli_json_begin();
    json_t *header = json_object();
    if (header == NULL) return wli_out_of_memory("header", 0);
    wli_output *output = NULL;
    wlstm_status status = WLSTM_OK;
    int64_t end = 0;
    for (int64_t k = 0; k < count && status == WLSTM_OK; k++) status = add_entry(header, &tensors[k], end, &end);
    if (status == WLSTM_OK) status = wli_output_create(path, &output);
    if (status == WLSTM_OK) status = write_header(output, header);
    for (int64_t k = 0; k < count && status == WLSTM_OK; k++) {
        size_t bytes;
        status = tensor_bytes(&tensors[k], &bytes);
        if (status == WLSTM_OK) status = wli_output_write(output, tensors[k].values, bytes);
    }
    if (status == WLSTM_OK) status = wli_output_finish(output);
    if (status == WLSTM_OK)
        status = wli_output_commit(output);
    else
        wli_output_discard(output);
    json_decref(header);
    return status;
}
