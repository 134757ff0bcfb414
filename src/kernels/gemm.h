/* One weight matrix of a cell ready to multiply: C [rows, columns] = bias + A W^T, or C += A W^T. */
#ifndef WLI_GEMM_H
#define WLI_GEMM_H

#include "base/shelf.h"
#include "kernels/multiplier.h"
#include "model/model.h"

typedef enum wli_matrix { WLI_WEIGHT_IH, WLI_WEIGHT_HH, WLI_WEIGHT_HR } wli_matrix;

/* Which cell, and how it is to run. */
typedef struct wli_cell_spec {
    const wli_cell_weights *weights;
    wlstm_dtype dtype; /* that it computes in */
    /* What is packed is kept on the shelf in this place, which is the cell's, for all who pack it alike. */
    wli_shelf *shelf;
    int64_t place;
    /* In panels: what is packed in the place of the weights, the cell's parameters from this one on, with biases or
     * without; or NULL. */
    const wli_rows_source *source;
    int64_t first_parameter;
    bool bias;
    const wli_native *native;
    const wli_multiplier *project, *step;
    int64_t project_rows, step_rows; /* the most rows of a product */
    int64_t shares;                  /* among so many threads its units are shared; 0 is 1 */
} wli_cell_spec;

/* The columns of weight_ih and weight_hh are in the layout's order, those of weight_hr PyTorch's, padded to whole
 * vectors. `dense` leaves no gaps between the rows of C, for who shares it with a multiplier that wants none. */
wlstm_status wli_gemm_make(const wli_cell_spec *cell, const wli_gate_layout *layout, wli_matrix which, bool dense,
                           wli_gemm *gemm);

/* Packs the range's columns, unless the matrix is whole: a cell's, of the layout. Threads may pack ranges at once; who
 * asked them to has the turn of the shelf that the matrix is on, and marks it as whole. */
void wli_gemm_fill(const wli_gemm *gemm, const wli_cell_weights *weights, const wli_gate_layout *layout,
                   wli_matrix which, wli_panel_range range);

/* What one thread needs to run the gemm; all that it needed. */
wlstm_status wli_gemm_equip(const wli_gemm *gemm, wli_tools *tools);
void wli_tools_release(wli_tools *tools);

/* a: [rows] pointers to [depth]; c [rows, columns], stride apart, of which the range's columns are computed. */
wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                          wli_tools *tools);

#endif
