/* The plan cache in memory and as text: what goes out comes back, what is not in order is refused, the nearest is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plan/cache.h"
#include "plan/fingerprint.h"
#include "scratch_dir.h"

static wli_cache_entry entry_of(const char *name, int threads, int chunk) {
    wli_cache_entry entry = {
        .threads = threads, .effort = WLSTM_EFFORT_MEASURE, .untuned_seconds = 2e-3, .tuned_seconds = 1e-3
    };
    assert_int_equal(wli_problem_parse(name, &entry.problem), WLSTM_OK);
    entry.candidate.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)chunk;
    return entry;
}

static bool has_onednn(void) {
    return wli_multiply_matmul.serves(WLI_PRODUCT_F32);
}

static wli_cache_table make_table(void) {
    wli_cache_table table = { 0 };
    const wli_cache_entry entries[] = { entry_of("t10b3i100h20l4", 2, 3), entry_of("t10b3i100h20l4", 1, 0),
                                        entry_of("t7b1i3h9l2p4-bi-nobias-f64", 8, 5) };
    for (int i = 0; i < 3; i++) assert_true(wli_cache_table_put(&table, &entries[i]));
    table.rates[0] = (wli_rates){ .threads = 1,
                                  .flops = { 4.5e10, 2.25e10, 9e10, 18e10 },
                                  .region = 1e-6,
                                  .barrier = 0.25e-6,
                                  .task = 2e-6,
                                  .cell[WLSTM_F32] = 20e-9,
                                  .cell[WLSTM_F64] = 40e-9 };
    for (int s = 0; s < WLI_RATE_SIZES; s++) table.rates[0].bandwidths[s] = 1e9 * (s + 1);
    if (has_onednn()) table.rates[0].libraries[WLI_GEMM_MATMUL] = (struct wli_library_rates){ 5e10, 2e-6 };
    return table;
}

/* As near as the text's digits and microseconds leave them. */
static bool near(double got, double wanted) {
    return got > 0.999999 * wanted && got < 1.000001 * wanted;
}

static void assert_same_costs(const wli_rates *got, const wli_rates *wanted) {
    assert_true(near(got->region, wanted->region) && near(got->barrier, wanted->barrier));
    assert_true(near(got->task, wanted->task));
    assert_true(near(got->cell[WLSTM_F32], wanted->cell[WLSTM_F32]) &&
                near(got->cell[WLSTM_F64], wanted->cell[WLSTM_F64]));
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++) {
        const struct wli_library_rates *library = &got->libraries[kind], *own = &wanted->libraries[kind];
        const wli_rates guess = wli_rates_guess(got->threads);
        if (own->flops > 0)
            assert_true(near(library->flops, own->flops) && near(library->call, own->call));
        else /* nobody measured it */
            assert_memory_equal(library, &guess.libraries[kind], sizeof *library);
    }
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    wli_cache_table table = make_table(), read;
    char *text = wli_cache_encode(&table);
    assert_non_null(text);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_OK);
    assert_int_equal(read.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const wli_cache_entry *wanted = &table.entries[i];
        const wli_cache_entry *got = wli_cache_table_find(&read, &wanted->problem, wanted->threads);
        assert_non_null(got);
        assert_memory_equal(&got->candidate, &wanted->candidate, sizeof wanted->candidate);
        assert_true(got->effort == wanted->effort && !got->unsaved);
        assert_true(got->tuned_seconds > 0.999e-3 && got->tuned_seconds < 1.001e-3);
    }
    assert_int_equal(read.rates[0].threads, 1);
    assert_int_equal(read.rates[1].threads, 0);
    assert_true(read.rates[0].bandwidths[13] == 14e9);
    assert_same_costs(&read.rates[0], &table.rates[0]);
    wli_cache_table_clear(&read);
    wli_cache_table_clear(&table);
    free(text);
}

/* Under the same sizes, and not near each other either. */
static void precisions_are_kept_apart(void **state) {
    (void)state;
    static const char *const names[] = { "t10b3i100h20l4", "t10b3i100h20l4-bf16", "t10b3i100h20l4-int8" };
    wli_cache_table table = { 0 }, read;
    for (int i = 0; i < 3; i++) {
        const wli_cache_entry entry = entry_of(names[i], 2, i + 1);
        assert_true(wli_cache_table_put(&table, &entry));
    }
    char *text = wli_cache_encode(&table);
    assert_non_null(text);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_OK);
    for (int i = 0; i < 3; i++) {
        const wli_cache_entry wanted = entry_of(names[i], 2, i + 1);
        const wli_cache_entry *got = wli_cache_table_find(&read, &wanted.problem, 2);
        assert_non_null(got);
        assert_int_equal(got->candidate.index[WLI_AXIS_CHUNK_STEPS], i + 1);
        for (int k = 0; k < 3; k++)
            assert_true((wli_cache_distance(&table.entries[k], &wanted.problem, 2) < 0) == (k != i));
    }
    wli_cache_table_clear(&read);
    wli_cache_table_clear(&table);
    free(text);
}

static const char *const cost_names[] = { "region_us", "barrier_us", "task_us", "cell_f32_us", "cell_f64_us" };

/* The good text with one value replaced, or by NULL taken out, at a path of keys ("plans" then the entry's; of an array, in its
 * first element). */
static void refuse_with(const char *keys[4], json_t *value) {
    wli_cache_table table = make_table(), read;
    char *text = wli_cache_encode(&table);
    json_t *root = json_loads(text, 0, NULL), *object = root;
    int last = 0;
    for (; last < 3 && keys[last + 1]; last++) {
        object = json_object_get(object, keys[last]);
        if (json_is_array(object)) object = json_array_get(object, 0);
    }
    assert_int_equal(value ? json_object_set_new(object, keys[last], value) : json_object_del(object, keys[last]), 0);
    free(text);
    text = json_dumps(root, 0);
    json_decref(root);
    const wlstm_status status = wli_cache_decode("text", text, strlen(text), &read);
    if (status != WLSTM_ERROR_FORMAT || read.count || strncmp(wlstm_last_error(), "text: ", 6) != 0)
        fail_msg("FORMAT expected, got %d (%s) for %s", (int)status, wlstm_last_error(), text);
    free(text);
    wli_cache_table_clear(&table);
}

/* A file for another machine or build: which field tells it, and both its values. */
static void the_field_that_differs_is_named(void **state) {
    (void)state;
    const wli_fingerprint *f = wli_fingerprint_get();
    char expected[400];
    const struct {
        const char *key;
        json_t *other;
        const char *own, *got;
    } fields[] = { { "cpu", json_string("Another\n"), f->cpu, "\"Another\\n\"" },
                   { "isa", json_string("sse9"), f->isa, "\"sse9\"" },
                   { "library", json_string("9.9.9"), f->library, "\"9.9.9\"" },
                   { "onednn", json_string("1.2.3"), f->onednn, "\"1.2.3\"" },
                   { "choices", json_integer(7), f->choices, "7" },
                   { "choices", NULL, f->choices, "nothing" } };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        refuse_with((const char *[4]){ "machine", fields[i].key }, fields[i].other);
        snprintf(expected, sizeof expected,
                 "text: machine: %s \"%s\" expected, got %s: tune here, or take a file of such a machine",
                 fields[i].key, fields[i].own, fields[i].got);
        assert_string_equal(wlstm_last_error(), expected);
    }
    refuse_with((const char *[4]){ "machine", "caches" }, json_pack("[i, i, i]", 1, 2, 3));
    snprintf(expected, sizeof expected,
             "text: machine: caches [%" PRId64 ",%" PRId64 ",%" PRId64
             "] expected, got [1,2,3]: tune here, or take a file of such a machine",
             f->caches[0], f->caches[1], f->caches[2]);
    assert_string_equal(wlstm_last_error(), expected);
    refuse_with((const char *[4]){ "machine", "cores" }, json_integer(100000));
    assert_non_null(strstr(wlstm_last_error(), "machine: cores "));
    refuse_with((const char *[4]){ "machine" }, json_null());
    assert_non_null(strstr(wlstm_last_error(), "machine: cpu "));
}

static void what_is_not_in_order_is_refused(void **state) {
    (void)state;
    static const char good[] = "t10b3i100h20l4/threads:2";
    refuse_with((const char *[4]){ "format" }, json_string("wavelstm"));
    refuse_with((const char *[4]){ "version" }, json_integer(2));
    refuse_with((const char *[4]){ "version" }, json_real(1.0));
    refuse_with((const char *[4]){ "machine" }, json_null());
    static const char *const identity[] = { "cpu", "isa", "library", "onednn", "choices" };
    for (int i = 0; i < 5; i++) {
        refuse_with((const char *[4]){ "machine", identity[i] }, json_string("another"));
        refuse_with((const char *[4]){ "machine", identity[i] }, json_integer(1));
    }
    refuse_with((const char *[4]){ "machine", "cores" }, json_integer(100000));
    refuse_with((const char *[4]){ "machine", "caches" }, json_pack("[i, i, i]", 1, 2, 3));
    refuse_with((const char *[4]){ "rates" }, json_object());
    refuse_with((const char *[4]){ "rates" }, json_pack("[n]"));
    refuse_with((const char *[4]){ "rates" }, json_pack("[{s:i, s:f, s:f, s:[f]}]", "threads", 1, "flops_f32", 1e9,
                                                        "flops_f64", 1e9, "bandwidths", 1e9));
    for (int i = 0; i < 5; i++) {
        refuse_with((const char *[4]){ "rates", cost_names[i] }, NULL);
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_real(0));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_real(-1));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_real(0.9e-6));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_real(1.1e6));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_real(1e300));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_string("1"));
        refuse_with((const char *[4]){ "rates", cost_names[i] }, json_null());
        assert_string_equal(
            wlstm_last_error(),
            "text: rates: threads, flops_f32, flops_f64, flops_bf16, flops_s8 and 14 bandwidths, positive, and "
            "region_us, barrier_us, task_us, cell_f32_us and cell_f64_us, from 1e-6 to 1e6, and the "
            "like of gemms, expected");
    }
    static const char *const library_names[] = { "flops_f32", "call_us" };
    refuse_with((const char *[4]){ "rates", "gemms" }, json_integer(1));
    for (int i = 0; i < 2 && has_onednn(); i++) {
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul" }, json_null());
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul", library_names[i] }, NULL);
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul", library_names[i] }, json_real(0));
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul", library_names[i] }, json_real(-1));
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul", library_names[i] }, json_real(1e300));
        refuse_with((const char *[4]){ "rates", "gemms", "onednn matmul", library_names[i] }, json_string("1"));
    }
    refuse_with((const char *[4]){ "plans" }, json_array());
    static const char *const keys[] = { "",
                                        "t10b3i100h20l4",
                                        "t10b3i100h20l4/threads:0",
                                        "t10b3i100h20l4/threads:01",
                                        "t10b3i100h20l4/threads:65537",
                                        "t10b3i100h20l4/threads:99999999999999999999",
                                        "t10b3i100h20l4/threads:1x",
                                        "t0b3i100h20l4/threads:1",
                                        "t99999999999999999999b3i100h20l4/threads:1",
                                        "/threads:1" };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        refuse_with((const char *[4]){ "plans", keys[i] }, json_object());
    refuse_with((const char *[4]){ "plans", good }, json_array());
    refuse_with((const char *[4]){ "plans", good, "choice" }, json_null());
    refuse_with((const char *[4]){ "plans", good, "effort" }, json_string("estimate"));
    static const char *const times[] = { "untuned_us", "tuned_us" };
    for (int i = 0; i < 2; i++) {
        refuse_with((const char *[4]){ "plans", good, times[i] }, json_real(-1));
        refuse_with((const char *[4]){ "plans", good, times[i] }, json_real(1e300));
        refuse_with((const char *[4]){ "plans", good, times[i] }, json_string("1"));
    }
    for (int a = 0; a < WLI_AXES; a++) {
        const char *axis = wli_axes[a].name;
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_integer(-1));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_integer(wli_axes[a].count));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_integer(256));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_integer(INT64_MAX));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_integer(INT64_MIN));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_real(0));
        refuse_with((const char *[4]){ "plans", good, "choice", axis }, json_true());
    }
    refuse_with((const char *[4]){ "plans", good, "choice", "another" }, json_integer(0));
}

static wli_cache_entry training_entry_of(const char *name, int threads, wli_train_choice choice) {
    wli_cache_entry entry = entry_of(name, threads, 0);
    entry.problem.training = true, entry.train_choice = choice;
    return entry;
}

/* Beside a plan's of the same name. */
static void training_is_kept_apart(void **state) {
    (void)state;
    wli_cache_table table = make_table(), read;
    const wli_cache_entry entry = training_entry_of("t10b3i100h20l4", 2, (wli_train_choice){ 2, 3, 1 });
    assert_true(wli_cache_table_put(&table, &entry));
    char *text = wli_cache_encode(&table);
    assert_non_null(text);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_OK);
    assert_int_equal(read.count, 4);
    wli_problem plans = entry.problem;
    plans.training = false;
    const wli_cache_entry *got = wli_cache_table_find(&read, &entry.problem, 2);
    const wli_cache_entry *of_plan = wli_cache_table_find(&read, &plans, 2);
    assert_non_null(got);
    assert_memory_equal(&got->train_choice, &entry.train_choice, sizeof entry.train_choice);
    assert_int_equal(of_plan->candidate.index[WLI_AXIS_CHUNK_STEPS], 3);
    assert_true(wli_cache_distance(got, &plans, 2) < 0 && wli_cache_distance(of_plan, &entry.problem, 2) < 0);
    wli_cache_table_forget(&read, &plans);
    assert_int_equal(read.count, 2);
    assert_non_null(wli_cache_table_find(&read, &entry.problem, 2));
    wli_cache_table_forget(&read, &entry.problem);
    assert_int_equal(read.count, 1);
    wli_cache_table_clear(&read);
    wli_cache_table_clear(&table);
    free(text);
}

/* The text of a table with one training entry, whose `training` is changed; whether it is read. */
static bool reads_with(const char *key, const char *field, json_t *value) {
    wli_cache_table table = make_table(), read;
    const wli_cache_entry entry = training_entry_of("t10b3i100h20l4", 2, (wli_train_choice){ 2, 3, 1 });
    assert_true(wli_cache_table_put(&table, &entry));
    char *text = wli_cache_encode(&table);
    json_t *root = json_loads(text, 0, NULL), *training = json_object_get(root, "training");
    json_t *choice = json_object_get(json_object_get(training, "t10b3i100h20l4/threads:2"), "choice");
    if (!key)
        assert_int_equal(value ? json_object_set_new(root, "training", value) : json_object_del(root, "training"), 0);
    else if (!field)
        assert_int_equal(json_object_set_new(training, key, value), 0);
    else
        assert_int_equal(value ? json_object_set_new(choice, field, value) : json_object_del(choice, field), 0);
    free(text);
    text = json_dumps(root, 0);
    json_decref(root);
    const wlstm_status status = wli_cache_decode("text", text, strlen(text), &read);
    assert_true(status == WLSTM_OK || (status == WLSTM_ERROR_FORMAT && read.count == 0));
    wli_cache_table_clear(&read);
    wli_cache_table_clear(&table);
    free(text);
    return status == WLSTM_OK;
}

static void training_that_is_not_in_order_is_refused(void **state) {
    (void)state;
    static const char good[] = "t10b3i100h20l4/threads:2";
    static const struct {
        const char *name;
        int64_t most;
    } counts[] = { { "crews", WLI_CACHE_THREADS },
                   { "chunk_steps", WLI_LARGEST_SIZE },
                   { "parts", WLI_CACHE_THREADS } };
    assert_true(reads_with(NULL, NULL, NULL)); /* an older library's has none */
    assert_false(reads_with(NULL, NULL, json_null()));
    assert_false(reads_with(NULL, NULL, json_array()));
    assert_false(reads_with("t10b3i100h20l4", NULL, json_object()));
    assert_false(reads_with("train/t10b3i100h20l4/threads:2", NULL, json_object()));
    assert_false(reads_with(good, NULL, json_object()));
    for (int i = 0; i < 3; i++) {
        assert_true(reads_with(good, counts[i].name, json_integer(1)));
        assert_true(reads_with(good, counts[i].name, json_integer(counts[i].most)));
        assert_false(reads_with(good, counts[i].name, json_integer(counts[i].most + 1)));
        assert_false(reads_with(good, counts[i].name, json_integer(0)));
        assert_false(reads_with(good, counts[i].name, json_integer(INT64_MIN)));
        assert_false(reads_with(good, counts[i].name, json_integer(INT64_MAX)));
        assert_false(reads_with(good, counts[i].name, json_real(1)));
        assert_false(reads_with(good, counts[i].name, json_string("1")));
        assert_false(reads_with(good, counts[i].name, NULL));
    }
    assert_false(reads_with(good, "schedule", json_integer(1)));
    assert_false(reads_with(good, "another", json_integer(1)));
}

/* Plans' and trainers' together are as many as plans' alone may be. */
static void there_are_not_too_many_of_training(void **state) {
    (void)state;
    wli_cache_table table = { 0 }, read;
    for (int n = 1; n <= WLI_CACHE_ENTRIES; n++) {
        wli_cache_entry entry = entry_of("t1b1i1h1l1", 1, 0);
        entry.problem.seq_len = n, entry.problem.training = n % 2;
        if (n % 2) entry.train_choice = (wli_train_choice){ 1, 1, 1 };
        assert_true(wli_cache_table_put(&table, &entry));
    }
    char *text = wli_cache_encode(&table);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_OK);
    assert_int_equal(read.count, WLI_CACHE_ENTRIES);
    json_t *root = json_loads(text, 0, NULL), *training = json_object_get(root, "training");
    json_object_set(training, "t5000b1i1h1l1/threads:1", json_object_get(training, "t1b1i1h1l1/threads:1"));
    free(text);
    wli_cache_table_clear(&read);
    text = json_dumps(root, 0);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_ERROR_FORMAT);
    assert_string_equal(wlstm_last_error(),
                        "text: training: an object of at most 4096 entries, those of plans among them, expected");
    json_decref(root);
    free(text);
    wli_cache_table_clear(&table);
}

static void a_full_table_drops_its_oldest(void **state) {
    (void)state;
    wli_cache_table table = { 0 }, read;
    wli_cache_entry entry = entry_of("t1b1i1h1l1", 1, 0);
    for (int n = 1; n <= WLI_CACHE_ENTRIES; n++) {
        entry.problem.seq_len = n;
        assert_true(wli_cache_table_put(&table, &entry));
    }
    assert_true(wli_cache_table_put(&table, &entry)); /* is there */
    assert_int_equal(table.count, WLI_CACHE_ENTRIES);
    entry.threads = 2;
    assert_true(wli_cache_table_put(&table, &entry));
    assert_non_null(wli_cache_table_find(&table, &entry.problem, 2));
    for (int n = 1; n <= WLI_CACHE_ENTRIES; n++) {
        entry.problem.seq_len = n;
        assert_true(!wli_cache_table_find(&table, &entry.problem, 1) == (n == 1));
    }
    char *text = wli_cache_encode(&table);
    assert_int_equal(wli_cache_decode("text", text, strlen(text), &read), WLSTM_OK);
    assert_int_equal(read.count, WLI_CACHE_ENTRIES);
    for (size_t i = 0; i < read.count; i++) /* a file keeps their age */
        assert_true(wli_cache_distance(&read.entries[i], &table.entries[i].problem, table.entries[i].threads) == 0);
    free(text);
    wli_cache_table_clear(&read);
    wli_cache_table_clear(&table);
}

static void text_that_is_no_json_is_refused(void **state) {
    (void)state;
    wli_cache_table table = make_table(), read;
    char *text = wli_cache_encode(&table);
    const size_t length = strlen(text);
    for (size_t n = 0; n < length; n++) {
        assert_int_equal(wli_cache_decode("text", text, n, &read), WLSTM_ERROR_FORMAT);
        assert_int_equal(read.count, 0);
    }
    static const char twice[] = "{\"format\": \"wavelstm plan cache\", \"format\": \"wavelstm plan cache\"}";
    assert_int_equal(wli_cache_decode("text", twice, sizeof twice - 1, &read), WLSTM_ERROR_FORMAT);
    free(text);
    wli_cache_table_clear(&table);
}

static void the_nearest_has_the_same_model_and_threads(void **state) {
    (void)state;
    wli_problem wanted;
    assert_int_equal(wli_problem_parse("t20b4i8h16l1", &wanted), WLSTM_OK);
    const wli_cache_entry same = entry_of("t20b4i8h16l1", 2, 0), near = entry_of("t20b8i8h16l1", 2, 0),
                          far = entry_of("t200b4i8h16l1", 2, 0);
    assert_true(wli_cache_distance(&same, &wanted, 2) == 0);
    assert_true(wli_cache_distance(&near, &wanted, 2) > 0);
    assert_true(wli_cache_distance(&near, &wanted, 2) < wli_cache_distance(&far, &wanted, 2));
    assert_true(wli_cache_distance(&same, &wanted, 1) < 0);
    static const char *const others[] = { "t20b4i9h16l1",    "t20b4i8h17l1",     "t20b4i8h16l2",       "t20b4i8h16l1p3",
                                          "t20b4i8h16l1-bi", "t20b4i8h16l1-f64", "t20b4i8h16l1-nobias" };
    for (int i = 0; i < 7; i++) {
        const wli_cache_entry other = entry_of(others[i], 2, 0);
        assert_true(wli_cache_distance(&other, &wanted, 2) < 0);
    }
}

static bool any(const wli_cache_entry *entry, const void *context) {
    (void)entry, (void)context;
    return true;
}

static bool not_chunk(const wli_cache_entry *entry, const void *context) {
    return entry->candidate.index[WLI_AXIS_CHUNK_STEPS] != *(const int *)context;
}

/* The process's cache, which is off here: nothing is read or written, and memory serves all the same. */
static void the_process_finds_the_nearest_usable_entry(void **state) {
    (void)state;
    const wli_cache_entry near = entry_of("t20b8i8h16l1", 2, 1), far = entry_of("t200b4i8h16l1", 2, 2);
    const int passed_over = 1;
    wli_problem wanted;
    wli_cache_entry found;
    assert_int_equal(wli_problem_parse("t20b4i8h16l1", &wanted), WLSTM_OK);
    assert_int_equal(wli_cache_find(&wanted, 2, any, NULL, &found), WLI_CACHE_NONE);
    wli_cache_keep(&far);
    wli_cache_keep(&near);
    assert_int_equal(wli_cache_find(&wanted, 2, any, NULL, &found), WLI_CACHE_NEAR);
    assert_int_equal(found.problem.batch, 8);
    assert_int_equal(wli_cache_find(&wanted, 2, not_chunk, &passed_over, &found), WLI_CACHE_NEAR);
    assert_int_equal(found.problem.seq_len, 200);
    assert_int_equal(wli_cache_find(&wanted, 1, any, NULL, &found), WLI_CACHE_NONE);
    assert_int_equal(wli_cache_find(&near.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_int_equal(wlstm_plan_cache_forget("train/t20b8i8h16l1"), WLSTM_OK); /* another's */
    assert_int_equal(wli_cache_find(&near.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_int_equal(wlstm_plan_cache_forget("t20b8i8h16l1"), WLSTM_OK);
    assert_int_equal(wli_cache_find(&near.problem, 2, any, NULL, &found), WLI_CACHE_NEAR);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wli_cache_find(&near.problem, 2, any, NULL, &found), WLI_CACHE_NONE);
}

static void the_public_functions_go_through_files(void **state) {
    (void)state;
    const wli_cache_entry entry = entry_of("t20b8i8h16l1", 2, 1);
    wli_cache_entry found;
    char directory[512], deep[600], exported[512];
    snprintf(directory, sizeof directory, "%s", scratch_path("cache"));
    snprintf(deep, sizeof deep, "%s/a/b", directory);
    snprintf(exported, sizeof exported, "%s", scratch_path("exported.json"));
    assert_int_equal(wlstm_plan_cache_load(directory), WLSTM_ERROR_FILE);
    assert_int_equal(wlstm_plan_cache_save(NULL), WLSTM_ERROR_FILE); /* off */
    wli_cache_keep(&entry);
    char error[512];
    snprintf(error, sizeof error, "%s", wlstm_last_error());
    assert_int_equal(wlstm_plan_cache_save(deep), WLSTM_OK); /* no file was there: no error of the caller's */
    assert_string_equal(wlstm_last_error(), error);
    assert_int_equal(wlstm_plan_cache_export(exported), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_load(deep), WLSTM_OK);
    assert_int_equal(wli_cache_find(&entry.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_import(exported), WLSTM_OK);
    assert_int_equal(wli_cache_find(&entry.problem, 2, any, NULL, &found), WLI_CACHE_EXACT);
    assert_true(found.unsaved);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_export(NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_plan_cache_import(NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    const char *bad = scratch_write("bad.json", "{", 1);
    assert_int_equal(wlstm_plan_cache_import(bad), WLSTM_ERROR_FORMAT);
    assert_string_equal(scratch_error(wlstm_last_error(), bad), "JSON expected at byte 1");
    assert_int_equal(wlstm_plan_cache_forget("t1"), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_plan_cache_forget("train/"), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(wlstm_plan_cache_forget("train/train/t20b8i8h16l1"), WLSTM_ERROR_INVALID_ARGUMENT);
    char command[700];
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    assert_int_equal(system(command), 0);
    assert_int_equal(scratch_count(), 2); /* the two files, nothing beside them */
}

/* A later probe of one thread alone leaves the file what an earlier one measured of two. */
static void rates_are_kept_by_threads(void **state) {
    (void)state;
    wli_cache_table table = make_table();
    wli_rates both[2] = { table.rates[0], table.rates[0] }, one, all;
    char directory[512], command[700];
    snprintf(directory, sizeof directory, "%s", scratch_path("cache"));
    both[1].threads = 2, both[1].flops[WLSTM_F32] = 9e10;
    wli_cache_keep_rates(both, 2);
    assert_int_equal(wlstm_plan_cache_save(directory), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    assert_false(wli_cache_rates(2, &one, &all));
    both[0].flops[WLSTM_F32] = 5e10;
    wli_cache_keep_rates(both, 1);
    assert_true(wli_cache_rates(2, &one, &all));
    assert_int_equal(all.threads, 1);
    assert_int_equal(wlstm_plan_cache_save(directory), WLSTM_OK);
    assert_int_equal(wlstm_plan_cache_load(directory), WLSTM_OK);
    assert_true(wli_cache_rates(2, &one, &all));
    assert_true(one.threads == 1 && one.flops[WLSTM_F32] == 5e10 && all.threads == 2 && all.flops[WLSTM_F32] == 9e10);
    assert_true(wli_cache_rates(1, &one, &all));
    assert_int_equal(all.threads, 1);
    assert_int_equal(wlstm_plan_cache_forget(NULL), WLSTM_OK);
    wli_cache_table_clear(&table);
    snprintf(command, sizeof command, "rm -r '%s'", directory);
    assert_int_equal(system(command), 0);
}

int main(void) {
    setenv("WLSTM_CACHE", "off", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(precisions_are_kept_apart),
        cmocka_unit_test(what_is_not_in_order_is_refused),
        cmocka_unit_test(the_field_that_differs_is_named),
        cmocka_unit_test(training_is_kept_apart),
        cmocka_unit_test(training_that_is_not_in_order_is_refused),
        cmocka_unit_test(there_are_not_too_many_of_training),
        cmocka_unit_test(a_full_table_drops_its_oldest),
        cmocka_unit_test(text_that_is_no_json_is_refused),
        cmocka_unit_test(the_nearest_has_the_same_model_and_threads),
        cmocka_unit_test(the_process_finds_the_nearest_usable_entry),
        cmocka_unit_test_setup_teardown(the_public_functions_go_through_files, scratch_create, scratch_remove),
        cmocka_unit_test_setup_teardown(rates_are_kept_by_threads, scratch_create, scratch_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
