/* One weight matrix ready to multiply, by any of three: C [rows, columns] = bias + A W^T, or C += A W^T. */
#ifndef WLI_GEMM_H
#define WLI_GEMM_H

#include "kernels/dispatch.h"
#include "kernels/onednn.h"
#include "model/model.h"

typedef enum wli_matrix { WLI_WEIGHT_IH, WLI_WEIGHT_HH, WLI_WEIGHT_HR } wli_matrix;
typedef enum wli_gemm_kind { WLI_GEMM_NATIVE, WLI_GEMM_MATMUL, WLI_GEMM_INNER_PRODUCT, WLI_GEMM_KINDS } wli_gemm_kind;

/* "native", "onednn matmul", ... */
extern const char *const wli_gemm_names[WLI_GEMM_KINDS];

/* A weight matrix as one backend wants it, shared by every plan of the model. */
typedef struct wli_packed {
    void *panels; /* native: layout.h's panels, then the bias [columns] */
    wli_onednn_gemm *onednn;
    size_t bytes;
    bool finite; /* every weight is: the product with a zero state can be left out */
} wli_packed;

typedef struct wli_gemm {
    wli_gemm_kind kind;
    const wli_native *native;
    const wli_packed *packed;
    const void *bias; /* native; NULL for weight_hh, which adds onto the gates */
    wli_onednn_runner *runner;
    int64_t depth, columns, stride; /* stride: elements from one row of C to the next */
    size_t element;
    bool halves; /* as in wli_gemm_args */
} wli_gemm;

/* Rows of A copied side by side, where they are scattered in a way that the kernel cannot use well. */
typedef struct wli_gathered {
    void *dense;       /* [rows, wli_gate_stride(depth)] */
    const void **rows; /* [rows] */
} wli_gathered;

/* Packs matrix `which` of cell `cell` (an index into model->cells) for up to max_rows rows, native ones in small pages if asked.
 * `dense` leaves no gaps between the rows of C: for an inner product, and for who shares C with one.
 * The columns of weight_ih and weight_hh are in the layout's order, those of weight_hr PyTorch's, padded to whole vectors. */
wlstm_status wli_gemm_make(wli_gemm *gemm, wli_model *model, int64_t cell, wli_matrix which, wli_gemm_kind kind,
                           const wli_native *native, const wli_gate_layout *layout, int64_t max_rows, bool dense,
                           bool small_pages);

void wli_gemm_release(wli_gemm *gemm);

/* a: [rows] pointers to [depth]; c [rows, columns], stride apart, of which the range's columns are computed (oneDNN: all). */
wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                          wli_gathered *gathered);

/* The rows themselves, or copies of them where their distance would put them all into the same sets of the L1. */
const void *const *wli_spread_rows(int64_t rows, int64_t depth, size_t element, const void *const *a,
                                   wli_gathered *gathered);

#endif
