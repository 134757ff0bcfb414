/* A million random opens, steps and closes, with ids of any value among them: each does what the model says, and is
 * refused where it says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "random.h"
#include "stream_model.h"

enum { STREAMS = 50, MOST_ROWS = 6 };

static int64_t deeds = 1000000;
static uint64_t stream;

/* Any bits, or an open stream's with one changed. */
static int64_t hostile_id(stream_model *m) {
    const int64_t any = (int64_t)random_bits(stream, 3) >> random_between(&stream, 0, 63);
    if (m->open == 0 || random_flag(&stream)) return any;
    return (int64_t)((uint64_t)m->ids[0] ^ (uint64_t)1 << random_between(&stream, 0, 63));
}

static bool is_open(const stream_model *m, int64_t id) {
    for (int64_t i = 0; i < m->open; i++)
        if (m->ids[i] == id) return true;
    return false;
}

/* Nobody moves: the model, which does not either, agrees from here on. */
static void refuse(stream_model *m) {
    const int64_t id = hostile_id(m), place = random_between(&stream, 0, m->open);
    int64_t ids[STREAMS + 1];
    if (is_open(m, id)) return;
    for (int64_t i = 0; i <= m->open; i++) ids[i] = i == place ? id : m->ids[i < place ? i : i - 1];
    assert_int_equal(wlstm_streams_close(m->streams, id), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_streams_step(m->streams, m->open + 1, ids, m->x, m->out), WLSTM_ERROR_INVALID_ARGUMENT);
    if (m->open == 0) return;
    ids[place] = m->ids[random_between(&stream, 0, m->open - 1)]; /* twice */
    assert_int_equal(wlstm_streams_step(m->streams, m->open + 1, ids, m->x, m->out), WLSTM_ERROR_INVALID_ARGUMENT);
}

static void any_deed(stream_model *m) {
    switch (random_between(&stream, 0, 7)) {
    case 0:
    case 1:
        stream_model_open(m);
        break;
    case 2:
        stream_model_close(m);
        break;
    case 3:
        if (random_between(&stream, 0, 3) == 0) refuse(m);
        break;
    default:
        stream_model_step(m, MOST_ROWS);
    }
}

static void a_million_deeds(void **state) {
    (void)state;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = 2, config.hidden_size = 3;
    options.max_streams = STREAMS, options.max_batch = 4, options.num_threads = 1;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    stream_model m = stream_model_make(lstm, &options, &stream);
    for (int64_t k = 0; k < deeds; k++) any_deed(&m);
    stream_model_get(&m);
    stream_model_free(&m);
    wlstm_lstm_free(lstm);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_million_deeds) };
    if (argc > 1) deeds = atoll(argv[1]);
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
