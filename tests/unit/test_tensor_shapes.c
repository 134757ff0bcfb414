/* A model file whose tensors do not fit each other: each misfit is named with what was expected in its place, compact or
 * not; and which names are a layer's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <wavelstm.h>

#include "io/safetensors.h"
#include "scratch_dir.h"

enum { I = 3, H = 2, TENSORS = 8 };

static const float values[4 * H * I];

/* Two layers; one of the tensors is another, or one more. */
static const char *write_model(const wli_st_output *instead, bool more) {
    wli_st_output tensors[TENSORS + 1] = {
        { .name = "weight_ih_l0", .ndim = 2, .shape = { 4 * H, I }, .values = values },
        { .name = "weight_hh_l0", .ndim = 2, .shape = { 4 * H, H }, .values = values },
        { .name = "bias_ih_l0", .ndim = 1, .shape = { 4 * H }, .values = values },
        { .name = "bias_hh_l0", .ndim = 1, .shape = { 4 * H }, .values = values },
        { .name = "weight_ih_l1", .ndim = 2, .shape = { 4 * H, H }, .values = values },
        { .name = "weight_hh_l1", .ndim = 2, .shape = { 4 * H, H }, .values = values },
        { .name = "bias_ih_l1", .ndim = 1, .shape = { 4 * H }, .values = values },
        { .name = "bias_hh_l1", .ndim = 1, .shape = { 4 * H }, .values = values },
    };
    const char *path = scratch_path("model.safetensors");
    for (int k = 0; k < TENSORS && !more; k++)
        if (strcmp(tensors[k].name, instead->name) == 0) tensors[k] = *instead;
    if (more) tensors[TENSORS] = *instead;
    assert_int_equal(wli_safetensors_write(path, tensors, TENSORS + more), WLSTM_OK);
    return path;
}

static void assert_refused(const char *path, wlstm_status status, const char *sentence) {
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    for (options.compact = 0; options.compact < 2; options.compact++) {
        wlstm_lstm *lstm = (wlstm_lstm *)&options;
        assert_int_equal(wlstm_lstm_load(path, &options, &lstm), status);
        assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
        assert_null(lstm);
    }
}

static void a_misfit_is_named(void **state) {
    (void)state;
    static const struct {
        wli_st_output tensor;
        const char *sentence;
    } misfits[] = {
        { { .name = "weight_ih_l0", .ndim = 1, .shape = { 4 * H }, .values = values },
          "tensor 'weight_ih_l0': 2 dimensions expected, got 1" },
        { { .name = "weight_ih_l0", .ndim = 2, .shape = { 4 * H, 0 }, .values = values },
          "tensor 'weight_ih_l0': sizes of at least 1 expected, got 0" },
        { { .name = "weight_ih_l0", .ndim = 2, .shape = { 0, I }, .values = values },
          "tensor 'weight_ih_l0': sizes of at least 1 expected, got 0" },
        { { .name = "weight_ih_l0", .ndim = 2, .shape = { 4 * H - 1, I }, .values = values },
          "tensor 'weight_ih_l0': 4*hidden_size rows expected, got 7" },
        { { .name = "weight_ih_l1", .ndim = 2, .shape = { 4 * H, H + 1 }, .values = values },
          "tensor 'weight_ih_l1': shape [8, 2] expected, got [8, 3]" },
        { { .name = "weight_hh_l0", .ndim = 2, .shape = { 4 * H, H + 1 }, .values = values },
          "tensor 'weight_hh_l0': shape [8, 2] expected, got [8, 3]" },
        { { .name = "weight_hh_l1", .ndim = 2, .shape = { 4 * H + 4, H }, .values = values },
          "tensor 'weight_hh_l1': shape [8, 2] expected, got [12, 2]" },
        { { .name = "bias_ih_l0", .ndim = 1, .shape = { H }, .values = values },
          "tensor 'bias_ih_l0': shape [8] expected, got [2]" },
        { { .name = "bias_hh_l1", .ndim = 2, .shape = { 1, 4 * H }, .values = values },
          "tensor 'bias_hh_l1': 1 dimensions expected, got 2" },
    };
    for (size_t k = 0; k < sizeof misfits / sizeof misfits[0]; k++)
        assert_refused(write_model(&misfits[k].tensor, false), WLSTM_ERROR_FORMAT, misfits[k].sentence);
}

/* Which sizes nothing: there are no tensors for so many layers. */
static void a_lone_name_of_a_far_layer_is_refused(void **state) {
    (void)state;
    const wli_st_output far = { .name = "weight_ih_l999999999", .ndim = 2, .shape = { 4 * H, I }, .values = values };
    assert_refused(write_model(&far, true), WLSTM_ERROR_MISSING,
                   "tensors of all 1000000000 layers expected, got 9 tensors");
}

/* Names that only begin as a layer's do are other tensors, which a file may have. */
static void other_names_are_passed_over(void **state) {
    (void)state;
    static const char *const names[] = { "weight_ih_l02",         "weight_ih_l", "weight_ih_l2x",
                                         "weight_ih_2",           "weight_ihl2", "weight_ih_l9223372036854775807",
                                         "weight_ih_l2_reversed", "bias_l2" };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        const wli_st_output other = { .name = names[k], .ndim = 1, .shape = { 1 }, .values = values };
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        wlstm_lstm *lstm;
        assert_int_equal(wlstm_lstm_load(write_model(&other, true), NULL, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_lstm_get_config(lstm, &config), WLSTM_OK);
        assert_true(config.num_layers == 2 && !config.bidirectional && config.hidden_size == H);
        wlstm_lstm_free(lstm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_misfit_is_named, scratch_clear),
        cmocka_unit_test_teardown(a_lone_name_of_a_far_layer_is_refused, scratch_clear),
        cmocka_unit_test_teardown(other_names_are_passed_over, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
