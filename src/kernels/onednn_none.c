/* What stands in for onednn.c in a build with WLSTM_ONEDNN=OFF. */
#include "kernels/onednn.h"

#include "base/status.h"

wlstm_status wli_onednn_gemm_make(const wli_onednn_gemm_spec *spec, wli_onednn_gemm **gemm) {
    (void)spec;
    *gemm = NULL;
    return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                    "backend: one that was built in expected, got onednn (built with WLSTM_ONEDNN=OFF)");
}

void wli_onednn_gemm_destroy(wli_onednn_gemm *gemm) {
    (void)gemm;
}

size_t wli_onednn_gemm_bytes(const wli_onednn_gemm *gemm) {
    (void)gemm;
    return 0;
}

wlstm_status wli_onednn_runner_make(const wli_onednn_gemm *gemm, wli_onednn_runner **runner) {
    (void)gemm;
    *runner = NULL;
    return WLSTM_ERROR_UNSUPPORTED;
}

void wli_onednn_runner_destroy(wli_onednn_runner *runner) {
    (void)runner;
}

wlstm_status wli_onednn_check_room(void) {
    return WLSTM_OK;
}

wlstm_status wli_onednn_run(wli_onednn_runner *runner, int64_t rows, const float *a, float *c) {
    (void)runner, (void)rows, (void)a, (void)c;
    return WLSTM_ERROR_UNSUPPORTED;
}

void wli_onednn_version(char text[WLI_ONEDNN_VERSION_BYTES]) {
    text[0] = '\0';
}
