/* How much scratch a choice takes, before a plan of it is made. */
#ifndef WLI_SCRATCH_H
#define WLI_SCRATCH_H

#include "plan/setting.h"
#include "schedule/sequence.h"

/* Bytes, about: what src/schedule/sequence.c will lay out, but for the padding of rows and the small parts. */
double wli_scratch_bytes(const wli_setting *setting, const wli_choice *choice);

/* Whether that is in proportion: no more than some times what one thread takes by the default choice, and room of
 * its own for each thread. The default itself always is. */
bool wli_scratch_in_proportion(const wli_setting *setting, const wli_choice *choice, const wli_choice *by_default);

#endif
