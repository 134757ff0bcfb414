/* A choice, made and run: the cells' weights packed as it says, scratch, its schedule. Decides nothing. */
#ifndef WLI_RUNNER_H
#define WLI_RUNNER_H

#include "model/call.h"
#include "plan/setting.h"
#include "schedule/sequence.h"

typedef struct wli_runner wli_runner;

/* Of a choice that is legal in the setting, whose model it shares. */
wlstm_status wli_runner_make(wli_model *model, const wli_setting *setting, const wli_choice *choice,
                             wli_runner **runner);
void wli_runner_free(wli_runner *runner);

/* A checked call within the setting's sizes, at least one row of it. One at a time. */
wlstm_status wli_runner_run(wli_runner *runner, const wli_call *call);

/* Bytes of the packed weights, which plans of a model share, and of the scratch. */
void wli_runner_memory(const wli_runner *runner, size_t *weight_bytes, size_t *scratch_bytes);

#endif
