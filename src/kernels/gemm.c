#include "kernels/gemm.h"

#include "allocator.h"
#include "kernels/pack.h"
#include "status.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What wli_model_derive hands to the makers below. */
typedef struct pack_request {
    wlstm_dtype dtype;
    const wli_cell_weights *cell;
    wli_matrix which;
    const wli_gate_layout *layout;
    int64_t max_rows;
    wli_pack_args args;
} pack_request;

static void pack(const pack_request *request, int64_t panel_columns, void *panels) {
    wli_pack_args args = request->args;
    args.panel_columns = panel_columns;
    args.panels = panels;
    (request->dtype == WLSTM_F64 ? wli_pack_f64 : wli_pack_f32)(&args);
}

/* [columns]: b_ih + b_hh for weight_ih, zeros for weight_hr. */
static void pack_bias(const pack_request *request, void *bias) {
    const wli_cell_weights *cell = request->cell;
    if (request->which == WLI_WEIGHT_IH)
        (request->dtype == WLSTM_F64 ? wli_pack_bias_f64 : wli_pack_bias_f32)(request->layout, cell->bias_ih,
                                                                              cell->bias_hh, bias);
    else
        memset(bias, 0, (size_t)request->args.columns * wli_dtype_size(request->dtype));
}

/* Native: the panels, then one vector of padding, then the bias [columns]. */
static wlstm_status make_panels(void *context, void **object) {
    const pack_request *request = context;
    const wli_pack_args *args = &request->args;
    size_t element = wli_dtype_size(request->dtype), bytes;
    if (!wli_size_product(args->columns, args->depth + 1, (int64_t)element, &bytes))
        return wli_fail(WLSTM_ERROR_OUT_OF_MEMORY, "packed weights: a size below 2^64 bytes expected");
    if (!(*object = wli_alloc(bytes))) return wli_out_of_memory("packed weights", bytes);
    pack(request, (int64_t)request->layout->lanes * WLI_PANEL_VECTORS, *object);
    pack_bias(request, (char *)*object + (size_t)(args->columns * args->depth) * element);
    return WLSTM_OK;
}

static wlstm_status make_onednn(void *context, void **object) {
    const pack_request *request = context;
    const wli_pack_args *args = &request->args;
    size_t bytes;
    if (!wli_size_product(args->columns, args->depth + 1, sizeof(float), &bytes))
        return wli_fail(WLSTM_ERROR_OUT_OF_MEMORY, "packed weights: a size below 2^64 bytes expected");
    float *b = wli_alloc(bytes);
    if (!b) return wli_out_of_memory("packed weights", bytes);
    float *bias = b + args->columns * args->depth;
    pack(request, args->columns, b);
    if (request->which != WLI_WEIGHT_HH) pack_bias(request, bias);
    wli_onednn_gemm_spec spec = { request->max_rows, args->depth, args->columns, b,
                                  request->which == WLI_WEIGHT_HH ? NULL : bias };
    wli_onednn_gemm *gemm;
    wlstm_status status = wli_onednn_gemm_make(&spec, &gemm);
    wli_free(b);
    *object = gemm;
    return status;
}

static void destroy_onednn(void *object) {
    wli_onednn_gemm_destroy(object);
}

wlstm_status wli_gemm_make(wli_gemm *gemm, wli_model *model, int64_t cell, wli_matrix which, wli_gemm_kind kind,
                           const wli_native *native, const wli_gate_layout *layout, int64_t max_rows) {
    const wli_cell_weights *weights = &model->cells[cell];
    const int64_t H = weights->hidden_size, P = weights->proj_size;
    pack_request request = {
        .dtype = model->dtype, .cell = weights, .which = which, .layout = layout, .max_rows = max_rows
    };
    if (which == WLI_WEIGHT_HR)
        request.args = (wli_pack_args){
            weights->weight_hr, P, H, NULL, (P + native->lanes - 1) / native->lanes * native->lanes, 0, NULL
        };
    else if (which == WLI_WEIGHT_HH)
        request.args =
            (wli_pack_args){ weights->weight_hh, 4 * H, weights->state_size, layout, layout->columns, 0, NULL };
    else
        request.args =
            (wli_pack_args){ weights->weight_ih, 4 * H, weights->input_size, layout, layout->columns, 0, NULL };
    memset(gemm, 0, sizeof *gemm);
    gemm->kind = kind, gemm->native = native, gemm->accumulate = which == WLI_WEIGHT_HH;
    gemm->depth = request.args.depth, gemm->columns = request.args.columns;

    char key[64];
    if (kind == WLI_GEMM_NATIVE) {
        void *panels;
        snprintf(key, sizeof key, "native %d lanes, cell %" PRId64 ", matrix %d", native->lanes, cell, (int)which);
        wlstm_status status = wli_model_derive(model, key, make_panels, wli_free, &request, &panels);
        if (status != WLSTM_OK) return status;
        size_t weight_bytes = (size_t)(gemm->columns * gemm->depth) * wli_dtype_size(model->dtype);
        gemm->panels = panels;
        gemm->bias = gemm->accumulate ? NULL : (const char *)panels + weight_bytes;
        gemm->bytes = weight_bytes + (size_t)gemm->columns * wli_dtype_size(model->dtype);
        return WLSTM_OK;
    }
    void *onednn;
    snprintf(key, sizeof key, "onednn %" PRId64 " rows, cell %" PRId64 ", matrix %d", max_rows, cell, (int)which);
    wlstm_status status = wli_model_derive(model, key, make_onednn, destroy_onednn, &request, &onednn);
    if (status == WLSTM_OK) status = wli_onednn_runner_make(onednn, &gemm->runner);
    if (status != WLSTM_OK) return status;
    gemm->onednn = onednn;
    gemm->bytes = wli_onednn_gemm_bytes(onednn);
    return WLSTM_OK;
}

void wli_gemm_release(wli_gemm *gemm) {
    wli_onednn_runner_destroy(gemm->runner);
    gemm->runner = NULL;
}

/* The rows as one dense matrix: in place where they already are, else copied. */
static const float *dense_rows(int64_t rows, int64_t depth, const void *const *a, float *dense) {
    int64_t r = 1;
    while (r < rows && (const float *)a[r] == (const float *)a[r - 1] + depth) r++;
    if (r >= rows) return a[0];
    for (r = 0; r < rows; r++) memcpy(dense + r * depth, a[r], (size_t)depth * sizeof(float));
    return dense;
}

wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, float *dense) {
    if (gemm->kind == WLI_GEMM_ONEDNN)
        return wli_onednn_run(gemm->runner, rows, dense_rows(rows, gemm->depth, a, dense), c);
    gemm->native->gemm(&(wli_gemm_args){ rows, gemm->depth, gemm->columns, a, gemm->panels, gemm->bias, c });
    return WLSTM_OK;
}
