/* One candidate made, checked against the reference, and timed. */
#ifndef WLI_TRIAL_H
#define WLI_TRIAL_H

#include "plan/axes.h"
#include "plan/predict.h"
#include "plan/runner.h"

/* A problem's arrays, what the reference makes of a part of it, and what the first runner made of all. */
typedef struct wli_trials wli_trials;

typedef struct wli_trials_request {
    wli_model *model;           /* shared with the runners */
    const wli_setting *setting; /* of the whole problem */
    const wli_candidate *first; /* which takes the reference's check as all do */
    const wli_machine_model *machine;
    double longest_run;          /* timed runs are cut to about so many seconds */
    bool (*over)(void *context); /* asked between the pieces of a later candidate's trial: whether to give it up */
    void *context;
} wli_trials_request;

wlstm_status wli_trials_make(const wli_trials_request *request, wli_trials **trials, wli_runner **first);
void wli_trials_free(wli_trials *trials);

/* What the runners are made for: the problem, or so many of its rows that a few steps of them are no long run. */
const wli_setting *wli_trials_setting(const wli_trials *trials);

/* What a timed run does of it: all, or so many steps. */
wli_setting wli_trials_timed(const wli_trials *trials);

/* A runner of the candidate, legal in the trials' setting, that gives the reference's results. Errors: BACKEND
 * (other results, or given up), and the runner's. */
wlstm_status wli_trials_runner(wli_trials *trials, const wli_candidate *candidate, wli_runner **runner);

/* The least seconds of a run, of as many as fit into `seconds`, one at least; negative when it fails. */
double wli_trials_time(wli_trials *trials, wli_runner *runner, double seconds);

#endif
