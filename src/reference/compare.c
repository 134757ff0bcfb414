#include "reference/compare.h"

#include <math.h>

/* The one set of tolerances, a row a number type: tests/support/tolerances.py reads it here. */
static const struct {
    double rtol, atol;
} tolerances[] = {
    [WLSTM_F32] = { 1.3e-6, 1e-5 },
    [WLSTM_F64] = { 1e-7, 1e-7 },
};

bool wli_close_enough(wlstm_dtype dtype, double got, double expected) {
    if (got == expected || (isnan(got) && isnan(expected))) return true;
    return isfinite(expected) &&
           fabs(got - expected) <= tolerances[dtype].atol + tolerances[dtype].rtol * fabs(expected);
}
