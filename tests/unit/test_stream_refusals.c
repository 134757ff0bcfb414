/* What the functions on streams refuse, in which words, and that nothing has moved then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

enum { MOST = 4, I = 5, H = 4, L = 2 };

static float x[MOST * I], out[MOST * H];

static void assert_refused(wlstm_status status, const char *error) {
    assert_int_equal(status, WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), error);
}

static wlstm_streams *create(int64_t most) {
    const wlstm_lstm_config config = small_config();
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_streams *streams;
    options.max_streams = most, options.num_threads = 1;
    assert_int_equal(wlstm_streams_create(lstm, &options, &streams), WLSTM_OK);
    wlstm_lstm_free(lstm);
    return streams;
}

static int64_t open_one(wlstm_streams *streams) {
    int64_t id;
    assert_int_equal(wlstm_streams_open(streams, &id), WLSTM_OK);
    return id;
}

static void refuse_options(wlstm_streams_options options, const char *error) {
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_streams *streams = (wlstm_streams *)&streams;
    assert_refused(wlstm_streams_create(lstm, &options, &streams), error);
    assert_null(streams);
    wlstm_lstm_free(lstm);
}

static void options_out_of_range(void **state) {
    (void)state;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    refuse_options(options, "max_streams: 1 to 16777216 expected, got 0");
    options.max_streams = (INT64_C(1) << 24) + 1;
    refuse_options(options, "max_streams: 1 to 16777216 expected, got 16777217");
    options.max_streams = 3, options.max_batch = -1;
    refuse_options(options, "max_batch: 0 to 16777216 expected, got -1");
    options.max_batch = INT64_MAX;
    refuse_options(options, "max_batch: 0 to 16777216 expected, got 9223372036854775807");
    options.max_batch = 0, options.num_threads = -1;
    refuse_options(options, "num_threads: 0 (the default) or more expected, got -1");
    options.num_threads = 1, options.precision = (wlstm_precision)4;
    refuse_options(options, "precision: a wlstm_precision expected, got 4");
    options.precision = WLSTM_PRECISION_DEFAULT, options.struct_size = 8;
    refuse_options(options, "options->struct_size: 32 expected (begin with WLSTM_STREAMS_OPTIONS_INIT), got 8");
}

static void lstms_that_cannot_be_streamed(void **state) {
    (void)state;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm_config config = small_config();
    wlstm_streams *streams;
    options.max_streams = 1;
    config.bidirectional = 1;
    wlstm_lstm *both = create_lstm(&config);
    assert_refused(
        wlstm_streams_create(both, &options, &streams),
        "lstm: one direction expected, got a bidirectional one, whose reverse direction begins at the end of "
        "a whole sequence");
    config.bidirectional = 0, config.dtype = WLSTM_F64;
    wlstm_lstm *doubles = create_lstm(&config);
    options.precision = WLSTM_PRECISION_INT8;
    assert_int_equal(wlstm_streams_create(doubles, &options, &streams), WLSTM_ERROR_UNSUPPORTED);
    assert_null(streams);
    assert_refused(wlstm_streams_create(doubles, NULL, &streams), "options: a pointer expected, got NULL");
    assert_refused(wlstm_streams_create(NULL, &options, &streams), "lstm: a pointer expected, got NULL");
    assert_refused(wlstm_streams_create(doubles, &options, NULL), "streams: a pointer expected, got NULL");
    wlstm_lstm_free(both);
    wlstm_lstm_free(doubles);
}

static void null_arguments(void **state) {
    (void)state;
    wlstm_streams *streams = create(MOST);
    int64_t id = 9;
    assert_refused(wlstm_streams_open(NULL, &id), "streams: a pointer expected, got NULL");
    assert_int_equal(id, 0);
    assert_refused(wlstm_streams_open(streams, NULL), "id: a pointer expected, got NULL");
    assert_refused(wlstm_streams_close(NULL, 1), "streams: a pointer expected, got NULL");
    assert_refused(wlstm_streams_reset(NULL, 1), "streams: a pointer expected, got NULL");
    assert_refused(wlstm_streams_get_state(NULL, 1, x, x), "streams: a pointer expected, got NULL");
    assert_refused(wlstm_streams_set_state(NULL, 1, x, x), "streams: a pointer expected, got NULL");
    assert_refused(wlstm_streams_step(NULL, 0, NULL, x, out), "streams: a pointer expected, got NULL");
    id = open_one(streams);
    assert_refused(wlstm_streams_step(streams, 1, NULL, x, out), "ids: a pointer expected, got NULL");
    assert_refused(wlstm_streams_step(streams, 1, &id, NULL, out), "x: an array expected, got NULL");
    assert_refused(wlstm_streams_step(streams, 1, &id, x, NULL), "out: an array expected, got NULL");
    assert_int_equal(wlstm_streams_get_state(streams, id, NULL, NULL), WLSTM_OK);
    assert_int_equal(wlstm_streams_step(streams, 0, NULL, NULL, NULL), WLSTM_OK);
    wlstm_streams_free(streams);
    wlstm_streams_free(NULL);
}

static void as_many_as_there_is_room_for(void **state) {
    (void)state;
    wlstm_streams *streams = create(MOST);
    int64_t ids[MOST], id;
    for (int i = 0; i < MOST; i++) ids[i] = open_one(streams);
    assert_int_equal(wlstm_streams_open(streams, &id), WLSTM_ERROR_OUT_OF_MEMORY);
    assert_string_equal(wlstm_last_error(), "streams: a free one expected, all 4 of max_streams are open");
    assert_int_equal(wlstm_streams_close(streams, ids[2]), WLSTM_OK);
    assert_int_equal(wlstm_streams_open(streams, &id), WLSTM_OK);
    assert_int_equal(wlstm_streams_step(streams, MOST, (int64_t[]){ ids[3], id, ids[0], ids[1] }, x, out), WLSTM_OK);
    wlstm_streams_free(streams);
}

/* The closed id's slot is the new one's: only its generation tells them apart. */
static void a_closed_id_is_not_its_successor(void **state) {
    (void)state;
    wlstm_streams *streams = create(1);
    const int64_t closed = open_one(streams);
    char error[128];
    assert_int_equal(wlstm_streams_close(streams, closed), WLSTM_OK);
    snprintf(error, sizeof error, "id: an open stream's expected, got %lld, closed or unknown", (long long)closed);
    assert_refused(wlstm_streams_close(streams, closed), error);
    const int64_t successor = open_one(streams);
    assert_true(closed != successor);
    assert_refused(wlstm_streams_reset(streams, closed), error);
    assert_refused(wlstm_streams_set_state(streams, closed, NULL, NULL), error);
    assert_refused(wlstm_streams_get_state(streams, closed, out, NULL), error);
    assert_int_equal(wlstm_streams_reset(streams, successor), WLSTM_OK);
    wlstm_streams_free(streams);
}

static void wrong_ids_move_nothing(void **state) {
    (void)state;
    wlstm_streams *streams = create(MOST);
    const int64_t a = open_one(streams), b = open_one(streams), closed = open_one(streams);
    const int64_t hostile[] = { 0, -1, 1, INT64_MIN, INT64_MAX, closed, ~a, -a, a ^ 1 << 20, a + (INT64_C(1) << 40) };
    float h[L * H], c[L * H], same_h[L * H], same_c[L * H], kept[2 * H];
    char error[128];
    assert_int_equal(wlstm_streams_close(streams, closed), WLSTM_OK);
    for (int i = 0; i < MOST * I; i++) x[i] = (float)i / 7;
    assert_int_equal(wlstm_streams_step(streams, 2, (int64_t[]){ a, b }, x, out), WLSTM_OK);
    assert_int_equal(wlstm_streams_get_state(streams, a, h, c), WLSTM_OK);
    memcpy(kept, out, sizeof kept);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        snprintf(error, sizeof error, "ids[1]: an open stream's expected, got %lld, closed or unknown",
                 (long long)hostile[i]);
        assert_refused(wlstm_streams_step(streams, 3, (int64_t[]){ a, hostile[i], b }, x, out), error);
    }
    snprintf(error, sizeof error, "ids[2]: each stream once expected, got %lld again, which is ids[0] too",
             (long long)b);
    assert_refused(wlstm_streams_step(streams, 3, (int64_t[]){ b, a, b }, x, out), error);
    assert_refused(wlstm_streams_step(streams, 3, (int64_t[]){ b, a, b }, x, out), error);
    assert_refused(wlstm_streams_step(streams, -1, &a, x, out), "count: at least 0 expected, got -1");
    assert_int_equal(wlstm_streams_get_state(streams, a, same_h, same_c), WLSTM_OK);
    assert_memory_equal(h, same_h, sizeof h);
    assert_memory_equal(c, same_c, sizeof c);
    assert_memory_equal(out, kept, sizeof kept);
    wlstm_streams_free(streams);
}

static void runs_out_of_range(void **state) {
    (void)state;
    wlstm_streams *streams = create(MOST);
    const int64_t ids[] = { open_one(streams), open_one(streams) };
    assert_refused(wlstm_streams_run(streams, 2, ids, 0, NULL, x, out), "seq_len: 1 to 65536 expected, got 0");
    assert_refused(wlstm_streams_run(streams, 2, ids, INT64_MAX, NULL, x, out),
                   "seq_len: 1 to 65536 expected, got 9223372036854775807");
    assert_refused(wlstm_streams_run(streams, 2, ids, 2, (int64_t[]){ 2, 3 }, x, out),
                   "lengths[1]: 1 to 2 expected, got 3");
    assert_refused(wlstm_streams_run(streams, 2, ids, 2, (int64_t[]){ 0, 1 }, x, out),
                   "lengths[0]: 1 to 2 expected, got 0");
    assert_refused(wlstm_streams_step(streams, 2, ids, x, x + 4),
                   "out: an array of its own expected, got one that overlaps x");
    wlstm_streams_free(streams);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range),
        cmocka_unit_test(lstms_that_cannot_be_streamed),
        cmocka_unit_test(null_arguments),
        cmocka_unit_test(as_many_as_there_is_room_for),
        cmocka_unit_test(a_closed_id_is_not_its_successor),
        cmocka_unit_test(wrong_ids_move_nothing),
        cmocka_unit_test(runs_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
