#include "plan/compact.h"

#include "base/allocator.h"
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
                                     .dtype = compact->dtype,
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

/* Small beside weights for which it matters, or a panel or the biases of the largest. */
static bool room_bytes(const wli_model *model, const wli_native *native, size_t *bytes) {
    const int64_t element = (int64_t)wli_dtype_size(model->dtype), cells = model->num_layers * model->num_directions;
    *bytes = (size_t)1 << 20;
    for (int64_t i = 0; i < cells; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        const int64_t deeper = cell->input_size > cell->hidden_size ? cell->input_size : cell->hidden_size;
        size_t panel, biases;
        if (!wli_size_product(WLI_PANEL_VECTORS * native->lanes, deeper, element, &panel) ||
            !wli_size_product(8, cell->hidden_size, element, &biases))
            return false;
        if (panel > *bytes) *bytes = panel;
        if (biases > *bytes) *bytes = biases;
    }
    return true;
}

wlstm_status wli_compact_fill(wli_model *compact, const wli_values *values, wlstm_precision precision) {
    wlstm_status status = wli_precision_check(compact->dtype, precision);
    if (status != WLSTM_OK) return status;
    const wlstm_precision chosen = wli_precision_choose(compact->dtype, precision);
    const wli_native *native = choose_native(compact, chosen);
    wli_rows_source source = { .values = values };
    const bool fits = room_bytes(compact, native, &source.room_bytes);
    if (!fits || !(source.room = wli_alloc(source.room_bytes)))
        return wli_out_of_memory("rows of weights", fits ? source.room_bytes : SIZE_MAX);
    status = fill(compact, &source, native);
    wli_free(source.room);
    compact->packed_precision = chosen;
    compact->packed_lanes = native->lanes;
    return status;
}
