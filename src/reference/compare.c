#include "reference/compare.h"

#include <math.h>

/* The one set of tolerances, a row a number type: tests/support/tolerances.py reads it here. */
typedef struct tolerance {
    double rtol, atol;
} tolerance;
static const tolerance tolerances[] = {
    [WLSTM_F32] = { 1.3e-6, 1e-5 },
    [WLSTM_F64] = { 1e-7, 1e-7 },
    [WLSTM_BF16] = { 1.6e-2, 1e-2 },
};

/* An h in the middle of two roundings goes to either, as its last bits fall, and what the next step makes of that is
 * not float's: some such elements of a row, over a sequence. */
static const tolerance rounded = { 1e-2, 1e-2 };

bool wli_close_enough(wlstm_dtype dtype, wlstm_precision precision, double got, double expected) {
    const tolerance allowed = precision > WLSTM_PRECISION_FULL ? rounded : tolerances[dtype];
    if (got == expected || (isnan(got) && isnan(expected))) return true;
    return isfinite(expected) && fabs(got - expected) <= allowed.atol + allowed.rtol * fabs(expected);
}
