/* What a compact load takes: at its most, and afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "ledger.h"
#include "scratch_dir.h"

enum { SIZE = 352 }; /* of a weight below those that go to huge pages, which more is asked for than they take */

static const size_t parameter_bytes = sizeof(float) * 2 * (4 * SIZE * SIZE * 2 + 4 * SIZE * 2);

static const char *save_model(wlstm_dtype dtype) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    const char *path = scratch_path("model.safetensors");
    config.input_size = config.hidden_size = SIZE, config.num_layers = 2, config.dtype = dtype;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_lstm_save(lstm, path, NULL), WLSTM_OK);
    wlstm_lstm_free(lstm);
    return path;
}

/* The most while it is loaded, in parts of the parameters in float; and that afterwards it has the packed weights
 * and little else. */
static double load(const char *path, wlstm_precision precision) {
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_plan_options plan_options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_plan *plan;
    size_t weights;
    options.convert = 1, options.compact = 1, options.precision = precision;
    ledger_fail_at(0);
    assert_int_equal(wlstm_lstm_load(path, &options, &lstm), WLSTM_OK);
    const size_t resident = atomic_load(&books.bytes), most = atomic_load(&books.most_bytes);
    plan_options.max_seq_len = 25, plan_options.max_batch = 64;
    assert_int_equal(wlstm_plan_create(lstm, &plan_options, &plan), WLSTM_OK);
    assert_int_equal(wlstm_plan_memory(plan, &weights, NULL), WLSTM_OK);
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    assert_int_equal(atomic_load(&books.bytes), 0);
    printf("%s: %zu resident, %zu at most, %zu of packed weights, %zu of parameters\n", path, resident, most, weights,
           parameter_bytes);
    assert_true((double)resident <= 1.05 * (double)weights);
    return (double)most / (double)parameter_bytes;
}

static void a_compact_load_takes_little_more_than_it_keeps(void **state) {
    (void)state;
    for (int dtype = WLSTM_F32; dtype <= WLSTM_F64; ++dtype) {
        const char *path = save_model((wlstm_dtype)dtype);
        assert_true(load(path, WLSTM_PRECISION_FULL) <= 1.2);
        assert_true(load(path, WLSTM_PRECISION_BF16) <= 0.7);
        assert_true(load(path, WLSTM_PRECISION_INT8) <= 0.5);
    }
}

static int set_up(void **state) {
    return scratch_create(state) != 0 ? -1 : ledger_open(state);
}

static int tear_down(void **state) {
    return scratch_remove(state);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_compact_load_takes_little_more_than_it_keeps) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
