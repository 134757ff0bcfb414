/* One (layer, direction) ready to run: project, then step by step. The two products of the gates may be different
 * multipliers'; what follows them is always the native kernel's. */
#ifndef WLI_STEP_H
#define WLI_STEP_H

#include "kernels/gemm.h"

typedef struct wli_cell_kernels {
    const wli_cell_weights *weights;
    wli_shelf *shelf; /* of its packed weights */
    wli_gate_layout layout;
    size_t element;   /* bytes of a real */
    int64_t c_stride; /* elements from one row of c to the next */
    wli_gemm ih, hh;
    wli_gemm hr;    /* only with projection */
    bool in_panels; /* both products of the gates are the native kernels' */
    /* Into so many slices a product's weights are cut: threads share whole ones. 0: none is, any panel is a border. */
    int64_t slices;
    /* All of the cell's units; with projection, all of its outputs. */
    wli_panel_range range, projection_range;
    bool brings_input; /* a step is few tiles, and best projects its rows of x itself */
} wli_cell_kernels;

/* Workspace of one thread that runs cells. */
typedef struct wli_cell_workspace {
    wli_tools tools;   /* gathered: [rows, widest depth] */
    void *unprojected; /* o * tanh(c) [rows, H], with projection */
    void *projected;   /* [rows, P padded], with projection */
    void **unprojected_rows;
} wli_cell_workspace;

typedef struct wli_cell_step {
    int64_t rows;
    const void *const *h_prev; /* [rows] pointers to [R] */
    bool h_prev_is_zero;
    /* [rows] pointers to [I]: a step that stands alone, or brings its input, projects them itself; NULL: G is
     * projected. */
    const void *const *x;
    void *gates; /* G [rows, columns], projected; replaced */
    void *c;     /* [rows, ldc], replaced */
    int64_t ldc;
    void *const *h;                   /* [rows] pointers to [R], written */
    int64_t steps, h_step;            /* as many at most, one after the other: as in wli_step_args */
    wli_panel_range range;            /* the units to finish */
    wli_panel_range projection_range; /* with projection: the outputs to finish */
    bool backwards;                   /* sweep the weights from the end: for every second step */
} wli_cell_step;

/* Has room for the weights, which wli_cell_fill packs. */
wlstm_status wli_cell_kernels_make(const wli_cell_spec *spec, wli_cell_kernels *kernels);
/* What one thread needs to run the cell; wli_tools_release. */
wlstm_status wli_cell_equip(const wli_cell_kernels *kernels, wli_tools *tools);
/* Of the packed weights. */
size_t wli_cell_kernels_bytes(const wli_cell_kernels *kernels);

/* All of these with the turn of the shelf. How many bytes of weights are still to be packed; packs these panels of the
 * gates' weights and these of the projection's, for which threads may call at once; says that all are. */
size_t wli_cell_unfilled_bytes(const wli_cell_kernels *kernels);
void wli_cell_fill(const wli_cell_kernels *kernels, wli_panel_range range, wli_panel_range projection_range);
void wli_cell_filled(const wli_cell_kernels *kernels);

/* G [rows, columns] = x W_ih^T + b_ih + b_hh, x as [rows] pointers to [I]. */
wlstm_status wli_cell_project(const wli_cell_kernels *kernels, wli_cell_workspace *workspace, int64_t rows,
                              const void *const *x, wli_panel_range range, void *gates);

/* h', c' from G, h and c; with projection, o * tanh(c') into the workspace in place of h'. Says how many of the
 * steps are done: one, or all. */
wlstm_status wli_cell_run_steps(const wli_cell_kernels *kernels, wli_cell_workspace *workspace,
                                const wli_cell_step *step, int64_t *done);

/* Prepares such a step with all of its units, without projection, for hh.native->step_prepared: false where there is
 * no such way. Its rows' pointers are not kept. */
bool wli_cell_prepare(const wli_cell_kernels *kernels, const wli_cell_step *step, wli_prepared_step *prepared);

/* h' of such a step, once all units are in the workspace: threads that share the units share `unprojected`, and meet
 * before this. */
wlstm_status wli_cell_project_hidden(const wli_cell_kernels *kernels, wli_cell_workspace *workspace,
                                     const wli_cell_step *step);

#endif
