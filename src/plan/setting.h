/* What a choice is for: a problem on so many threads, and what the caller's options leave open. */
#ifndef WLI_SETTING_H
#define WLI_SETTING_H

#include "model/model.h"

typedef struct wli_setting {
    const wli_model *model;
    int64_t seq_len, batch;
    int threads;
    wlstm_backend backend; /* AUTO: anything; NATIVE or ONEDNN: both gemms by it */
    bool deterministic;    /* native, with vectors that round as the widest do */
} wli_setting;

#endif
