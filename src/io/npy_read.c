#include "io/npy.h"

#include "base/allocator.h"
#include "base/number.h"
#include "base/status.h"
#include "base/text.h"
#include "io/input_file.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define MAX_HEADER 65535 /* version 1's largest; versions 2 and 3 could hold 4 GiB, which no plain array needs */
#define MAGIC "\x93NUMPY"
#define MAGIC_BYTES 6

// The header is a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
typedef struct cursor {
    const char *path;
    const char *at, *end; // *end is '\0'
} cursor;

static wlstm_status bad_header(const cursor *text, const char *expected) {
    char found[32];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: header: %s expected, got '%s'", text->path, expected,
                    wli_printable(text->at, (size_t)(text->end - text->at), found, sizeof found));
}

static bool take(cursor *text, const char *token) {
    while (text->at < text->end && (*text->at == ' ' || *text->at == '\n')) text->at++;
    size_t length = strlen(token);
    if ((size_t)(text->end - text->at) < length || memcmp(text->at, token, length) != 0) return false;
    text->at += length;
    return true;
}

// A quoted string without escapes, which none of the keys and types that are read needs.
static bool take_string(cursor *text, const char **string, size_t *length) {
    char quote = take(text, "'") ? '\'' : take(text, "\"") ? '"' : '\0';
    if (quote == '\0') return false;
    const char *close = memchr(text->at, quote, (size_t)(text->end - text->at));
    if (close == NULL) return false;
    *string = text->at;
    *length = (size_t)(close - text->at);
    text->at = close + 1;
    return true;
}

// As NumPy reads it: '<f4' and '>f4' are little- and big-endian, '=f4', '|f4' and 'f4' this machine's, which is little-endian.
static bool find_dtype(const char *descr, size_t length, wli_number_type *dtype, bool *big_endian) {
    *big_endian = length > 0 && descr[0] == '>';
    if (length > 0 && memchr("<>=|", descr[0], 4) != NULL) descr++, length--;
    if (length == 2 && memcmp(descr, "V2", 2) == 0) { // as ml_dtypes' bfloat16 is saved
        *dtype = WLI_BF16;
        return true;
    }
    for (int k = 0; k < WLI_NUMBER_TYPES; k++) {
        const char *name = wli_numbers[k].npy;
        if (!name || length != strlen(name) || memcmp(descr, name, length) != 0) continue;
        *dtype = (wli_number_type)k;
        return true;
    }
    return false;
}

static wlstm_status parse_descr(cursor *text, wli_number_type *dtype, bool *big_endian) {
    const char *descr;
    size_t length;
    char found[32];
    cursor value = *text;
    if (take_string(text, &descr, &length)) {
        if (find_dtype(descr, length, dtype, big_endian)) return WLSTM_OK;
    } else if (take(text, "[")) { // a structured type
        descr = value.at;
        length = (size_t)(value.end - value.at);
    } else {
        return bad_header(text, "a quoted descr");
    }
    return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                    "%s: descr: 'f2', 'f4', 'f8', 'i4', 'i8' or 'u2' of either byte order expected, got '%s'",
                    text->path, wli_printable(descr, length, found, sizeof found));
}

static wlstm_status parse_order(cursor *text, bool *fortran) {
    *fortran = take(text, "True");
    if (!*fortran && !take(text, "False")) return bad_header(text, "True or False for fortran_order");
    return WLSTM_OK;
}

static wlstm_status parse_shape(cursor *text, wli_npy *array) {
    if (!take(text, "(")) return bad_header(text, "a tuple for shape");
    bool comma = true; // "(3)" is a number to Python, "(3,)" a tuple
    while (!take(text, ")")) {
        if (!comma) return bad_header(text, "',' or ')' in shape");
        if (array->ndim == WLI_NPY_MAX_DIMS)
            return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: shape: at most %d dimensions expected", text->path,
                            WLI_NPY_MAX_DIMS);
        const char *start = text->at;
        if (!wli_take_integer(&text->at, 0, INT64_MAX, &array->shape[array->ndim])) {
            if (*start < '0' || *start > '9') return bad_header(text, "integers of at least 0 in shape");
            return wli_fail(WLSTM_ERROR_FORMAT, "%s: shape: dimensions below 2^63 expected", text->path);
        }
        if (*start == '0' && text->at > start + 1) // as in Python, no leading zero
            return bad_header(text, "integers of at least 0 in shape");
        array->ndim++;
        comma = take(text, ",");
    }
    if (array->ndim == 1 && !comma) return bad_header(text, "a tuple for shape, with a comma,");
    return WLSTM_OK;
}

static wlstm_status parse_header(cursor text, wli_npy *array, bool *big_endian) {
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    bool found[3] = { false, false, false }, fortran = false;
    if (!take(&text, "{")) return bad_header(&text, "'{'");
    while (!take(&text, "}")) {
        const char *key;
        size_t length;
        int which = 0;
        if (!take_string(&text, &key, &length)) return bad_header(&text, "a quoted key");
        while (which < 3 && (length != strlen(keys[which]) || memcmp(key, keys[which], length) != 0)) which++;
        char name[32];
        if (which == 3 || found[which])
            return wli_fail(WLSTM_ERROR_FORMAT,
                            "%s: header: the keys descr, fortran_order and shape once expected, got '%s'", text.path,
                            wli_printable(key, length, name, sizeof name));
        found[which] = true;
        if (!take(&text, ":")) return bad_header(&text, "':'");
        wlstm_status status = which == 0   ? parse_descr(&text, &array->dtype, big_endian)
                              : which == 1 ? parse_order(&text, &fortran)
                                           : parse_shape(&text, array);
        if (status != WLSTM_OK) return status;
        if (!take(&text, ",") && !(text.at < text.end && *text.at == '}')) return bad_header(&text, "',' or '}'");
    }
    take(&text, ""); // past the padding
    if (text.at != text.end) return bad_header(&text, "spaces to its end");
    for (int which = 0; which < 3; which++)
        if (!found[which]) return wli_fail(WLSTM_ERROR_FORMAT, "%s: header: %s expected", text.path, keys[which]);
    if (fortran && array->ndim > 1)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                        "%s: C order expected, got Fortran order (save np.ascontiguousarray(array))", text.path);
    return WLSTM_OK;
}

// Magic, version and the header's length; *data_offset is where the values begin.
static wlstm_status read_preamble(FILE *stream, const char *path, uint64_t file_bytes, size_t *length,
                                  size_t *data_offset) {
    unsigned char preamble[12];
    if (file_bytes < sizeof preamble)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: an npy file expected, got %" PRIu64 " bytes", path, file_bytes);
    wlstm_status status = wli_input_read(stream, path, preamble, 8);
    if (status != WLSTM_OK) return status;
    if (memcmp(preamble, MAGIC, MAGIC_BYTES) != 0)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: an npy file expected, got another first 6 bytes", path);
    if (preamble[6] < 1 || preamble[6] > 3 || preamble[7] != 0)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: npy version 1.0, 2.0 or 3.0 expected, got %d.%d", path,
                        preamble[6], preamble[7]);
    size_t length_bytes = preamble[6] == 1 ? 2 : 4;
    status = wli_input_read(stream, path, preamble + 8, length_bytes);
    if (status != WLSTM_OK) return status;
    *length = 0;
    for (size_t k = length_bytes; k-- > 0;) *length = *length << 8 | preamble[8 + k];
    *data_offset = 8 + length_bytes + *length;
    if (*length > MAX_HEADER || *data_offset > file_bytes)
        return wli_fail(WLSTM_ERROR_FORMAT,
                        "%s: header length: at most %d bytes and not past the end of the file expected, got %zu", path,
                        MAX_HEADER, *length);
    return WLSTM_OK;
}

// Values that lie in the file the other way round than in memory.
static void reverse_bytes(wli_npy *array) {
    size_t itemsize = wli_numbers[array->dtype].bytes;
    unsigned char *bytes = array->values;
    for (size_t items = wli_npy_count(array); items > 0; items--, bytes += itemsize)
        for (size_t k = 0; k < itemsize / 2; k++) {
            unsigned char byte = bytes[k];
            bytes[k] = bytes[itemsize - 1 - k];
            bytes[itemsize - 1 - k] = byte;
        }
}

static wlstm_status read_values(FILE *stream, const char *path, uint64_t data_bytes, wli_npy *array) {
    char shape[WLI_SHAPE_TEXT];
    size_t bytes = wli_numbers[array->dtype].bytes;
    for (int d = 0; d < array->ndim; d++)
        if (bytes > INT64_MAX || !wli_size_product((int64_t)bytes, array->shape[d], 1, &bytes))
            return wli_fail(WLSTM_ERROR_FORMAT, "%s: shape %s: the product of its dimensions is too large", path,
                            wli_shape_text(array->ndim, array->shape, shape));
    if (bytes != data_bytes)
        return wli_fail(WLSTM_ERROR_FORMAT, "%s: %zu bytes of data expected for %s %s, got %" PRIu64 "%s", path, bytes,
                        wli_numbers[array->dtype].npy, wli_shape_text(array->ndim, array->shape, shape), data_bytes,
                        data_bytes < bytes ? " (truncated)" : "");
    array->values = wli_alloc(bytes > 0 ? bytes : 1);
    if (array->values == NULL) return wli_out_of_memory(path, bytes);
    return wli_input_read(stream, path, array->values, bytes);
}

wlstm_status wli_npy_read(const char *path, wli_npy *array) {
    memset(array, 0, sizeof *array);
    if (path == NULL) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got NULL");
    FILE *stream;
    uint64_t file_bytes;
    wlstm_status status = wli_input_open(path, &stream, &file_bytes);
    if (status != WLSTM_OK) return status;
    size_t length = 0, data_offset = 0;
    char *header = NULL;
    bool big_endian = false;
    status = read_preamble(stream, path, file_bytes, &length, &data_offset);
    if (status == WLSTM_OK && (header = wli_alloc(length + 1)) == NULL)
        status = wli_out_of_memory("npy header", length + 1);
    if (status == WLSTM_OK) status = wli_input_read(stream, path, header, length);
    if (status == WLSTM_OK) {
        header[length] = '\0';
        status = parse_header((cursor){ path, header, header + length }, array, &big_endian);
    }
    if (status == WLSTM_OK) status = read_values(stream, path, file_bytes - data_offset, array);
    if (status == WLSTM_OK && big_endian) reverse_bytes(array);
    if (status != WLSTM_OK) wli_npy_free(array);
    wli_free(header);
    fclose(stream);
    return status;
}

size_t wli_npy_count(const wli_npy *array) {
    size_t count = 1;
    for (int d = 0; d < array->ndim; d++) count *= (size_t)array->shape[d];
    return count;
}

void wli_npy_free(wli_npy *array) {
    if (array == NULL) return;
    wli_free(array->values);
    memset(array, 0, sizeof *array);
}
