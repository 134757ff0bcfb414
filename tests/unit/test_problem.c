/* The problem grammar: names and problems correspond one to one; what is wrong in a name is said; operations are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/call.h"
#include "plan/problem.h"
#include "random.h"

enum { PROBLEMS = 20000, SPOILT_NAMES = 100000 };

static uint64_t stream;

static void assert_same(const wli_problem *a, const wli_problem *b) {
    assert_int_equal(a->seq_len, b->seq_len);
    assert_int_equal(a->batch, b->batch);
    assert_int_equal(a->input_size, b->input_size);
    assert_int_equal(a->hidden_size, b->hidden_size);
    assert_int_equal(a->num_layers, b->num_layers);
    assert_int_equal(a->proj_size, b->proj_size);
    assert_int_equal(a->bidirectional, b->bidirectional);
    assert_int_equal(a->bias, b->bias);
    assert_int_equal(a->dtype, b->dtype);
    assert_int_equal(a->precision, b->precision);
    assert_int_equal(a->training, b->training);
}

static void the_documented_example(void **state) {
    (void)state;
    const wli_problem expected = { 200, 1, 80, 320, 2, 0, true, true, WLSTM_F32, WLSTM_PRECISION_FULL, false };
    wli_problem problem;
    assert_int_equal(wli_problem_parse("t200b1i80h320l2-bi", &problem), WLSTM_OK);
    assert_same(&problem, &expected);
}

/* A size of any magnitude. */
static int64_t random_size(int64_t largest) {
    largest >>= random_between(&stream, 0, 40);
    return random_between(&stream, 1, largest > 0 ? largest : 1);
}

static wli_problem random_problem(void) {
    const int64_t weights =
        INT64_C(1) << 28; /* the square of which, times 4 gates, 2 directions and 8 bytes, is below 2^64 */
    wli_problem p = { .seq_len = random_size(WLI_LARGEST_ROWS), .input_size = random_size(weights) };
    p.batch = random_size(WLI_LARGEST_ROWS / p.seq_len);
    p.hidden_size = random_size(weights), p.num_layers = random_size(WLI_LARGEST_SIZE);
    p.proj_size = p.hidden_size > 1 && random_flag(&stream) ? random_size(p.hidden_size - 1) : 0;
    p.bidirectional = random_flag(&stream), p.bias = random_flag(&stream);
    p.dtype = (wlstm_dtype)random_between(&stream, WLSTM_F32, WLSTM_BF16);
    p.precision = p.dtype == WLSTM_F64 ? WLSTM_PRECISION_FULL : (wlstm_precision)random_between(&stream, 1, 3);
    if (p.dtype == WLSTM_BF16 && p.precision == WLSTM_PRECISION_BF16) p.precision = WLSTM_PRECISION_FULL;
    return p;
}

static void what_is_formatted_parses_to_the_same(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        const wli_problem problem = random_problem();
        wli_problem parsed;
        char name[WLI_PROBLEM_NAME_BYTES];
        wli_problem_format(&problem, name);
        assert_int_equal(wli_problem_parse(name, &parsed), WLSTM_OK);
        assert_same(&parsed, &problem);
    }
}

static void the_longest_name_fits(void **state) {
    (void)state;
    const wli_problem problem = { INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX,  INT64_MAX,
                                  INT64_MAX, true,      false,     WLSTM_BF16, WLSTM_PRECISION_INT8,
                                  true };
    char name[WLI_PROBLEM_NAME_BYTES];
    wli_problem_format(&problem, name);
    assert_string_equal(name, "train/t9223372036854775807b9223372036854775807i9223372036854775807h9223372036854775807"
                              "l9223372036854775807p9223372036854775807-bi-nobias-bf16arrays-int8");
}

/* The plan cache's entries alone are of training. */
static void a_trainers_name_is_the_problems_behind_a_word(void **state) {
    (void)state;
    char name[WLI_PROBLEM_NAME_BYTES];
    wli_problem problem;
    assert_int_equal(wli_problem_parse_entry("train/t25b16i512h512l1", &problem), WLSTM_OK);
    assert_true(problem.training && problem.seq_len == 25);
    wli_problem_format(&problem, name);
    assert_string_equal(name, "train/t25b16i512h512l1");
    assert_int_equal(wli_problem_parse_entry("t25b16i512h512l1", &problem), WLSTM_OK);
    assert_false(problem.training);
    static const char *const wrong[] = { "train/", "train/train/t1b1i1h1l1", "trainer/t1b1i1h1l1", "/t1b1i1h1l1", "" };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++)
        assert_int_equal(wli_problem_parse_entry(wrong[k], &problem), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wli_problem_parse("train/t25b16i512h512l1", &problem), WLSTM_ERROR_INVALID_ARGUMENT);
}

/* One character of a name is lost, doubled or another: the name is refused, or it is another problem's own name. */
static void a_name_is_refused_or_is_what_its_problem_formats_to(void **state) {
    (void)state;
    static const char characters[] = "tbihlp0123456789-+ nobiasf64bf16int8xT\t";
    for (int k = 0; k < SPOILT_NAMES; k++) {
        wli_problem problem = random_problem();
        char name[WLI_PROBLEM_NAME_BYTES + 1], again[WLI_PROBLEM_NAME_BYTES];
        wli_problem_format(&problem, name);
        const size_t length = strlen(name), at = (size_t)random_between(&stream, 0, (int64_t)length - 1);
        const int64_t how = random_between(&stream, 0, 2);
        if (how < 2) memmove(name + at + how, name + at + 1 - how, length + (size_t)how - at);
        if (how == 2) name[at] = characters[random_between(&stream, 0, sizeof characters - 2)];
        const wlstm_status status = wli_problem_parse(name, &problem);
        if (status == WLSTM_OK) {
            wli_problem_format(&problem, again);
            assert_string_equal(again, name);
        } else {
            assert_int_equal(status, WLSTM_ERROR_INVALID_ARGUMENT);
            assert_memory_equal(wlstm_last_error(), "problem \"", 9);
        }
    }
}

static void errors_say_which_part_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *name, *message;
    } cases[] = {
        { "", "problem \"\": 't' and the seq_len expected at \"\"" },
        { "b1i1h1l1", "'t' and the seq_len expected at \"b1i1h1l1\"" },
        { "T1b1i1h1l1", "'t' and the seq_len expected at \"T1b1i1h1l1\"" },
        { " t1b1i1h1l1", "'t' and the seq_len expected at \" t1b1i1h1l1\"" },
        { "t1i1h1l1", "'b' and the batch expected at \"i1h1l1\"" },
        { "t1b1h1l1", "'i' and the input_size expected at \"h1l1\"" },
        { "t1b1i1l1", "'h' and the hidden_size expected at \"l1\"" },
        { "t1b1i1h1", "'l' and the num_layers expected at \"\"" },
        { "t1b1i1h1p1l1", "'l' and the num_layers expected at \"p1l1\"" },
        { "t0b1i1h1l1", "seq_len: a positive integer without leading zeros expected at \"0b1i1h1l1\"" },
        { "t1b01i1h1l1", "batch: a positive integer without leading zeros expected at \"01i1h1l1\"" },
        { "t1b1i-1h1l1", "input_size: a positive integer without leading zeros expected at \"-1h1l1\"" },
        { "t1b1i1h+1l1", "hidden_size: a positive integer without leading zeros expected at \"+1l1\"" },
        { "t1b1i1h1l", "num_layers: a positive integer without leading zeros expected at \"\"" },
        { "t1b1i1h1l1p0", "proj_size: a positive integer without leading zeros expected at \"0\"" },
        { "t9223372036854775808b1i1h1l1", "seq_len: at most 2^40 expected at \"9223372036854775808b1i1h1l1\"" },
        { "t1b99999999999999999999i1h1l1", "batch: at most 2^40 expected at \"99999999999999999999i1h1l1\"" },
        { "t1b1i1h1099511627777l1", "hidden_size: at most 2^40 expected at \"1099511627777l1\"" },
        { "t1b1i1h1l1p1", "proj_size: less than the hidden_size 1 expected, got 1" },
        { "t1b1i1h20l4p21-bi", "proj_size: less than the hidden_size 20 expected, got 21" },
        { "t1048576b1048577i1h1l1", "seq_len * batch: at most 2^40 expected, got 1048576 * 1048577" },
        { "t1b1i1099511627776h1099511627776l1", "weights below 2^64 bytes expected" },
        { "t1b1i1h1073741824l2-bi-f64", "weights below 2^64 bytes expected" },
        { "t1b1i1h1l1-nobias-bi", "in this order expected at \"-bi\"" },
        { "t1b1i1h1l1-f64-int8", "in this order expected at \"-int8\"" },
        { "t1b1i1h1l1-bf16-int8", "in this order expected at \"-int8\"" },
        { "t1b1i1h1l1-int4", "in this order expected at \"-int4\"" },
        { "t1b1i1h1l1-f64-bf16", "in this order expected at \"-bf16\"" },
        { "t1b1i1h1l1-f64-nobias", "in this order expected at \"-nobias\"" },
        { "t1b1i1h1l1-bi-bi", "in this order expected at \"-bi\"" },
        { "t1b1i1h1l1-bix", "in this order expected at \"-bix\"" },
        { "t1b1i1h1l1-f32", "in this order expected at \"-f32\"" },
        { "t1b1i1h1l1-bf16arrays-bf16", "in this order expected at \"-bf16\"" },
        { "t1b1i1h1l1-int8-bf16arrays", "in this order expected at \"-bf16arrays\"" },
        { "t1b1i1h1l1-", "in this order expected at \"-\"" },
        { "t1b1i1h1l1 ", "in this order expected at \" \"" },
        { "t1b1i1h1l1.5", "in this order expected at \".5\"" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        wli_problem problem;
        assert_int_equal(wli_problem_parse(cases[k].name, &problem), WLSTM_ERROR_INVALID_ARGUMENT);
        if (strstr(wlstm_last_error(), cases[k].message)) continue;
        fprintf(stderr, "\"%s\": \"%s\" expected, got \"%s\"\n", cases[k].name, cases[k].message, wlstm_last_error());
        fail();
    }
}

static void *allocate_little(size_t bytes, void *context) {
    (void)context;
    return bytes < 65536 ? malloc(bytes) : NULL;
}

static void deallocate(void *memory, void *context) {
    (void)context;
    free(memory);
}

/* But for memory, what parses can be made, and what wlstm_lstm_create refuses does not parse. */
static void what_parses_is_what_an_lstm_can_be(void **state) {
    (void)state;
    static const int64_t sizes[] = { 1,        2, 3, 1 << 20, 1 << 29, 1 << 30, WLI_LARGEST_SIZE, WLI_LARGEST_SIZE + 1,
                                     INT64_MAX };
    assert_int_equal(wlstm_set_allocator(allocate_little, deallocate, NULL), WLSTM_OK);
    for (int k = 0; k < PROBLEMS; k++) {
        int64_t drawn[4];
        for (int i = 0; i < 4; i++) drawn[i] = sizes[random_between(&stream, 0, 8)];
        const wli_problem problem = { .seq_len = 1,
                                      .batch = 1,
                                      .input_size = drawn[0],
                                      .hidden_size = drawn[1],
                                      .num_layers = drawn[2],
                                      .proj_size = random_flag(&stream) ? drawn[3] : 0,
                                      .bidirectional = random_flag(&stream),
                                      .bias = random_flag(&stream),
                                      .dtype = random_flag(&stream) ? WLSTM_F64 : WLSTM_F32 };
        const wlstm_lstm_config config = wli_problem_config(&problem);
        wli_problem parsed;
        char name[WLI_PROBLEM_NAME_BYTES];
        wlstm_lstm *lstm;
        wli_problem_format(&problem, name);
        const wlstm_status made = wlstm_lstm_create(&config, &lstm), status = wli_problem_parse(name, &parsed);
        if (status == WLSTM_OK ? made != WLSTM_OK && made != WLSTM_ERROR_OUT_OF_MEMORY : made == WLSTM_OK)
            fail_msg("%s: the same of the name (%d) and of its lstm (%d) expected", name, (int)status, (int)made);
        wlstm_lstm_free(lstm);
    }
    assert_int_equal(wlstm_set_allocator(NULL, NULL, NULL), WLSTM_OK);
}

static void the_config_of_a_problem(void **state) {
    (void)state;
    const wli_problem problem = { 1, 2, 3, 4, 5, 2, true, false, WLSTM_F64, WLSTM_PRECISION_FULL, false };
    const wlstm_lstm_config config = wli_problem_config(&problem);
    assert_int_equal(config.struct_size, sizeof config);
    assert_int_equal(config.input_size, 3);
    assert_int_equal(config.hidden_size, 4);
    assert_int_equal(config.num_layers, 5);
    assert_int_equal(config.proj_size, 2);
    assert_int_equal(config.bidirectional, 1);
    assert_int_equal(config.bias, 0);
    assert_int_equal(config.batch_first, 0);
    assert_int_equal(config.dtype, WLSTM_F64);
}

/* By hand:
 *     t10b3i100h20l4: layer 0 has 8*20*(100+20) = 19200 a row and step, layers 1 to 3 8*20*(20+20) = 6400 each: 38400, 30 times
 *     t2b3i5h4l2p3-bi: 8*4*(5+3) + 2*4*3 = 280, then 8*4*(2*3+3) + 24 = 312: 592, 2 directions, 6 times */
static void operations_are_counted(void **state) {
    (void)state;
    const struct {
        const char *name;
        double flops;
    } cases[] = { { "t1b1i1h1l1", 16 }, { "t10b3i100h20l4", 1152000 }, { "t2b3i5h4l2p3-bi", 7104 } };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        wli_problem problem;
        assert_int_equal(wli_problem_parse(cases[k].name, &problem), WLSTM_OK);
        assert_true(wli_problem_flops(&problem) == cases[k].flops);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documented_example),
        cmocka_unit_test(what_is_formatted_parses_to_the_same),
        cmocka_unit_test(the_longest_name_fits),
        cmocka_unit_test(a_trainers_name_is_the_problems_behind_a_word),
        cmocka_unit_test(a_name_is_refused_or_is_what_its_problem_formats_to),
        cmocka_unit_test(errors_say_which_part_is_wrong),
        cmocka_unit_test(what_parses_is_what_an_lstm_can_be),
        cmocka_unit_test(the_config_of_a_problem),
        cmocka_unit_test(operations_are_counted),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
