/* What grows with the square of the layers takes longer here than the test may: LAYERS as its argument, many thousands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "scratch_dir.h"
#include "small_models.h"

static int64_t layers;

static wlstm_lstm *create_stack(int64_t num_layers) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = config.hidden_size = 1, config.num_layers = num_layers;
    return create_lstm(&config);
}

static void a_stack_is_saved_loaded_and_run(void **state) {
    (void)state;
    const char *path = scratch_path("stack.safetensors");
    const float x[2] = { 0.5F, -0.5F };
    float out[2], expected[2];
    wlstm_lstm *saved = create_stack(layers), *loaded;
    assert_int_equal(wlstm_lstm_save(saved, path, "lstm."), WLSTM_OK);
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = "lstm.";
    assert_int_equal(wlstm_lstm_load(path, &options, &loaded), WLSTM_OK);
    assert_int_equal(wlstm_forward(saved, 2, 1, NULL, x, NULL, NULL, expected, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_forward(loaded, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_memory_equal(out, expected, sizeof out);
    wlstm_lstm_free(saved);
    wlstm_lstm_free(loaded);
}

static void cells_are_stacked_and_run(void **state) {
    (void)state;
    const float x[2] = { 0.5F, -0.5F };
    float out[2];
    wlstm_cell *cell = create_cell(1, 1, 1, WLSTM_F32);
    const wlstm_cell **cells = malloc((size_t)layers * sizeof *cells);
    assert_non_null(cells);
    for (int64_t k = 0; k < layers; k++) cells[k] = cell;
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create_from_cells(cells, layers, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
    free(cells);
}

/* Each name once, as a binding does that fills a model; twice the layers, as a look-up alone is quick. */
static void every_parameter_is_set_by_name(void **state) {
    (void)state;
    wlstm_lstm *lstm = create_stack(2 * layers);
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(lstm); i++) {
        const char *name;
        int ndim;
        int64_t shape[2];
        const float values[4] = { (float)i, 1, 2, 3 };
        float got[4];
        assert_int_equal(wlstm_lstm_parameter_info(lstm, i, &name, &ndim, shape), WLSTM_OK);
        assert_int_equal(wlstm_lstm_set_parameter(lstm, name, values, 4), WLSTM_OK);
        assert_int_equal(wlstm_lstm_get_parameter(lstm, name, got, 4), WLSTM_OK);
        assert_memory_equal(got, values, sizeof got);
    }
    wlstm_lstm_free(lstm);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_is_saved_loaded_and_run),
        cmocka_unit_test(cells_are_stacked_and_run),
        cmocka_unit_test(every_parameter_is_set_by_name),
    };
    layers = argc == 2 ? atoll(argv[1]) : 0;
    if (layers < 1) return fprintf(stderr, "usage: test_many_layers LAYERS\n"), 2;
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
