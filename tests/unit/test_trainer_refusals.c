/* What a trainer refuses, and in which words; what it does with what it need not refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <wavelstm.h>

#include "small_models.h"

enum { T = 4, B = 3, I = 5, H = 4, L = 2 };

static float x[T * B * I], out[T * B * H], d_out[T * B * H], h[L * B * H], c[L * B * H], mask[T * B * H];

/* The call fails with this status, and wlstm_last_error() names the argument. */
#define assert_fails(call, status, word)                                                                               \
    do {                                                                                                               \
        assert_int_equal(call, status);                                                                                \
        if (!strstr(wlstm_last_error(), word)) fail_msg("\"%s\" does not name %s", wlstm_last_error(), word);          \
    } while (0)
#define assert_invalid(call, word) assert_fails(call, WLSTM_ERROR_INVALID_ARGUMENT, word)

static wlstm_trainer *make(double dropout) {
    wlstm_lstm_config config = small_config();
    config.dropout = dropout;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    options.max_seq_len = T, options.max_batch = B;
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_trainer *trainer;
    assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
    wlstm_lstm_free(lstm);
    return trainer;
}

static wlstm_status forward(wlstm_trainer *trainer, void *tape) {
    return wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, tape);
}

static wlstm_status backward(wlstm_trainer *trainer, void *tape) {
    return wlstm_trainer_backward(trainer, tape, d_out, NULL, NULL, NULL, NULL, NULL, 0);
}

static void create_refuses(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_trainer *trainer = (wlstm_trainer *)&lstm;
    const wlstm_trainer_options good = { sizeof good,         T, B, 1, WLSTM_PRECISION_FULL, 0, WLSTM_SCHEDULE_AUTO,
                                         WLSTM_EFFORT_DEFAULT };
    assert_invalid(wlstm_trainer_create(lstm, &good, NULL), "trainer");
    assert_invalid(wlstm_trainer_create(NULL, &good, &trainer), "lstm");
    assert_null(trainer);
    assert_invalid(wlstm_trainer_create(lstm, NULL, &trainer), "options");
    wlstm_trainer_options bad = good;
    bad.struct_size = 3;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "struct_size");
    bad = good, bad.max_seq_len = 0;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "max_seq_len");
    bad = good, bad.max_batch = -1;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "max_batch");
    bad = good, bad.max_seq_len = INT64_C(1) << 30, bad.max_batch = INT64_C(1) << 30;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "max_seq_len * max_batch");
    bad = good, bad.num_threads = -2;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "num_threads");
    bad = good, bad.precision = (wlstm_precision)9;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "precision");
    bad = good, bad.precision = WLSTM_PRECISION_BF16;
    assert_fails(wlstm_trainer_create(lstm, &bad, &trainer), WLSTM_ERROR_UNSUPPORTED, "precision");
    bad = good, bad.schedule = (wlstm_schedule)4;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "schedule");
    bad = good, bad.schedule = (wlstm_schedule)-1;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "schedule");
    bad = good, bad.effort = (wlstm_effort)4;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "effort: a wlstm_effort expected, got 4");
    bad = good, bad.effort = (wlstm_effort)-1;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "effort: a wlstm_effort expected, got -1");
    bad = good, bad.recompute_steps = -1;
    assert_invalid(wlstm_trainer_create(lstm, &bad, &trainer), "recompute_steps");
    wlstm_lstm_config both = small_config();
    both.bidirectional = 1;
    wlstm_lstm *of_both = create_lstm(&both);
    bad.recompute_steps = 2;
    assert_fails(wlstm_trainer_create(of_both, &bad, &trainer), WLSTM_ERROR_UNSUPPORTED, "recompute_steps");
    wlstm_lstm_free(of_both);
    wlstm_lstm_config halves = config;
    halves.dtype = WLSTM_BF16;
    wlstm_lstm *of_halves = create_lstm(&halves);
    assert_fails(wlstm_trainer_create(of_halves, &good, &trainer), WLSTM_ERROR_UNSUPPORTED,
                 "lstm: f32 or f64 parameters expected, which training updates, got bf16");
    wlstm_lstm_free(of_halves);
    assert_null(trainer);
    wlstm_trainer_free(NULL);
    wlstm_lstm_free(lstm);
}

/* A program of the first header, which ended with recompute_steps. */
static void an_older_struct_has_no_schedule_and_no_effort(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_lstm *lstm = create_lstm(&config);
    wlstm_trainer_options options;
    memset(&options, 0xff, sizeof options);
    options.struct_size = offsetof(wlstm_trainer_options, schedule);
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1;
    options.precision = WLSTM_PRECISION_DEFAULT, options.recompute_steps = 0;
    wlstm_trainer *trainer;
    assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
    wlstm_trainer_free(trainer);
    options.struct_size = sizeof options, options.schedule = WLSTM_SCHEDULE_GANGS;
    options.effort = WLSTM_EFFORT_ESTIMATE;
    assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
}

static void passes_refuse(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0);
    assert_invalid(forward(NULL, NULL), "trainer");
    assert_invalid(wlstm_trainer_forward(trainer, 0, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "seq_len");
    assert_invalid(wlstm_trainer_forward(trainer, T + 1, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "max_seq_len");
    assert_invalid(wlstm_trainer_forward(trainer, T, B + 1, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "max_batch");
    assert_invalid(wlstm_trainer_forward(trainer, T, -1, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL), "batch");
    assert_invalid(wlstm_trainer_forward(trainer, T, B, NULL, NULL, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL), "x:");
    assert_invalid(wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, NULL), "out:");
    assert_invalid(wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, x, NULL, NULL, 1, 0, 0, NULL), "overlaps");
    assert_invalid(wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, -1, NULL),
                   "first_row");
    const int64_t lengths[B] = { 1, T + 1, 1 };
    assert_invalid(wlstm_trainer_forward(trainer, T, B, lengths, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "lengths[1]");
    const int64_t sizes[T + 1] = { B, B, 1, 1, 1 }, more[T] = { 1, 2, 1, 1 }, wide[1] = { B + 1 };
    assert_invalid(wlstm_trainer_forward_packed(NULL, T, sizes, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "trainer");
    assert_invalid(wlstm_trainer_forward_packed(trainer, 0, sizes, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "seq_len");
    assert_invalid(wlstm_trainer_forward_packed(trainer, T + 1, sizes, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "max_seq_len");
    assert_invalid(wlstm_trainer_forward_packed(trainer, T, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "batch_sizes:");
    assert_invalid(wlstm_trainer_forward_packed(trainer, T, more, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "batch_sizes[1]");
    assert_invalid(wlstm_trainer_forward_packed(trainer, 1, wide, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL),
                   "batch_sizes[0]: 0 to the trainer's max_batch of 3 expected, got 4");
    assert_invalid(wlstm_trainer_forward_packed(trainer, T, sizes, x, NULL, NULL, x, NULL, NULL, 1, 0, 0, NULL),
                   "overlaps");
    assert_invalid(wlstm_trainer_forward_packed(trainer, T, sizes, x, NULL, NULL, out, NULL, NULL, 1, 0, -1, NULL),
                   "first_row");
    size_t bytes;
    assert_invalid(wlstm_trainer_watch_gradients(NULL, NULL, NULL), "trainer");
    assert_invalid(wlstm_trainer_tape_bytes(NULL, T, B, &bytes), "trainer");
    assert_invalid(wlstm_trainer_tape_bytes(trainer, T, B, NULL), "bytes");
    assert_invalid(wlstm_trainer_tape_bytes(trainer, T + 1, B, &bytes), "seq_len");
    assert_invalid(wlstm_trainer_tape_bytes(trainer, T, B + 1, &bytes), "batch");
    wlstm_trainer_free(trainer);
}

static void a_tape_serves_one_pass_of_its_trainer(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0), *other = make(0);
    size_t bytes;
    assert_invalid(backward(NULL, NULL), "trainer");
    assert_invalid(backward(trainer, NULL), "before the first");
    assert_invalid(wlstm_trainer_dropout_mask(trainer, NULL, 0, mask), "tape");
    assert_int_equal(wlstm_trainer_tape_bytes(trainer, T, B, &bytes), WLSTM_OK);
    void *tape = calloc(1, bytes);
    assert_non_null(tape);
    assert_invalid(backward(trainer, tape), "tape");
    assert_int_equal(forward(trainer, tape), WLSTM_OK);
    assert_invalid(backward(other, tape), "another trainer");
    assert_invalid(backward(trainer, NULL), "before the first");
    assert_int_equal(backward(trainer, tape), WLSTM_OK);
    assert_invalid(backward(trainer, tape), "used up");
    /* A refused pass leaves the tape as it is, an update makes it useless. */
    assert_int_equal(forward(trainer, tape), WLSTM_OK);
    assert_invalid(wlstm_trainer_forward(trainer, T + 1, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, tape),
                   "seq_len");
    assert_int_equal(backward(trainer, tape), WLSTM_OK);
    assert_int_equal(forward(trainer, tape), WLSTM_OK);
    const wlstm_optimizer adam = WLSTM_OPTIMIZER_INIT;
    assert_int_equal(wlstm_trainer_update(trainer, &adam), WLSTM_OK);
    assert_invalid(backward(trainer, tape), "before the update");
    free(tape);
    wlstm_trainer_free(trainer);
    wlstm_trainer_free(other);
}

static void the_others_refuse(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0.5);
    wlstm_optimizer optimizer = WLSTM_OPTIMIZER_INIT;
    void *values;
    int64_t count;
    size_t bytes;
    assert_invalid(wlstm_trainer_parameters(NULL, &values, &count), "trainer");
    assert_invalid(wlstm_trainer_gradients(NULL, &values, &count), "trainer");
    assert_invalid(wlstm_trainer_zero_gradients(NULL), "trainer");
    assert_invalid(wlstm_trainer_clip_gradients(NULL, 1, NULL), "trainer");
    assert_invalid(wlstm_trainer_clip_gradients(trainer, -1, NULL), "max_norm");
    assert_invalid(wlstm_trainer_clip_gradients(trainer, (double)NAN, NULL), "max_norm");
    assert_invalid(wlstm_trainer_update(NULL, &optimizer), "trainer");
    assert_invalid(wlstm_trainer_update(trainer, NULL), "optimizer");
    optimizer.struct_size = 1;
    assert_invalid(wlstm_trainer_update(trainer, &optimizer), "struct_size");
    optimizer.struct_size = sizeof optimizer, optimizer.beta1 = 1;
    assert_invalid(wlstm_trainer_update(trainer, &optimizer), "beta1");
    optimizer.beta1 = 0.9;
    assert_int_equal(wlstm_trainer_update(trainer, &optimizer), WLSTM_OK);
    optimizer.kind = WLSTM_OPTIMIZER_SGD, optimizer.momentum = 0.5;
    assert_invalid(wlstm_trainer_update(trainer, &optimizer), "kind");
    optimizer.momentum = 0;
    assert_int_equal(wlstm_trainer_update(trainer, &optimizer), WLSTM_OK);
    assert_invalid(wlstm_trainer_save(NULL, "x"), "trainer");
    assert_invalid(wlstm_trainer_save(trainer, NULL), "path");
    assert_invalid(wlstm_trainer_load(NULL, "x"), "trainer");
    assert_fails(wlstm_trainer_load(trainer, "/nonexistent/file"), WLSTM_ERROR_FILE, "/nonexistent");
    assert_invalid(wlstm_trainer_set_parameter(NULL, "bias_ih_l0", x, 4 * H), "trainer");
    assert_fails(wlstm_trainer_set_parameter(trainer, "bias_ih_l9", x, 4 * H), WLSTM_ERROR_MISSING, "name");
    assert_invalid(wlstm_trainer_get_parameter(NULL, "bias_ih_l0", x, 4 * H), "trainer");
    assert_invalid(wlstm_trainer_get_parameter(trainer, "bias_ih_l0", x, 3), "count");
    assert_invalid(wlstm_trainer_memory(NULL, &bytes, &bytes), "trainer");
    assert_int_equal(wlstm_trainer_memory(trainer, NULL, NULL), WLSTM_OK);
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    assert_invalid(wlstm_trainer_dropout_mask(trainer, NULL, 1, mask), "layer");
    assert_invalid(wlstm_trainer_dropout_mask(trainer, NULL, -1, mask), "layer");
    assert_invalid(wlstm_trainer_dropout_mask(trainer, NULL, 0, NULL), "mask");
    assert_invalid(wlstm_trainer_dropout_mask(NULL, NULL, 0, mask), "trainer");
    wlstm_trainer_free(trainer);
}

/* What an optimizer has gathered is not another's. */
static void moments_of_another_kind_are_refused(void **state) {
    (void)state;
    wlstm_optimizer sgd = WLSTM_OPTIMIZER_INIT, adam = WLSTM_OPTIMIZER_INIT;
    sgd.kind = WLSTM_OPTIMIZER_SGD, sgd.momentum = 0.5;
    for (int first = 0; first < 2; first++) {
        wlstm_trainer *trainer = make(0);
        assert_int_equal(wlstm_trainer_update(trainer, first ? &adam : &sgd), WLSTM_OK);
        assert_invalid(wlstm_trainer_update(trainer, first ? &sgd : &adam), first ? "Adam or AdamW, got" : "SGD, got");
        assert_int_equal(wlstm_trainer_update(trainer, first ? &adam : &sgd), WLSTM_OK);
        wlstm_trainer_free(trainer);
    }
}

static void compact_ones_have_no_parameters(void **state) {
    (void)state;
    const wlstm_lstm_config config = small_config();
    wlstm_trainer *trainer = make(0), *other;
    wlstm_lstm *lstm = create_lstm(&config);
    const wlstm_trainer_options options = { sizeof options,      T, B, 1, WLSTM_PRECISION_FULL, 0, WLSTM_SCHEDULE_AUTO,
                                            WLSTM_EFFORT_DEFAULT };
    assert_int_equal(wlstm_lstm_compact(lstm), WLSTM_OK);
    assert_int_equal(wlstm_trainer_create(lstm, &options, &other), WLSTM_ERROR_UNSUPPORTED);
    assert_null(other);
    assert_int_equal(wlstm_trainer_copy_to(trainer, lstm), WLSTM_ERROR_UNSUPPORTED);
    wlstm_lstm_free(lstm);
    wlstm_trainer_free(trainer);
}

static void copy_to_wants_the_same_shape(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0);
    wlstm_lstm_config config = small_config();
    float got[4 * H];
    wlstm_lstm *alike = create_lstm(&config);
    config.hidden_size++;
    wlstm_lstm *wider = create_lstm(&config);
    config = small_config(), config.dtype = WLSTM_F64;
    wlstm_lstm *doubles = create_lstm(&config);
    assert_invalid(wlstm_trainer_copy_to(NULL, alike), "trainer");
    assert_invalid(wlstm_trainer_copy_to(trainer, NULL), "lstm");
    assert_invalid(wlstm_trainer_copy_to(trainer, wider), "lstm");
    assert_invalid(wlstm_trainer_copy_to(trainer, doubles), "lstm");
    for (int i = 0; i < 4 * H; ++i) x[i] = (float)i;
    assert_int_equal(wlstm_trainer_set_parameter(trainer, "bias_hh_l1", x, 4 * H), WLSTM_OK);
    assert_int_equal(wlstm_trainer_copy_to(trainer, alike), WLSTM_OK);
    assert_int_equal(wlstm_lstm_get_parameter(alike, "bias_hh_l1", got, 4 * H), WLSTM_OK);
    assert_memory_equal(got, x, sizeof got);
    wlstm_lstm_free(alike), wlstm_lstm_free(wider), wlstm_lstm_free(doubles);
    wlstm_trainer_free(trainer);
}

/* Whatever way parameters are changed, the next pass has the new ones. */
static void changes_are_seen(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0);
    float before[T * B * H];
    void *values;
    for (int i = 0; i < T * B * I; ++i) x[i] = (float)(i % 7) / 7;
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    memcpy(before, out, sizeof out);
    assert_int_equal(wlstm_trainer_parameters(trainer, &values, NULL), WLSTM_OK);
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    assert_memory_equal(before, out, sizeof out);
    ((float *)values)[3] += 0.5F;
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    assert_memory_not_equal(before, out, sizeof out);
    ((float *)values)[3] -= 0.5F;
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    assert_memory_equal(before, out, sizeof out);
    assert_int_equal(wlstm_trainer_set_parameter(trainer, "bias_hh_l0", x, 4 * H), WLSTM_OK);
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    assert_memory_not_equal(before, out, sizeof out);
    wlstm_trainer_free(trainer);
}

static void an_empty_batch_is_an_empty_result(void **state) {
    (void)state;
    wlstm_trainer *trainer = make(0);
    void *gradients;
    assert_int_equal(forward(trainer, NULL), WLSTM_OK);
    for (int i = 0; i < T * B * H; ++i) d_out[i] = 1;
    assert_int_equal(backward(trainer, NULL), WLSTM_OK);
    assert_int_equal(wlstm_trainer_gradients(trainer, &gradients, NULL), WLSTM_OK);
    assert_true(((float *)gradients)[4 * H * I] != 0);
    assert_int_equal(wlstm_trainer_forward(trainer, T, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, NULL),
                     WLSTM_OK);
    assert_int_equal(wlstm_trainer_backward(trainer, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1), WLSTM_OK);
    assert_true(((float *)gradients)[4 * H * I] != 0);
    assert_int_equal(wlstm_trainer_forward(trainer, T, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0, 0, NULL),
                     WLSTM_OK);
    assert_int_equal(wlstm_trainer_backward(trainer, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0), WLSTM_OK);
    assert_true(((float *)gradients)[4 * H * I] == 0);
    wlstm_trainer_free(trainer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_refuses),
        cmocka_unit_test(an_older_struct_has_no_schedule_and_no_effort),
        cmocka_unit_test(passes_refuse),
        cmocka_unit_test(a_tape_serves_one_pass_of_its_trainer),
        cmocka_unit_test(the_others_refuse),
        cmocka_unit_test(moments_of_another_kind_are_refused),
        cmocka_unit_test(compact_ones_have_no_parameters),
        cmocka_unit_test(copy_to_wants_the_same_shape),
        cmocka_unit_test(changes_are_seen),
        cmocka_unit_test(an_empty_batch_is_an_empty_result),
    };
    (void)h, (void)c;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
