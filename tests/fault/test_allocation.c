/* Each allocation that fails comes out as WLSTM_ERROR_OUT_OF_MEMORY, or is done without, and nothing is leaked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>

#include "ledger.h"
#include "problem.h"
#include "reference/backward.h"
#include "scratch_dir.h"
#include "train/trainer_file.h"
#include "train/tuning.h"

enum { I = LEDGER_I, H = LEDGER_H, L = LEDGER_L, T = 6, B = 5, LARGE_H = 400 };

static float x[T * B * I], out[T * B * 2 * H], h[2 * L * B * H], c[2 * L * B * H];
static const int64_t lengths[B] = { 6, 1, 3, 5, 2 }, batch_sizes[T] = { 5, 4, 3, 2, 2, 1 };
static char path[512];

/* (2, 1), then (1, 2): the plan that would serve both cannot be had, the one of the call can. */
static void forward_makes_do_with_the_calls_own_size(void **state) {
    (void)state;
    for (long number = 1, failed = 1; failed; ++number) {
        const wlstm_lstm_config config = ledger_config(0, 1);
        wlstm_lstm *lstm;
        ledger_fail_at(0);
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_forward(lstm, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        ledger_fail_at(number);
        assert_int_equal(wlstm_forward(lstm, 1, 2, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        failed = atomic_load(&books.failed);
        ledger_fail_at(0);
        assert_int_equal(wlstm_forward(lstm, 2, 1, NULL, x, NULL, NULL, out, NULL, NULL), WLSTM_OK);
        assert_true(failed || ledger_made() == 0);
        wlstm_lstm_free(lstm);
        assert_int_equal(atomic_load(&books.live), 0);
    }
}

/* What is done while allocations fail. Each returns the first status that is not WLSTM_OK and frees all it made. */
typedef wlstm_status (*scenario)(void);

static wlstm_status create_and_set(void) {
    const wlstm_lstm_config config = ledger_config(3, 1);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) {
        assert_null(lstm);
        return status;
    }
    status = wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, 4 * H);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_backend scenario_backend;

static wlstm_status plan_and_execute(void) {
    const wlstm_lstm_config config = ledger_config(scenario_backend <= WLSTM_BACKEND_REFERENCE ? 3 : 0, 1);
    wlstm_lstm *lstm;
    wlstm_plan *plan, *second = NULL;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2, options.backend = scenario_backend;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = test_plan_create(lstm, &options, &plan);
    if (status != WLSTM_OK) assert_null(plan);
    if (status == WLSTM_OK) status = test_plan_create(lstm, &options, &second);
    if (status == WLSTM_OK) status = wlstm_plan_execute(second, T, B, lengths, x, NULL, NULL, out, h, c);
    wlstm_plan_free(second);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    return status;
}

/* Weights that many threads pack, for a first plan and for a second that shares them. */
static wlstm_status plans_of_threads(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    wlstm_plan *plan, *second = NULL;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    config.input_size = I, config.hidden_size = LARGE_H, config.num_layers = L;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2, options.backend = WLSTM_BACKEND_NATIVE;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_plan_create(lstm, &options, &plan);
    if (status != WLSTM_OK) assert_null(plan);
    if (status == WLSTM_OK) status = wlstm_plan_create(lstm, &options, &second);
    wlstm_plan_free(second);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    return status;
}

/* A larger problem after a smaller one, and a changed parameter in between: wlstm_forward makes its plans anew. */
static wlstm_status forward(void) {
    const wlstm_lstm_config config = ledger_config(0, 0);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_forward(lstm, 1, 1, NULL, x, NULL, NULL, out, NULL, NULL);
    if (status == WLSTM_OK) status = wlstm_lstm_set_parameter(lstm, "bias_ih_l0", x, 4 * H);
    if (status == WLSTM_OK) status = wlstm_forward_packed(lstm, T - 1, batch_sizes, x, h, c, out, h, c);
    if (status == WLSTM_OK) status = wlstm_forward(lstm, T, B, lengths, x, h, c, out, h, c);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status cell_forward(void) {
    wlstm_cell *cell;
    wlstm_status status = ledger_cell(&cell);
    if (status != WLSTM_OK) return status;
    status = wlstm_cell_forward(cell, 1, x, NULL, NULL, h, c);
    if (status == WLSTM_OK) status = wlstm_cell_forward(cell, B, x, NULL, NULL, h, c);
    wlstm_cell_free(cell);
    return status;
}

static wlstm_status stack_cells(void) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *bottom, *top = NULL;
    wlstm_lstm *lstm = NULL;
    config.input_size = H, config.hidden_size = 4;
    wlstm_status status = ledger_cell(&bottom);
    if (status == WLSTM_OK) status = wlstm_cell_create(&config, &top);
    if (status == WLSTM_OK) {
        const wlstm_cell *const cells[] = { bottom, top };
        status = wlstm_lstm_create_from_cells(cells, 2, &lstm);
    }
    wlstm_lstm_free(lstm);
    wlstm_cell_free(top);
    wlstm_cell_free(bottom);
    return status;
}

/* Open, step, run and close take nothing: all that fails is their creation. */
static wlstm_status stream(void) {
    const wlstm_lstm_config config = ledger_config(3, 0);
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_streams *streams = (wlstm_streams *)&streams;
    int64_t ids[B];
    options.max_streams = 20, options.max_batch = B, options.num_threads = 2;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_streams_create(lstm, &options, &streams);
    if (status != WLSTM_OK) {
        assert_null(streams);
        wlstm_lstm_free(lstm);
        return status;
    }
    for (int i = 0; i < B; i++) assert_int_equal(wlstm_streams_open(streams, &ids[i]), WLSTM_OK);
    assert_int_equal(wlstm_streams_step(streams, B, ids, x, out), WLSTM_OK);
    assert_int_equal(wlstm_streams_run(streams, B, ids, T, lengths, x, out), WLSTM_OK);
    wlstm_streams_free(streams);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status train(void) {
    const wlstm_lstm_config config = ledger_config(3, 1);
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    const wlstm_optimizer optimizer = WLSTM_OPTIMIZER_INIT;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_trainer_create(lstm, &options, &trainer);
    if (status != WLSTM_OK) assert_null(trainer);
    if (status == WLSTM_OK)
        status = wlstm_trainer_forward(trainer, T, B, lengths, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL);
    if (status == WLSTM_OK) status = wlstm_trainer_backward(trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0);
    if (status == WLSTM_OK) status = wlstm_trainer_update(trainer, &optimizer);
    if (status == WLSTM_OK) status = wlstm_trainer_copy_to(trainer, lstm);
    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
    return status;
}

/* A trainer, worth two threads, so that there is something to choose, and its search, whose failure creation makes do with. */
static wlstm_status tune_training(void) {
    wlstm_lstm_config config = ledger_config(0, 0);
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    wli_train_result result;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    config.input_size = config.hidden_size = 64;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_trainer_create(lstm, &options, &trainer);
    if (status == WLSTM_OK) status = wli_train_search(trainer, WLSTM_EFFORT_MEASURE, 0.1, NULL, &result);
    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status save(void) {
    const wlstm_lstm_config config = ledger_config(3, 1);
    wlstm_lstm *lstm;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_lstm_save(lstm, path, "prefix.");
    assert_int_equal(access(path, F_OK) == 0, status == WLSTM_OK); /* whole or not at all */
    unlink(path);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status load(void) {
    wlstm_lstm *lstm;
    wlstm_cell *cell = NULL;
    wlstm_status status = wlstm_lstm_load(path, NULL, &lstm);
    if (status == WLSTM_OK) status = wlstm_cell_load(path, NULL, &cell);
    if (status == WLSTM_OK) status = wlstm_tensor_read(path, "weight_ih", WLSTM_F32, NULL, 0, NULL, NULL);
    wlstm_lstm_free(lstm);
    wlstm_cell_free(cell);
    return status;
}

/* The reference's gradients, and what training goes on from into a file and back. */
static wlstm_status gradients_and_file(void) {
    static float arrays[3][2 * L * (4 * H * (I + 2 * H) + 8 * H)];
    const wli_model_spec spec = { .num_layers = L, .input_size = I, .hidden_size = H, .bias = true };
    const wli_call call = { .seq_len = T, .batch = B, .lengths = lengths, .x = x };
    const wli_gradients gradients = { .d_out = x, .d_parameters = arrays[0] };
    wli_model *model;
    wlstm_status status = wli_model_create(&spec, &model);
    if (status != WLSTM_OK) return status;
    wli_trainer_state kept = { model, arrays[0], { arrays[1], arrays[2] }, 2, 1 };
    status = wli_model_reset(&model, 0);
    if (status == WLSTM_OK) status = wli_reference_backward(model, &call, NULL, &gradients);
    if (status == WLSTM_OK) status = wli_trainer_file_write(path, &kept);
    if (status == WLSTM_OK) status = wli_trainer_file_read(path, &kept);
    unlink(path);
    wli_model_release(model);
    return status;
}

static wlstm_status bf16_arrays(void) {
    wlstm_lstm_config config = ledger_config(3, 1);
    wlstm_lstm *lstm;
    config.dtype = WLSTM_BF16;
    wlstm_status status = wlstm_lstm_create(&config, &lstm);
    if (status != WLSTM_OK) return status;
    status = wlstm_forward(lstm, T, B, lengths, x, h, c, out, h, c);
    if (status == WLSTM_OK) status = wlstm_lstm_compact(lstm);
    wlstm_lstm_free(lstm);
    return status;
}

/* A compact lstm of a file, and one that becomes compact with its parameters shared by a plan. */
static wlstm_status load_compact(void) {
    const wlstm_lstm_config config = ledger_config(3, 1);
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_plan_options plan_options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *loaded, *lstm = NULL;
    wlstm_plan *plan = NULL;
    options.compact = 1;
    plan_options.max_seq_len = T, plan_options.max_batch = B;
    wlstm_status status = wlstm_lstm_load(path, &options, &loaded);
    if (status != WLSTM_OK) assert_null(loaded);
    if (status == WLSTM_OK) status = wlstm_forward(loaded, 1, B, NULL, x, NULL, NULL, out, NULL, NULL);
    if (status == WLSTM_OK) status = wlstm_lstm_create(&config, &lstm);
    if (status == WLSTM_OK) status = wlstm_plan_create(lstm, &plan_options, &plan);
    if (status == WLSTM_OK && (status = wlstm_lstm_compact(lstm)) != WLSTM_OK) { /* as it was */
        float bias[4 * H];
        assert_int_equal(wlstm_lstm_get_parameter(lstm, "bias_ih_l0", bias, 4 * H), WLSTM_OK);
    }
    wlstm_lstm_free(lstm);
    wlstm_plan_free(plan);
    wlstm_lstm_free(loaded);
    return status;
}

/* Runs the scenario with its first, second, ... allocation failing until none is left to fail. */
static void every_allocation_fails_cleanly(scenario run) {
    const long live = atomic_load(&books.live);
    for (long number = 1;; ++number) {
        ledger_fail_at(number);
        const wlstm_status status = run();
        const bool failed = atomic_load(&books.failed);
        ledger_fail_at(0);
        assert_int_equal(atomic_load(&books.live), live);
        assert_int_equal(status, failed ? WLSTM_ERROR_OUT_OF_MEMORY : WLSTM_OK);
        if (!failed) break;
        assert_true(strlen(wlstm_last_error()) > 0);
    }
}

/* A trainer is made whether or not there is memory for its search, and then goes by the rule. */
static void a_search_without_memory_is_done_without(void **state) {
    (void)state;
    wlstm_lstm_config config = ledger_config(0, 0);
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    bool failed = true, done_without = false;
    if (omp_get_num_procs() < 2) skip(); /* there is nothing to search */
    config.input_size = config.hidden_size = 64;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 2, options.effort = WLSTM_EFFORT_MEASURE;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    for (long number = 1; failed && !done_without; number++) {
        ledger_fail_at(number);
        const wlstm_status status = wlstm_trainer_create(lstm, &options, &trainer);
        failed = atomic_load(&books.failed);
        ledger_fail_at(0);
        done_without = failed && status == WLSTM_OK;
        assert_int_equal(status, failed && !done_without ? WLSTM_ERROR_OUT_OF_MEMORY : WLSTM_OK);
        wlstm_trainer_free(trainer);
    }
    assert_true(done_without);
    wlstm_lstm_free(lstm);
}

static void creation_fails_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(create_and_set);
    every_allocation_fails_cleanly(stack_cells);
}

static void plans_fail_cleanly(void **state) {
    (void)state;
    for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
        scenario_backend = (wlstm_backend)backend;
        ledger_fail_at(0);
        if (plan_and_execute() == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
        every_allocation_fails_cleanly(plan_and_execute);
    }
    every_allocation_fails_cleanly(plans_of_threads);
}

static void streams_fail_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(stream);
}

static void forward_fails_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(forward);
    every_allocation_fails_cleanly(cell_forward);
    every_allocation_fails_cleanly(bf16_arrays);
}

static void files_fail_cleanly(void **state) {
    (void)state;
    wlstm_cell *cell;
    every_allocation_fails_cleanly(save);
    ledger_fail_at(0);
    assert_int_equal(ledger_cell(&cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_save(cell, path, NULL), WLSTM_OK);
    wlstm_cell_free(cell);
    every_allocation_fails_cleanly(load);
    every_allocation_fails_cleanly(load_compact);
    assert_int_equal(unlink(path), 0);
}

static void training_fails_cleanly(void **state) {
    (void)state;
    every_allocation_fails_cleanly(gradients_and_file);
    every_allocation_fails_cleanly(train);
    every_allocation_fails_cleanly(tune_training);
}

static int set_up(void **state) {
    if (scratch_create(state) != 0) return -1;
    snprintf(path, sizeof path, "%s", scratch_path("model.safetensors"));
    return ledger_open(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_makes_do_with_the_calls_own_size),
        cmocka_unit_test(creation_fails_cleanly),
        cmocka_unit_test(plans_fail_cleanly),
        cmocka_unit_test(forward_fails_cleanly),
        cmocka_unit_test(streams_fail_cleanly),
        cmocka_unit_test(files_fail_cleanly),
        cmocka_unit_test(training_fails_cleanly),
        cmocka_unit_test(a_search_without_memory_is_done_without),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_remove);
}
