/* Any bytes as a model file: an error with a sentence, or tensors within the file; what loads as an lstm runs, and is
 * the same after it was saved and loaded again. The length of a header need not be guessed: before bytes that begin with
 * '{' it is put, the header being what comes before the first NUL. */
#include "target.h"

#include "io/safetensors.h"
#include "train/trainer_file.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 64 };

static const char *write_model(const uint8_t *bytes, size_t count) {
    if (count == 0 || bytes[0] != '{') return fuzz_write("model", bytes, count);
    const uint8_t *end = memchr(bytes, 0, count);
    const uint64_t header = end ? (uint64_t)(end - bytes) : count;
    const size_t rest = end ? count - header - 1 : 0;
    uint8_t *file = malloc(sizeof header + count);
    if (file == NULL) abort();
    memcpy(file, &header, sizeof header);
    memcpy(file + sizeof header, bytes, header);
    if (rest > 0) memcpy(file + sizeof header + header, bytes + header + 1, rest);
    const char *path = fuzz_write("model", file, sizeof header + header + rest);
    free(file);
    return path;
}

/* One tensor through the library's two readers: both have it, and the same of it. */
static void check_tensor(const char *path, wli_safetensors *file, const wli_st_tensor *tensor) {
    uint64_t elements = 1;
    int ndim;
    int64_t shape[8];
    REQUIRE(tensor->ndim >= 0 && tensor->ndim <= WLI_ST_MAX_DIMS && tensor->begin <= tensor->end);
    REQUIRE(wli_safetensors_find(file, tensor->name) == tensor);
    for (int d = 0; d < tensor->ndim; d++) elements *= (uint64_t)tensor->shape[d];
    REQUIRE(wlstm_tensor_read(path, tensor->name, WLSTM_F32, NULL, 0, &ndim, shape) == WLSTM_OK);
    REQUIRE(ndim == tensor->ndim && memcmp(shape, tensor->shape, (size_t)ndim * sizeof shape[0]) == 0);
    if (tensor->dtype == WLI_ST_OTHER) {
        double value;
        REQUIRE(wli_safetensors_read(file, tensor, WLSTM_F64, &value) == WLSTM_ERROR_UNSUPPORTED);
        return;
    }
    REQUIRE(tensor->end - tensor->begin == elements * wli_numbers[tensor->dtype].bytes);
    double *values = malloc(elements * sizeof *values + 1), *again = malloc(elements * sizeof *again + 1);
    if (values == NULL || again == NULL) abort();
    REQUIRE(wli_safetensors_read(file, tensor, WLSTM_F64, values) == WLSTM_OK);
    REQUIRE(wlstm_tensor_read(path, tensor->name, WLSTM_F64, again, (int64_t)elements, NULL, NULL) == WLSTM_OK);
    REQUIRE(memcmp(values, again, elements * sizeof *values) == 0);
    free(values);
    free(again);
}

static void check_tensors(const char *path) {
    wli_safetensors *file;
    const wlstm_status status = wli_safetensors_open(path, &file);
    if (status != WLSTM_OK) {
        REQUIRE(file == NULL);
        fuzz_check_failure(status);
        return;
    }
    uint64_t covered = 0;
    for (int64_t k = 0; k < wli_safetensors_count(file); k++) {
        const wli_st_tensor *tensor = wli_safetensors_at(file, k);
        REQUIRE(tensor->begin == covered);
        covered = tensor->end;
        check_tensor(path, file, tensor);
    }
    wli_safetensors_close(file);
}

static void check_same(const wlstm_lstm *a, const wlstm_lstm *b) {
    REQUIRE(wlstm_lstm_num_parameters(a) == wlstm_lstm_num_parameters(b));
    for (int64_t k = 0; k < wlstm_lstm_num_parameters(a); k++) {
        const char *name, *other;
        int ndim;
        int64_t shape[2], same[2];
        REQUIRE(wlstm_lstm_parameter_info(a, k, &name, &ndim, shape) == WLSTM_OK);
        REQUIRE(wlstm_lstm_parameter_info(b, k, &other, &ndim, same) == WLSTM_OK);
        REQUIRE(strcmp(name, other) == 0 && memcmp(shape, same, sizeof shape) == 0);
        const int64_t count = shape[0] * shape[1];
        double *values = calloc((size_t)count + 1, sizeof *values), *again = calloc((size_t)count + 1, sizeof *again);
        if (values == NULL || again == NULL) abort();
        REQUIRE(wlstm_lstm_get_parameter(a, name, values, count) == WLSTM_OK);
        REQUIRE(wlstm_lstm_get_parameter(b, name, again, count) == WLSTM_OK);
        REQUIRE(memcmp(values, again, (size_t)count * sizeof *values) == 0);
        free(values);
        free(again);
    }
}

static void check_saved(const wlstm_lstm *lstm) {
    const char *path = fuzz_path("saved");
    wlstm_lstm *again;
    REQUIRE(wlstm_lstm_save(lstm, path, "rnn.") == WLSTM_OK);
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = "rnn.";
    REQUIRE(wlstm_lstm_load(path, &options, &again) == WLSTM_OK);
    check_same(lstm, again);
    wlstm_lstm_free(again);
}

/* Two steps of two rows, whatever the values. */
static void check_run(wlstm_lstm *lstm, const wlstm_lstm_config *config) {
    enum { T = 2, B = 2 };
    static double x[T * B * LARGEST], out[T * B * 2 * LARGEST];
    if (config->input_size > LARGEST || config->hidden_size > LARGEST || config->num_layers > LARGEST) return;
    REQUIRE(wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL) == WLSTM_OK);
}

static void check_lstm(const char *path, const wlstm_load_options *options) {
    wlstm_lstm *lstm;
    const wlstm_status status = wlstm_lstm_load(path, options, &lstm);
    if (status != WLSTM_OK) {
        REQUIRE(lstm == NULL);
        fuzz_check_failure(status);
        return;
    }
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    REQUIRE(wlstm_lstm_get_config(lstm, &config) == WLSTM_OK);
    REQUIRE(config.input_size > 0 && config.hidden_size > 0 && config.num_layers > 0);
    check_run(lstm, &config);
    if (!options->compact) check_saved(lstm);
    wlstm_lstm_free(lstm);
}

static void check_cell(const char *path, const wlstm_load_options *options) {
    wlstm_cell *cell;
    const wlstm_status status = wlstm_cell_load(path, options, &cell);
    if (status != WLSTM_OK) {
        REQUIRE(cell == NULL);
        fuzz_check_failure(status);
    }
    wlstm_cell_free(cell);
}

/* As what training of an nn.LSTM(2, 1) goes on from. */
static void check_trainer(const char *path) {
    static const wli_model_spec spec = {
        .dtype = WLSTM_F32, .num_layers = 1, .input_size = 2, .hidden_size = 1, .bias = true
    };
    wli_model *model;
    float parameters[64], moments[2][64];
    REQUIRE(wli_model_create(&spec, &model) == WLSTM_OK);
    wli_trainer_state state = { .model = model, .parameters = parameters, .moments = { moments[0], moments[1] } };
    const wlstm_status status = wli_trainer_file_read(path, &state);
    if (status == WLSTM_OK)
        REQUIRE(state.step >= 0 && state.num_moments >= 0 && state.num_moments <= 2);
    else
        fuzz_check_failure(status);
    wli_model_release(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    setenv("WLSTM_CACHE", "off", 0);
    setenv("WLSTM_NUM_THREADS", "1", 0);
    const char *path = write_model(bytes, count);
    char kept[300];
    memcpy(kept, path, strlen(path) + 1);
    check_tensors(kept);
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    check_lstm(kept, &options);
    check_cell(kept, &options);
    options.convert = 1, options.dtype = WLSTM_F64;
    check_lstm(kept, &options);
    options.dtype = WLSTM_F32, options.compact = 1, options.prefix = count % 2 ? "rnn." : "";
    options.precision = count % 4 < 2 ? WLSTM_PRECISION_INT8 : WLSTM_PRECISION_FULL;
    check_lstm(kept, &options);
    check_trainer(kept);
    return 0;
}
