/* A plan in one line: its problem, who multiplies, the schedule, memory and where the choice comes from. */
#ifndef WLI_DESCRIBE_H
#define WLI_DESCRIBE_H

#include "plan/decision.h"
#include "plan/problem.h"

enum { WLI_DESCRIPTION_BYTES = 768 };

/* `by_reference`: the reference runs it, and the choice counts for nothing. A decision of NULL: nobody made one. */
void wli_describe(const wli_problem *problem, const wli_setting *setting, const wli_choice *choice, bool by_reference,
                  const wli_decision *decision, size_t weight_bytes, size_t scratch_bytes,
                  char text[WLI_DESCRIPTION_BYTES]);

#endif
