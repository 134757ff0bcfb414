/* Any bytes as an array: an error with a sentence, or as many values as the shape says, which are the same after they
 * were written and read again. Before bytes that begin with '{' the length of a header is put, which is what comes before
 * the first newline. */
#include "target.h"

#include "io/npy.h"

#include <stdlib.h>
#include <string.h>

static const char *write_array(const uint8_t *bytes, size_t count) {
    if (count == 0 || bytes[0] != '{' || count > 60000) return fuzz_write("array", bytes, count);
    const uint8_t *end = memchr(bytes, '\n', count);
    const size_t header = end ? (size_t)(end - bytes) + 1 : count;
    const uint8_t start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)header, (uint8_t)(header >> 8) };
    uint8_t *file = malloc(sizeof start + count);
    if (file == NULL) abort();
    memcpy(file, start, sizeof start);
    memcpy(file + sizeof start, bytes, count);
    const char *path = fuzz_write("array", file, sizeof start + count);
    free(file);
    return path;
}

static void check_written(const wli_npy *array) {
    const char *path = fuzz_path("written");
    wli_npy again;
    REQUIRE(wli_npy_write(path, (wlstm_dtype)array->dtype, array->ndim, array->shape, array->values) == WLSTM_OK);
    REQUIRE(wli_npy_read(path, &again) == WLSTM_OK);
    REQUIRE(again.dtype == array->dtype && again.ndim == array->ndim);
    REQUIRE(memcmp(again.shape, array->shape, (size_t)array->ndim * sizeof array->shape[0]) == 0);
    REQUIRE(memcmp(again.values, array->values, wli_npy_count(array) * wli_numbers[array->dtype].bytes) == 0);
    wli_npy_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const wli_npy nothing;
    wli_npy array;
    const wlstm_status status = wli_npy_read(write_array(bytes, count), &array);
    if (status != WLSTM_OK) {
        REQUIRE(memcmp(&array, &nothing, sizeof array) == 0);
        fuzz_check_failure(status);
        return 0;
    }
    REQUIRE(array.ndim >= 0 && array.ndim <= WLI_NPY_MAX_DIMS && array.values != NULL);
    for (int d = 0; d < array.ndim; d++) REQUIRE(array.shape[d] >= 0);
    REQUIRE(wli_npy_count(&array) * wli_numbers[array.dtype].bytes <= count);
    if (wli_dtype_runs((wlstm_dtype)array.dtype)) check_written(&array);
    wli_npy_free(&array);
    return 0;
}
