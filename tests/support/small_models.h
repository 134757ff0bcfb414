/* Models of few units, to ask and to refuse things of; after cmocka.h. */
#ifndef SMALL_MODELS_H
#define SMALL_MODELS_H

#include <wavelstm.h>

static inline wlstm_lstm_config small_config(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = 5, config.hidden_size = 4, config.num_layers = 2;
    return config;
}

static inline wlstm_lstm *create_lstm(const wlstm_lstm_config *config) {
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(config, &lstm), WLSTM_OK);
    return lstm;
}

static inline wlstm_cell *create_cell(int64_t input_size, int64_t hidden_size, int bias, wlstm_dtype dtype) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell;
    config.input_size = input_size, config.hidden_size = hidden_size, config.bias = bias, config.dtype = dtype;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    return cell;
}

#endif
