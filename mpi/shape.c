#include "parts.h"

#include <stdlib.h>
#include <string.h>

void wlm_take_options(const char *initializer, size_t first, size_t bytes, const void *given, void *own,
                      wlm_failure *failure) {
    size_t size;
    if (!given) {
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT, "options: a pointer expected, got NULL");
        return;
    }
    memcpy(&size, given, sizeof size);
    if (size < first || size > bytes) {
        wlm_fail(failure, WLSTM_ERROR_INVALID_ARGUMENT,
                 "options->struct_size: %zu to %zu expected (begin with %s), got %zu", first, bytes, initializer, size);
        return;
    }
    memcpy(own, given, size);
    memcpy(own, &bytes, sizeof bytes);
}

/* The sizes of each cell from its weight_hh [4H, R], as the layers of a stack of unlike cells differ. */
void wlm_shape_read(const wlstm_lstm *lstm, wlm_shape *shape, wlm_failure *failure) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    memset(shape, 0, sizeof *shape);
    if (!wlm_note(failure, wlstm_lstm_get_config(lstm, &config))) return;
    shape->dtype = config.dtype, shape->batch_first = config.batch_first;
    shape->directions = config.bidirectional ? 2 : 1;
    shape->input_size = config.input_size;
    shape->out_size = shape->directions * (config.proj_size > 0 ? config.proj_size : config.hidden_size);
    shape->cells = shape->directions * config.num_layers;
    shape->h_sizes = malloc(2 * (size_t)shape->cells * sizeof *shape->h_sizes);
    if (!shape->h_sizes) {
        wlm_out_of_memory(failure, "sizes");
        return;
    }
    shape->c_sizes = shape->h_sizes + shape->cells;
    int64_t cell = 0;
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(lstm); i++) {
        const char *name;
        int ndim;
        int64_t of[2];
        if (!wlm_note(failure, wlstm_lstm_parameter_info(lstm, i, &name, &ndim, of))) return;
        if (strncmp(name, "weight_hh", 9) != 0) continue;
        shape->h_sizes[cell] = of[1];
        shape->c_sizes[cell++] = of[0] / 4;
    }
}
