/* The error of a file that lacks what was asked for: it says what the file has instead, and so the way on. */
#ifndef WLI_MISSING_TENSOR_H
#define WLI_MISSING_TENSOR_H

#include "io/safetensors.h"

#include <stdbool.h>

/* All return MISSING. No nn.LSTM, nor an nn.LSTMCell, with this prefix. */
wlstm_status wli_missing_module(const char *path, const wli_safetensors *file, const char *prefix, bool as_cell);

/* One parameter is not beside the others with the prefix. */
wlstm_status wli_missing_parameter(const char *path, const wli_safetensors *file, const char *prefix, const char *name);

/* No tensor of this whole name. */
wlstm_status wli_missing_tensor(const char *path, const wli_safetensors *file, const char *name);

#endif
