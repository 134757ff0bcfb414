/* One candidate made, checked against the reference, and timed. */
#ifndef WLI_TRIAL_H
#define WLI_TRIAL_H

#include "plan/axes.h"

/* A problem's arrays, what the reference makes of a part of it, and what the first plan made of all. */
typedef struct wli_trials wli_trials;

/* Timed runs are cut to about `longest_run` seconds. *first is the plan of the first choice, which takes the reference's check
 * as all do. The model is shared with the plans. */
wlstm_status wli_trials_make(wli_model *model, const wli_setting *setting, const wli_choice *first, double longest_run,
                             wli_trials **trials, wlstm_plan **first_plan);
void wli_trials_free(wli_trials *trials);

/* Steps of a timed run. */
int64_t wli_trials_steps(const wli_trials *trials);

/* A plan of the choice that gives the reference's results, for wlstm_plan_free. Errors: BACKEND (other results), and the
 * plan's. */
wlstm_status wli_trials_plan(wli_trials *trials, const wli_choice *choice, wlstm_plan **plan);

/* The least seconds of a run, of as many as fit into `seconds`, one at least; negative when it fails. */
double wli_trials_time(wli_trials *trials, wlstm_plan *plan, double seconds);

#endif
