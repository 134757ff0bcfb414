/* Which choice a plan runs: asked for, tuned before, tuned now, or the cost model's. */
#ifndef WLI_DECISION_H
#define WLI_DECISION_H

#include "plan/problem.h"
#include "plan/setting.h"
#include "schedule/sequence.h"

/* Where a choice comes from. */
typedef enum wli_origin { WLI_FROM_MODEL, WLI_FROM_TUNING, WLI_FROM_NEIGHBOUR } wli_origin;

typedef struct wli_decision {
    wli_choice choice;
    wli_origin origin;
    wli_problem neighbour; /* with NEIGHBOUR */
} wli_decision;

wli_decision wli_decide_by_model(const wli_setting *setting);

/* May search, for as long as the effort (not DEFAULT) or the limit (0: the effort's own) says. */
wli_decision wli_decide(wli_model *model, const wli_setting *setting, wlstm_effort effort, double time_limit);

#endif
