/* When two results count as one: torch.testing.assert_close's rule, for searches, benchmarks and tests alike. */
#ifndef WLI_COMPARE_H
#define WLI_COMPARE_H

#include "base/number_types.h"

#include <stdbool.h>

/* |got - expected| <= atol + rtol * |expected| for numbers of that type, from products of that precision, of which
 * DEFAULT is FULL; NaN is close to NaN, an infinity to itself. */
bool wli_close_enough(wlstm_dtype dtype, wlstm_precision precision, double got, double expected);

#endif
