#include "train/decision.h"

#include "base/environment.h"
#include "base/status.h"
#include "plan/cache.h"
#include "plan/search.h"
#include "schedule/sequence.h"
#include "train/choices.h"
#include "train/tuning.h"
#include <stdio.h>

/* What is looked for in the plan cache. */
typedef struct lookup {
    const wlstm_trainer *trainer;
    wli_problem problem;
    wlstm_effort least_effort;
} lookup;

/* Exactly this problem's, as the trainer's schedule has it. */
static bool usable(const wli_cache_entry *entry, const void *context) {
    const lookup *wanted = context;
    return entry->problem.seq_len == wanted->problem.seq_len && entry->problem.batch == wanted->problem.batch &&
           entry->effort >= wanted->least_effort && wli_train_choice_legal(wanted->trainer, &entry->train_choice);
}

static bool look_up(wlstm_trainer *trainer, const wli_problem *problem, wlstm_effort least_effort) {
    const lookup wanted = { trainer, *problem, least_effort };
    wli_cache_entry entry;
    if (wli_cache_find(problem, trainer->threads, usable, &wanted, &entry) == WLI_CACHE_NONE) return false;
    trainer->choice = entry.train_choice;
    return true;
}

/* Whether the search found something. What a named schedule did not narrow is kept under the problem, if it has a name. */
static bool tune(wlstm_trainer *trainer, const wli_problem *problem, wlstm_effort effort) {
    wli_train_result result;
    if (wli_train_search(trainer, effort, 0, NULL, &result) != WLSTM_OK) {
        wli_verbose(1, wlstm_last_error());
        return false;
    }
    if (result.tried == 0) return false;
    trainer->choice = result.tuned;
    if (problem && trainer->schedule == WLSTM_SCHEDULE_AUTO)
        wli_cache_keep_and_save(&(wli_cache_entry){ .problem = *problem,
                                                    .threads = trainer->threads,
                                                    .train_choice = result.tuned,
                                                    .effort = effort,
                                                    .untuned_seconds = result.untuned_seconds,
                                                    .tuned_seconds = result.tuned_seconds });
    return true;
}

static void describe(const wlstm_trainer *trainer, const wli_problem *problem) {
    if (wli_environment_get()->verbose < 1) return;
    const int threads = wli_whole_threads(trainer);
    const wli_train_choice choice = trainer->choice.crews ? trainer->choice : wli_rule_for(trainer, 0);
    char name[WLI_PROBLEM_NAME_BYTES], chosen[WLI_TRAIN_CHOICE_TEXT], line[sizeof name + sizeof chosen + 96];
    wli_problem_format(problem, name);
    wli_train_choice_print(&choice, chosen);
    snprintf(line, sizeof line, "%s: native %s, %d %s, %s, %s", name, trainer->native->isa, threads,
             threads == 1 ? "thread" : "threads", chosen, trainer->choice.crews ? "tuned" : "estimated");
    wli_verbose(1, line);
}

void wli_trainer_decide(wlstm_trainer *trainer, wlstm_effort effort) {
    wli_problem problem;
    char error[WLI_ERROR_BYTES];
    /* A stack of unlike cells has no name in the problem grammar, nor has a tape that is computed again. */
    const bool named =
        wli_problem_of(trainer->model, WLSTM_PRECISION_FULL, trainer->max_seq_len, trainer->max_batch, &problem) &&
        trainer->recompute_steps == 0;
    const bool cached = named && wli_environment_get()->caching, measures = effort >= WLSTM_EFFORT_MEASURE;
    problem.training = true;
    wli_error_save(error);
    bool found = cached && look_up(trainer, &problem, effort);
    if (!found && measures && wli_train_choice_free(trainer) && !wli_runs_alone()) {
        wli_search_turn_take();
        found = (cached && look_up(trainer, &problem, effort)) || tune(trainer, named ? &problem : NULL, effort);
        wli_search_turn_give();
    }
    if (!found && cached && measures) (void)look_up(trainer, &problem, WLSTM_EFFORT_ESTIMATE);
    wli_error_restore(error);
    describe(trainer, &problem);
}
