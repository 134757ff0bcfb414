/* What products multiply: names, and which of them a dtype has. */
#ifndef WLI_PRECISION_H
#define WLI_PRECISION_H

#include "wavelstm.h"

/* [wlstm_precision] "default", "full", "bf16", "int8", and NULL behind them. */
extern const char *const wli_precision_names[];

/* Of one that somebody names. Errors: INVALID_ARGUMENT (no wlstm_precision), UNSUPPORTED (not of this dtype). */
wlstm_status wli_precision_check(wlstm_dtype dtype, wlstm_precision precision);

/* The one that is named, else the environment's, which speaks for a whole process and does not count where the dtype
 * has it not, else FULL; never DEFAULT. Of bf16 arrays BF16 is FULL. */
wlstm_precision wli_precision_choose(wlstm_dtype dtype, wlstm_precision named);

#endif
