/* One weight matrix ready to multiply, by either backend: C [rows, columns] = bias + A W^T, or C += A W^T. */
#ifndef WLI_GEMM_H
#define WLI_GEMM_H

#include "kernels/native.h"
#include "kernels/onednn.h"
#include "model.h"

typedef enum wli_matrix { WLI_WEIGHT_IH, WLI_WEIGHT_HH, WLI_WEIGHT_HR } wli_matrix;
typedef enum wli_gemm_kind { WLI_GEMM_NATIVE, WLI_GEMM_ONEDNN } wli_gemm_kind;

typedef struct wli_gemm {
    wli_gemm_kind kind;
    const wli_native *native;
    int64_t depth, columns;
    bool accumulate;           /* weight_hh adds onto the gates; the others start from a bias or zeros */
    const void *panels, *bias; /* native: shared with the model's other plans */
    wli_onednn_gemm *onednn;   /* shared likewise */
    wli_onednn_runner *runner;
    size_t bytes; /* of the packed weights */
} wli_gemm;

/* Packs matrix `which` of cell `cell` (an index into model->cells) for up to max_rows rows. The columns of weight_ih and weight_hh
 * are in the layout's order, those of weight_hr PyTorch's, padded to whole vectors. */
wlstm_status wli_gemm_make(wli_gemm *gemm, wli_model *model, int64_t cell, wli_matrix which, wli_gemm_kind kind,
                           const wli_native *native, const wli_gate_layout *layout, int64_t max_rows);

void wli_gemm_release(wli_gemm *gemm);

/* a: [rows] pointers to [depth]; c [rows, columns]. dense [rows, depth] is workspace for oneDNN, used when the rows of A do not
 * follow each other in memory. */
wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, float *dense);

#endif
