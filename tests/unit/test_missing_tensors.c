/* A model file without the tensor asked for: the error says what the file has instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/safetensors.h"
#include "scratch_dir.h"

enum { MOST_TENSORS = 8 };

/* A file of tensors of these names, which are all that matters here; the last is NULL. */
static const char *make_file(const char *const *names) {
    static const float values[4] = { 0 };
    wli_st_output tensors[MOST_TENSORS];
    int64_t count = 0;
    for (; names[count]; count++)
        tensors[count] = (wli_st_output){ .name = names[count], .ndim = 2, .shape = { 4, 1 }, .values = values };
    const char *path = scratch_path("model.safetensors");
    assert_int_equal(wli_safetensors_write(path, tensors, count), WLSTM_OK);
    return path;
}
#define FILE_OF(...) make_file((const char *const[]){ __VA_ARGS__, NULL })

static wlstm_load_options with_prefix(const char *prefix) {
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = prefix;
    return options;
}

static void expect_no_lstm(const char *path, const char *prefix, const char *sentence) {
    const wlstm_load_options options = with_prefix(prefix);
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_load(path, &options, &lstm), WLSTM_ERROR_MISSING);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_null(lstm);
}

static void expect_no_cell(const char *path, const char *prefix, const char *sentence) {
    const wlstm_load_options options = with_prefix(prefix);
    wlstm_cell *cell;
    assert_int_equal(wlstm_cell_load(path, &options, &cell), WLSTM_ERROR_MISSING);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_null(cell);
}

#define LACKS(name) "tensor '" name "' expected, got none of that name"

static void another_prefix_is_named(void **state) {
    (void)state;
    const char *path = FILE_OF("lstm.weight_ih_l0", "lstm.weight_hh_l0", "head.weight");
    const char *prefixes[] = { NULL, "encoder.", "lstm", "model.lstm." };
    const char *lacking[] = { LACKS("weight_ih_l0"), LACKS("encoder.weight_ih_l0"), LACKS("lstmweight_ih_l0"),
                              LACKS("model.lstm.weight_ih_l0") };
    for (int k = 0; k < 4; k++) {
        char sentence[256];
        snprintf(sentence, sizeof sentence, "%s (the file has 'lstm.weight_ih_l0': prefix \"lstm.\"?)", lacking[k]);
        expect_no_lstm(path, prefixes[k], sentence);
    }
    expect_no_lstm(FILE_OF("weight_ih_l0"), "lstm.",
                   LACKS("lstm.weight_ih_l0") " (the file has 'weight_ih_l0': prefix \"\"?)");
    expect_no_lstm(FILE_OF("cell.weight_ih"), "",
                   LACKS("weight_ih_l0") " (the file has 'cell.weight_ih' of an nn.LSTMCell: prefix \"cell.\"?)");
    expect_no_cell(FILE_OF("cell.weight_ih"), "cell",
                   LACKS("cellweight_ih") " (the file has 'cell.weight_ih': prefix \"cell.\"?)");
}

static void several_prefixes_are_named(void **state) {
    (void)state;
    expect_no_lstm(FILE_OF("a.weight_ih_l0", "b.weight_ih_l0"), NULL,
                   LACKS("weight_ih_l0") " (the file has 'weight_ih_l0' with prefix \"a.\", \"b.\")");
    const char *path =
        FILE_OF("a.weight_ih_l0", "b.weight_ih_l0", "c.weight_ih_l0", "d.weight_ih_l0", "e.weight_ih_l0");
    expect_no_lstm(
        path, "f.",
        LACKS("f.weight_ih_l0") " (the file has 'weight_ih_l0' with prefix \"a.\", \"b.\", \"c.\" and 2 more)");
    expect_no_lstm(path, "d", LACKS("dweight_ih_l0") " (the file has 'd.weight_ih_l0': prefix \"d.\"?)");
}

static void an_lstm_is_no_cell(void **state) {
    (void)state;
    const char *path = FILE_OF("lstm.weight_ih_l0", "other.weight_ih");
    expect_no_cell(path, "lstm.",
                   LACKS("lstm.weight_ih") " (the file has 'lstm.weight_ih_l0' of an nn.LSTM: load it as one)");
    expect_no_cell(FILE_OF("lstm.weight_ih_l0"), NULL,
                   LACKS("weight_ih") " (the file has 'lstm.weight_ih_l0' of an nn.LSTM: prefix \"lstm.\"?)");
}

static void weight_norm_is_recognised(void **state) {
    (void)state;
    const char *old[] = { "_g", "_v" };
    for (int k = 0; k < 2; k++) {
        char name[32], sentence[256];
        snprintf(name, sizeof name, "lstm.weight_hh_l0%s", old[k]);
        snprintf(sentence, sizeof sentence,
                 LACKS("lstm.weight_hh_l0") " (the file has '%s', of weight norm: before saving, "
                                            "torch.nn.utils.remove_weight_norm)",
                 name);
        expect_no_lstm(FILE_OF("lstm.weight_ih_l0", name), "lstm.", sentence);
    }
    expect_no_lstm(
        FILE_OF("lstm.weight_ih_l0", "lstm.parametrizations.weight_hh_l0.original0"), "lstm.",
        LACKS("lstm.weight_hh_l0") " (the file has 'lstm.parametrizations.weight_hh_l0.original0', of weight "
                                   "norm: before saving, torch.nn.utils.parametrize.remove_parametrizations)");
    expect_no_cell(FILE_OF("parametrizations.weight_ih.original1", "weight_hh"), NULL,
                   LACKS("weight_ih") " (the file has 'parametrizations.weight_ih.original1', of weight norm: before "
                                      "saving, torch.nn.utils.parametrize.remove_parametrizations)");
    expect_no_lstm(FILE_OF("weight_ih_l0_v"), NULL,
                   LACKS("weight_ih_l0") " (the file has 'weight_ih_l0_v', of weight norm: before saving, "
                                         "torch.nn.utils.remove_weight_norm)");
    /* That of another module says nothing. */
    expect_no_lstm(FILE_OF("a.weight_ih_l0", "b.weight_hh_l0_g"), "a.", LACKS("a.weight_hh_l0"));
}

static void any_other_file_is_told_by_its_names(void **state) {
    (void)state;
    expect_no_lstm(make_file((const char *const[]){ NULL }), NULL, LACKS("weight_ih_l0") " (the file has no tensors)");
    expect_no_lstm(FILE_OF("a", "b", "c", "d", "e"), NULL,
                   LACKS("weight_ih_l0") " (the file has 'a', 'b', 'c' and 2 more)");
}

/* Names of a file are not to be trusted: control characters, and more than a sentence holds. */
static void names_are_made_fit_to_print(void **state) {
    (void)state;
    char name[4000];
    memset(name, 'x', sizeof name - 1), name[sizeof name - 1] = '\0';
    memcpy(name + 10, "\x1b[2J", 4);
    memcpy(name + sizeof name - 14, ".weight_ih_l0", 13);
    expect_no_lstm(
        FILE_OF(name), NULL,
        LACKS("weight_ih_l0") " (the file has 'xxxxxxxxxx?[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...': prefix "
                              "\"xxxxxxxxxx?[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"?)");
    expect_no_lstm(FILE_OF("lstm.weight_ih_l0"), name,
                   "tensor 'xxxxxxxxxx?[2Jxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...weight_ih_l0' expected, got none of "
                   "that name (the file has 'lstm.weight_ih_l0': prefix \"lstm.\"?)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(another_prefix_is_named, scratch_clear),
        cmocka_unit_test_teardown(several_prefixes_are_named, scratch_clear),
        cmocka_unit_test_teardown(an_lstm_is_no_cell, scratch_clear),
        cmocka_unit_test_teardown(weight_norm_is_recognised, scratch_clear),
        cmocka_unit_test_teardown(any_other_file_is_told_by_its_names, scratch_clear),
        cmocka_unit_test_teardown(names_are_made_fit_to_print, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
