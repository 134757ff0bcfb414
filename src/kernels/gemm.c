#include "kernels/gemm.h"

#include "base/allocator.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>

static void discard_packed(void *object) {
    wli_packed *packed = object;
    packed->multiplier->discard(packed);
    wli_free(packed);
}

/* What make_packed gets by way of the shelf. */
typedef struct packing {
    const wli_multiplier *multiplier;
    const wli_pack_request *request;
} packing;

static wlstm_status make_packed(void *context, void **object) {
    const packing *wanted = context;
    wli_packed *packed = wli_calloc(sizeof *packed);
    if (!packed) return wli_out_of_memory("packed weights", sizeof *packed);
    packed->multiplier = wanted->multiplier;
    if (!wanted->request->matrix.weight && !wanted->request->source) {
        wli_free(packed);
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "plan: one by the weights that a compact lstm has packed expected, "
                                                 "got one that needs them packed anew");
    }
    wlstm_status status = wanted->multiplier->pack(wanted->request, packed);
    if (status != WLSTM_OK) {
        discard_packed(packed);
        return status;
    }
    packed->whole = wanted->request->source || !wanted->multiplier->fill;
    *object = packed;
    return WLSTM_OK;
}

static wli_pack_args matrix_of(const wli_cell_weights *weights, const wli_gate_layout *layout, wli_matrix which) {
    const int64_t H = weights->hidden_size, P = weights->proj_size, lanes = layout->lanes;
    if (which == WLI_WEIGHT_HR)
        return (wli_pack_args){ weights->weight_hr, P, H, .columns = (P + lanes - 1) / lanes * lanes };
    const bool ih = which == WLI_WEIGHT_IH;
    return (wli_pack_args){ .weight = ih ? weights->weight_ih : weights->weight_hh,
                            .rows = 4 * H,
                            .depth = ih ? weights->input_size : weights->state_size,
                            .layout = layout,
                            .columns = layout->columns,
                            .bias_ih = ih ? weights->bias_ih : NULL,
                            .bias_hh = ih ? weights->bias_hh : NULL };
}

static wli_pack_request request_of(const wli_cell_spec *cell, const wli_gate_layout *layout, wli_matrix which) {
    const int64_t biases_before = cell->bias && which == WLI_WEIGHT_HR ? 2 : 0;
    return (wli_pack_request){ .dtype = cell->dtype,
                               .native = cell->native,
                               .matrix = matrix_of(cell->weights, layout, which),
                               .has_bias = which != WLI_WEIGHT_HH,
                               .source = cell->source,
                               .weight_parameter = cell->first_parameter + (int64_t)which + biases_before,
                               .bias_parameter = cell->bias && which == WLI_WEIGHT_IH ? cell->first_parameter + 2 : 0,
                               .max_rows = which == WLI_WEIGHT_IH ? cell->project_rows : cell->step_rows,
                               .slices = cell->shares > 1 ? cell->shares : 1 };
}

wlstm_status wli_gemm_make(const wli_cell_spec *cell, const wli_gate_layout *layout, wli_matrix which, bool dense,
                           wli_gemm *gemm) {
    const wli_multiplier *multiplier = which == WLI_WEIGHT_IH ? cell->project : cell->step;
    const size_t element = wli_dtype_size(cell->dtype);
    wli_pack_request request = request_of(cell, layout, which);
    const int64_t columns = request.matrix.columns;
    request.stride = dense ? columns : wli_gate_stride(columns, element);
    /* With halves the cell takes the gates from memory: they pay only where reading the weights twice costs more. */
    *gemm = (wli_gemm){ .multiplier = multiplier,
                        .native = cell->native,
                        .depth = request.matrix.depth,
                        .columns = columns,
                        .stride = request.stride,
                        .element = element,
                        .halves = wli_wide_core() };
    /* A layout's order of columns follows from the lanes, whoever multiplies. */
    char own[WLI_SHELF_KEY_BYTES / 2], key[WLI_SHELF_KEY_BYTES];
    multiplier->name_packed(&request, own, sizeof own);
    snprintf(key, sizeof key, "%s %s, %s, lanes %d, matrix %d", wli_gemm_names[multiplier->kind], own,
             cell->native->product, cell->native->lanes, (int)which);
    packing wanted = { multiplier, &request };
    void *packed;
    wlstm_status status = wli_shelf_get(cell->shelf, cell->place, key, make_packed, discard_packed, &wanted, &packed);
    if (status != WLSTM_OK) return status;
    gemm->packed = packed;
    if (request.has_bias) gemm->bias = gemm->packed->bias;
    return WLSTM_OK;
}

void wli_gemm_fill(const wli_gemm *gemm, const wli_cell_weights *weights, const wli_gate_layout *layout,
                   wli_matrix which, wli_panel_range range) {
    wli_packed *packed = gemm->packed;
    if (packed->whole || range.first >= range.end) return;
    const wli_pack_args matrix = matrix_of(weights, layout, which);
    if (gemm->multiplier->fill(gemm->native, &matrix, packed, range)) return;
#pragma omp atomic write
    packed->finite = false;
}

wlstm_status wli_gemm_equip(const wli_gemm *gemm, wli_tools *tools) {
    const wli_multiplier *multiplier = gemm->multiplier;
    return multiplier->equip ? multiplier->equip(gemm->packed, &tools->own[multiplier->kind]) : WLSTM_OK;
}

void wli_tools_release(wli_tools *tools) {
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++) {
        if (tools->own[kind]) wli_multipliers[kind]->release(tools->own[kind]);
        tools->own[kind] = NULL;
    }
}

wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                          wli_tools *tools) {
    return rows > 0 ? gemm->multiplier->run(gemm, rows, a, c, range, tools) : WLSTM_OK;
}
