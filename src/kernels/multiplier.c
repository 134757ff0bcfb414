#include "kernels/multiplier.h"

#include <string.h>

const char *const wli_gemm_names[WLI_GEMM_KINDS] = { "native", "onednn matmul", "onednn inner product" };

const wli_multiplier *const wli_multipliers[WLI_GEMM_KINDS] = { [WLI_GEMM_NATIVE] = &wli_multiply_native,
                                                                [WLI_GEMM_MATMUL] = &wli_multiply_matmul,
                                                                [WLI_GEMM_INNER_PRODUCT] =
                                                                    &wli_multiply_inner_product };

void wli_pack_weights(const wli_pack_request *request, int64_t panel_columns, void *panels) {
    wli_pack_args args = request->matrix;
    args.panel_columns = panel_columns;
    args.panels = panels;
    request->native->pack(&args);
}

void wli_pack_biases(const wli_pack_request *request, void *bias) {
    const wli_pack_args *matrix = &request->matrix;
    if (matrix->layout)
        request->native->pack_bias(matrix->layout, request->bias_ih, request->bias_hh, bias);
    else
        memset(bias, 0, (size_t)matrix->columns * wli_dtype_size(request->dtype));
}
