/* What a compact model has in the place of its values: each weight in panels, by which plans of any size, schedule
 * and number of threads can multiply. */
#ifndef WLI_COMPACT_H
#define WLI_COMPACT_H

#include "model/model.h"

/* A wli_model_fill. For the precision, of which DEFAULT is what a plan would take now; of vectors as wide as a plan
 * of one row's. Errors: those of the values, INVALID_ARGUMENT and UNSUPPORTED (a precision that the model has not),
 * OUT_OF_MEMORY. */
wlstm_status wli_compact_fill(wli_model *compact, const wli_values *values, wlstm_precision precision);

#endif
