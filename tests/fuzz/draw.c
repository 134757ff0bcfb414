#include "draw.h"

problem draw_problem(fuzz_source *source) {
    problem p = { .config = WLSTM_LSTM_CONFIG_INIT };
    p.config.input_size = fuzz_between(source, 1, 70);
    p.config.hidden_size = fuzz_between(source, 1, 70);
    p.config.num_layers = fuzz_between(source, 1, 4);
    p.config.proj_size = fuzz_between(source, 0, 3) == 3 ? fuzz_between(source, 0, p.config.hidden_size - 1) : 0;
    p.config.dtype = fuzz_between(source, 0, 3) == 3 ? WLSTM_F64 : WLSTM_F32;
    const int64_t flags = fuzz_between(source, 0, 31);
    p.config.bias = (flags & 1) == 0, p.config.bidirectional = (flags & 2) != 0;
    p.config.batch_first = (flags & 4) != 0, p.with_states = (flags & 8) != 0, p.with_lengths = (flags & 16) != 0;
    p.seq_len = fuzz_between(source, 1, 20);
    p.batch = fuzz_between(source, 1, 20);
    return p;
}

wlstm_precision draw_precision(fuzz_source *source, const problem *p) {
    if (p->config.dtype == WLSTM_F64) return WLSTM_PRECISION_DEFAULT;
    return (wlstm_precision)fuzz_between(source, WLSTM_PRECISION_DEFAULT, WLSTM_PRECISION_INT8);
}
