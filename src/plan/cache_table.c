#include "plan/cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Whether two problems are of one model, whatever seq_len and batch. */
static bool same_model(const wli_problem *a, const wli_problem *b) {
    return a->input_size == b->input_size && a->hidden_size == b->hidden_size && a->num_layers == b->num_layers &&
           a->proj_size == b->proj_size && a->bidirectional == b->bidirectional && a->bias == b->bias &&
           a->dtype == b->dtype && a->precision == b->precision && a->training == b->training;
}

static bool same_problem(const wli_problem *a, const wli_problem *b) {
    return a->seq_len == b->seq_len && a->batch == b->batch && same_model(a, b);
}

static wli_cache_entry *find(const wli_cache_table *table, const wli_problem *problem, int threads) {
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].threads == threads && same_problem(&table->entries[i].problem, problem))
            return &table->entries[i];
    return NULL;
}

const wli_cache_entry *wli_cache_table_find(const wli_cache_table *table, const wli_problem *problem, int threads) {
    return find(table, problem, threads);
}

bool wli_cache_table_append(wli_cache_table *table, const wli_cache_entry *entry) {
    if (table->count == WLI_CACHE_ENTRIES)
        memmove(table->entries, table->entries + 1, --table->count * sizeof *table->entries);
    if (table->count == table->capacity) {
        const size_t capacity = table->capacity ? 2 * table->capacity : 32;
        wli_cache_entry *entries = realloc(table->entries, capacity * sizeof *entries);
        if (!entries) return false;
        table->entries = entries, table->capacity = capacity;
    }
    table->entries[table->count++] = *entry;
    return true;
}

bool wli_cache_table_put(wli_cache_table *table, const wli_cache_entry *entry) {
    wli_cache_entry *present = find(table, &entry->problem, entry->threads);
    if (present) *present = *entry;
    return present || wli_cache_table_append(table, entry);
}

void wli_cache_table_put_rates(wli_cache_table *table, const wli_rates *rates) {
    if (rates->threads > 0) table->rates[rates->threads > 1] = *rates;
}

void wli_cache_table_forget(wli_cache_table *table, const wli_problem *problem) {
    size_t kept = 0;
    for (size_t i = 0; i < table->count && problem; i++)
        if (!same_problem(&table->entries[i].problem, problem)) table->entries[kept++] = table->entries[i];
    table->count = kept;
    if (!problem) memset(table->rates, 0, sizeof table->rates);
}

void wli_cache_table_clear(wli_cache_table *table) {
    free(table->entries);
    memset(table, 0, sizeof *table);
}

double wli_cache_distance(const wli_cache_entry *entry, const wli_problem *problem, int threads) {
    if (entry->threads != threads || !same_model(&entry->problem, problem)) return -1;
    return fabs(log((double)entry->problem.seq_len / (double)problem->seq_len)) +
           fabs(log((double)entry->problem.batch / (double)problem->batch));
}
