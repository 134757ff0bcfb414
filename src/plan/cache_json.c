/* The text of a plan cache, docs/tuning.md's format. */
#include "plan/cache.h"

#include "base/status.h"
#include "base/text.h"
#include "io/json.h"
#include "plan/fingerprint.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT_VERSION = 1, KEY_BYTES = WLI_PROBLEM_NAME_BYTES + 32 };
static const char format_name[] = "wavelstm plan cache";
static const char *const entry_objects[] = { "plans", "training" }; /* by wli_problem's `training` */

/* ------------------------------------------------------------------------------------------------------ writing */

static json_t *encode_machine(void) {
    const wli_fingerprint *f = wli_fingerprint_get();
    return json_pack("{s:s, s:s, s:[I, I, I], s:I, s:s, s:s, s:s}", "cpu", f->cpu, "isa", f->isa, "caches",
                     (json_int_t)f->caches[0], (json_int_t)f->caches[1], (json_int_t)f->caches[2], "cores",
                     (json_int_t)f->cores, "library", f->library, "onednn", f->onednn, "choices", f->choices);
}

typedef struct rate_text {
    char text[24];
} rate_text;

/* "flops_f32", "cell_f64_us" */
static rate_text rate_name(const char *rate, const char *of, const char *unit) {
    rate_text name;
    snprintf(name.text, sizeof name.text, "%s_%s%s", rate, of, unit);
    return name;
}

/* "onednn matmul": { ... }, of those that this build has. */
static json_t *encode_libraries(const wli_rates *rates) {
    json_t *libraries = json_object();
    int failed = libraries == NULL;
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++)
        if (rates->libraries[kind].flops > 0)
            failed |= json_object_set_new(libraries, wli_gemm_names[kind],
                                          json_pack("{s:f, s:f}", "flops_f32", rates->libraries[kind].flops, "call_us",
                                                    1e6 * rates->libraries[kind].call));
    if (!failed) return libraries;
    json_decref(libraries);
    return NULL;
}

static json_t *encode_rates(const wli_rates *rates) {
    json_t *bandwidths = json_array();
    int failed = 0;
    for (int s = 0; s < WLI_RATE_SIZES; s++)
        failed |= json_array_append_new(bandwidths, json_real(rates->bandwidths[s]));
    if (failed) {
        json_decref(bandwidths);
        return NULL;
    }
    json_t *encoded = json_pack("{s:i, s:o, s:f, s:f, s:f, s:o}", "threads", rates->threads, "bandwidths", bandwidths,
                                "region_us", 1e6 * rates->region, "barrier_us", 1e6 * rates->barrier, "task_us",
                                1e6 * rates->task, "gemms", encode_libraries(rates));
    for (int p = 0; p < WLI_PRODUCTS && encoded; p++)
        failed |=
            json_object_set_new(encoded, rate_name("flops", wli_product_names[p], "").text, json_real(rates->flops[p]));
    for (int type = 0; type < WLI_COMPUTING && encoded; type++)
        failed |= json_object_set_new(encoded, rate_name("cell", wli_numbers[type].name, "_us").text,
                                      json_real(1e6 * rates->cell[type]));
    if (!failed) return encoded;
    json_decref(encoded);
    return NULL;
}

static json_t *encode_candidate(const wli_candidate *candidate) {
    json_t *choice = json_object();
    int failed = choice == NULL;
    for (int a = 0; a < WLI_AXES; a++)
        if (candidate->index[a])
            failed |= json_object_set_new(choice, wli_axes[a].name, json_integer(candidate->index[a]));
    if (!failed) return choice;
    json_decref(choice);
    return NULL;
}

static json_t *encode_train_choice(const wli_train_choice *choice) {
    return json_pack("{s:I, s:I, s:I}", "crews", (json_int_t)choice->crews, "chunk_steps",
                     (json_int_t)choice->chunk_steps, "parts", (json_int_t)choice->parts);
}

static json_t *encode_entry(const wli_cache_entry *entry) {
    return json_pack("{s:o, s:s, s:f, s:f}", "choice",
                     entry->problem.training ? encode_train_choice(&entry->train_choice)
                                             : encode_candidate(&entry->candidate),
                     "effort", entry->effort == WLSTM_EFFORT_PATIENT ? "patient" : "measure", "untuned_us",
                     1e6 * entry->untuned_seconds, "tuned_us", 1e6 * entry->tuned_seconds);
}

/* "t10b3i100h20l4/threads:2": { ... }, of the entries of training or of the others. */
static json_t *encode_entries(const wli_cache_table *table, bool training) {
    json_t *entries = json_object();
    int failed = entries == NULL;
    for (size_t i = 0; i < table->count; i++) {
        char name[WLI_PROBLEM_NAME_BYTES], key[KEY_BYTES];
        wli_problem problem = table->entries[i].problem;
        if (problem.training != training) continue;
        problem.training = false;
        wli_problem_format(&problem, name);
        snprintf(key, sizeof key, "%s/threads:%d", name, table->entries[i].threads);
        failed |= json_object_set_new(entries, key, encode_entry(&table->entries[i]));
    }
    if (!failed) return entries;
    json_decref(entries);
    return NULL;
}

char *wli_cache_encode(const wli_cache_table *table) {
    wli_json_begin();
    json_t *rates = json_array();
    int failed = 0;
    for (int i = 0; i < WLI_CACHE_RATES; i++)
        if (table->rates[i].threads) failed |= json_array_append_new(rates, encode_rates(&table->rates[i]));
    json_t *root = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "format", format_name, "version", FORMAT_VERSION,
                             "machine", encode_machine(), "rates", rates, entry_objects[false],
                             encode_entries(table, false), entry_objects[true], encode_entries(table, true));
    char *text = root && !failed ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(root);
    return text;
}

/* ------------------------------------------------------------------------------------------------------ reading */

static wlstm_status wrong(const char *path, const char *where, const char *expected) {
    char shown[96];
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: %s: %s expected", path,
                    wli_printable(where, strlen(where), shown, sizeof shown), expected);
}

static bool text_is(const json_t *object, const char *key, const char *expected) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) && json_string_length(value) == strlen(expected) &&
           strcmp(json_string_value(value), expected) == 0;
}

static bool integer_is(const json_t *value, int64_t expected) {
    return json_is_integer(value) && json_integer_value(value) == expected;
}

/* A finite number between the two. */
static bool read_number(const json_t *value, double lowest, double highest, double *number) {
    if (!json_is_number(value)) return false;
    *number = json_number_value(value);
    return *number >= lowest && *number <= highest;
}

/* A value as it stands in the text, cut off where it is long. */
static void show_value(const json_t *value, char shown[96]) {
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    const char *known = text ? text : "nothing";
    wli_printable(known, strlen(known), shown, 96);
    free(text);
}

/* The first field that is another one here. */
static wlstm_status check_machine(const char *path, const json_t *machine) {
    json_t *here = encode_machine(), *expected;
    const char *key;
    wlstm_status status = here ? WLSTM_OK : wli_out_of_memory("plan cache", 0);
    json_object_foreach(here, key, expected) {
        const json_t *got = json_object_get(machine, key);
        if (json_equal(got, expected)) continue;
        char own[96], other[96];
        show_value(expected, own), show_value(got, other);
        status = wli_fail(WLSTM_ERROR_FORMAT,
                          "%s: machine: %s %s expected, got %s: tune here, or take a file of such a machine", path, key,
                          own, other);
        break;
    }
    json_decref(here);
    return status;
}

/* Microseconds in the text. */
static bool decode_cost(const json_t *rates, const char *name, double *seconds) {
    const double shortest = 1e-6, longest = 1e6;
    if (!read_number(json_object_get(rates, name), shortest, longest, seconds)) return false;
    *seconds *= 1e-6;
    return true;
}

/* What a file does not say, as before it was measured, is guessed. */
static bool decode_libraries(const json_t *gemms, wli_rates *rates) {
    const double lowest = 1e3, highest = 1e18;
    const wli_rates guess = wli_rates_guess(rates->threads);
    memcpy(rates->libraries, guess.libraries, sizeof rates->libraries);
    if (gemms && !json_is_object(gemms)) return false;
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++) {
        const json_t *library = json_object_get(gemms, wli_gemm_names[kind]);
        if (library &&
            (!read_number(json_object_get(library, "flops_f32"), lowest, highest, &rates->libraries[kind].flops) ||
             !decode_cost(library, "call_us", &rates->libraries[kind].call)))
            return false;
    }
    return true;
}

static bool decode_rates(const json_t *value, wli_rates *rates) {
    const double lowest = 1e3, highest = 1e18;
    const json_t *threads = json_object_get(value, "threads"), *bandwidths = json_object_get(value, "bandwidths");
    if (!json_is_integer(threads) || json_integer_value(threads) < 1 ||
        json_integer_value(threads) > WLI_CACHE_THREADS || !decode_cost(value, "region_us", &rates->region) ||
        !decode_cost(value, "barrier_us", &rates->barrier) || !decode_cost(value, "task_us", &rates->task) ||
        json_array_size(bandwidths) != WLI_RATE_SIZES)
        return false;
    for (int p = 0; p < WLI_PRODUCTS; p++)
        if (!read_number(json_object_get(value, rate_name("flops", wli_product_names[p], "").text), lowest, highest,
                         &rates->flops[p]))
            return false;
    for (int type = 0; type < WLI_COMPUTING; type++)
        if (!decode_cost(value, rate_name("cell", wli_numbers[type].name, "_us").text, &rates->cell[type]))
            return false;
    rates->threads = (int)json_integer_value(threads);
    for (size_t s = 0; s < WLI_RATE_SIZES; s++)
        if (!read_number(json_array_get(bandwidths, s), lowest, highest, &rates->bandwidths[s])) return false;
    return decode_libraries(json_object_get(value, "gemms"), rates);
}

/* "t10b3i100h20l4/threads:2" */
static bool decode_key(const char *key, wli_cache_entry *entry) {
    static const char separator[] = "/threads:";
    char name[WLI_PROBLEM_NAME_BYTES];
    const char *end = strstr(key, separator), *digit = end ? end + strlen(separator) : NULL;
    int64_t threads = 0;
    if (!end || (size_t)(end - key) >= sizeof name || *digit < '1' || *digit > '9') return false;
    for (; *digit >= '0' && *digit <= '9' && threads <= WLI_CACHE_THREADS; digit++)
        threads = 10 * threads + *digit - '0';
    if (*digit != '\0' || threads > WLI_CACHE_THREADS) return false;
    memcpy(name, key, (size_t)(end - key));
    name[end - key] = '\0';
    entry->threads = (int)threads;
    return wli_problem_parse(name, &entry->problem) == WLSTM_OK;
}

/* An axis that is not named is at its default, 0. */
static bool decode_choice(json_t *choice, wli_candidate *candidate) {
    size_t named = 0;
    for (int a = 0; a < WLI_AXES; a++) {
        const json_t *index = json_object_get(choice, wli_axes[a].name);
        if (!index) continue;
        if (!json_is_integer(index) || json_integer_value(index) < 0 || json_integer_value(index) >= wli_axes[a].count)
            return false;
        candidate->index[a] = (uint8_t)json_integer_value(index);
        named++;
    }
    return json_is_object(choice) && json_object_size(choice) == named;
}

static bool decode_count(const json_t *value, int64_t most, int64_t *count) {
    if (!json_is_integer(value)) return false;
    *count = json_integer_value(value);
    return *count >= 1 && *count <= most;
}

/* All three are named. */
static bool decode_train_choice(const json_t *choice, wli_train_choice *given) {
    return json_object_size(choice) == 3 &&
           decode_count(json_object_get(choice, "crews"), WLI_CACHE_THREADS, &given->crews) &&
           decode_count(json_object_get(choice, "chunk_steps"), WLI_LARGEST_SIZE, &given->chunk_steps) &&
           decode_count(json_object_get(choice, "parts"), WLI_CACHE_THREADS, &given->parts);
}

static bool decode_entry(const json_t *value, wli_cache_entry *entry) {
    const double longest = 1e15; /* microseconds */
    json_t *choice = json_object_get(value, "choice");
    if (entry->problem.training ? !decode_train_choice(choice, &entry->train_choice)
                                : !decode_choice(choice, &entry->candidate))
        return false;
    if (!text_is(value, "effort", "measure") && !text_is(value, "effort", "patient")) return false;
    entry->effort = text_is(value, "effort", "patient") ? WLSTM_EFFORT_PATIENT : WLSTM_EFFORT_MEASURE;
    if (!read_number(json_object_get(value, "untuned_us"), 0, longest, &entry->untuned_seconds) ||
        !read_number(json_object_get(value, "tuned_us"), 0, longest, &entry->tuned_seconds))
        return false;
    entry->untuned_seconds *= 1e-6, entry->tuned_seconds *= 1e-6;
    return true;
}

/* Keys are canonical and not there twice. */
static wlstm_status decode_entries(const char *path, json_t *entries, bool training, wli_cache_table *table) {
    const char *key;
    json_t *value;
    if (!json_is_object(entries) || json_object_size(entries) > WLI_CACHE_ENTRIES - table->count)
        return wrong(path, entry_objects[training],
                     training ? "an object of at most 4096 entries, those of plans among them,"
                              : "an object of at most 4096 entries");
    json_object_foreach(entries, key, value) {
        wli_cache_entry entry = { 0 };
        if (!decode_key(key, &entry)) return wrong(path, key, "PROBLEM/threads:N");
        entry.problem.training = training;
        if (!decode_entry(value, &entry))
            return wrong(path, key,
                         training ? "choice with crews, chunk_steps and parts in range, effort, untuned_us, tuned_us"
                                  : "choice with indices in range, effort, untuned_us, tuned_us");
        if (!wli_cache_table_append(table, &entry)) return wli_out_of_memory("plan cache", sizeof entry);
    }
    return WLSTM_OK;
}

static wlstm_status decode_root(const char *path, json_t *root, wli_cache_table *table) {
    const json_t *rates = json_object_get(root, "rates");
    json_t *training = json_object_get(root, entry_objects[true]); /* files of before have none */
    if (!text_is(root, "format", format_name)) return wrong(path, "format", "\"wavelstm plan cache\"");
    if (!integer_is(json_object_get(root, "version"), FORMAT_VERSION)) return wrong(path, "version", "1");
    wlstm_status status = check_machine(path, json_object_get(root, "machine"));
    if (status != WLSTM_OK) return status;
    if (!json_is_array(rates) || json_array_size(rates) > WLI_CACHE_RATES)
        return wrong(path, "rates", "an array of at most 2");
    for (size_t i = 0; i < json_array_size(rates); i++) {
        wli_rates probed;
        if (!decode_rates(json_array_get(rates, i), &probed))
            return wrong(path, "rates",
                         "threads, flops_f32, flops_f64, flops_bf16, flops_s8 and 14 bandwidths, positive, and "
                         "region_us, barrier_us, "
                         "task_us, cell_f32_us and cell_f64_us, from 1e-6 to 1e6, and the like of gemms,");
        wli_cache_table_put_rates(table, &probed);
    }
    status = decode_entries(path, json_object_get(root, entry_objects[false]), false, table);
    return status == WLSTM_OK && training ? decode_entries(path, training, true, table) : status;
}

wlstm_status wli_cache_decode(const char *path, const char *text, size_t bytes, wli_cache_table *table) {
    memset(table, 0, sizeof *table);
    json_error_t error;
    wli_json_begin();
    json_t *root = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    if (!root) return wli_fail(WLSTM_ERROR_FORMAT, "%s: JSON expected at byte %d", path, error.position);
    wlstm_status status = decode_root(path, root, table);
    json_decref(root);
    if (status != WLSTM_OK) wli_cache_table_clear(table);
    return status;
}
