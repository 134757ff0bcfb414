#include "base/precision.h"

#include "base/environment.h"
#include "base/status.h"

const char *const wli_precision_names[] = { "default", "full", "bf16", "int8", NULL };

static bool has(wlstm_dtype dtype, wlstm_precision precision) {
    return precision <= WLSTM_PRECISION_FULL || dtype != WLSTM_F64;
}

wlstm_status wli_precision_check(wlstm_dtype dtype, wlstm_precision precision) {
    if (precision < WLSTM_PRECISION_DEFAULT || precision > WLSTM_PRECISION_INT8)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "precision: a wlstm_precision expected, got %d", (int)precision);
    if (!has(dtype, precision))
        return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                        "precision: default or full expected with parameters of f64, got %s, which is for f32",
                        wli_precision_names[precision]);
    return WLSTM_OK;
}

wlstm_precision wli_precision_choose(wlstm_dtype dtype, wlstm_precision named) {
    const wlstm_precision chosen = named ? named : wli_environment_get()->precision;
    if (chosen == WLSTM_PRECISION_BF16 && dtype == WLSTM_BF16) return WLSTM_PRECISION_FULL;
    return chosen && has(dtype, chosen) ? chosen : WLSTM_PRECISION_FULL;
}
