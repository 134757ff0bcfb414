/* What comes of a stream is what comes of it alone, bit for bit: whoever shares its batches, whatever is done to the
 * others, in every precision, by one thread and by two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "problem.h"
#include "random.h"
#include "stream_model.h"

enum { PROBLEMS = 40 / FEWER, DEEDS = 60 };

static uint64_t stream;

/* On an lstm that nobody else uses now. */
static void check_streams(wlstm_lstm *lstm, wlstm_precision precision, int64_t most_streams, int deeds) {
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = random_between(&stream, 1, most_streams);
    options.max_batch = random_flag(&stream) ? 0 : random_between(&stream, 1, most_streams);
    options.num_threads = (int)random_between(&stream, 1, 2);
    options.precision = precision;
    assert_int_equal(wlstm_lstm_set_precision(lstm, precision), WLSTM_OK);
    stream_model m = stream_model_make(lstm, &options, &stream);
    for (int k = 0; k < deeds; k++) stream_model_any(&m, most_streams);
    stream_model_get(&m);
    stream_model_free(&m);
}

static wlstm_precision any_precision(wlstm_dtype dtype) {
    return dtype == WLSTM_F64 ? WLSTM_PRECISION_FULL
                              : (wlstm_precision)random_between(&stream, WLSTM_PRECISION_FULL, WLSTM_PRECISION_INT8);
}

static void any_lstm(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        problem p = problem_draw(&stream);
        p.config.bidirectional = 0;
        problem_build(&p, &stream);
        print_message("%s\n", p.name);
        check_streams(p.lstm, any_precision(p.config.dtype), 30, DEEDS);
        problem_free(&p);
    }
}

/* Steps of many tiles, by both threads where there are two. */
static void large_cells(void **state) {
    (void)state;
    for (int precision = WLSTM_PRECISION_FULL; precision <= WLSTM_PRECISION_INT8; precision++)
        for (int layers = 1; layers <= 2; layers++) {
            wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
            wlstm_lstm *lstm;
            config.input_size = 100, config.hidden_size = 128, config.num_layers = layers;
            config.proj_size = layers == 2 && random_flag(&stream) ? 50 : 0;
            assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
            check_streams(lstm, (wlstm_precision)precision, 150, 40);
            wlstm_lstm_free(lstm);
        }
}

static void stacks_of_unlike_cells(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS / 4; k++) {
        wlstm_cell *cells[3];
        wlstm_lstm *lstm;
        wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
        config.bias = random_flag(&stream), config.dtype = random_flag(&stream) ? WLSTM_F64 : WLSTM_F32;
        config.hidden_size = random_between(&stream, 1, 30);
        for (int i = 0; i < 3; i++) {
            config.input_size = config.hidden_size, config.hidden_size = random_between(&stream, 1, 40);
            assert_int_equal(wlstm_cell_create(&config, &cells[i]), WLSTM_OK);
        }
        assert_int_equal(wlstm_lstm_create_from_cells((const wlstm_cell *const *)cells, 3, &lstm), WLSTM_OK);
        for (int i = 0; i < 3; i++) wlstm_cell_free(cells[i]);
        check_streams(lstm, any_precision(config.dtype), 20, DEEDS);
        wlstm_lstm_free(lstm);
    }
}

static void a_row_that_is_not_finite_stays_in_its_stream(void **state) {
    (void)state;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = 12, config.hidden_size = 24, config.num_layers = 2;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    options.max_streams = 5;
    for (int precision = WLSTM_PRECISION_FULL; precision <= WLSTM_PRECISION_INT8; precision++) {
        options.precision = (wlstm_precision)precision;
        assert_int_equal(wlstm_lstm_set_precision(lstm, options.precision), WLSTM_OK);
        stream_model m = stream_model_make(lstm, &options, &stream);
        for (int i = 0; i < 4; i++) stream_model_open(&m);
        float x[4][12] = { { 0 } }, out[4][24];
        memset(x[2], 0xff, sizeof x[2]);
        assert_int_equal(wlstm_streams_step(m.streams, 4, m.ids, x, out), WLSTM_OK);
        assert_true(out[2][0] != out[2][0]);
        assert_int_equal(wlstm_streams_close(m.streams, m.ids[2]), WLSTM_OK);
        m.ids[2] = m.ids[3], m.open = 3;
        for (int i = 0; i < 3; i++)
            assert_int_equal(wlstm_forward(lstm, 1, 1, NULL, x[0], m.h[i], m.c[i], m.expected, m.h[i], m.c[i]),
                             WLSTM_OK);
        for (int k = 0; k < 5; k++) stream_model_open(&m), stream_model_step(&m, 5);
        stream_model_get(&m);
        stream_model_free(&m);
    }
    wlstm_lstm_free(lstm);
}

typedef struct user {
    wlstm_lstm *lstm;
    uint64_t random;
} user;

static void *use(void *argument) {
    user *self = argument;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = 12, options.num_threads = 1;
    stream_model m = stream_model_make(self->lstm, &options, &self->random);
    for (int k = 0; k < 200; k++) stream_model_any(&m, 12);
    stream_model_get(&m);
    stream_model_free(&m);
    return NULL;
}

static void several_objects_at_once(void **state) {
    (void)state;
    problem p = problem_draw(&stream);
    p.config.bidirectional = 0;
    problem_build(&p, &stream);
    user users[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++) {
        users[i] = (user){ p.lstm, random_bits(stream, i + 1) };
        assert_int_equal(pthread_create(&threads[i], NULL, use, &users[i]), 0);
    }
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    problem_free(&p);
}

/* Streams keep what they need of the lstm: its parameters as they were, and they outlive it. */
static void streams_outlive_their_lstm(void **state) {
    (void)state;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm *lstm, *same;
    config.input_size = 6, config.hidden_size = 11;
    options.max_streams = 7;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_create(&config, &same), WLSTM_OK);
    stream_model m = stream_model_make(lstm, &options, &stream);
    m.lstm = same;
    assert_int_equal(wlstm_lstm_reset_parameters(lstm, 7), WLSTM_OK);
    for (int k = 0; k < DEEDS; k++) stream_model_any(&m, 7);
    wlstm_lstm_free(lstm);
    for (int k = 0; k < DEEDS; k++) stream_model_any(&m, 7);
    stream_model_free(&m);
    wlstm_lstm_free(same);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_lstm),
        cmocka_unit_test(large_cells),
        cmocka_unit_test(stacks_of_unlike_cells),
        cmocka_unit_test(a_row_that_is_not_finite_stays_in_its_stream),
        cmocka_unit_test(several_objects_at_once),
        cmocka_unit_test(streams_outlive_their_lstm),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
