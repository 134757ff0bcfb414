/* Model files through the public API: what is saved loads again, and what cannot be read is refused by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "io/safetensors.h"
#include "model/model.h"
#include "problem.h"

#define assert_fails(call, status, word)                                                                               \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(wlstm_last_error(), word)) fail_msg("\"%s\" does not name %s", wlstm_last_error(), word);          \
    } while (0)

static char directory[] = "/tmp/wavelstm-test-XXXXXX";

/* A path in the test's own directory; the last four stay valid. */
static const char *in_directory(const char *name) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static int make_directory(void **state) {
    (void)state;
    return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state) {
    (void)state;
    return rmdir(directory); /* fails if a test or the library left a file behind */
}

/* Same names, shapes and values. */
static void assert_same_parameters(const wlstm_lstm *a, const wlstm_lstm *b, wlstm_dtype dtype) {
    assert_int_equal(wlstm_lstm_num_parameters(a), wlstm_lstm_num_parameters(b));
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(a); ++i) {
        const char *name, *b_name;
        int ndim, b_ndim;
        int64_t shape[2], b_shape[2];
        assert_int_equal(wlstm_lstm_parameter_info(a, i, &name, &ndim, shape), WLSTM_OK);
        assert_int_equal(wlstm_lstm_parameter_info(b, i, &b_name, &b_ndim, b_shape), WLSTM_OK);
        assert_string_equal(name, b_name);
        assert_true(ndim == b_ndim && shape[0] == b_shape[0] && shape[1] == b_shape[1]);
        const int64_t count = shape[0] * shape[1];
        void *values = test_allocate(dtype, count), *b_values = test_allocate(dtype, count);
        assert_int_equal(wlstm_lstm_get_parameter(a, name, values, count), WLSTM_OK);
        assert_int_equal(wlstm_lstm_get_parameter(b, name, b_values, count), WLSTM_OK);
        assert_true(tensors_identical(name, dtype, b_values, values, count));
        test_release(values);
        test_release(b_values);
    }
}

static void what_is_saved_loads_again(void **state) {
    (void)state;
    for (int options = 0; options < 32; ++options) {
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT, got = WLSTM_LSTM_CONFIG_INIT;
        config.input_size = 5, config.hidden_size = 4, config.num_layers = 2;
        config.bias = options & 1, config.bidirectional = (options >> 1) & 1;
        config.proj_size = options & 4 ? 3 : 0, config.dtype = options & 8 ? WLSTM_F64 : WLSTM_F32;
        const char *prefix = options & 16 ? "encoder.lstm." : NULL, *path = in_directory("model.safetensors");
        wlstm_load_options load = WLSTM_LOAD_OPTIONS_INIT;
        wlstm_lstm *saved, *loaded;
        load.prefix = prefix, load.batch_first = options & 1;
        assert_int_equal(wlstm_lstm_create(&config, &saved), WLSTM_OK);
        assert_int_equal(wlstm_lstm_reset_parameters(saved, (uint64_t)options + 5), WLSTM_OK);
        assert_int_equal(wlstm_lstm_save(saved, path, prefix), WLSTM_OK);
        assert_int_equal(wlstm_lstm_load(path, prefix || load.batch_first ? &load : NULL, &loaded), WLSTM_OK);
        assert_same_parameters(saved, loaded, config.dtype);
        assert_int_equal(wlstm_lstm_get_config(loaded, &got), WLSTM_OK);
        assert_true(got.input_size == 5 && got.hidden_size == 4 && got.num_layers == 2);
        assert_true(got.proj_size == config.proj_size && got.bias == config.bias && got.dtype == config.dtype);
        assert_true(got.bidirectional == config.bidirectional && got.batch_first == load.batch_first);
        wlstm_lstm_free(saved);
        wlstm_lstm_free(loaded);
        assert_int_equal(unlink(path), 0);
    }
}

static wlstm_cell *create_cell(void) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell;
    config.input_size = 3, config.hidden_size = 2;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_reset_parameters(cell, 9), WLSTM_OK);
    return cell;
}

static void a_cell_loads_as_a_cell_and_as_one_layer(void **state) {
    (void)state;
    const char *path = in_directory("cell.safetensors");
    wlstm_cell *cell = create_cell(), *loaded;
    wlstm_lstm *layer;
    float weight_hh[16], got[16];
    assert_int_equal(wlstm_cell_save(cell, path, NULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_load(path, NULL, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_lstm_load(path, NULL, &layer), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(cell, "weight_hh", weight_hh, 16), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(loaded, "weight_hh", got, 16), WLSTM_OK);
    assert_memory_equal(weight_hh, got, sizeof got);
    assert_int_equal(wlstm_lstm_get_parameter(layer, "weight_hh_l0", got, 16), WLSTM_OK);
    assert_memory_equal(weight_hh, got, sizeof got);
    wlstm_cell_free(cell);
    wlstm_cell_free(loaded);
    wlstm_lstm_free(layer);
    assert_int_equal(unlink(path), 0);
}

static void parameters_are_converted_when_asked(void **state) {
    (void)state;
    const char *path = in_directory("cell.safetensors");
    wlstm_cell *cell = create_cell(), *loaded;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    float weight_hh[16];
    double converted[16];
    options.convert = 1, options.dtype = WLSTM_F64;
    assert_int_equal(wlstm_cell_save(cell, path, "c."), WLSTM_OK);
    options.prefix = "c.";
    assert_int_equal(wlstm_cell_load(path, &options, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(cell, "weight_hh", weight_hh, 16), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(loaded, "weight_hh", converted, 16), WLSTM_OK);
    for (int i = 0; i < 16; ++i) assert_true(converted[i] == (double)weight_hh[i]);
    wlstm_cell_free(cell);
    wlstm_cell_free(loaded);
    assert_int_equal(unlink(path), 0);
}

/* bfloat16 is what somebody asks for: a file of it alone runs as float, and gives the same when it is written as it came. */
static void bf16_arrays_are_asked_for(void **state) {
    (void)state;
    const char *path = in_directory("cell.safetensors"), *narrow = in_directory("narrow.safetensors");
    wlstm_cell *cell = create_cell(), *loaded;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    float weight_hh[16], as_float[16];
    uint16_t halves[16], again[16];
    options.convert = 1, options.dtype = WLSTM_BF16;
    assert_int_equal(wlstm_cell_save(cell, path, NULL), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(cell, "weight_hh", weight_hh, 16), WLSTM_OK);
    assert_int_equal(wlstm_cell_load(path, &options, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_config(loaded, &config), WLSTM_OK);
    assert_int_equal(config.dtype, WLSTM_BF16);
    assert_int_equal(wlstm_cell_get_parameter(loaded, "weight_hh", halves, 16), WLSTM_OK);
    assert_int_equal(wlstm_cell_save(loaded, narrow, NULL), WLSTM_OK);
    wlstm_cell_free(loaded);
    assert_int_equal(wlstm_cell_load(narrow, &options, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(loaded, "weight_hh", again, 16), WLSTM_OK);
    assert_memory_equal(again, halves, sizeof halves);
    wlstm_cell_free(loaded);
    assert_int_equal(wlstm_cell_load(narrow, NULL, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_cell_get_parameter(loaded, "weight_hh", as_float, 16), WLSTM_OK);
    for (int i = 0; i < 16; ++i) {
        assert_true((double)as_float[i] == tensor_at(WLSTM_BF16, halves, i));
        assert_true(fabsf(as_float[i] - weight_hh[i]) <= 0x1p-9F);
    }
    wlstm_cell_free(cell);
    wlstm_cell_free(loaded);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(narrow), 0);
}

/* The parameters of an lstm with the weight_ih of layer 0 in another dtype than the rest: nothing is rounded. */
static void one_f64_parameter_makes_an_f64_lstm(void **state) {
    (void)state;
    const char *path = in_directory("mixed.safetensors");
    const float weight_ih[8 * 3] = { 0.5F, -1.0F };
    const double weight_hh[8 * 2] = { 0.1, -0.2 };
    const wli_st_output tensors[] = {
        { .name = "weight_ih_l0", .ndim = 2, .shape = { 8, 3 }, .dtype = WLSTM_F32, .values = weight_ih },
        { .name = "weight_hh_l0", .ndim = 2, .shape = { 8, 2 }, .dtype = WLSTM_F64, .values = weight_hh },
        { .name = "other.weight_ih_l0", .ndim = 2, .shape = { 8, 3 }, .dtype = WLSTM_F32, .values = weight_ih },
        { .name = "other.weight_hh_l0", .ndim = 2, .shape = { 8, 2 }, .dtype = WLSTM_F32, .values = weight_ih },
    };
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_lstm *lstm;
    double got[8 * 2];
    assert_int_equal(wli_safetensors_write(path, tensors, 4), WLSTM_OK);
    assert_int_equal(wlstm_lstm_load(path, NULL, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_get_config(lstm, &config), WLSTM_OK);
    assert_int_equal(config.dtype, WLSTM_F64);
    assert_int_equal(wlstm_lstm_get_parameter(lstm, "weight_hh_l0", got, 16), WLSTM_OK);
    assert_memory_equal(got, weight_hh, sizeof got);
    wlstm_lstm_free(lstm);
    options.prefix = "other.";
    assert_int_equal(wlstm_lstm_load(path, &options, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_get_config(lstm, &config), WLSTM_OK);
    assert_int_equal(config.dtype, WLSTM_F32);
    wlstm_lstm_free(lstm);
    assert_int_equal(unlink(path), 0);
}

/* P = 2 below H = 4 of layer 0, and not below H = 2 of layer 1. */
static void proj_size_must_be_smaller_than_every_layers_hidden_size(void **state) {
    (void)state;
    const char *path = in_directory("projected.safetensors");
    const float values[16 * 3] = { 0 };
    const wli_st_output tensors[] = {
        { .name = "weight_ih_l0", .ndim = 2, .shape = { 16, 3 }, .values = values },
        { .name = "weight_hh_l0", .ndim = 2, .shape = { 16, 2 }, .values = values },
        { .name = "weight_hr_l0", .ndim = 2, .shape = { 2, 4 }, .values = values },
        { .name = "weight_ih_l1", .ndim = 2, .shape = { 8, 2 }, .values = values },
        { .name = "weight_hh_l1", .ndim = 2, .shape = { 8, 2 }, .values = values },
        { .name = "weight_hr_l1", .ndim = 2, .shape = { 2, 2 }, .values = values },
    };
    wlstm_lstm *lstm;
    assert_int_equal(wli_safetensors_write(path, tensors, 6), WLSTM_OK);
    assert_fails(wlstm_lstm_load(path, NULL, &lstm), WLSTM_ERROR_FORMAT, "weight_hr_l0");
    assert_null(lstm);
    assert_int_equal(unlink(path), 0);

    const int64_t hidden_sizes[] = { 4, 2 };
    const wli_model_spec spec = { .dtype = WLSTM_F32,
                                  .num_layers = 2,
                                  .input_size = 3,
                                  .proj_size = 2,
                                  .hidden_size = 4,
                                  .hidden_sizes = hidden_sizes };
    wli_model *model;
    assert_fails(wli_model_create(&spec, &model), WLSTM_ERROR_INVALID_ARGUMENT, "proj_size");
}

/* Layers first to first + count - 1 of a file, each alone and together: an lstm of their parameters, and no others. */
static void a_part_of_the_layers_is_an_lstm(void **state) {
    (void)state;
    enum { LAYERS = 4 };
    const char *path = in_directory("deep.safetensors");
    for (int options = 0; options < 16; ++options) {
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT, got = WLSTM_LSTM_CONFIG_INIT;
        wlstm_lstm *whole, *part;
        config.input_size = 5, config.hidden_size = 4, config.num_layers = LAYERS;
        config.bias = options & 1, config.bidirectional = (options >> 1) & 1, config.proj_size = options & 4 ? 3 : 0;
        assert_int_equal(wlstm_lstm_create(&config, &whole), WLSTM_OK);
        assert_int_equal(wlstm_lstm_save(whole, path, "deep."), WLSTM_OK);
        for (int first = 0; first < LAYERS; ++first)
            for (int count = 0; count <= LAYERS - first; ++count) {
                wlstm_load_options load = WLSTM_LOAD_OPTIONS_INIT;
                load.prefix = "deep.", load.first_layer = first, load.num_layers = count;
                assert_int_equal(wlstm_lstm_load(path, &load, &part), WLSTM_OK);
                assert_int_equal(wlstm_lstm_get_config(part, &got), WLSTM_OK);
                assert_int_equal(got.num_layers, count > 0 ? count : LAYERS - first);
                assert_int_equal(got.input_size, first == 0 ? 5 : (options & 4 ? 3 : 4) * (options & 2 ? 2 : 1));
                const int64_t of_layer = wlstm_lstm_num_parameters(whole) / LAYERS;
                assert_int_equal(wlstm_lstm_num_parameters(part), got.num_layers * of_layer);
                for (int64_t i = 0; i < wlstm_lstm_num_parameters(part); ++i) {
                    const char *name, *part_name;
                    int64_t shape[2], part_shape[2];
                    int ndim;
                    float values[128], part_values[128];
                    wlstm_lstm_parameter_info(whole, first * of_layer + i, &name, &ndim, shape);
                    wlstm_lstm_parameter_info(part, i, &part_name, &ndim, part_shape);
                    assert_memory_equal(shape, part_shape, sizeof shape);
                    assert_int_equal(wlstm_lstm_get_parameter(whole, name, values, shape[0] * shape[1]), WLSTM_OK);
                    assert_int_equal(wlstm_lstm_get_parameter(part, part_name, part_values, shape[0] * shape[1]),
                                     WLSTM_OK);
                    assert_memory_equal(values, part_values, (size_t)(shape[0] * shape[1]) * sizeof *values);
                }
                wlstm_lstm_free(part);
            }
        wlstm_lstm_free(whole);
        assert_int_equal(unlink(path), 0);
    }
}

static void layers_that_a_file_has_not_are_refused(void **state) {
    (void)state;
    static const struct {
        int64_t first, count;
        const char *sentence;
    } wrong[] = {
        { -1, 0, "first_layer: 0 to 1, of the 2 in " },         { 2, 1, "expected, got 2" },
        { 0, 3, "num_layers: 0 (all) to 2, from layer 0 of " }, { 1, 2, "num_layers: 0 (all) to 1, from layer 1 of " },
        { 1, INT64_MAX, "expected, got 9223372036854775807" },  { 0, -1, "expected, got -1" }
    };
    const char *path = in_directory("two.safetensors"), *of_cell = in_directory("cell.safetensors");
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_cell *cell = create_cell(), *loaded;
    config.input_size = 3, config.hidden_size = 2, config.num_layers = 2;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_save(lstm, path, NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; ++i) {
        options.first_layer = wrong[i].first, options.num_layers = wrong[i].count;
        assert_fails(wlstm_lstm_load(path, &options, &lstm), WLSTM_ERROR_INVALID_ARGUMENT, wrong[i].sentence);
        assert_null(lstm);
    }
    assert_int_equal(wlstm_cell_save(cell, of_cell, NULL), WLSTM_OK);
    options.first_layer = 1, options.num_layers = 0;
    assert_fails(wlstm_cell_load(of_cell, &options, &loaded), WLSTM_ERROR_INVALID_ARGUMENT, "first_layer: 0 to 0");
    options.first_layer = 0, options.num_layers = 1;
    assert_int_equal(wlstm_lstm_load(of_cell, &options, &lstm), WLSTM_OK);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(of_cell), 0);
}

static void write_file(const char *path, const void *content, size_t size) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void files_are_refused(void **state) {
    (void)state;
    wlstm_lstm *lstm = (wlstm_lstm *)&lstm;
    wlstm_cell *cell = create_cell(), *loaded;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    assert_fails(wlstm_lstm_load(NULL, NULL, &lstm), WLSTM_ERROR_INVALID_ARGUMENT, "path");
    assert_null(lstm);
    assert_fails(wlstm_lstm_load("model", NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT, "lstm");
    assert_fails(wlstm_cell_load("model", NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT, "cell");
    const char *absent = in_directory("absent.safetensors");
    assert_fails(wlstm_lstm_load(absent, NULL, &lstm), WLSTM_ERROR_FILE, absent);
    options.struct_size = 0;
    assert_fails(wlstm_lstm_load(absent, &options, &lstm), WLSTM_ERROR_INVALID_ARGUMENT, "struct_size");

    const char *path = in_directory("model.safetensors");
    const char *const broken[] = { "", "short", "\x02\0\0\0\0\0\0\0[]", "\xff\xff\xff\xff\xff\xff\xff\x7f{}" };
    const size_t sizes[] = { 0, 5, 10, 10 };
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; ++i) {
        write_file(path, broken[i], sizes[i]);
        assert_fails(wlstm_lstm_load(path, NULL, &lstm), WLSTM_ERROR_FORMAT, path);
        assert_null(lstm);
    }
    write_file(path, "\x02\0\0\0\0\0\0\0{}", 10);
    assert_fails(wlstm_lstm_load(path, NULL, &lstm), WLSTM_ERROR_MISSING, "weight_ih");

    assert_int_equal(wlstm_cell_save(cell, path, "decoder."), WLSTM_OK);
    options = (wlstm_load_options)WLSTM_LOAD_OPTIONS_INIT;
    assert_fails(wlstm_cell_load(path, &options, &loaded), WLSTM_ERROR_MISSING, "weight_ih");
    assert_null(loaded);
    options.prefix = "encoder.";
    assert_fails(wlstm_lstm_load(path, &options, &lstm), WLSTM_ERROR_MISSING, "encoder.");
    options.prefix = "decoder.", options.convert = 1, options.dtype = (wlstm_dtype)3;
    assert_fails(wlstm_lstm_load(path, &options, &lstm), WLSTM_ERROR_INVALID_ARGUMENT, "dtype");
    assert_int_equal(unlink(path), 0);
    wlstm_cell_free(cell);
}

static void saving_is_refused(void **state) {
    (void)state;
    wlstm_cell *cell = create_cell();
    const char *nowhere = in_directory("no-such-directory/cell.safetensors");
    assert_fails(wlstm_cell_save(cell, nowhere, NULL), WLSTM_ERROR_FILE, nowhere);
    assert_fails(wlstm_cell_save(cell, NULL, NULL), WLSTM_ERROR_INVALID_ARGUMENT, "path");
    assert_fails(wlstm_cell_save(NULL, nowhere, NULL), WLSTM_ERROR_INVALID_ARGUMENT, "cell");
    assert_fails(wlstm_lstm_save(NULL, nowhere, NULL), WLSTM_ERROR_INVALID_ARGUMENT, "lstm");
    wlstm_cell_free(cell);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_loads_again),
        cmocka_unit_test(a_cell_loads_as_a_cell_and_as_one_layer),
        cmocka_unit_test(parameters_are_converted_when_asked),
        cmocka_unit_test(bf16_arrays_are_asked_for),
        cmocka_unit_test(one_f64_parameter_makes_an_f64_lstm),
        cmocka_unit_test(proj_size_must_be_smaller_than_every_layers_hidden_size),
        cmocka_unit_test(a_part_of_the_layers_is_an_lstm),
        cmocka_unit_test(layers_that_a_file_has_not_are_refused),
        cmocka_unit_test(files_are_refused),
        cmocka_unit_test(saving_is_refused),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
