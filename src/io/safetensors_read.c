#include "io/safetensors.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/text.h"
#include "io/convert.h"
#include "io/foreign_file.h"
#include "io/input_file.h"
#include "io/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH_BYTES 8
#define NAME_TEXT 96 /* of a tensor's name in an error sentence */

struct wli_safetensors {
    char *path;
    FILE *stream;
    json_t *header; /* owns the names */
    uint64_t data_offset, data_bytes;
    int64_t count;
    wli_st_tensor *tensors;        /* in the order of their data */
    const wli_st_tensor **by_name; /* [count] sorted */
};

// The dtypes of the format (safetensors 0.8) that are none of wli_numbers, with the bits of an element.
static const struct {
    const char *name;
    int bits;
} others[] = { { "BOOL", 8 },        { "F4", 4 },      { "F6_E2M3", 6 }, { "F6_E3M2", 6 }, { "U8", 8 },
               { "I8", 8 },          { "F8_E5M2", 8 }, { "F8_E4M3", 8 }, { "F8_E8M0", 8 }, { "F8_E4M3FNUZ", 8 },
               { "F8_E5M2FNUZ", 8 }, { "I16", 16 },    { "U16", 16 },    { "I32", 32 },    { "U32", 32 },
               { "C64", 64 },        { "I64", 64 },    { "U64", 64 } };

static const char *name_text(const char *name, char text[NAME_TEXT]) {
    return wli_printable(name, strlen(name), text, NAME_TEXT);
}

// A FORMAT error about one tensor.
static wlstm_status bad_tensor(const wli_safetensors *file, const char *name, const char *rule) {
    char text[NAME_TEXT];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': %s", file->path, name_text(name, text), rule);
}

// "dtype" of one tensor's entry; *bits is the size of an element.
static wlstm_status parse_dtype(const wli_safetensors *file, const json_t *entry, wli_st_tensor *tensor, int *bits) {
    const char *found = json_string_value(json_object_get(entry, "dtype"));
    if (found == NULL) return bad_tensor(file, tensor->name, "dtype: a string expected");
    for (int k = 0; k < WLI_NUMBER_TYPES; k++)
        if (wli_numbers[k].safetensors && strcmp(found, wli_numbers[k].safetensors) == 0) {
            tensor->dtype = k;
            tensor->dtype_name = wli_numbers[k].safetensors;
            *bits = 8 * (int)wli_numbers[k].bytes;
            return WLSTM_OK;
        }
    for (size_t k = 0; k < sizeof others / sizeof others[0]; k++)
        if (strcmp(found, others[k].name) == 0) {
            tensor->dtype = WLI_ST_OTHER;
            tensor->dtype_name = others[k].name;
            *bits = others[k].bits;
            return WLSTM_OK;
        }
    char text[NAME_TEXT], dtype_text[32];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: tensor '%s': dtype: one of the format's expected, got '%s'", file->path,
                    name_text(tensor->name, text), wli_printable(found, strlen(found), dtype_text, sizeof dtype_text));
}

// "shape" of one tensor's entry; *bytes is what elements of so many bits take.
static wlstm_status parse_shape(const wli_safetensors *file, const json_t *entry, wli_st_tensor *tensor, int bits,
                                size_t *bytes) {
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape)) return bad_tensor(file, tensor->name, "shape: an array of integers expected");
    if (json_array_size(shape) > WLI_ST_MAX_DIMS) {
        char text[NAME_TEXT];
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: tensor '%s': shape: at most %d dimensions expected, got %zu",
                        file->path, name_text(tensor->name, text), WLI_ST_MAX_DIMS, json_array_size(shape));
    }
    tensor->ndim = (int)json_array_size(shape);
    size_t total_bits = (size_t)bits;
    for (int d = 0; d < tensor->ndim; d++) {
        const json_t *size = json_array_get(shape, (size_t)d);
        tensor->shape[d] = json_integer_value(size);
        if (!json_is_integer(size) || tensor->shape[d] < 0)
            return bad_tensor(file, tensor->name, "shape: integers of at least 0 expected");
        if (total_bits > INT64_MAX || !wli_size_product((int64_t)total_bits, tensor->shape[d], 1, &total_bits))
            return bad_tensor(file, tensor->name, "shape: the product of its dimensions is too large");
    }
    if (total_bits % 8 != 0) return bad_tensor(file, tensor->name, "shape: not a whole number of bytes");
    *bytes = total_bits / 8;
    return WLSTM_OK;
}

// "data_offsets" of one tensor's entry, whose data must be `bytes` long.
static wlstm_status parse_offsets(const wli_safetensors *file, const json_t *entry, wli_st_tensor *tensor,
                                  size_t bytes) {
    const json_t *offsets = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
        json_integer_value(begin) < 0)
        return bad_tensor(file, tensor->name, "data_offsets: two integers of at least 0 expected");
    tensor->begin = (uint64_t)json_integer_value(begin);
    tensor->end = json_integer_value(end) < 0 ? 0 : (uint64_t)json_integer_value(end);
    char text[NAME_TEXT], shape_text[WLI_SHAPE_TEXT];
    if (json_integer_value(end) < json_integer_value(begin))
        return wli_fail(WLSTM_ERROR_FORMAT,
                        "%s: tensor '%s': data_offsets [%" PRIu64 ", %lld]: the end is before the begin", file->path,
                        name_text(tensor->name, text), tensor->begin, (long long)json_integer_value(end));
    if (tensor->end > file->data_bytes)
        return wli_fail(WLSTM_ERROR_FORMAT,
                        "%s: tensor '%s': data_offsets [%" PRIu64 ", %" PRIu64 "]: the file holds %" PRIu64
                        " bytes of data",
                        file->path, name_text(tensor->name, text), tensor->begin, tensor->end, file->data_bytes);
    if (tensor->end - tensor->begin != bytes)
        return wli_fail(WLSTM_ERROR_FORMAT,
                        "%s: tensor '%s': data_offsets [%" PRIu64 ", %" PRIu64 "]: %zu bytes expected for %s %s",
                        file->path, name_text(tensor->name, text), tensor->begin, tensor->end, bytes,
                        tensor->dtype_name, wli_shape_text(tensor->ndim, tensor->shape, shape_text));
    return WLSTM_OK;
}

// "__metadata__" says nothing about the tensors; only its own rule is checked.
static wlstm_status check_metadata(const wli_safetensors *file, json_t *metadata) {
    const char *key;
    json_t *value;
    bool valid = json_is_object(metadata);
    json_object_foreach(metadata, key, value) valid = valid && json_is_string(value);
    if (valid) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: __metadata__: an object of strings expected", file->path);
}

static int compare_data(const void *left, const void *right) {
    const wli_st_tensor *a = left, *b = right;
    if (a->begin != b->begin) return a->begin < b->begin ? -1 : 1;
    if (a->end != b->end) return a->end < b->end ? -1 : 1;
    return strcmp(a->name, b->name);
}

static int compare_names(const void *left, const void *right) {
    const wli_st_tensor *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

// The tensors' data must cover the data part of the file, each byte once.
static wlstm_status check_coverage(const wli_safetensors *file) {
    uint64_t covered = 0;
    for (int64_t k = 0; k < file->count; k++) {
        const wli_st_tensor *tensor = &file->tensors[k];
        char text[NAME_TEXT];
        if (tensor->begin != covered)
            return wli_fail(WLSTM_ERROR_FORMAT,
                            "%s: tensor '%s': data_offsets [%" PRIu64 ", %" PRIu64 "]: %s, begin %" PRIu64 " expected",
                            file->path, name_text(tensor->name, text), tensor->begin, tensor->end,
                            tensor->begin < covered ? "an overlap" : "a hole before it", covered);
        covered = tensor->end;
    }
    if (covered != file->data_bytes)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: %" PRIu64 " bytes of data expected, got %" PRIu64, file->path, covered,
                        file->data_bytes);
    return WLSTM_OK;
}

static wlstm_status parse_tensors(wli_safetensors *file) {
    size_t bytes, entries = json_object_size(file->header);
    if (!wli_size_product((int64_t)entries + 1, sizeof(wli_st_tensor), 1, &bytes) ||
        (file->tensors = wli_calloc(bytes)) == NULL ||
        (file->by_name = wli_alloc((entries + 1) * sizeof *file->by_name)) == NULL)
        return wli_out_of_memory("list of tensors", entries * sizeof(wli_st_tensor));
    const char *name;
    json_t *entry;
    json_object_foreach(file->header, name, entry) {
        wlstm_status status;
        if (strcmp(name, "__metadata__") == 0) {
            if ((status = check_metadata(file, entry)) != WLSTM_OK) return status;
            continue;
        }
        wli_st_tensor *tensor = &file->tensors[file->count++];
        tensor->name = name;
        int bits = 0;
        if (!json_is_object(entry)) return bad_tensor(file, name, "an object expected");
        if ((status = parse_dtype(file, entry, tensor, &bits)) != WLSTM_OK) return status;
        if ((status = parse_shape(file, entry, tensor, bits, &bytes)) != WLSTM_OK) return status;
        if ((status = parse_offsets(file, entry, tensor, bytes)) != WLSTM_OK) return status;
    }
    qsort(file->tensors, (size_t)file->count, sizeof(wli_st_tensor), compare_data);
    for (int64_t k = 0; k < file->count; k++) file->by_name[k] = &file->tensors[k];
    qsort(file->by_name, (size_t)file->count, sizeof *file->by_name, compare_names);
    return check_coverage(file);
}

// Parses the header's text. jansson bounds the nesting and refuses integers past int64.
static wlstm_status parse_header(wli_safetensors *file, const char *text, size_t length) {
    if (text[0] != '{') return wli_fail(WLSTM_ERROR_FORMAT, "%s: header: '{' expected as its first byte", file->path);
    json_error_t error;
    wli_json_begin();
    file->header = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (file->header != NULL) return parse_tensors(file);
    char reason[160];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: header: JSON expected: %s (byte %d)", file->path,
                    wli_printable(error.text, strlen(error.text), reason, sizeof reason), error.position);
}

static wlstm_status read_header(wli_safetensors *file, uint64_t file_bytes) {
    if (file_bytes < LENGTH_BYTES)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: a safetensors file of at least %d bytes expected, got %" PRIu64,
                        file->path, LENGTH_BYTES, file_bytes);
    unsigned char start[LENGTH_BYTES];
    uint64_t length;
    wlstm_status status = wli_input_read(file->stream, file->path, start, LENGTH_BYTES);
    if (status != WLSTM_OK) return status;
    memcpy(&length, start, sizeof length);
    // nothing is allocated before the length is known to be in the file and below the cap
    uint64_t rest = file_bytes - LENGTH_BYTES, most = rest < WLI_ST_MAX_HEADER ? rest : WLI_ST_MAX_HEADER;
    if (length < 2 || length > most) {
        const char *foreign = wli_foreign_file(file->stream, start);
        if (foreign != NULL)
            return wli_fail(WLSTM_ERROR_FORMAT, "%s: a safetensors file expected, got %s", file->path, foreign);
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: header length: 2 to %" PRIu64 " bytes expected, got %" PRIu64 "%s",
                        file->path, most, length, length > file_bytes ? " (is this a safetensors file?)" : "");
    }
    char *text = wli_alloc((size_t)length);
    if (text == NULL) return wli_out_of_memory("header", (size_t)length);
    file->data_offset = LENGTH_BYTES + length;
    file->data_bytes = file_bytes - file->data_offset;
    status = wli_input_read(file->stream, file->path, text, (size_t)length);
    if (status == WLSTM_OK) status = parse_header(file, text, (size_t)length);
    wli_free(text);
    return status;
}

wlstm_status wli_safetensors_open(const char *path, wli_safetensors **file) {
    *file = NULL;
    if (path == NULL) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got NULL");
    wli_safetensors *opened = wli_calloc(sizeof *opened);
    if (opened == NULL) return wli_out_of_memory("safetensors file", sizeof *opened);
    opened->path = wli_strdup(path);
    uint64_t file_bytes = 0;
    wlstm_status status = opened->path == NULL ? wli_out_of_memory("path", strlen(path) + 1)
                                               : wli_input_open(path, &opened->stream, &file_bytes);
    if (status == WLSTM_OK) status = read_header(opened, file_bytes);
    if (status == WLSTM_OK)
        *file = opened;
    else
        wli_safetensors_close(opened);
    return status;
}

void wli_safetensors_close(wli_safetensors *file) {
    if (file == NULL) return;
    if (file->stream != NULL) fclose(file->stream);
    json_decref(file->header);
    wli_free(file->by_name);
    wli_free(file->tensors);
    wli_free(file->path);
    wli_free(file);
}

int64_t wli_safetensors_count(const wli_safetensors *file) {
    return file->count;
}

const wli_st_tensor *wli_safetensors_at(const wli_safetensors *file, int64_t index) {
    return &file->tensors[index];
}

const wli_st_tensor *wli_safetensors_find(const wli_safetensors *file, const char *name) {
    const wli_st_tensor wanted = { .name = name }, *key = &wanted;
    const wli_st_tensor **found =
        bsearch(&key, file->by_name, (size_t)file->count, sizeof *file->by_name, compare_names);
    return found ? *found : NULL;
}

wlstm_status wli_safetensors_read(wli_safetensors *file, const wli_st_tensor *tensor, wlstm_dtype as, void *values) {
    const uint64_t bytes = tensor->end - tensor->begin;
    const size_t count = tensor->dtype == WLI_ST_OTHER ? 0 : (size_t)bytes / wli_numbers[tensor->dtype].bytes;
    return wli_safetensors_read_some(file, tensor, 0, count, as, values);
}

wlstm_status wli_safetensors_read_some(wli_safetensors *file, const wli_st_tensor *tensor, uint64_t first, size_t count,
                                       wlstm_dtype as, void *values) {
    char text[NAME_TEXT];
    if (tensor->dtype == WLI_ST_OTHER)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: tensor '%s': dtype F64, F32, F16 or BF16 expected, got %s",
                        file->path, name_text(tensor->name, text), tensor->dtype_name);
    if (!wli_dtype_runs(as))
        return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                        "%s: tensor '%s': to be read as f32, f64 or bf16 expected, got dtype %d", file->path,
                        name_text(tensor->name, text), (int)as);
    unsigned char part[16384], *target = values;
    const wli_number_type type = (wli_number_type)tensor->dtype;
    const size_t itemsize = wli_numbers[type].bytes, target_itemsize = wli_dtype_size(as);
    if (fseeko(file->stream, (off_t)(file->data_offset + tensor->begin + first * itemsize), SEEK_SET) != 0)
        return wli_fail(WLSTM_ERROR_FILE, "%s: cannot seek: %s", file->path, strerror(errno));
    for (size_t left = count; left > 0;) {
        size_t now = left < sizeof part / itemsize ? left : sizeof part / itemsize;
        wlstm_status status = wli_input_read(file->stream, file->path, part, now * itemsize);
        if (status != WLSTM_OK) return status;
        wli_convert(type, part, as, target, now);
        target += now * target_itemsize;
        left -= now;
    }
    return WLSTM_OK;
}
