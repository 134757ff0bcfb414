/* The public API: what it says of itself and of a model, and which pointers it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

static void get_config_gives_what_was_set(void **state) {
    (void)state;
    wlstm_lstm_config config = small_config(), got = WLSTM_LSTM_CONFIG_INIT;
    config.proj_size = 3, config.dropout = 0.25, config.bias = 0, config.batch_first = 1, config.bidirectional = 1;
    config.dtype = WLSTM_F64;
    wlstm_lstm *lstm = create_lstm(&config);
    assert_int_equal(wlstm_lstm_get_config(lstm, &got), WLSTM_OK);
    assert_int_equal(got.input_size, 5);
    assert_int_equal(got.hidden_size, 4);
    assert_int_equal(got.num_layers, 2);
    assert_int_equal(got.proj_size, 3);
    assert_true(got.dropout == 0.25);
    assert_true(!got.bias && got.batch_first && got.bidirectional);
    assert_int_equal(got.dtype, WLSTM_F64);
    wlstm_lstm_free(lstm);

    wlstm_cell *cell = create_cell(7, 6, 0, WLSTM_F64);
    wlstm_cell_config cell_config = WLSTM_CELL_CONFIG_INIT;
    assert_int_equal(wlstm_cell_get_config(cell, &cell_config), WLSTM_OK);
    assert_int_equal(cell_config.input_size, 7);
    assert_int_equal(cell_config.hidden_size, 6);
    assert_true(!cell_config.bias && cell_config.dtype == WLSTM_F64);
    wlstm_cell_free(cell);
}

static void the_library_speaks(void **state) {
    (void)state;
    assert_string_equal(wlstm_version(), WLSTM_VERSION_STRING);
    assert_non_null(strstr(wlstm_build_info(), WLSTM_VERSION_STRING));
    for (int status = WLSTM_OK; status <= WLSTM_ERROR_BACKEND; ++status) {
        assert_true(strlen(wlstm_status_string((wlstm_status)status)) > 0);
    }
    assert_non_null(wlstm_status_string((wlstm_status)1234));
    assert_non_null(wlstm_last_error());
}

static void freeing_null_is_allowed(void **state) {
    (void)state;
    wlstm_lstm_free(NULL);
    wlstm_cell_free(NULL);
    wlstm_plan_free(NULL);
}

/* The header lets out be h_0 for one layer and direction: the step must not read what it has written. */
static void out_may_be_h_0(void **state) {
    (void)state;
    enum { SIZE = 40 };
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = SIZE, config.hidden_size = SIZE;
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    float x[2 * SIZE], h_0[SIZE], expected[2 * SIZE], out[2 * SIZE];
    for (int i = 0; i < 2 * SIZE; ++i) x[i] = (float)(i % 7) * 0.1f;
    for (int i = 0; i < SIZE; ++i) h_0[i] = (float)(i % 5) * 0.2f - 0.4f;
    for (int64_t seq_len = 1; seq_len <= 2; ++seq_len) {
        memcpy(out, h_0, sizeof h_0);
        assert_int_equal(wlstm_forward(lstm, seq_len, 1, NULL, x, h_0, NULL, expected, NULL, NULL), WLSTM_OK);
        assert_int_equal(wlstm_forward(lstm, seq_len, 1, NULL, x, out, NULL, out, NULL, NULL), WLSTM_OK);
        assert_memory_equal(out, expected, (size_t)seq_len * SIZE * sizeof(float));
    }
    wlstm_lstm_free(lstm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_may_be_h_0),
        cmocka_unit_test(the_library_speaks),
        cmocka_unit_test(get_config_gives_what_was_set),
        cmocka_unit_test(freeing_null_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
