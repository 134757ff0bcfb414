/* What stands in for multiply_onednn.c and onednn.c in a build with WLSTM_ONEDNN=OFF. */
#include "kernels/multiplier.h"
#include "kernels/onednn.h"

static bool serves(wli_product product) {
    (void)product;
    return false;
}

const wli_multiplier wli_multiply_matmul = { .kind = WLI_GEMM_MATMUL,
                                             .backend = WLSTM_BACKEND_ONEDNN,
                                             .serves = serves };
const wli_multiplier wli_multiply_inner_product = { .kind = WLI_GEMM_INNER_PRODUCT,
                                                    .backend = WLSTM_BACKEND_ONEDNN,
                                                    .serves = serves };

void wli_onednn_version(char text[WLI_ONEDNN_VERSION_BYTES]) {
    text[0] = '\0';
}
