/* oneDNN's matmul and inner product, of f32. */
#include "kernels/multiplier.h"

#include "base/allocator.h"
#include "base/status.h"
#include "kernels/onednn.h"
#include <inttypes.h>
#include <stdio.h>

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
    snprintf(text, bytes, "%" PRId64 " rows to %" PRId64, rounded_rows(request), request->stride);
}

static wlstm_status pack(const wli_pack_request *request, wli_packed *packed, bool inner_product) {
    const wli_pack_args *matrix = &request->matrix;
    size_t bytes;
    if (!wli_size_product(matrix->columns, matrix->depth + 1, sizeof(float), &bytes))
        return wli_out_of_memory("packed weights", SIZE_MAX);
    float *b = wli_alloc(bytes);
    if (!b) return wli_out_of_memory("packed weights", bytes);
    float *bias = b + matrix->columns * matrix->depth;
    wli_pack_weights(request, matrix->columns, b);
    wli_pack_biases(request, bias);
    const wli_onednn_gemm_spec spec = { .max_rows = rounded_rows(request),
                                        .depth = matrix->depth,
                                        .columns = matrix->columns,
                                        .inner_product = inner_product,
                                        .ldc = request->stride,
                                        .b = b,
                                        .bias = request->has_bias ? bias : NULL };
    wli_onednn_gemm *gemm;
    wlstm_status status = wli_onednn_gemm_make(&spec, &gemm);
    wli_free(b);
    packed->own = gemm;
    if (status == WLSTM_OK) packed->bytes = wli_onednn_gemm_bytes(gemm);
    return status;
}

static wlstm_status pack_matmul(const wli_pack_request *request, wli_packed *packed) {
    return pack(request, packed, false);
}

static wlstm_status pack_inner_product(const wli_pack_request *request, wli_packed *packed) {
    return pack(request, packed, true);
}

static void discard(wli_packed *packed) {
    wli_onednn_gemm_destroy(packed->own);
}

static wlstm_status prepare(wli_gemm *gemm) {
    wli_onednn_runner *runner;
    wlstm_status status = wli_onednn_runner_make(gemm->packed->own, &runner);
    gemm->own = runner;
    return status;
}

static void release(wli_gemm *gemm) {
    wli_onednn_runner_destroy(gemm->own);
}

static wlstm_status run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                        wli_gathered *gathered) {
    (void)range;
    return wli_onednn_run(gemm->own, rows, wli_dense_rows(rows, gemm->depth, gemm->element, a, gathered), c);
}

#define MULTIPLIER(its_kind, pack_it, is_dense)                                                                        \
    {                                                                                                                  \
        .kind = its_kind, .backend = WLSTM_BACKEND_ONEDNN, .dense = is_dense, .forks = true, .serves = serves,         \
        .name_code = name_code, .name_packed = name_packed, .pack = pack_it, .discard = discard, .run = run,           \
        .prepare = prepare, .release = release, .check_room = wli_onednn_check_room                                    \
    }

const wli_multiplier wli_multiply_matmul = MULTIPLIER(WLI_GEMM_MATMUL, pack_matmul, false);
/* Where there are gaps between the rows of C its inner products are plain loops. */
const wli_multiplier wli_multiply_inner_product = MULTIPLIER(WLI_GEMM_INNER_PRODUCT, pack_inner_product, true);
