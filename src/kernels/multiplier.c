#include "kernels/multiplier.h"

const char *const wli_gemm_names[WLI_GEMM_KINDS] = { "native", "onednn matmul", "onednn inner product" };

const wli_multiplier *const wli_multipliers[WLI_GEMM_KINDS] = { [WLI_GEMM_NATIVE] = &wli_multiply_native,
                                                                [WLI_GEMM_MATMUL] = &wli_multiply_matmul,
                                                                [WLI_GEMM_INNER_PRODUCT] =
                                                                    &wli_multiply_inner_product };
