/* The cost model: how long a choice should take, from the problem's sizes and the machine's rates alone. */
#ifndef WLI_PREDICT_H
#define WLI_PREDICT_H

#include "plan/machine_model.h"
#include "plan/setting.h"
#include "schedule/sequence.h"

/* Seconds of one forward pass. */
double wli_predict(const wli_setting *setting, const wli_choice *choice, const wli_machine_model *machine);

/* What a barrier costs among so many threads of a gang, if `of_two` among two: all of them take one cache line in
 * turn. */
double wli_gang_barrier_seconds(double of_two, int64_t threads);

#endif
