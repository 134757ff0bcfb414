#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"
#include "stream_model.h"

static void fill(const stream_model *m, void *values, int64_t count) {
    random_fill(m->dtype, values, count, random_bits(*m->random, 1), 0);
    *m->random = random_bits(*m->random, 0);
}

static void size_up(stream_model *m) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    assert_int_equal(wlstm_lstm_get_config(m->lstm, &config), WLSTM_OK);
    m->dtype = config.dtype, m->batch_first = config.batch_first, m->x_width = config.input_size;
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(m->lstm); i++) {
        const char *name;
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_lstm_parameter_info(m->lstm, i, &name, &ndim, shape), WLSTM_OK);
        if (strncmp(name, "weight_hh", 9) != 0) continue;
        m->out_width = shape[1], m->h_count += shape[1], m->c_count += shape[0] / 4;
    }
}

stream_model stream_model_make(wlstm_lstm *lstm, const wlstm_streams_options *options, uint64_t *random) {
    stream_model m = { .lstm = lstm, .most = options->max_streams, .random = random };
    if (wlstm_streams_create(lstm, options, &m.streams) != WLSTM_OK) fail_msg("%s", wlstm_last_error());
    size_up(&m);
    m.ids = calloc((size_t)m.most, sizeof *m.ids);
    m.h = calloc((size_t)m.most, sizeof *m.h), m.c = calloc((size_t)m.most, sizeof *m.c);
    assert_true(m.ids && m.h && m.c);
    for (int64_t i = 0; i < m.most; i++)
        m.h[i] = test_allocate(m.dtype, m.h_count), m.c[i] = test_allocate(m.dtype, m.c_count);
    m.x = test_allocate(m.dtype, m.most * STREAM_STEPS * m.x_width);
    m.out = test_allocate(m.dtype, m.most * STREAM_STEPS * m.out_width);
    m.alone = test_allocate(m.dtype, STREAM_STEPS * m.x_width);
    m.expected = test_allocate(m.dtype, STREAM_STEPS * m.out_width);
    return m;
}

void stream_model_free(stream_model *m) {
    wlstm_streams_free(m->streams);
    for (int64_t i = 0; i < m->most; i++) test_release(m->h[i]), test_release(m->c[i]);
    free(m->ids), free(m->h), free(m->c);
    test_release(m->x), test_release(m->out), test_release(m->alone), test_release(m->expected);
}

/* Puts streams a and b of the list in each other's place. */
static void swap(stream_model *m, int64_t a, int64_t b) {
    const int64_t id = m->ids[a];
    char *h = m->h[a], *c = m->c[a];
    m->ids[a] = m->ids[b], m->h[a] = m->h[b], m->c[a] = m->c[b];
    m->ids[b] = id, m->h[b] = h, m->c[b] = c;
}

static void clear(stream_model *m, int64_t i) {
    memset(m->h[i], 0, (size_t)m->h_count * dtype_size(m->dtype));
    memset(m->c[i], 0, (size_t)m->c_count * dtype_size(m->dtype));
}

static int64_t any(const stream_model *m) {
    return random_between(m->random, 0, m->open - 1);
}

void stream_model_open(stream_model *m) {
    int64_t id = -1;
    if (m->open == m->most) {
        assert_int_equal(wlstm_streams_open(m->streams, &id), WLSTM_ERROR_OUT_OF_MEMORY);
        assert_int_equal(id, 0);
        return;
    }
    assert_int_equal(wlstm_streams_open(m->streams, &id), WLSTM_OK);
    assert_true(id > 0);
    m->ids[m->open] = id;
    clear(m, m->open++);
}

void stream_model_close(stream_model *m) {
    if (m->open == 0) return;
    swap(m, any(m), m->open - 1);
    const int64_t id = m->ids[--m->open];
    assert_int_equal(wlstm_streams_close(m->streams, id), WLSTM_OK);
    assert_int_equal(wlstm_streams_close(m->streams, id), WLSTM_ERROR_INVALID_ARGUMENT);
}

void stream_model_reset(stream_model *m) {
    if (m->open == 0) return;
    const int64_t i = any(m);
    assert_int_equal(wlstm_streams_reset(m->streams, m->ids[i]), WLSTM_OK);
    clear(m, i);
}

void stream_model_set(stream_model *m) {
    if (m->open == 0) return;
    const int64_t i = any(m);
    const bool with_h = random_flag(m->random), with_c = random_flag(m->random);
    clear(m, i);
    if (with_h) fill(m, m->h[i], m->h_count);
    if (with_c) fill(m, m->c[i], m->c_count);
    const void *h = with_h ? m->h[i] : NULL, *c = with_c ? m->c[i] : NULL;
    assert_int_equal(wlstm_streams_set_state(m->streams, m->ids[i], h, c), WLSTM_OK);
}

void stream_model_get(stream_model *m) {
    void *h = test_allocate(m->dtype, m->h_count), *c = test_allocate(m->dtype, m->c_count);
    for (int64_t i = 0; i < m->open; i++) {
        assert_int_equal(wlstm_streams_get_state(m->streams, m->ids[i], h, c), WLSTM_OK);
        assert_true(tensors_identical("h", m->dtype, h, m->h[i], m->h_count));
        assert_true(tensors_identical("c", m->dtype, c, m->c[i], m->c_count));
    }
    test_release(h), test_release(c);
}

static char *at(const stream_model *m, void *values, int64_t seq_len, int64_t count, int64_t t, int64_t row,
                int64_t width) {
    const int64_t place = m->batch_first ? row * seq_len + t : t * count + row;
    return (char *)values + (size_t)(place * width) * dtype_size(m->dtype);
}

/* `length` steps of stream i alone: expected, of seq_len steps. Step by step, but where c is rounded at the end of a call
 * in one. */
static void run_alone(stream_model *m, int64_t seq_len, int64_t length, int64_t i) {
    const int64_t steps = m->dtype == WLSTM_BF16 ? length : 1;
    const size_t x_bytes = (size_t)m->x_width * dtype_size(m->dtype);
    const size_t out_bytes = (size_t)m->out_width * dtype_size(m->dtype);
    memset(m->expected, 0, (size_t)seq_len * out_bytes);
    for (int64_t t = 0; t < length; t += steps)
        assert_int_equal(wlstm_forward(m->lstm, steps, 1, NULL, (char *)m->alone + (size_t)t * x_bytes, m->h[i],
                                       m->c[i], (char *)m->expected + (size_t)t * out_bytes, m->h[i], m->c[i]),
                         WLSTM_OK);
}

/* The first `count` of the list, whose x is there and whose out came: each alone. */
static void compare(stream_model *m, int64_t seq_len, int64_t count, const int64_t *lengths) {
    const size_t x_bytes = (size_t)m->x_width * dtype_size(m->dtype);
    const size_t out_bytes = (size_t)m->out_width * dtype_size(m->dtype);
    for (int64_t i = 0; i < count; i++) {
        for (int64_t t = 0; t < seq_len; t++)
            memcpy((char *)m->alone + (size_t)t * x_bytes, at(m, m->x, seq_len, count, t, i, m->x_width), x_bytes);
        run_alone(m, seq_len, lengths ? lengths[i] : seq_len, i);
        for (int64_t t = 0; t < seq_len; t++) {
            const char *out = at(m, m->out, seq_len, count, t, i, m->out_width);
            const char *expected = (char *)m->expected + (size_t)t * out_bytes;
            if (!memcmp(out, expected, out_bytes)) continue;
            assert_true(tensors_identical("out", m->dtype, out, expected, m->out_width));
        }
    }
}

/* Up to `count` at random, which come first in the list. */
static int64_t choose(stream_model *m, int64_t count) {
    const int64_t most = count < m->open ? count : m->open, chosen = random_between(m->random, 0, most);
    for (int64_t i = 0; i < chosen; i++) swap(m, i, random_between(m->random, i, m->open - 1));
    return chosen;
}

void stream_model_step(stream_model *m, int64_t count) {
    const int64_t chosen = choose(m, count);
    fill(m, m->x, chosen * m->x_width);
    assert_int_equal(wlstm_streams_step(m->streams, chosen, m->ids, m->x, m->out), WLSTM_OK);
    compare(m, 1, chosen, NULL);
}

void stream_model_run(stream_model *m, int64_t count) {
    const int64_t chosen = choose(m, count), seq_len = random_between(m->random, 1, STREAM_STEPS);
    int64_t *lengths = random_flag(m->random) ? calloc((size_t)chosen + 1, sizeof *lengths) : NULL;
    for (int64_t i = 0; i < chosen && lengths; i++) lengths[i] = random_between(m->random, 1, seq_len);
    fill(m, m->x, seq_len * chosen * m->x_width);
    assert_int_equal(wlstm_streams_run(m->streams, chosen, m->ids, seq_len, lengths, m->x, m->out), WLSTM_OK);
    compare(m, seq_len, chosen, lengths);
    free(lengths);
}

void stream_model_any(stream_model *m, int64_t most_rows) {
    switch (random_between(m->random, 0, 9)) {
    case 0:
    case 1:
    case 2:
        stream_model_open(m);
        break;
    case 3:
        stream_model_close(m);
        break;
    case 4:
        stream_model_reset(m);
        break;
    case 5:
        stream_model_set(m);
        break;
    case 6:
        stream_model_run(m, most_rows);
        break;
    default:
        stream_model_step(m, most_rows);
    }
}
