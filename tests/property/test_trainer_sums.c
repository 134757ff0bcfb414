/* The gradients of x, h and o tanh(c) are sums over all gates or outputs, in chains of at most 256: one chain would lose digits. Here
 * a first product takes those of 1 out of reach of the chain that it is in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_types.h"
#include "compare.h"

enum { WIDE = 600, LONGEST = 256 };

/* After it one chain of sums of the dtype takes no 1 any more. */
static double huge(wlstm_dtype dtype) {
    return dtype == WLSTM_F64 ? 0x1p53 : 0x1p24;
}

static void *filled(wlstm_dtype dtype, int64_t count, double value) {
    void *values = calloc((size_t)count, sizeof(double));
    assert_non_null(values);
    for (int64_t k = 0; k < count; k++) wli_put(dtype, values, (size_t)k, value);
    return values;
}

/* A trainer of one row and step, all of its parameters 0. */
static wlstm_trainer *trainer_of_zeros(const wlstm_lstm_config *config) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    void *values;
    int64_t count;
    options.max_seq_len = options.max_batch = 1;
    assert_int_equal(wlstm_lstm_create(config, &lstm), WLSTM_OK);
    assert_int_equal(wlstm_trainer_create(lstm, &options, &trainer), WLSTM_OK);
    assert_int_equal(wlstm_trainer_parameters(trainer, &values, &count), WLSTM_OK);
    memset(values, 0, (size_t)count * wli_dtype_size(config->dtype));
    wlstm_lstm_free(lstm);
    return trainer;
}

/* The parameter [.., columns] becomes 1 in `rows` rows from `first` on, huge in the first of them. */
static void set_rows(wlstm_trainer *trainer, wlstm_dtype dtype, const char *name, int64_t all, int64_t columns,
                     int64_t first, int64_t rows) {
    void *values = filled(dtype, all * columns, 0);
    for (int64_t k = first * columns; k < (first + rows) * columns; k++)
        wli_put(dtype, values, (size_t)k, k < (first + 1) * columns ? huge(dtype) : 1);
    assert_int_equal(wlstm_trainer_set_parameter(trainer, name, values, all * columns), WLSTM_OK);
    free(values);
}

/* The step of zeros, all of whose gates are half open, and back from gradients of 1: dG is 1/4 of that of o tanh(c) for
 * g and 0 for the others. */
static void pass(wlstm_trainer *trainer, wlstm_dtype dtype, void *d_x, void *d_h_0) {
    void *zeros = filled(dtype, WIDE + 1, 0), *ones = filled(dtype, WIDE + 1, 1), *out = filled(dtype, WIDE + 1, 0);
    assert_int_equal(wlstm_trainer_forward(trainer, 1, 1, NULL, zeros, zeros, zeros, out, NULL, NULL, 1, 0, 0, NULL),
                     WLSTM_OK);
    assert_int_equal(wlstm_trainer_backward(trainer, NULL, ones, NULL, NULL, d_x, d_h_0, NULL, 0), WLSTM_OK);
    free(out), free(ones), free(zeros);
}

/* values [count] are `scale` times a sum of huge and WIDE - 1 ones, of which a chain's are lost. */
static void assert_kept(wlstm_dtype dtype, const void *values, int64_t count, double scale) {
    for (int64_t k = 0; k < count; k++) {
        const double more = tensor_at(dtype, values, k) / scale - huge(dtype);
        assert_true(more >= WIDE - LONGEST && more < WIDE);
    }
}

static void over_gates(void **state) {
    (void)state;
    for (int n = 0; n < 2; n++) {
        const wlstm_dtype dtype = n ? WLSTM_F64 : WLSTM_F32;
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        config.input_size = 5, config.hidden_size = WIDE, config.dtype = dtype;
        wlstm_trainer *trainer = trainer_of_zeros(&config);
        void *d_x = filled(dtype, 5, 0), *d_h_0 = filled(dtype, WIDE, 0);
        set_rows(trainer, dtype, "weight_ih_l0", 4 * WIDE, 5, 2 * WIDE, WIDE);
        set_rows(trainer, dtype, "weight_hh_l0", 4 * WIDE, WIDE, 2 * WIDE, WIDE);
        pass(trainer, dtype, d_x, d_h_0);
        assert_kept(dtype, d_x, 5, 0.25);
        assert_kept(dtype, d_h_0, WIDE, 0.25);
        free(d_h_0), free(d_x);
        wlstm_trainer_free(trainer);
    }
}

/* Seen in the gradient of a bias. */
static void over_outputs(void **state) {
    (void)state;
    enum { H = WIDE + 1 };
    for (int n = 0; n < 2; n++) {
        const wlstm_dtype dtype = n ? WLSTM_F64 : WLSTM_F32;
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        config.input_size = 1, config.hidden_size = H, config.proj_size = WIDE, config.dtype = dtype;
        wlstm_trainer *trainer = trainer_of_zeros(&config);
        void *gradients;
        int64_t count;
        set_rows(trainer, dtype, "weight_hr_l0", WIDE, H, 0, WIDE);
        pass(trainer, dtype, NULL, NULL);
        assert_int_equal(wlstm_trainer_gradients(trainer, &gradients, &count), WLSTM_OK);
        const int64_t bias = 4 * H * (1 + WIDE); /* after W_ih and W_hh, b_ih */
        assert_kept(dtype, (char *)gradients + (size_t)(bias + 2 * H) * wli_dtype_size(dtype), H, 0.25);
        wlstm_trainer_free(trainer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(over_gates), cmocka_unit_test(over_outputs) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
