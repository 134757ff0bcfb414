/* Parameters as PyTorch has them: names, shapes, initial values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

/* torch.nn.LSTM(5, 4, num_layers=2, ...).named_parameters() for each combination: names, then shapes. */
typedef struct listing {
    int bias, bidirectional, projected;
    const char *text;
} listing;

static const listing listings[] = {
    { 1, 0, 0,
      "weight_ih_l0[16,5] weight_hh_l0[16,4] bias_ih_l0[16] bias_hh_l0[16] "
      "weight_ih_l1[16,4] weight_hh_l1[16,4] bias_ih_l1[16] bias_hh_l1[16] " },
    { 0, 0, 0, "weight_ih_l0[16,5] weight_hh_l0[16,4] weight_ih_l1[16,4] weight_hh_l1[16,4] " },
    { 1, 1, 0,
      "weight_ih_l0[16,5] weight_hh_l0[16,4] bias_ih_l0[16] bias_hh_l0[16] "
      "weight_ih_l0_reverse[16,5] weight_hh_l0_reverse[16,4] bias_ih_l0_reverse[16] bias_hh_l0_reverse[16] "
      "weight_ih_l1[16,8] weight_hh_l1[16,4] bias_ih_l1[16] bias_hh_l1[16] "
      "weight_ih_l1_reverse[16,8] weight_hh_l1_reverse[16,4] bias_ih_l1_reverse[16] bias_hh_l1_reverse[16] " },
    { 0, 1, 0,
      "weight_ih_l0[16,5] weight_hh_l0[16,4] weight_ih_l0_reverse[16,5] weight_hh_l0_reverse[16,4] "
      "weight_ih_l1[16,8] weight_hh_l1[16,4] weight_ih_l1_reverse[16,8] weight_hh_l1_reverse[16,4] " },
    { 1, 0, 1,
      "weight_ih_l0[16,5] weight_hh_l0[16,3] bias_ih_l0[16] bias_hh_l0[16] weight_hr_l0[3,4] "
      "weight_ih_l1[16,3] weight_hh_l1[16,3] bias_ih_l1[16] bias_hh_l1[16] weight_hr_l1[3,4] " },
    { 0, 0, 1,
      "weight_ih_l0[16,5] weight_hh_l0[16,3] weight_hr_l0[3,4] weight_ih_l1[16,3] weight_hh_l1[16,3] "
      "weight_hr_l1[3,4] " },
    { 1, 1, 1,
      "weight_ih_l0[16,5] weight_hh_l0[16,3] bias_ih_l0[16] bias_hh_l0[16] weight_hr_l0[3,4] "
      "weight_ih_l0_reverse[16,5] weight_hh_l0_reverse[16,3] bias_ih_l0_reverse[16] bias_hh_l0_reverse[16] "
      "weight_hr_l0_reverse[3,4] "
      "weight_ih_l1[16,6] weight_hh_l1[16,3] bias_ih_l1[16] bias_hh_l1[16] weight_hr_l1[3,4] "
      "weight_ih_l1_reverse[16,6] weight_hh_l1_reverse[16,3] bias_ih_l1_reverse[16] bias_hh_l1_reverse[16] "
      "weight_hr_l1_reverse[3,4] " },
    { 0, 1, 1,
      "weight_ih_l0[16,5] weight_hh_l0[16,3] weight_hr_l0[3,4] "
      "weight_ih_l0_reverse[16,5] weight_hh_l0_reverse[16,3] weight_hr_l0_reverse[3,4] "
      "weight_ih_l1[16,6] weight_hh_l1[16,3] weight_hr_l1[3,4] "
      "weight_ih_l1_reverse[16,6] weight_hh_l1_reverse[16,3] weight_hr_l1_reverse[3,4] " },
};

static void append_parameter(char *text, size_t size, const char *name, int ndim, const int64_t shape[2]) {
    const size_t used = strlen(text);
    if (ndim == 1) {
        assert_int_equal(shape[1], 1);
        snprintf(text + used, size - used, "%s[%lld] ", name, (long long)shape[0]);
    } else {
        snprintf(text + used, size - used, "%s[%lld,%lld] ", name, (long long)shape[0], (long long)shape[1]);
    }
}

static void parameters_are_listed_as_in_pytorch(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof listings / sizeof listings[0]; ++i) {
        wlstm_lstm_config config = small_config();
        config.bias = listings[i].bias, config.bidirectional = listings[i].bidirectional;
        config.proj_size = listings[i].projected ? 3 : 0;
        wlstm_lstm *lstm = create_lstm(&config);
        char text[2048] = "";
        for (int64_t k = 0; k < wlstm_lstm_num_parameters(lstm); ++k) {
            const char *name;
            int ndim;
            int64_t shape[2];
            assert_int_equal(wlstm_lstm_parameter_info(lstm, k, &name, &ndim, shape), WLSTM_OK);
            append_parameter(text, sizeof text, name, ndim, shape);
        }
        assert_string_equal(text, listings[i].text);
        wlstm_lstm_free(lstm);
    }
    for (int bias = 0; bias < 2; ++bias) {
        wlstm_cell *cell = create_cell(5, 4, bias, WLSTM_F32);
        char text[256] = "";
        for (int64_t k = 0; k < wlstm_cell_num_parameters(cell); ++k) {
            const char *name;
            int ndim;
            int64_t shape[2];
            assert_int_equal(wlstm_cell_parameter_info(cell, k, &name, &ndim, shape), WLSTM_OK);
            append_parameter(text, sizeof text, name, ndim, shape);
        }
        assert_string_equal(text, bias ? "weight_ih[16,5] weight_hh[16,4] bias_ih[16] bias_hh[16] "
                                       : "weight_ih[16,5] weight_hh[16,4] ");
        wlstm_cell_free(cell);
    }
}

/* All parameters of an f32 lstm one after another; the caller frees. */
static float *all_parameters(const wlstm_lstm *lstm, int64_t *total) {
    float *values = NULL;
    *total = 0;
    for (int64_t k = 0; k < wlstm_lstm_num_parameters(lstm); ++k) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_lstm_parameter_info(lstm, k, &name, &ndim, shape), WLSTM_OK);
        const int64_t count = shape[0] * shape[1];
        float *grown = realloc(values, (size_t)(*total + count) * sizeof *values);
        assert_non_null(grown);
        values = grown;
        assert_int_equal(wlstm_lstm_get_parameter(lstm, name, values + *total, count), WLSTM_OK);
        *total += count;
    }
    return values;
}

static void initialisation_is_uniform_and_seeded(void **state) {
    (void)state;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = 100, config.hidden_size = 20, config.num_layers = 2;
    wlstm_lstm *one = create_lstm(&config), *other = create_lstm(&config);
    int64_t count, other_count;
    float *values = all_parameters(one, &count), *other_values = all_parameters(other, &other_count);
    const size_t bytes = (size_t)count * sizeof *values;
    assert_int_equal(count, 4 * 20 * (100 + 20 + 2) + 4 * 20 * (20 + 20 + 2));
    assert_memory_equal(values, other_values, bytes);

    const double bound = 1.0 / sqrt(20.0);
    double sum = 0.0, square_sum = 0.0, largest = 0.0, smallest = 0.0;
    for (int64_t i = 0; i < count; ++i) {
        const double v = (double)values[i];
        assert_true(fabs(v) <= bound * (1.0 + 1e-6));
        sum += v, square_sum += v * v;
        if (v > largest) largest = v;
        if (v < smallest) smallest = v;
    }
    assert_true(largest > 0.99 * bound && smallest < -0.99 * bound);
    assert_true(fabs(sum / (double)count) < 0.05 * bound); /* 10 standard errors */
    assert_true(fabs(square_sum / (double)count / (bound * bound) - 1.0 / 3.0) < 0.03);
    assert_memory_not_equal(values, values + 80 * 100, 80 * 20 * sizeof *values); /* each tensor draws its own */
    free(other_values);

    assert_int_equal(wlstm_lstm_reset_parameters(other, 7), WLSTM_OK);
    other_values = all_parameters(other, &other_count);
    assert_memory_not_equal(values, other_values, bytes);
    free(other_values);
    assert_int_equal(wlstm_lstm_reset_parameters(other, 0), WLSTM_OK);
    other_values = all_parameters(other, &other_count);
    assert_memory_equal(values, other_values, bytes);
    free(other_values);
    free(values);
    wlstm_lstm_free(one);
    wlstm_lstm_free(other);
}

/* The same seed gives the same numbers everywhere: the generator's published ones, times a bound of 1/2. */
static void drawn_numbers_never_change(void **state) {
    (void)state;
    static const uint64_t first[] = { UINT64_C(0xe220a8397b1dcdaf), UINT64_C(0x6e789e6aa1b965f4),
                                      UINT64_C(0x06c45d188009454f), UINT64_C(0xf88bb8a8724c81ec) };
    double values[16];
    wlstm_cell *cell = create_cell(1, 4, 0, WLSTM_F64);
    assert_int_equal(wlstm_cell_get_parameter(cell, "weight_ih", values, 16), WLSTM_OK);
    for (int k = 0; k < 4; ++k) assert_true(values[k] == ((double)(first[k] >> 11) * 0x1p-52 - 1) / 2);
    wlstm_cell_free(cell);
}

static void set_parameter_is_what_get_parameter_gives(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    float set[16], got[16];
    for (int i = 0; i < 16; ++i) set[i] = (float)i;
    assert_int_equal(wlstm_lstm_set_parameter(lstm, "bias_hh_l1", set, 16), WLSTM_OK);
    assert_int_equal(wlstm_lstm_get_parameter(lstm, "bias_hh_l1", got, 16), WLSTM_OK);
    assert_memory_equal(set, got, sizeof set);
    assert_int_equal(wlstm_lstm_get_parameter(lstm, "bias_ih_l1", got, 16), WLSTM_OK);
    assert_memory_not_equal(set, got, sizeof set);
    wlstm_lstm_free(lstm);
}

/* The name may be the lstm's own, which moves when a plan shares the parameters. */
static void set_parameter_takes_the_name_that_parameter_info_gave(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = 1, options.max_batch = 1;
    float values[16 * 5], got[16 * 5];
    for (int64_t k = 0; k < wlstm_lstm_num_parameters(lstm); ++k) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_plan_create(lstm, &options, &plan), WLSTM_OK);
        assert_int_equal(wlstm_lstm_parameter_info(lstm, k, &name, &ndim, shape), WLSTM_OK);
        for (int i = 0; i < 16 * 5; ++i) values[i] = (float)(k + i);
        assert_int_equal(wlstm_lstm_set_parameter(lstm, name, values, shape[0] * shape[1]), WLSTM_OK);
        wlstm_plan_free(plan);
        assert_int_equal(wlstm_lstm_parameter_info(lstm, k, &name, &ndim, shape), WLSTM_OK);
        assert_int_equal(wlstm_lstm_get_parameter(lstm, name, got, shape[0] * shape[1]), WLSTM_OK);
        assert_memory_equal(values, got, (size_t)(shape[0] * shape[1]) * sizeof *got);
    }
    wlstm_lstm_free(lstm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_listed_as_in_pytorch),
        cmocka_unit_test(initialisation_is_uniform_and_seeded),
        cmocka_unit_test(drawn_numbers_never_change),
        cmocka_unit_test(set_parameter_is_what_get_parameter_gives),
        cmocka_unit_test(set_parameter_takes_the_name_that_parameter_info_gave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
