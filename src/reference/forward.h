/* nn.LSTM in scalar C: the oracle that every fast path must reproduce, and the fallback where none applies. */
#ifndef WLI_REFERENCE_H
#define WLI_REFERENCE_H

#include "model/call.h"

typedef struct wli_reference {
    /* Bytes of workspace that a forward pass of up to (seq_len, batch) needs; false when they pass SIZE_MAX. */
    bool (*workspace)(const wli_model *model, int64_t seq_len, int64_t batch, size_t *bytes);

    /* out, (h_n, c_n) = lstm(x, (h_0, c_0)) for arguments that are valid, T and B at least 1. Operands of products are
     * rounded as the precision says; f64 has FULL alone.
     *
     * With a mask each layer's output but the last one's is multiplied by its part of it before the layer above reads
     * it: [T, B, D*R] of the model's type for layer 0, then for layer 1 and so on, also where x is [B, T, I]. NULL: by
     * nothing. */
    void (*forward)(const wli_model *model, wlstm_precision precision, const wli_call *call, const void *mask,
                    void *workspace);
} wli_reference;

/* By what the model's arrays hold. */
const wli_reference *wli_reference_of(const wli_model *model);

#endif
