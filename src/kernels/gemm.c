#include "kernels/gemm.h"

#include "base/allocator.h"
#include "base/status.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *const wli_gemm_names[WLI_GEMM_KINDS] = { "native", "onednn matmul", "onednn inner product" };

/* What wli_model_derive hands to the makers below. */
typedef struct pack_request {
    wlstm_dtype dtype;
    const wli_native *native;
    wli_gemm_kind kind;
    const wli_cell_weights *cell;
    wli_matrix which;
    const wli_gate_layout *layout;
    int64_t max_rows, stride;
    wli_pack_args args;
    bool small_pages;
} pack_request;

static void pack(const pack_request *request, int64_t panel_columns, void *panels) {
    wli_pack_args args = request->args;
    args.panel_columns = panel_columns;
    args.panels = panels;
    request->native->pack(&args);
}

/* [columns]: b_ih + b_hh for weight_ih, zeros for weight_hr. */
static void pack_bias(const pack_request *request, void *bias) {
    const wli_cell_weights *cell = request->cell;
    if (request->which == WLI_WEIGHT_IH)
        request->native->pack_bias(request->layout, cell->bias_ih, cell->bias_hh, bias);
    else
        memset(bias, 0, (size_t)request->args.columns * wli_dtype_size(request->dtype));
}

static void destroy_packed(void *object) {
    wli_packed *packed = object;
    wli_onednn_gemm_destroy(packed->onednn);
    wli_free(packed->panels);
    wli_free(packed);
}

static wlstm_status fill_panels(const pack_request *request, wli_packed *packed) {
    const wli_pack_args *args = &request->args;
    const int64_t depth = wli_packed_depth(request->native, args->depth);
    size_t element = wli_dtype_size(request->dtype);
    if (!wli_size_product(args->columns, depth + 1, (int64_t)element, &packed->bytes))
        return wli_out_of_memory("packed weights", SIZE_MAX);
    packed->bytes += WLI_PANELS_PADDING;
    if (!(packed->panels = (request->small_pages ? wli_alloc_small_pages : wli_alloc)(packed->bytes)))
        return wli_out_of_memory("packed weights", packed->bytes);
    memset((char *)packed->panels + packed->bytes - WLI_PANELS_PADDING, 0, WLI_PANELS_PADDING);
    pack(request, (int64_t)request->layout->lanes * WLI_PANEL_VECTORS, packed->panels);
    pack_bias(request, (char *)packed->panels + (size_t)(args->columns * depth) * element);
    return WLSTM_OK;
}

static wlstm_status fill_onednn(const pack_request *request, wli_packed *packed) {
    const wli_pack_args *args = &request->args;
    size_t bytes;
    if (!wli_size_product(args->columns, args->depth + 1, sizeof(float), &bytes))
        return wli_out_of_memory("packed weights", SIZE_MAX);
    float *b = wli_alloc(bytes);
    if (!b) return wli_out_of_memory("packed weights", bytes);
    float *bias = b + args->columns * args->depth;
    pack(request, args->columns, b);
    pack_bias(request, bias);
    wli_onednn_gemm_spec spec = { .max_rows = request->max_rows,
                                  .depth = args->depth,
                                  .columns = args->columns,
                                  .inner_product = request->kind == WLI_GEMM_INNER_PRODUCT,
                                  .ldc = request->stride,
                                  .b = b,
                                  .bias = request->which == WLI_WEIGHT_HH ? NULL : bias };
    wlstm_status status = wli_onednn_gemm_make(&spec, &packed->onednn);
    wli_free(b);
    if (status == WLSTM_OK) packed->bytes = wli_onednn_gemm_bytes(packed->onednn);
    return status;
}

static wlstm_status make_packed(void *context, void **object) {
    const pack_request *request = context;
    wli_packed *packed = wli_calloc(sizeof *packed);
    if (!packed) return wli_out_of_memory("packed weights", sizeof *packed);
    wlstm_status status =
        request->kind == WLI_GEMM_NATIVE ? fill_panels(request, packed) : fill_onednn(request, packed);
    if (status != WLSTM_OK) {
        destroy_packed(packed);
        return status;
    }
    packed->finite = request->native->all_finite(request->args.weight, request->args.rows * request->args.depth);
    *object = packed;
    return WLSTM_OK;
}

/* oneDNN's primitives are made for a largest row count; powers of two keep their number small however plans differ. */
static int64_t round_up_to_power_of_two(int64_t rows) {
    int64_t power = 1;
    while (power < rows) power *= 2;
    return power;
}

wlstm_status wli_gemm_make(wli_gemm *gemm, wli_model *model, int64_t cell, wli_matrix which, wli_gemm_kind kind,
                           const wli_native *native, const wli_gate_layout *layout, int64_t max_rows, bool dense,
                           bool small_pages) {
    const wli_cell_weights *weights = &model->cells[cell];
    const int64_t H = weights->hidden_size, P = weights->proj_size, R = weights->state_size, I = weights->input_size;
    const int64_t lanes = native->lanes, columns = layout->columns;
    pack_request request = { .dtype = model->dtype,
                             .native = native,
                             .kind = kind,
                             .cell = weights,
                             .which = which,
                             .layout = layout,
                             .max_rows = round_up_to_power_of_two(max_rows),
                             .small_pages = small_pages };
    if (which == WLI_WEIGHT_HR)
        request.args = (wli_pack_args){ weights->weight_hr, P, H, NULL, (P + lanes - 1) / lanes * lanes, 0, NULL };
    else
        request.args = which == WLI_WEIGHT_HH
                           ? (wli_pack_args){ weights->weight_hh, 4 * H, R, layout, columns, 0, NULL }
                           : (wli_pack_args){ weights->weight_ih, 4 * H, I, layout, columns, 0, NULL };
    char key[WLI_DERIVED_KEY_BYTES];
    void *packed;
    /* A layout's order of columns follows from the lanes, whoever multiplies. */
    if (kind == WLI_GEMM_NATIVE)
        snprintf(key, sizeof key, "native%s, lanes %" PRId64 ", matrix %d", small_pages ? " in small pages" : "", lanes,
                 (int)which);
    else
        snprintf(key, sizeof key, "%s %" PRId64 "%s, lanes %" PRId64 ", matrix %d", wli_gemm_names[kind],
                 request.max_rows, dense ? " dense" : "", lanes, (int)which);
    *gemm = (wli_gemm){ .kind = kind, .native = native, .depth = request.args.depth, .columns = request.args.columns };
    /* With halves the cell takes the gates from memory: they pay only where reading the weights twice costs more. */
    gemm->halves = wli_wide_core();
    gemm->element = wli_dtype_size(model->dtype);
    gemm->stride = request.stride = dense ? gemm->columns : wli_gate_stride(gemm->columns, gemm->element);
    wlstm_status status = wli_model_derive(model, cell, key, make_packed, destroy_packed, &request, &packed);
    if (status != WLSTM_OK) return status;
    gemm->packed = packed;
    if (kind != WLI_GEMM_NATIVE) return wli_onednn_runner_make(gemm->packed->onednn, &gemm->runner);
    if (which != WLI_WEIGHT_HH)
        gemm->bias = (const char *)gemm->packed->panels +
                     (size_t)(gemm->columns * wli_packed_depth(native, gemm->depth)) * gemm->element;
    return WLSTM_OK;
}

void wli_gemm_release(wli_gemm *gemm) {
    wli_onednn_runner_destroy(gemm->runner);
    gemm->runner = NULL;
}

/* a [rows][depth] -> dense [rows, stride] and pointers to its rows. */
static void gather(int64_t rows, int64_t depth, int64_t stride, size_t element, const void *const *a,
                   wli_gathered *gathered) {
    for (int64_t r = 0; r < rows; r++) {
        char *row = (char *)gathered->dense + (size_t)(r * stride) * element;
        memcpy(row, a[r], (size_t)depth * element);
        gathered->rows[r] = row;
    }
}

static ptrdiff_t distance(const void *from, const void *to) {
    return (ptrdiff_t)((intptr_t)to - (intptr_t)from);
}

const void *const *wli_spread_rows(int64_t rows, int64_t depth, size_t element, const void *const *a,
                                   wli_gathered *gathered) {
    const int64_t fewest_rows = 8, bad_distance = 4096;
    if (rows < fewest_rows || distance(a[0], a[1]) % bad_distance != 0) return a;
    gather(rows, depth, wli_gate_stride(depth, element), element, a, gathered);
    return gathered->rows;
}

/* The rows as one dense matrix for oneDNN: in place where they already are, else copied. */
static const float *dense_rows(int64_t rows, int64_t depth, const void *const *a, wli_gathered *gathered) {
    int64_t r = 1;
    while (r < rows && distance(a[r - 1], a[r]) == depth * (ptrdiff_t)sizeof(float)) r++;
    if (r >= rows) return a[0];
    gather(rows, depth, depth, sizeof(float), a, gathered);
    return gathered->dense;
}

wlstm_status wli_gemm_run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                          wli_gathered *gathered) {
    if (rows == 0) return WLSTM_OK;
    if (gemm->kind != WLI_GEMM_NATIVE)
        return wli_onednn_run(gemm->runner, rows, dense_rows(rows, gemm->depth, a, gathered), c);
    gemm->native->gemm(&(wli_gemm_args){ .rows = rows,
                                         .depth = gemm->depth,
                                         .columns = gemm->columns,
                                         .a = wli_spread_rows(rows, gemm->depth, gemm->element, a, gathered),
                                         .panels = gemm->packed->panels,
                                         .bias = gemm->bias,
                                         .c = c,
                                         .ldc = gemm->stride,
                                         .range = range,
                                         .halves = gemm->halves });
    return WLSTM_OK;
}
