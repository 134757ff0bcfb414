#include "kernels/step.h"

#include <string.h>

/* Both weights of the gates, where a step brings its input: they stay in an L1 of 32 KiB beside what else is there.
 * With more a projection of all steps is faster. */
enum { MOST_INPUT_BYTES = 24 << 10 };

/* Whether a step is few tiles, small enough, and all of it a native step's. */
static bool should_bring_input(const wli_cell_spec *spec, const wli_cell_kernels *kernels) {
    const size_t bytes = (size_t)(kernels->layout.columns * (kernels->ih.depth + kernels->hh.depth)) * kernels->element;
    return kernels->in_panels && !spec->weights->proj_size && bytes <= MOST_INPUT_BYTES &&
           spec->native->few_tiles(&kernels->layout, spec->step_rows);
}

wlstm_status wli_cell_kernels_make(const wli_cell_spec *spec, wli_cell_kernels *kernels) {
    /* Two write the same rows of G, the third its own. */
    const bool dense = spec->project->dense || spec->step->dense;
    memset(kernels, 0, sizeof *kernels);
    kernels->weights = spec->weights;
    kernels->shelf = spec->shelf;
    kernels->element = wli_dtype_size(spec->dtype);
    kernels->layout = wli_gate_layout_make(spec->weights->hidden_size, spec->native->lanes);
    kernels->c_stride = wli_gate_stride(kernels->layout.padded_hidden, kernels->element);
    kernels->in_panels = spec->project->in_panels && spec->step->in_panels;
    kernels->slices = spec->project->sliced || spec->step->sliced ? (spec->shares > 1 ? spec->shares : 1) : 0;
    wlstm_status status = wli_gemm_make(spec, &kernels->layout, WLI_WEIGHT_IH, dense, &kernels->ih);
    if (status == WLSTM_OK) status = wli_gemm_make(spec, &kernels->layout, WLI_WEIGHT_HH, dense, &kernels->hh);
    if (status == WLSTM_OK && spec->weights->proj_size)
        status = wli_gemm_make(spec, &kernels->layout, WLI_WEIGHT_HR, spec->step->dense, &kernels->hr);
    kernels->brings_input = should_bring_input(spec, kernels);
    kernels->range = wli_all_panels(kernels->layout.columns, kernels->layout.lanes);
    kernels->projection_range = wli_all_panels(kernels->hr.columns, kernels->layout.lanes);
    return status;
}

wlstm_status wli_cell_equip(const wli_cell_kernels *kernels, wli_tools *tools) {
    wlstm_status status = wli_gemm_equip(&kernels->ih, tools);
    if (status == WLSTM_OK) status = wli_gemm_equip(&kernels->hh, tools);
    if (status == WLSTM_OK && kernels->hr.packed) status = wli_gemm_equip(&kernels->hr, tools);
    return status;
}

size_t wli_cell_kernels_bytes(const wli_cell_kernels *kernels) {
    return kernels->ih.packed->bytes + kernels->hh.packed->bytes + (kernels->hr.packed ? kernels->hr.packed->bytes : 0);
}

size_t wli_cell_unfilled_bytes(const wli_cell_kernels *kernels) {
    const wli_packed *const all[] = { kernels->ih.packed, kernels->hh.packed, kernels->hr.packed };
    size_t bytes = 0;
    for (int i = 0; i < 3; i++) bytes += all[i] && !all[i]->whole ? all[i]->bytes : 0;
    return bytes;
}

void wli_cell_fill(const wli_cell_kernels *kernels, wli_panel_range range, wli_panel_range projection_range) {
    const wli_cell_weights *weights = kernels->weights;
    wli_gemm_fill(&kernels->ih, weights, &kernels->layout, WLI_WEIGHT_IH, range);
    wli_gemm_fill(&kernels->hh, weights, &kernels->layout, WLI_WEIGHT_HH, range);
    if (kernels->hr.packed) wli_gemm_fill(&kernels->hr, weights, &kernels->layout, WLI_WEIGHT_HR, projection_range);
}

void wli_cell_filled(const wli_cell_kernels *kernels) {
    kernels->ih.packed->whole = kernels->hh.packed->whole = true;
    if (kernels->hr.packed) kernels->hr.packed->whole = true;
}

wlstm_status wli_cell_project(const wli_cell_kernels *kernels, wli_cell_workspace *workspace, int64_t rows,
                              const void *const *x, wli_panel_range range, void *gates) {
    return wli_gemm_run(&kernels->ih, rows, x, gates, range, &workspace->tools);
}

/* The native kernel's view of a step, every field by name, as what zeroes the others takes longer than they do. */
static inline wli_gemm_args input_args(const wli_cell_kernels *kernels, const wli_cell_step *step) {
    return (wli_gemm_args){ .rows = step->rows,
                            .depth = kernels->ih.depth,
                            .columns = kernels->ih.columns,
                            .a = step->x,
                            .panels = kernels->ih.packed->panels,
                            .bias = kernels->ih.bias,
                            .c = step->gates,
                            .ldc = kernels->ih.stride,
                            .range = step->range,
                            .halves = kernels->hh.halves };
}

static inline wli_step_args step_args(const wli_cell_kernels *kernels, const wli_cell_step *step,
                                      const wli_gemm_args *input, const void *const *h_prev, void *const *h) {
    return (wli_step_args){ .input = step->x ? input : NULL,
                            .layout = &kernels->layout,
                            .rows = step->rows,
                            .depth = kernels->hh.depth,
                            .h_prev = h_prev,
                            .panels = kernels->hh.packed->panels,
                            .gates = step->gates,
                            .ldg = kernels->ih.stride,
                            .c = step->c,
                            .ldc = step->ldc,
                            .h = h,
                            .steps = kernels->hh.multiplier->in_panels ? step->steps : 1,
                            .h_step = step->h_step,
                            .range = step->range,
                            .backwards = step->backwards,
                            .halves = kernels->hh.halves };
}

bool wli_cell_prepare(const wli_cell_kernels *kernels, const wli_cell_step *step, wli_prepared_step *prepared) {
    if (!kernels->in_panels || kernels->weights->proj_size) return false;
    const wli_gemm_args input = input_args(kernels, step);
    const wli_step_args args = step_args(kernels, step, &input, step->h_prev, step->h);
    return kernels->hh.native->prepare(&args, prepared);
}

wlstm_status wli_cell_run_steps(const wli_cell_kernels *kernels, wli_cell_workspace *workspace,
                                const wli_cell_step *step, int64_t *done) {
    const bool projects = kernels->weights->proj_size;
    const size_t element = kernels->element;
    const wli_gemm *hh = &kernels->hh;
    const void *const *h_prev = NULL; /* nothing to multiply, or done */
    wli_cell_step projected;
    if (step->x && hh->native->operands) { /* there is room for one matrix of operands */
        wlstm_status status = wli_cell_project(kernels, workspace, step->rows, step->x, step->range, step->gates);
        if (status != WLSTM_OK) return status;
        projected = *step, projected.x = NULL, step = &projected;
    }
    const bool skips = step->h_prev_is_zero && hh->packed->finite;
    if (!hh->multiplier->in_panels && !skips) {
        wlstm_status status = wli_gemm_run(hh, step->rows, step->h_prev, step->gates, step->range, &workspace->tools);
        if (status != WLSTM_OK) return status;
    } else if (!skips)
        h_prev = wli_operand_rows(hh->native, step->rows, hh->depth, element, step->h_prev, &workspace->tools.gathered);
    void *const *h = step->h;
    if (projects) {
        for (int64_t r = 0; r < step->rows; r++)
            workspace->unprojected_rows[r] =
                (char *)workspace->unprojected + (size_t)(r * kernels->weights->hidden_size) * element;
        h = workspace->unprojected_rows;
    }
    const wli_gemm_args input = input_args(kernels, step);
    const wli_step_args args = step_args(kernels, step, &input, h_prev, h);
    *done = hh->native->step(&args);
    return WLSTM_OK;
}

/* h [rows][P] = m [rows, H] W_hr^T */
wlstm_status wli_cell_project_hidden(const wli_cell_kernels *kernels, wli_cell_workspace *workspace,
                                     const wli_cell_step *step) {
    const size_t element = kernels->element, row_bytes = (size_t)kernels->hr.stride * element;
    const int64_t panel = (int64_t)WLI_PANEL_VECTORS * kernels->layout.lanes, P = kernels->weights->proj_size;
    const int64_t first = step->projection_range.first * panel, end = step->projection_range.end * panel;
    if (first >= P || first >= end) return WLSTM_OK;
    wlstm_status status = wli_gemm_run(&kernels->hr, step->rows, (const void *const *)workspace->unprojected_rows,
                                       workspace->projected, step->projection_range, &workspace->tools);
    for (int64_t r = 0; r < step->rows && status == WLSTM_OK; r++)
        memcpy((char *)step->h[r] + (size_t)first * element,
               (char *)workspace->projected + (size_t)r * row_bytes + (size_t)first * element,
               (size_t)((end < P ? end : P) - first) * element);
    return status;
}
