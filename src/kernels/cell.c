#include "kernels/cell.h"

#include "kernels/pack.h"
#include <string.h>

wlstm_status wli_cell_kernels_make(wli_cell_kernels *kernels, wli_model *model, int64_t cell,
                                   wli_gemm_kind project_kind, wli_gemm_kind step_kind, const wli_native *native,
                                   int64_t project_rows, int64_t step_rows) {
    const wli_cell_weights *weights = &model->cells[cell];
    const int64_t recurrent = 4 * weights->hidden_size * weights->state_size;
    memset(kernels, 0, sizeof *kernels);
    kernels->weights = weights;
    kernels->element = wli_dtype_size(model->dtype);
    kernels->layout = wli_gate_layout_make(weights->hidden_size, native->lanes);
    kernels->recurrent_finite =
        (model->dtype == WLSTM_F64 ? wli_all_finite_f64 : wli_all_finite_f32)(weights->weight_hh, recurrent);
    wlstm_status status =
        wli_gemm_make(&kernels->ih, model, cell, WLI_WEIGHT_IH, project_kind, native, &kernels->layout, project_rows);
    if (status == WLSTM_OK)
        status =
            wli_gemm_make(&kernels->hh, model, cell, WLI_WEIGHT_HH, step_kind, native, &kernels->layout, step_rows);
    if (status == WLSTM_OK && weights->weight_hr)
        status =
            wli_gemm_make(&kernels->hr, model, cell, WLI_WEIGHT_HR, step_kind, native, &kernels->layout, step_rows);
    return status;
}

void wli_cell_kernels_release(wli_cell_kernels *kernels) {
    wli_gemm_release(&kernels->ih);
    wli_gemm_release(&kernels->hh);
    wli_gemm_release(&kernels->hr);
}

size_t wli_cell_kernels_bytes(const wli_cell_kernels *kernels) {
    return kernels->ih.bytes + kernels->hh.bytes + kernels->hr.bytes;
}

wlstm_status wli_cell_project(const wli_cell_kernels *kernels, const wli_cell_workspace *workspace, int64_t rows,
                              const void *const *x, void *gates) {
    return wli_gemm_run(&kernels->ih, rows, x, gates, workspace->dense);
}

/* h [rows][P] = m [rows, H] W_hr^T */
static wlstm_status project_hidden(const wli_cell_kernels *kernels, const wli_cell_workspace *workspace,
                                   const wli_cell_step *step) {
    const size_t element = kernels->element;
    size_t row_bytes = (size_t)kernels->hr.columns * element;
    wlstm_status status = wli_gemm_run(&kernels->hr, step->rows, (const void *const *)workspace->unprojected_rows,
                                       workspace->projected, workspace->dense);
    for (int64_t r = 0; r < step->rows && status == WLSTM_OK; r++)
        memcpy(step->h[r], (char *)workspace->projected + (size_t)r * row_bytes,
               (size_t)kernels->weights->proj_size * element);
    return status;
}

wlstm_status wli_cell_run_step(const wli_cell_kernels *kernels, const wli_cell_workspace *workspace,
                               const wli_cell_step *step) {
    const bool projects = kernels->weights->weight_hr;
    const size_t element = kernels->element;
    wli_step_args args = { .layout = &kernels->layout,
                           .rows = step->rows,
                           .depth = kernels->hh.depth,
                           .h_prev = step->h_prev_is_zero && kernels->recurrent_finite ? NULL : step->h_prev,
                           .panels = kernels->hh.panels,
                           .gates = step->gates,
                           .c = step->c,
                           .h = step->h };
    if (kernels->hh.kind == WLI_GEMM_ONEDNN && args.h_prev) {
        wlstm_status status = wli_gemm_run(&kernels->hh, step->rows, step->h_prev, step->gates, workspace->dense);
        if (status != WLSTM_OK) return status;
        args.h_prev = NULL;
    }
    if (projects) {
        for (int64_t r = 0; r < step->rows; r++)
            workspace->unprojected_rows[r] =
                (char *)workspace->unprojected + (size_t)(r * kernels->weights->hidden_size) * element;
        args.h = workspace->unprojected_rows;
    }
    kernels->hh.native->step(&args);
    return projects ? project_hidden(kernels, workspace, step) : WLSTM_OK;
}
