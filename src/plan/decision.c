#include "plan/decision.h"

#include "base/environment.h"
#include "base/status.h"
#include "plan/cache.h"
#include "plan/choice.h"
#include "plan/predict.h"
#include "plan/search.h"

wli_decision wli_decide_by_model(const wli_setting *setting) {
    const wli_machine_model machine = wli_machine_model_get(setting->threads);
    const wli_candidate candidate = wli_choose(setting, &machine);
    return (wli_decision){ .choice = wli_candidate_resolve(setting, &candidate), .origin = WLI_FROM_MODEL };
}

/* What makes a cached entry usable. */
typedef struct lookup {
    const wli_setting *setting;
    const wli_problem *problem;
    const wli_machine_model *machine;
    double model_seconds; /* of the model's own choice */
} lookup;

/* Legal; a neighbour's also not one that the model takes to be much slower here than its own. */
static bool usable(const wli_cache_entry *entry, const void *context) {
    const double much_slower = 1.25;
    const lookup *wanted = context;
    if (!wli_candidate_legal(wanted->setting, &entry->candidate)) return false;
    if (wli_cache_distance(entry, wanted->problem, entry->threads) == 0) return true;
    const wli_choice choice = wli_candidate_resolve(wanted->setting, &entry->candidate);
    return wli_predict(wanted->setting, &choice, wanted->machine) <= much_slower * wanted->model_seconds;
}

/* Whether the search found something to run; what a caller's options did not narrow is kept. */
static bool tune(wli_model *model, const wli_setting *setting, const wli_problem *problem, wlstm_effort effort,
                 double time_limit, wli_decision *decision) {
    wli_search_result result;
    const wli_search_request request = { model, *setting, effort, time_limit, NULL };
    char error[WLI_ERROR_BYTES];
    wli_error_save(error);
    const bool found = wli_search(&request, &result) == WLSTM_OK;
    if (found) {
        *decision = (wli_decision){ .choice = wli_candidate_resolve(setting, &result.tuned),
                                    .origin = result.looked ? WLI_FROM_TUNING : WLI_FROM_MODEL };
        const bool narrowed = setting->backend || setting->deterministic || setting->schedule || setting->chunk_steps;
        if (problem && result.looked && !narrowed)
            wli_cache_keep_and_save(&(wli_cache_entry){ .problem = *problem,
                                                        .threads = setting->threads,
                                                        .candidate = result.tuned,
                                                        .effort = effort,
                                                        .untuned_seconds = result.untuned_seconds,
                                                        .tuned_seconds = result.tuned_seconds });
    } else
        wli_verbose(1, wlstm_last_error());
    wli_error_restore(error);
    return found;
}

/* What the cache holds: for the problem itself, by at least this effort, or for a like one. */
static bool look_up(const lookup *wanted, bool exact_only, wlstm_effort least_effort, wli_decision *decision) {
    wli_cache_entry entry;
    const wli_cache_match match = wli_cache_find(wanted->problem, wanted->setting->threads, usable, wanted, &entry);
    if (match == WLI_CACHE_NONE || (exact_only && (match != WLI_CACHE_EXACT || entry.effort < least_effort)))
        return false;
    *decision = (wli_decision){ .choice = wli_candidate_resolve(wanted->setting, &entry.candidate),
                                .origin = match == WLI_CACHE_EXACT ? WLI_FROM_TUNING : WLI_FROM_NEIGHBOUR,
                                .neighbour = entry.problem };
    return true;
}

wli_decision wli_decide(wli_model *model, const wli_setting *setting, wlstm_effort effort, double time_limit) {
    const bool caching = wli_environment_get()->caching;
    const wli_machine_model machine = wli_machine_model_get(setting->threads);
    const wli_candidate candidate = wli_choose(setting, &machine);
    wli_decision decision = { .choice = wli_candidate_resolve(setting, &candidate), .origin = WLI_FROM_MODEL };
    wli_problem problem;
    /* A stack of unlike cells has no name in the problem grammar, so nothing is kept for it. */
    const bool named = wli_problem_of(model, setting->precision, setting->seq_len, setting->batch, &problem);
    const lookup wanted = { setting, &problem, &machine, wli_predict(setting, &decision.choice, &machine) };
    if (effort >= WLSTM_EFFORT_MEASURE && !model->compact && !wli_runs_alone()) { /* a search needs the values */
        if (caching && named && look_up(&wanted, true, effort, &decision)) return decision;
        wli_search_turn_take();
        const bool found = (caching && named && look_up(&wanted, true, effort, &decision)) ||
                           tune(model, setting, named ? &problem : NULL, effort, time_limit, &decision);
        wli_search_turn_give();
        if (found) return decision;
    }
    if (caching && named) look_up(&wanted, false, effort, &decision);
    return decision;
}
