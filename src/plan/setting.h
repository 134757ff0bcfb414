/* What a choice is for: a problem on so many threads, and what the caller's options leave open. */
#ifndef WLI_SETTING_H
#define WLI_SETTING_H

#include "kernels/dispatch.h"
#include "model/model.h"

typedef struct wli_setting {
    const wli_model *model;
    int64_t seq_len, batch;
    int threads;
    wlstm_backend backend;     /* AUTO: anything; NATIVE or ONEDNN: both gemms by it */
    bool deterministic;        /* native, with vectors that round as the widest do */
    wlstm_schedule schedule;   /* where the model can have it, else as AUTO */
    int64_t chunk_steps;       /* of every candidate; 0: the axis's */
    wlstm_precision precision; /* of the products; DEFAULT is FULL */
} wli_setting;

static inline wli_product wli_setting_product(const wli_setting *setting) {
    return wli_product_of(setting->model->dtype, setting->precision);
}

#endif
