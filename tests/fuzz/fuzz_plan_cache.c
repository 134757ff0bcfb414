/* Any text as a plan cache: an error with a sentence, or choices and rates that are the same after they were written and
 * read again, and by which whatever is legal for a small model gives the reference's result, and the bits of any
 * trainer's. '@' stands for this
 * machine's own description, without which a text is passed over at once. */
#include "target.h"

#include "plan/cache.h"
#include "plan/choice.h"
#include "plan/plan.h"
#include "plan/predict.h"
#include "reference/compare.h"
#include "train/choices.h"

#include <stdlib.h>
#include <string.h>

enum { T = 5, B = 3, I = 4, H = 9, L = 2, THREADS = 2 };

/* The object behind "machine": of an empty cache. */
static const char *own_machine(void) {
    static char *machine;
    if (machine) return machine;
    const wli_cache_table empty = { 0 };
    machine = wli_cache_encode(&empty);
    if (machine == NULL) abort();
    char *begin = strstr(machine, "\"machine\":");
    REQUIRE(begin && (begin = strchr(begin, '{')) && strchr(begin, '}'));
    strchr(begin, '}')[1] = '\0';
    return machine = begin;
}

static char *insert_machine(const uint8_t *bytes, size_t *count) {
    const char *machine = own_machine();
    const uint8_t *at = memchr(bytes, '@', *count);
    const size_t before = at ? (size_t)(at - bytes) : *count, length = at ? strlen(machine) : 0;
    char *text = malloc(*count + length + 1);
    if (text == NULL) abort();
    memcpy(text, bytes, before);
    memcpy(text + before, machine, length);
    if (at) memcpy(text + before + length, at + 1, *count - before - 1);
    *count += at ? length - 1 : 0;
    return text;
}

static void check_written(const wli_cache_table *table) {
    char *text = wli_cache_encode(table);
    wli_cache_table again;
    REQUIRE(text != NULL && wli_cache_decode("again", text, strlen(text), &again) == WLSTM_OK);
    REQUIRE(again.count == table->count);
    for (size_t k = 0; k < table->count; k++) {
        const wli_cache_entry *entry = &table->entries[k];
        const wli_cache_entry *found = wli_cache_table_find(&again, &entry->problem, entry->threads);
        REQUIRE(found && found->effort == entry->effort);
        REQUIRE(memcmp(&found->candidate, &entry->candidate, sizeof found->candidate) == 0);
        REQUIRE(memcmp(&found->train_choice, &entry->train_choice, sizeof found->train_choice) == 0);
    }
    for (int k = 0; k < WLI_CACHE_RATES; k++) REQUIRE(again.rates[k].threads == table->rates[k].threads);
    wli_cache_table_clear(&again);
    free(text);
}

static float x[T * B * I];

/* out [T, B, H] of the plan, which is freed. */
static void run(wlstm_plan *plan, float *out) {
    REQUIRE(wlstm_plan_execute(plan, T, B, NULL, x, NULL, NULL, out, NULL, NULL) == WLSTM_OK);
    wlstm_plan_free(plan);
}

static void check_choice(wli_model *model, const wli_setting *setting, const wli_candidate *candidate) {
    static float out[T * B * H], expected[T * B * H];
    const wli_choice choice = wli_candidate_resolve(setting, candidate);
    wlstm_plan *plan;
    REQUIRE(choice.threads >= 1 && choice.threads <= THREADS && choice.parts >= 1 && choice.chunk_steps >= 1);
    REQUIRE(wli_plan_make_choice(model, setting, &choice, &plan) == WLSTM_OK);
    run(plan, out);
    const wlstm_plan_options options = { .struct_size = sizeof options,
                                         .max_seq_len = T,
                                         .max_batch = B,
                                         .num_threads = 1,
                                         .backend = WLSTM_BACKEND_REFERENCE };
    REQUIRE(wli_plan_make(model, &options, &plan) == WLSTM_OK);
    run(plan, expected);
    for (int k = 0; k < T * B * H; k++)
        REQUIRE(wli_close_enough(WLSTM_F32, WLSTM_PRECISION_FULL, (double)out[k], (double)expected[k]));
}

/* Both passes by the choice on THREADS threads, or by the rule on one: out [T, B, H], and the gradients. */
static void train(wli_model *model, const wli_train_choice *choice, float *out, void **gradients,
                  wlstm_trainer **trainer) {
    int64_t count;
    const int threads = choice ? THREADS : 1;
    REQUIRE(wli_trainer_make(model, T, B, 0, threads, WLSTM_SCHEDULE_AUTO, trainer) == WLSTM_OK);
    (*trainer)->step_work = (*trainer)->pass_work = 1; /* worth all threads */
    if (choice) (*trainer)->choice = *choice;
    REQUIRE(wlstm_trainer_forward(*trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL) == WLSTM_OK);
    REQUIRE(wlstm_trainer_backward(*trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0) == WLSTM_OK);
    REQUIRE(wlstm_trainer_gradients(*trainer, gradients, &count) == WLSTM_OK);
}

static void check_train_choice(wli_model *model, const wli_train_choice *choice) {
    static float out[T * B * H], expected[T * B * H];
    void *gradients, *of_one;
    wlstm_trainer *trainer, *one;
    train(model, choice, out, &gradients, &trainer);
    train(model, NULL, expected, &of_one, &one);
    REQUIRE(memcmp(out, expected, sizeof out) == 0);
    REQUIRE(memcmp(gradients, of_one, (size_t)one->count * sizeof(float)) == 0);
    wlstm_trainer_free(trainer);
    wlstm_trainer_free(one);
}

static bool trains(wli_model *model, const wli_train_choice *choice) {
    wlstm_trainer *trainer;
    REQUIRE(wli_trainer_make(model, T, B, 0, THREADS, WLSTM_SCHEDULE_AUTO, &trainer) == WLSTM_OK);
    trainer->pass_work = 1;
    const bool legal = wli_train_choice_legal(trainer, choice);
    wlstm_trainer_free(trainer);
    return legal;
}

/* What each entry chose, and what the cost model chooses by the rates. */
static void check_use(const wli_cache_table *table) {
    static wli_model *model;
    static const wli_model_spec spec = {
        .dtype = WLSTM_F32, .num_layers = L, .input_size = I, .hidden_size = H, .bias = true
    };
    if (!model) {
        REQUIRE(wli_model_create(&spec, &model) == WLSTM_OK && wli_model_reset(&model, 1) == WLSTM_OK);
        for (int k = 0; k < T * B * I; k++) x[k] = (float)(k % 7 - 3) / 4;
    }
    const wli_setting setting = { .model = model, .seq_len = T, .batch = B, .threads = THREADS };
    wli_machine_model machine = wli_machine_model_guess(THREADS);
    if (table->rates[0].threads == 1) machine.one = table->rates[0];
    if (table->rates[1].threads == THREADS) machine.all = table->rates[1];
    const wli_candidate chosen = wli_choose(&setting, &machine);
    REQUIRE(wli_candidate_legal(&setting, &chosen));
    check_choice(model, &setting, &chosen);
    for (size_t k = 0; k < table->count; k++) {
        const wli_cache_entry *entry = &table->entries[k];
        if (entry->problem.training && trains(model, &entry->train_choice))
            check_train_choice(model, &entry->train_choice);
        if (!entry->problem.training && wli_candidate_legal(&setting, &entry->candidate))
            check_choice(model, &setting, &entry->candidate);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const wli_cache_table nothing;
    setenv("WLSTM_CACHE", "off", 0);
    char *text = insert_machine(bytes, &count);
    wli_cache_table table;
    const wlstm_status status = wli_cache_decode("cache", text, count, &table);
    free(text);
    if (status != WLSTM_OK) {
        REQUIRE(memcmp(&table, &nothing, sizeof table) == 0);
        fuzz_check_failure(status);
        return 0;
    }
    check_written(&table);
    check_use(&table);
    wli_cache_table_clear(&table);
    return 0;
}
