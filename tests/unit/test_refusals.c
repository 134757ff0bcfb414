/* What each function of the public API refuses, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

/* The call fails with this status, and wlstm_last_error() names the argument. */
#define assert_fails(call, status, word)                                                                               \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(wlstm_last_error(), word)) fail_msg("\"%s\" does not name %s", wlstm_last_error(), word);          \
    } while (0)
#define assert_invalid(call, word) assert_fails(call, WLSTM_ERROR_INVALID_ARGUMENT, word)

static void refuse_config(const wlstm_lstm_config *config, wlstm_status status, const char *word) {
    wlstm_lstm *lstm = (wlstm_lstm *)&lstm; /* any pointer but NULL: a failure must clear it */
    assert_fails(wlstm_lstm_create(config, &lstm), status, word);
    assert_null(lstm);
}

static void lstm_create_refuses(void **state) {
    (void)state;
    const struct {
        size_t offset;
        int64_t value;
        const char *name;
    } bad[] = {
        { offsetof(wlstm_lstm_config, input_size), 0, "input_size" },
        { offsetof(wlstm_lstm_config, input_size), -1, "input_size" },
        { offsetof(wlstm_lstm_config, hidden_size), 0, "hidden_size" },
        { offsetof(wlstm_lstm_config, hidden_size), INT64_MIN, "hidden_size" },
        { offsetof(wlstm_lstm_config, num_layers), 0, "num_layers" },
        { offsetof(wlstm_lstm_config, num_layers), -3, "num_layers" },
        { offsetof(wlstm_lstm_config, proj_size), 4, "proj_size" },
        { offsetof(wlstm_lstm_config, proj_size), 5, "proj_size" },
        { offsetof(wlstm_lstm_config, proj_size), -1, "proj_size" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
        wlstm_lstm_config config = small_config();
        memcpy((char *)&config + bad[i].offset, &bad[i].value, sizeof bad[i].value);
        refuse_config(&config, WLSTM_ERROR_INVALID_ARGUMENT, bad[i].name);
    }
    const double dropouts[] = { -0.1, 1.5, (double)NAN };
    for (size_t i = 0; i < sizeof dropouts / sizeof dropouts[0]; ++i) {
        wlstm_lstm_config config = small_config();
        config.dropout = dropouts[i];
        refuse_config(&config, WLSTM_ERROR_INVALID_ARGUMENT, "dropout");
    }
    wlstm_lstm_config config = small_config();
    config.struct_size = 0;
    refuse_config(&config, WLSTM_ERROR_INVALID_ARGUMENT, "struct_size");
    config = small_config();
    config.dtype = (wlstm_dtype)99;
    refuse_config(&config, WLSTM_ERROR_INVALID_ARGUMENT, "dtype");
    refuse_config(NULL, WLSTM_ERROR_INVALID_ARGUMENT, "config");
    config = small_config();
    assert_invalid(wlstm_lstm_create(&config, NULL), "lstm");
}

static void cell_create_refuses(void **state) {
    (void)state;
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell = (wlstm_cell *)&config;
    assert_invalid(wlstm_cell_create(&config, &cell), "input_size");
    assert_null(cell);
    config.input_size = 3, config.hidden_size = -2;
    assert_invalid(wlstm_cell_create(&config, &cell), "hidden_size");
    config.hidden_size = 2, config.struct_size = 0;
    assert_invalid(wlstm_cell_create(&config, &cell), "struct_size");
    config.struct_size = sizeof config, config.dtype = (wlstm_dtype)3;
    assert_invalid(wlstm_cell_create(&config, &cell), "dtype");
    assert_invalid(wlstm_cell_create(NULL, &cell), "config");
    config.dtype = WLSTM_F32;
    assert_invalid(wlstm_cell_create(&config, NULL), "cell");
}

/* Sizes whose products pass what memory or int64_t can hold: an error, at once. */
static void huge_sizes_are_refused(void **state) {
    (void)state;
    for (int which = 0; which < 3; ++which) {
        wlstm_lstm_config config = small_config();
        wlstm_lstm *lstm = (wlstm_lstm *)&config;
        if (which == 0) config.hidden_size = INT64_MAX / 2;
        if (which == 1) config.input_size = INT64_MAX / 2;
        if (which == 2) config.num_layers = INT64_MAX / 2;
        const wlstm_status status = wlstm_lstm_create(&config, &lstm);
        assert_true(status == WLSTM_ERROR_INVALID_ARGUMENT || status == WLSTM_ERROR_OUT_OF_MEMORY);
        assert_null(lstm);
        assert_true(wlstm_last_error()[0] != '\0');
    }
    wlstm_cell_config cell_config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell = (wlstm_cell *)&cell_config;
    cell_config.input_size = 1, cell_config.hidden_size = INT64_MAX / 2;
    const wlstm_status status = wlstm_cell_create(&cell_config, &cell);
    assert_true(status == WLSTM_ERROR_INVALID_ARGUMENT || status == WLSTM_ERROR_OUT_OF_MEMORY);
    assert_null(cell);

    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan = (wlstm_plan *)&options;
    options.max_seq_len = INT64_MAX / 2, options.max_batch = INT64_MAX / 2;
    const wlstm_status plan_status = wlstm_plan_create(lstm, &options, &plan);
    assert_true(plan_status == WLSTM_ERROR_INVALID_ARGUMENT || plan_status == WLSTM_ERROR_OUT_OF_MEMORY);
    assert_null(plan);
    float x[5] = { 0 }, out[4];
    const wlstm_status forward = wlstm_forward(lstm, INT64_MAX / 2, 4, NULL, x, NULL, NULL, out, NULL, NULL);
    assert_true(forward == WLSTM_ERROR_INVALID_ARGUMENT || forward == WLSTM_ERROR_OUT_OF_MEMORY);
    wlstm_lstm_free(lstm);
}

static void from_cells_refuses(void **state) {
    (void)state;
    wlstm_cell *bottom = create_cell(6, 4, 1, WLSTM_F32), *top = create_cell(4, 3, 1, WLSTM_F32);
    wlstm_cell *misfit = create_cell(5, 3, 1, WLSTM_F32), *wide = create_cell(4, 3, 1, WLSTM_F64);
    wlstm_lstm *lstm = (wlstm_lstm *)&bottom;
    assert_invalid(wlstm_lstm_create_from_cells(NULL, 1, &lstm), "cells");
    assert_null(lstm);
    const wlstm_cell *cells[2] = { bottom, top };
    assert_invalid(wlstm_lstm_create_from_cells(cells, 0, &lstm), "count");
    assert_invalid(wlstm_lstm_create_from_cells(cells, -1, &lstm), "count");
    assert_invalid(wlstm_lstm_create_from_cells(cells, 2, NULL), "lstm");
    cells[1] = NULL;
    assert_invalid(wlstm_lstm_create_from_cells(cells, 2, &lstm), "cells[1]");
    cells[1] = misfit;
    assert_invalid(wlstm_lstm_create_from_cells(cells, 2, &lstm), "input_size");
    cells[1] = wide;
    assert_invalid(wlstm_lstm_create_from_cells(cells, 2, &lstm), "dtype");
    assert_null(lstm);
    cells[1] = top;
    assert_int_equal(wlstm_lstm_create_from_cells(cells, 2, &lstm), WLSTM_OK);
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    assert_int_equal(wlstm_lstm_get_config(lstm, &config), WLSTM_OK);
    assert_int_equal(config.input_size, 6);
    assert_int_equal(config.hidden_size, 3);
    assert_int_equal(config.num_layers, 2);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(bottom);
    wlstm_cell_free(top);
    wlstm_cell_free(misfit);
    wlstm_cell_free(wide);
}

static void forward_refuses(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    float x[3 * 2 * 5] = { 0 }, out[3 * 2 * 4], h[2 * 2 * 4] = { 0 }, c[2 * 2 * 4] = { 0 };
    assert_invalid(wlstm_forward(NULL, 3, 2, NULL, x, h, c, out, h, c), "lstm");
    assert_invalid(wlstm_forward(lstm, 0, 2, NULL, x, h, c, out, h, c), "seq_len");
    assert_invalid(wlstm_forward(lstm, -1, 2, NULL, x, h, c, out, h, c), "seq_len");
    assert_invalid(wlstm_forward(lstm, 3, -1, NULL, x, h, c, out, h, c), "batch");
    assert_invalid(wlstm_forward(lstm, 3, 2, NULL, NULL, h, c, out, h, c), "x:");
    assert_invalid(wlstm_forward(lstm, 3, 2, NULL, x, h, c, NULL, h, c), "out:");
    const int64_t bad_lengths[][2] = { { 0, 3 }, { 3, 4 }, { -1, 1 }, { 1, INT64_MAX } };
    for (size_t i = 0; i < sizeof bad_lengths / sizeof bad_lengths[0]; ++i) {
        assert_invalid(wlstm_forward(lstm, 3, 2, bad_lengths[i], x, h, c, out, h, c), "lengths");
    }
    assert_invalid(wlstm_forward(lstm, (INT64_C(1) << 40) / 2 + 1, 2, NULL, x, h, c, out, h, c), "seq_len * batch");
    assert_invalid(wlstm_forward(lstm, INT64_MAX, INT64_MAX, NULL, x, h, c, out, h, c), "seq_len * batch");
    assert_int_equal(wlstm_forward(lstm, 3, 2, NULL, x, h, c, out, h, c), WLSTM_OK);
    assert_int_equal(wlstm_forward(lstm, INT64_C(1) << 41, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
}

static void refuse_plan(wlstm_lstm *lstm, const wlstm_plan_options *options, const char *word) {
    wlstm_plan *plan = (wlstm_plan *)&plan;
    assert_invalid(wlstm_plan_create(lstm, options, &plan), word);
    assert_null(plan);
}

static void packed_rows_refuse(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    float x[3 * 2 * 5] = { 0 }, out[3 * 2 * 4], h[2 * 2 * 4] = { 0 }, c[2 * 2 * 4] = { 0 };
    const int64_t sizes[4] = { 2, 2, 1, 1 }, none[3] = { 2, 1, 0 }, negative[1] = { -1 }, more[3] = { 1, 1, 2 };
    const int64_t wide[1] = { 3 }, far[1] = { INT64_MAX };
    options.max_seq_len = 3, options.max_batch = 2;
    assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_OK);
    assert_invalid(wlstm_forward_packed(NULL, 3, sizes, x, h, c, out, h, c), "lstm");
    assert_invalid(wlstm_plan_execute_packed(NULL, 3, sizes, x, h, c, out, h, c), "plan");
    assert_invalid(wlstm_forward_packed(lstm, 0, sizes, x, h, c, out, h, c), "seq_len: at least 1 expected, got 0");
    assert_invalid(wlstm_plan_execute_packed(plan, 4, sizes, x, h, c, out, h, c),
                   "seq_len: at most the plan's 3 expected, got 4");
    assert_invalid(wlstm_forward_packed(lstm, 3, NULL, x, h, c, out, h, c),
                   "batch_sizes: the number of rows at each of the 3 times expected, got NULL");
    assert_invalid(wlstm_forward_packed(lstm, 3, none, x, h, c, out, h, c),
                   "batch_sizes[2]: at least 1 row expected, got 0; seq_len is the length of the longest");
    assert_invalid(wlstm_forward_packed(lstm, 1, negative, x, h, c, out, h, c), "batch_sizes[0]: at least 1 row");
    assert_invalid(wlstm_forward_packed(lstm, 3, more, x, h, c, out, h, c),
                   "batch_sizes[2]: at most the 1 rows of the time before expected, got 2; rows are packed longest "
                   "first");
    assert_invalid(wlstm_plan_execute_packed(plan, 1, wide, x, h, c, out, h, c),
                   "batch_sizes[0]: at most the plan's 2 expected, got 3");
    assert_invalid(wlstm_forward_packed(lstm, 1, far, x, h, c, out, h, c), "seq_len * batch");
    assert_invalid(wlstm_forward_packed(lstm, 3, sizes, NULL, h, c, out, h, c), "x:");
    assert_invalid(wlstm_forward_packed(lstm, 3, sizes, x, h, c, NULL, h, c), "out:");
    assert_int_equal(wlstm_forward_packed(lstm, 3, sizes, x, h, c, out, h, c), WLSTM_OK);
    assert_int_equal(wlstm_plan_execute_packed(plan, 3, sizes, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
}

static void plans_refuse(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_plan_options good = WLSTM_PLAN_OPTIONS_INIT, options;
    good.max_seq_len = 3, good.max_batch = 2;
    refuse_plan(NULL, &good, "lstm");
    refuse_plan(lstm, NULL, "options");
    options = good, options.struct_size = 0;
    refuse_plan(lstm, &options, "struct_size");
    options = good, options.max_seq_len = 0;
    refuse_plan(lstm, &options, "max_seq_len");
    options = good, options.max_batch = 0;
    refuse_plan(lstm, &options, "max_batch");
    options = good, options.max_batch = -7;
    refuse_plan(lstm, &options, "max_batch");
    options = good, options.num_threads = -1;
    refuse_plan(lstm, &options, "num_threads");
    options = good, options.backend = (wlstm_backend)99;
    refuse_plan(lstm, &options, "backend");
    options = good, options.effort = (wlstm_effort)99;
    refuse_plan(lstm, &options, "effort");
    options = good, options.schedule = (wlstm_schedule)4;
    refuse_plan(lstm, &options, "schedule: a wlstm_schedule expected, got 4");
    options = good, options.schedule = (wlstm_schedule)-1;
    refuse_plan(lstm, &options, "schedule");
    options = good, options.precision = (wlstm_precision)4;
    refuse_plan(lstm, &options, "precision: a wlstm_precision expected, got 4");
    options = good, options.chunk_steps = -1;
    refuse_plan(lstm, &options, "chunk_steps");
    options = good, options.time_limit = -1.0;
    refuse_plan(lstm, &options, "time_limit");
    assert_invalid(wlstm_plan_create(lstm, &good, NULL), "plan");

    wlstm_plan *plan;
    assert_int_equal(wlstm_plan_create(lstm, &good, &plan), WLSTM_OK);
    float x[4 * 3 * 5] = { 0 }, out[4 * 3 * 4];
    const int64_t too_long[2] = { 1, 4 }, empty[2] = { 0, 1 };
    assert_invalid(wlstm_plan_execute(NULL, 3, 2, NULL, x, NULL, NULL, out, NULL, NULL), "plan");
    assert_invalid(wlstm_plan_execute(plan, 4, 2, NULL, x, NULL, NULL, out, NULL, NULL), "seq_len");
    assert_invalid(wlstm_plan_execute(plan, 0, 2, NULL, x, NULL, NULL, out, NULL, NULL), "seq_len");
    assert_invalid(wlstm_plan_execute(plan, 3, 3, NULL, x, NULL, NULL, out, NULL, NULL), "batch");
    assert_invalid(wlstm_plan_execute(plan, 3, -1, NULL, x, NULL, NULL, out, NULL, NULL), "batch");
    assert_invalid(wlstm_plan_execute(plan, 3, 2, too_long, x, NULL, NULL, out, NULL, NULL), "lengths");
    assert_invalid(wlstm_plan_execute(plan, 3, 2, empty, x, NULL, NULL, out, NULL, NULL), "lengths");
    assert_invalid(wlstm_plan_execute(plan, 3, 2, NULL, NULL, NULL, NULL, out, NULL, NULL), "x:");
    assert_invalid(wlstm_plan_execute(plan, 3, 2, NULL, x, NULL, NULL, NULL, NULL, NULL), "out:");
    assert_int_equal(wlstm_plan_execute(plan, 3, 2, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
    assert_invalid(wlstm_plan_memory(NULL, NULL, NULL), "plan");
    assert_string_equal(wlstm_plan_describe(NULL), "");
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
}

static void cell_forward_refuses(void **state) {
    (void)state;
    wlstm_cell *cell = create_cell(5, 4, 1, WLSTM_F32);
    float x[2 * 5] = { 0 }, h[2 * 4] = { 0 }, c[2 * 4] = { 0 };
    assert_invalid(wlstm_cell_forward(NULL, 2, x, h, c, h, c), "cell");
    assert_invalid(wlstm_cell_forward(cell, -1, x, h, c, h, c), "batch");
    assert_invalid(wlstm_cell_forward(cell, (INT64_C(1) << 40) + 1, x, h, c, h, c), "batch:");
    assert_int_equal(wlstm_cell_forward(cell, 0, NULL, NULL, NULL, NULL, NULL), WLSTM_OK);
    assert_invalid(wlstm_cell_forward(cell, 2, NULL, h, c, h, c), "x:");
    assert_invalid(wlstm_cell_forward(cell, 2, x, h, c, NULL, c), "h_out");
    assert_invalid(wlstm_cell_forward(cell, 2, x, h, c, h, NULL), "c_out");
    wlstm_cell_free(cell);
}

static void parameters_refuse(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_cell *cell = create_cell(5, 4, 1, WLSTM_F32);
    float values[16 * 5] = { 0 };
    const char *name;
    int ndim;
    int64_t shape[2];
    assert_invalid(wlstm_lstm_set_parameter(NULL, "weight_ih_l0", values, 80), "lstm");
    assert_invalid(wlstm_lstm_set_parameter(lstm, NULL, values, 80), "name");
    assert_invalid(wlstm_lstm_set_parameter(lstm, "weight_ih_l0", NULL, 80), "values");
    assert_invalid(wlstm_lstm_set_parameter(lstm, "weight_ih_l0", values, 79), "weight_ih_l0");
    assert_invalid(wlstm_lstm_set_parameter(lstm, "weight_ih_l0", values, -1), "weight_ih_l0");
    assert_fails(wlstm_lstm_set_parameter(lstm, "weight_ih_l2", values, 80), WLSTM_ERROR_MISSING, "weight_ih_l2");
    assert_fails(wlstm_lstm_set_parameter(lstm, "weight_ih", values, 80), WLSTM_ERROR_MISSING, "weight_ih");
    assert_fails(wlstm_lstm_set_parameter(lstm, "weight_hr_l0", values, 80), WLSTM_ERROR_MISSING, "weight_hr_l0");
    assert_invalid(wlstm_lstm_get_parameter(lstm, "weight_ih_l0", NULL, 80), "values");
    assert_invalid(wlstm_lstm_get_parameter(lstm, "weight_ih_l0", values, 81), "weight_ih_l0");
    assert_fails(wlstm_lstm_get_parameter(lstm, "", values, 80), WLSTM_ERROR_MISSING, "");
    assert_invalid(wlstm_lstm_parameter_info(lstm, -1, &name, &ndim, shape), "index");
    assert_invalid(wlstm_lstm_parameter_info(lstm, 8, &name, &ndim, shape), "index");
    assert_invalid(wlstm_lstm_parameter_info(NULL, 0, &name, &ndim, shape), "lstm");
    assert_invalid(wlstm_lstm_parameter_info(lstm, 0, NULL, &ndim, shape), "name:");
    assert_invalid(wlstm_lstm_parameter_info(lstm, 0, &name, NULL, shape), "ndim:");
    assert_invalid(wlstm_lstm_parameter_info(lstm, 0, &name, &ndim, NULL), "shape:");
    assert_invalid(wlstm_lstm_get_parameter(NULL, "weight_ih_l0", values, 80), "lstm");
    assert_invalid(wlstm_lstm_reset_parameters(NULL, 1), "lstm");
    assert_int_equal(wlstm_lstm_num_parameters(NULL), 0);

    assert_invalid(wlstm_cell_set_parameter(NULL, "weight_ih", values, 80), "cell");
    assert_invalid(wlstm_cell_set_parameter(cell, "weight_ih", values, 81), "weight_ih");
    assert_fails(wlstm_cell_set_parameter(cell, "weight_ih_l0", values, 80), WLSTM_ERROR_MISSING, "weight_ih_l0");
    assert_fails(wlstm_cell_get_parameter(cell, "bias", values, 80), WLSTM_ERROR_MISSING, "bias");
    assert_invalid(wlstm_cell_get_parameter(NULL, "weight_ih", values, 80), "cell");
    assert_invalid(wlstm_cell_parameter_info(NULL, 0, &name, &ndim, shape), "cell");
    assert_invalid(wlstm_cell_parameter_info(cell, 4, &name, &ndim, shape), "index");
    assert_invalid(wlstm_cell_reset_parameters(NULL, 1), "cell");
    assert_invalid(wlstm_cell_set_precision(NULL, WLSTM_PRECISION_FULL), "cell");
    assert_invalid(wlstm_cell_compact(NULL), "cell");
    assert_int_equal(wlstm_cell_num_parameters(NULL), 0);

    wlstm_lstm_config got = WLSTM_LSTM_CONFIG_INIT;
    wlstm_cell_config of_cell = WLSTM_CELL_CONFIG_INIT;
    assert_invalid(wlstm_cell_get_config(NULL, &of_cell), "cell");
    assert_invalid(wlstm_cell_get_config(cell, NULL), "config");
    assert_invalid(wlstm_lstm_get_config(NULL, &got), "lstm");
    assert_invalid(wlstm_lstm_get_config(lstm, NULL), "config");
    got.struct_size = 0;
    assert_invalid(wlstm_lstm_get_config(lstm, &got), "struct_size");
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lstm_create_refuses),    cmocka_unit_test(cell_create_refuses),
        cmocka_unit_test(huge_sizes_are_refused), cmocka_unit_test(from_cells_refuses),
        cmocka_unit_test(forward_refuses),        cmocka_unit_test(packed_rows_refuse),
        cmocka_unit_test(plans_refuse),           cmocka_unit_test(cell_forward_refuses),
        cmocka_unit_test(parameters_refuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
