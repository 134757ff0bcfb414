/* oneDNN's matmul and inner product, of f32. */
#include "kernels/multiplier.h"

#include "base/allocator.h"
#include "base/status.h"
#include "kernels/onednn.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* A gemm of its own for each slice, so that each thread of a gang has its weights and no others. */
typedef struct slices {
    int64_t count;
    struct slice {
        wli_panel_range panels;
        int64_t first_column;
        wli_onednn_gemm *gemm; /* NULL: fewer panels than slices */
    } of[];
} slices;

static bool serves(wli_product product) {
    return product == WLI_PRODUCT_F32;
}

static void name_code(const wli_native *native, char text[WLI_CODE_NAME_BYTES]) {
    (void)native;
    wli_onednn_version(text);
}

/* Primitives are made for a largest row count; powers of two keep their number small however plans differ. */
static int64_t rounded_rows(const wli_pack_request *request) {
    int64_t power = 1;
    while (power < request->max_rows) power *= 2;
    return power;
}

static void name_packed(const wli_pack_request *request, char *text, size_t bytes) {
    snprintf(text, bytes, "%" PRId64 " x %" PRId64 " to %" PRId64, request->slices, rounded_rows(request),
             request->stride);
}

static int64_t row_of_column(const wli_pack_args *matrix, int64_t column) {
    if (matrix->layout) return wli_gate_layout_row(matrix->layout, column);
    return column < matrix->rows ? column : -1;
}

static bool all_finite(const float *values, int64_t count) {
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(values[k])) return false;
    return true;
}

/* The rows of the weight in the order of C's columns: b [columns, depth] of `columns` from first_column on. Says whether
 * all are finite. */
static bool gather_rows(const wli_pack_args *matrix, int64_t first_column, int64_t columns, float *b) {
    const size_t bytes = (size_t)matrix->depth * sizeof *b;
    bool finite = true;
    for (int64_t j = 0; j < columns; j++, b += matrix->depth) {
        const int64_t row = row_of_column(matrix, first_column + j);
        if (row >= 0) {
            memcpy(b, (const float *)matrix->weight + row * matrix->depth, bytes);
            finite &= all_finite(b, matrix->depth);
        } else
            memset(b, 0, bytes);
    }
    return finite;
}

/* bias [columns] = b_ih + b_hh, in their order; NULL biases, and padding, are zeros. */
static void gather_biases(const wli_pack_args *matrix, float *bias) {
    const float *ih = matrix->bias_ih, *hh = matrix->bias_hh;
    for (int64_t j = 0; j < matrix->columns; j++) {
        const int64_t row = row_of_column(matrix, j);
        bias[j] = row < 0 || !ih ? 0 : ih[row] + hh[row];
    }
}

/* bias [columns] is all of them; `packed` counts the bytes. */
static wlstm_status pack_slice(const wli_pack_request *request, bool inner_product, const float *bias,
                               struct slice *slice, wli_packed *packed) {
    const wli_pack_args *matrix = &request->matrix;
    const int64_t panel = (int64_t)WLI_PANEL_VECTORS * request->native->lanes, end = slice->panels.end * panel;
    const int64_t columns = (end < matrix->columns ? end : matrix->columns) - slice->panels.first * panel;
    size_t bytes;
    slice->first_column = slice->panels.first * panel;
    if (columns <= 0) return WLSTM_OK;
    if (!wli_size_product(columns, matrix->depth, sizeof(float), &bytes))
        return wli_out_of_memory("packed weights", SIZE_MAX);
    float *b = wli_alloc(bytes);
    if (!b) return wli_out_of_memory("packed weights", bytes);
    packed->finite &= gather_rows(matrix, slice->first_column, columns, b);
    const wli_onednn_gemm_spec spec = { .max_rows = rounded_rows(request),
                                        .depth = matrix->depth,
                                        .columns = columns,
                                        .inner_product = inner_product,
                                        .ldc = request->stride,
                                        .b = b,
                                        .bias = request->has_bias ? bias + slice->first_column : NULL };
    wlstm_status status = wli_onednn_gemm_make(&spec, &slice->gemm);
    wli_free(b);
    if (status == WLSTM_OK) packed->bytes += wli_onednn_gemm_bytes(slice->gemm);
    return status;
}

static wlstm_status pack(const wli_pack_request *request, wli_packed *packed, bool inner_product) {
    const wli_panel_range all = wli_all_panels(request->matrix.columns, request->native->lanes);
    const size_t bytes = sizeof(slices) + (size_t)request->slices * sizeof(struct slice);
    const size_t bias_bytes = (size_t)request->matrix.columns * sizeof(float);
    slices *cut = packed->own = wli_calloc(bytes);
    if (!cut) return wli_out_of_memory("packed weights", bytes);
    float *bias = wli_alloc(bias_bytes);
    if (!bias) return wli_out_of_memory("packed weights", bias_bytes);
    gather_biases(&request->matrix, bias);
    packed->finite = true;
    wlstm_status status = WLSTM_OK;
    for (; cut->count < request->slices && status == WLSTM_OK; cut->count++) {
        struct slice *slice = &cut->of[cut->count];
        slice->panels = wli_slices_of(all, cut->count, cut->count + 1, request->slices);
        status = pack_slice(request, inner_product, bias, slice, packed);
    }
    wli_free(bias);
    return status;
}

static wlstm_status pack_matmul(const wli_pack_request *request, wli_packed *packed) {
    return pack(request, packed, false);
}

static wlstm_status pack_inner_product(const wli_pack_request *request, wli_packed *packed) {
    return pack(request, packed, true);
}

static void discard(wli_packed *packed) {
    slices *cut = packed->own;
    for (int64_t s = 0; cut && s < cut->count; s++) wli_onednn_gemm_destroy(cut->of[s].gemm);
    wli_free(cut);
}

/* For all slices: a gang may have fewer threads than it was planned for. */
static wlstm_status equip(const wli_packed *packed, void **own) {
    const slices *cut = packed->own;
    wli_onednn_runner *runner = *own;
    wlstm_status status = WLSTM_OK;
    for (int64_t s = 0; s < cut->count && status == WLSTM_OK; s++)
        if (cut->of[s].gemm) status = wli_onednn_runner_equip(&runner, cut->of[s].gemm);
    *own = runner;
    return status;
}

static void release(void *own) {
    wli_onednn_runner_destroy(own);
}

static wlstm_status run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                        wli_tools *tools) {
    const slices *cut = gemm->packed->own;
    const float *dense = wli_dense_rows(rows, gemm->depth, gemm->element, a, &tools->gathered);
    wli_onednn_runner *runner = tools->own[gemm->multiplier->kind];
    wlstm_status status = WLSTM_OK;
    for (int64_t s = 0; s < cut->count && status == WLSTM_OK; s++) {
        const struct slice *slice = &cut->of[s];
        if (slice->gemm && slice->panels.first >= range.first && slice->panels.end <= range.end)
            status = wli_onednn_run(runner, slice->gemm, rows, dense, (float *)c + slice->first_column);
    }
    return status;
}

#define MULTIPLIER(its_kind, pack_it, is_dense)                                                                        \
    {                                                                                                                  \
        .kind = its_kind, .backend = WLSTM_BACKEND_ONEDNN, .dense = is_dense, .forks = true, .sliced = true,           \
        .serves = serves, .name_code = name_code, .name_packed = name_packed, .pack = pack_it, .discard = discard,     \
        .run = run, .equip = equip, .release = release, .check_room = wli_onednn_check_room                            \
    }

const wli_multiplier wli_multiply_matmul = MULTIPLIER(WLI_GEMM_MATMUL, pack_matmul, false);
/* Where there are gaps between the rows of C its inner products are plain loops. */
const wli_multiplier wli_multiply_inner_product = MULTIPLIER(WLI_GEMM_INNER_PRODUCT, pack_inner_product, true);
