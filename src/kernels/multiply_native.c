/* The native kernels' gemm, from panels. */
#include "kernels/multiplier.h"

#include "base/allocator.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>

static bool serves(wli_product product) {
    (void)product;
    return true;
}

static void name_code(const wli_native *native, char text[WLI_CODE_NAME_BYTES]) {
    snprintf(text, WLI_CODE_NAME_BYTES, "%s", native->isa);
}

static void name_packed(const wli_pack_request *request, char *text, size_t bytes) {
    (void)request;
    snprintf(text, bytes, "in panels");
}

static void zero_padding(wli_packed *packed) {
    memset((char *)packed->panels + packed->bytes - WLI_PANELS_PADDING, 0, WLI_PANELS_PADDING);
}

static wlstm_status pack(const wli_pack_request *request, wli_packed *packed) {
    const wli_pack_args *matrix = &request->matrix;
    const int64_t depth = wli_packed_depth(request->native, matrix->depth);
    const size_t element = wli_dtype_size(request->dtype);
    if (!wli_size_product(matrix->columns, depth + 1, (int64_t)element, &packed->bytes))
        return wli_out_of_memory("packed weights", SIZE_MAX);
    packed->bytes += WLI_PANELS_PADDING;
    if (!(packed->panels = wli_alloc(packed->bytes))) return wli_out_of_memory("packed weights", packed->bytes);
    packed->bias = (char *)packed->panels + (size_t)(matrix->columns * depth) * element;
    packed->finite = true; /* until one is found that is not */
    if (!request->source) return WLSTM_OK;
    zero_padding(packed);
    return wli_pack_rows(request, packed);
}

static bool fill(const wli_native *native, const wli_pack_args *matrix, wli_packed *packed, wli_panel_range range) {
    wli_pack_args args = *matrix;
    args.panels = packed->panels, args.bias = packed->bias;
    if (range.end == wli_all_panels(matrix->columns, native->lanes).end) zero_padding(packed);
    return native->pack(&args, range);
}

static void discard(wli_packed *packed) {
    wli_free(packed->panels);
}

static wlstm_status run(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                        wli_tools *tools) {
    gemm->native->gemm(
        &(wli_gemm_args){ .rows = rows,
                          .depth = gemm->depth,
                          .columns = gemm->columns,
                          .a = wli_operand_rows(gemm->native, rows, gemm->depth, gemm->element, a, &tools->gathered),
                          .panels = gemm->packed->panels,
                          .bias = gemm->bias,
                          .c = c,
                          .ldc = gemm->stride,
                          .range = range,
                          .halves = gemm->halves });
    return WLSTM_OK;
}

const wli_multiplier wli_multiply_native = { .kind = WLI_GEMM_NATIVE,
                                             .backend = WLSTM_BACKEND_NATIVE,
                                             .in_panels = true,
                                             .deterministic = true,
                                             .serves = serves,
                                             .name_code = name_code,
                                             .name_packed = name_packed,
                                             .pack = pack,
                                             .fill = fill,
                                             .discard = discard,
                                             .run = run };
