/* A plan as the library's own objects see it: one without the public functions' argument checks. */
#ifndef WLI_PLAN_H
#define WLI_PLAN_H

#include "model/call.h"
#include "plan/axes.h"

/* The threads of a plan that names none: WLSTM_NUM_THREADS, else what OpenMP would give the calling thread at this moment, at most the
 * CPU quota. */
int wli_default_threads(void);

wlstm_status wli_plan_make(wli_model *model, const wlstm_plan_options *options, wlstm_plan **plan);

/* A plan that runs a choice, legal in the setting, which asks nobody and prints nothing. */
wlstm_status wli_plan_make_choice(wli_model *model, const wli_setting *setting, const wli_choice *choice,
                                  wlstm_plan **plan);

/* A checked call within the plan's maxima. */
wlstm_status wli_plan_run(wlstm_plan *plan, const wli_call *call);

/* OpenMP's count that a plan of wli_plan_make was made for; 0 where its options or WLSTM_NUM_THREADS named one. */
int wli_plan_threads(const wlstm_plan *plan);

/* Whether it serves a call of such a size on the calling thread, with the thread count that is in force. Where a call runs on the calling
 * thread alone anyway, any count will do. */
typedef enum wli_fit { WLI_FITS, WLI_TOO_SMALL, WLI_OTHER_THREADS } wli_fit;
wli_fit wli_plan_fit(const wlstm_plan *plan, int64_t seq_len, int64_t batch);

/* Raises the maxima of options to the plan's, so that a successor serves what the plan served, unless its T*B would pass twice
 * the larger of the two: (T = 300000, B = 1) and (1, 300000) are no reason to find room for (300000, 300000). */
void wli_plan_widen(const wlstm_plan *plan, wlstm_plan_options *options);

#endif
