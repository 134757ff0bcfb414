/* This library as timed_loop.c wants it: one context a call, one function. Built by bench/peers.py against
 * include/wavelstm.h, so that no struct's layout is repeated in Python. Each create returns NULL on failure:
 * wlstm_last_error() says why. */
#include <stdlib.h>

#include "wavelstm.h"

/* An older library is measured without them. */
#pragma weak wlstm_streams_create
#pragma weak wlstm_streams_free
#pragma weak wlstm_streams_open
#pragma weak wlstm_streams_get_state
#pragma weak wlstm_streams_step
#pragma weak wlstm_trainer_create
#pragma weak wlstm_trainer_free
#pragma weak wlstm_trainer_set_parameter
#pragma weak wlstm_trainer_gradients
#pragma weak wlstm_trainer_memory
#pragma weak wlstm_trainer_forward
#pragma weak wlstm_trainer_backward

wlstm_lstm *bench_lstm_create(int64_t input_size, int64_t hidden_size, int64_t num_layers, int64_t proj_size, int bias,
                              int bidirectional, int dtype) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = input_size;
    config.hidden_size = hidden_size;
    config.num_layers = num_layers;
    config.proj_size = proj_size;
    config.bias = bias;
    config.bidirectional = bidirectional;
    config.dtype = (wlstm_dtype)dtype;
    wlstm_lstm *lstm = NULL;
    wlstm_lstm_create(&config, &lstm);
    return lstm;
}

wlstm_cell *bench_cell_create(int64_t input_size, int64_t hidden_size) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = input_size;
    config.hidden_size = hidden_size;
    wlstm_cell *cell = NULL;
    wlstm_cell_create(&config, &cell);
    return cell;
}

wlstm_plan *bench_plan_create(wlstm_lstm *lstm, int64_t seq_len, int64_t batch, int num_threads) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = seq_len;
    options.max_batch = batch;
    options.num_threads = num_threads;
    wlstm_plan *plan = NULL;
    wlstm_plan_create(lstm, &options, &plan);
    return plan;
}

/* out, (h_n, c_n) = lstm(x) by a plan */
typedef struct bench_forward {
    wlstm_plan *plan;
    int64_t seq_len, batch;
    const int64_t *lengths;
    const void *x;
    void *out, *h_n, *c_n;
} bench_forward;

bench_forward *bench_forward_create(wlstm_plan *plan, int64_t seq_len, int64_t batch, const int64_t *lengths,
                                    const void *x, void *out, void *h_n, void *c_n) {
    bench_forward *forward = malloc(sizeof *forward);
    if (forward) *forward = (bench_forward){ plan, seq_len, batch, lengths, x, out, h_n, c_n };
    return forward;
}

int bench_forward_run(void *context) {
    const bench_forward *f = context;
    return (int)wlstm_plan_execute(f->plan, f->seq_len, f->batch, f->lengths, f->x, NULL, NULL, f->out, f->h_n, f->c_n);
}

/* A loop over time written by the user: at each of seq_len steps cell k reads h of cell k-1, cell 0 reads x[t].
 * One step of one cell is count = seq_len = 1. Starts from `zeros` [B, largest H] (not NULL: a step in a stream has a
 * state), and writes the top cell's h into out[t]. */
enum { MAX_CELLS = 8 };
typedef struct bench_steps {
    wlstm_cell *cells[MAX_CELLS];
    int64_t count, seq_len, batch, input_size, top_size;
    const float *x; /* [T, B, I] */
    float *out;     /* [T, B, H of the top cell] */
    const float *zeros;
    float *h[MAX_CELLS], *c[MAX_CELLS];
} bench_steps;

bench_steps *bench_steps_create(wlstm_cell *const *cells, int64_t count, int64_t seq_len, int64_t batch,
                                int64_t input_size, int64_t top_size, const float *x, float *out, const float *zeros,
                                float *const *h, float *const *c) {
    bench_steps *steps = count > MAX_CELLS ? NULL : malloc(sizeof *steps);
    if (!steps) return NULL;
    *steps = (bench_steps){ .count = count,
                            .seq_len = seq_len,
                            .batch = batch,
                            .input_size = input_size,
                            .top_size = top_size,
                            .x = x,
                            .out = out,
                            .zeros = zeros };
    for (int64_t k = 0; k < count; k++) {
        steps->cells[k] = cells[k];
        steps->h[k] = h[k];
        steps->c[k] = c[k];
    }
    return steps;
}

int bench_steps_run(void *context) {
    const bench_steps *s = context;
    for (int64_t t = 0; t < s->seq_len; t++) {
        const float *x = s->x + t * s->batch * s->input_size;
        for (int64_t k = 0; k < s->count; k++) {
            float *h = k == s->count - 1 ? s->out + t * s->batch * s->top_size : s->h[k];
            const float *h_before = t == 0 ? s->zeros : k == s->count - 1 ? h - s->batch * s->top_size : s->h[k];
            const float *c_before = t == 0 ? s->zeros : s->c[k];
            wlstm_status status = wlstm_cell_forward(s->cells[k], s->batch, x, h_before, c_before, h, s->c[k]);
            if (status != WLSTM_OK) return (int)status;
            x = h;
        }
    }
    return 0;
}

/* One step of each of `count` streams; row i is the order[i]th that was opened. */
typedef struct bench_sessions {
    wlstm_streams *streams;
    int64_t count;
    const void *x;
    void *out;
    int64_t ids[];
} bench_sessions;

void bench_sessions_free(bench_sessions *sessions) {
    wlstm_streams_free(sessions->streams);
    free(sessions);
}

bench_sessions *bench_sessions_create(wlstm_lstm *lstm, int64_t count, int num_threads, const int64_t *order,
                                      const void *x, void *out) {
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = count;
    options.num_threads = num_threads;
    wlstm_streams *streams = NULL;
    if (!wlstm_streams_create || wlstm_streams_create(lstm, &options, &streams) != WLSTM_OK) return NULL;
    bench_sessions *sessions = malloc(sizeof *sessions + (size_t)count * sizeof(int64_t));
    int64_t *opened = malloc((size_t)count * sizeof *opened);
    for (int64_t i = 0; i < count && opened; i++) wlstm_streams_open(streams, &opened[i]);
    if (sessions) *sessions = (bench_sessions){ streams, count, x, out };
    for (int64_t i = 0; i < count && sessions && opened; i++) sessions->ids[i] = opened[order[i]];
    free(opened);
    return sessions;
}

int bench_sessions_run(void *context) {
    const bench_sessions *s = context;
    return (int)wlstm_streams_step(s->streams, s->count, s->ids, s->x, s->out);
}

/* Of row i: h [L, R], c [L, H]. */
int bench_sessions_state(const bench_sessions *s, int64_t i, void *h, void *c) {
    return (int)wlstm_streams_get_state(s->streams, s->ids[i], h, c);
}

/* A step of training. One parameter is set again before it, so that all are packed anew. */
typedef struct bench_training {
    wlstm_trainer *trainer;
    int64_t seq_len, batch;
    const int64_t *lengths;
    const void *x, *d_out, *weight; /* weight_hh_l0 */
    int64_t weight_count;
    void *out, *d_x;
} bench_training;

void bench_training_free(bench_training *training) {
    wlstm_trainer_free(training->trainer);
    free(training);
}

bench_training *bench_training_create(const wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths,
                                      int num_threads, int64_t recompute_steps, const void *x, const void *d_out,
                                      const void *weight, int64_t weight_count, void *out, void *d_x) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    options.max_seq_len = seq_len;
    options.max_batch = batch;
    options.num_threads = num_threads;
    options.recompute_steps = recompute_steps;
    wlstm_trainer *trainer = NULL;
    if (!wlstm_trainer_create || wlstm_trainer_create(lstm, &options, &trainer) != WLSTM_OK) return NULL;
    bench_training *training = malloc(sizeof *training);
    if (training)
        *training = (bench_training){ trainer, seq_len, batch, lengths, x, d_out, weight, weight_count, out, d_x };
    return training;
}

int bench_training_run(void *context) {
    const bench_training *t = context;
    wlstm_status status = wlstm_trainer_set_parameter(t->trainer, "weight_hh_l0", t->weight, t->weight_count);
    if (status == WLSTM_OK)
        status = wlstm_trainer_forward(t->trainer, t->seq_len, t->batch, t->lengths, t->x, NULL, NULL, t->out, NULL,
                                       NULL, 1, 0, 0, NULL);
    if (status == WLSTM_OK)
        status = wlstm_trainer_backward(t->trainer, NULL, t->d_out, NULL, NULL, t->d_x, NULL, NULL, 0);
    return (int)status;
}

const void *bench_training_gradients(const bench_training *training) {
    void *gradients = NULL;
    wlstm_trainer_gradients(training->trainer, &gradients, NULL);
    return gradients;
}

int64_t bench_training_tape(const bench_training *training) {
    size_t bytes = 0;
    wlstm_trainer_memory(training->trainer, NULL, &bytes);
    return (int64_t)bytes;
}
