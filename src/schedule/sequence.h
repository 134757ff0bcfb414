/* A whole sequence through a stack of layers: which rows of which tensors each project and step works on, in which order. */
#ifndef WLI_SEQUENCE_H
#define WLI_SEQUENCE_H

#include "call.h"
#include "kernels/cell.h"

/* The state and scratch memory of one run at a time. */
typedef struct wli_sequence wli_sequence;

typedef struct wli_sequence_spec {
    const wli_model *model;
    const wli_cell_kernels *cells; /* [num_layers * num_directions] */
    int64_t max_seq_len, max_batch;
    int64_t gate_rows; /* rows of G (time steps times batch) projected at once, at least max_batch */
} wli_sequence_spec;

wlstm_status wli_sequence_make(const wli_sequence_spec *spec, wli_sequence **sequence);
void wli_sequence_destroy(wli_sequence *sequence);
size_t wli_sequence_bytes(const wli_sequence *sequence);

/* One forward call, its arguments valid and within the spec, T and B at least 1. Allocates nothing. */
wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call);

#endif
