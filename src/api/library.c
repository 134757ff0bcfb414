/* Version and build information. */
#include "base/lock.h"
#include "kernels/dispatch.h"
#include "kernels/onednn.h"

#include <stdio.h>

const char *wlstm_version(void) {
    return WLSTM_VERSION_STRING;
}

static char build_info[160];
static wli_once build_info_once;

static void make_build_info(void) {
    char onednn[WLI_ONEDNN_VERSION_BYTES];
    wli_onednn_version(onednn);
    snprintf(build_info, sizeof build_info, "wavelstm " WLSTM_VERSION_STRING ", %s kernels, %s%s",
             wli_native_get(WLI_PRODUCT_F32)->isa, onednn[0] ? "oneDNN " : "no oneDNN", onednn);
}

const char *wlstm_build_info(void) {
    wli_once_run(&build_info_once, make_build_info);
    return build_info;
}
