/* The choice for those who do not measure, by the cost model. */
#ifndef WLI_CHOICE_H
#define WLI_CHOICE_H

#include "plan/axes.h"
#include "plan/machine_model.h"

/* The untuned choice: tens of microseconds for two threads, under a millisecond for a hundred of them and usual
 * stacks. */
wli_candidate wli_choose(const wli_setting *setting, const wli_machine_model *machine);

/* The best with both gemms by one kind; not legal where that is not. */
wli_candidate wli_choose_by(const wli_setting *setting, const wli_machine_model *machine, wli_gemm_kind kind);

#endif
