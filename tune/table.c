#include "table.h"

#include <math.h>
#include <stdio.h>

void table_head(bool with_limit) {
    printf("%-26s %7s %12s %12s %6s ", "problem", "threads", "untuned us", "tuned us", "gain");
    printf("%s%s\n", with_limit ? "limit " : "", "chosen");
}

static double gain(const wli_cache_entry *entry) {
    return entry->tuned_seconds > 0 ? entry->untuned_seconds / entry->tuned_seconds : 1;
}

void table_row(const wli_cache_entry *entry, double limit) {
    char name[WLI_PROBLEM_NAME_BYTES], chosen[WLI_CANDIDATE_TEXT];
    wli_problem_format(&entry->problem, name);
    if (entry->problem.training)
        wli_train_choice_print(&entry->train_choice, chosen);
    else
        wli_candidate_print(&entry->candidate, chosen);
    printf("%-26s %7d %12.1f %12.1f %6.2f ", name, entry->threads, 1e6 * entry->untuned_seconds,
           1e6 * entry->tuned_seconds, gain(entry));
    if (limit > 0) printf("%5.2f ", limit);
    printf("%s\n", chosen);
}

void table_means(const wli_cache_entry *entries, int count) {
    for (int i = 0; i < count; i++) {
        double sum = 0;
        int same = 0;
        bool first = true;
        for (int k = 0; k < count; k++) {
            if (entries[k].threads != entries[i].threads) continue;
            if (k < i) first = false;
            sum += log(gain(&entries[k])), same++;
        }
        if (first) printf("geometric mean of the gain, threads %d: %.3f\n", entries[i].threads, exp(sum / same));
    }
}
