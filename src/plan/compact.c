#include "plan/compact.h"

#include "base/precision.h"
#include "base/status.h"
#include "kernels/step.h"
#include "plan/axes.h"
#include "plan/choice.h"

/* The vectors that a plan of one row takes, and so any deterministic one may. */
static const wli_native *choose_native(const wli_model *model, wlstm_precision precision) {
    const wli_setting setting = {
        .model = model, .seq_len = 1, .batch = 1, .threads = 1, .backend = WLSTM_BACKEND_NATIVE, .precision = precision
    };
    const wli_machine_model machine = wli_machine_model_guess(1);
    const wli_candidate candidate = wli_choose(&setting, &machine);
    return wli_candidate_resolve(&setting, &candidate).native;
}

static wlstm_status fill(wli_model *compact, const wli_rows_source *source, const wli_native *native) {
    const int64_t cells = compact->num_layers * compact->num_directions;
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < cells && status == WLSTM_OK; i++) {
        const wli_cell_spec spec = { .weights = &compact->cells[i],
                                     .dtype = wli_dtype_real(compact->dtype),
                                     .shelf = &compact->derived,
                                     .place = i,
                                     .source = source,
                                     .first_parameter = i * wli_model_cell_parameters(compact),
                                     .bias = compact->bias,
                                     .native = native,
                                     .project = &wli_multiply_native,
                                     .step = &wli_multiply_native };
        wli_cell_kernels kernels;
        status = wli_cell_kernels_make(&spec, &kernels);
    }
    return status;
}

wlstm_status wli_compact_fill(wli_model *compact, const wli_values *values, wlstm_precision precision) {
    wlstm_status status = wli_precision_check(compact->dtype, precision);
    if (status != WLSTM_OK) return status;
    const wlstm_precision chosen = wli_precision_choose(compact->dtype, precision);
    const wli_native *native = choose_native(compact, chosen);
    wli_rows_source source;
    status = wli_rows_source_make(compact, native, *values, &source);
    if (status == WLSTM_OK) status = fill(compact, &source, native);
    wli_rows_source_free(&source);
    compact->packed_precision = chosen;
    compact->packed_lanes = native->lanes;
    return status;
}
