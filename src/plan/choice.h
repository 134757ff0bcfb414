/* The untuned choice: how the threads share the work and how much of it is taken at once, from the problem's sizes alone. */
#ifndef WLI_CHOICE_H
#define WLI_CHOICE_H

#include "schedule/sequence.h"

typedef struct wli_choice {
    wli_schedule schedule;
    int threads;
    int64_t parts, gate_rows, chunk_steps;
    int64_t gang_layers, gang_directions; /* GANG: as in wli_sequence_spec */
} wli_choice;

/* For runs of up to (seq_len, batch) on up to `threads` threads. */
wli_choice wli_choose(const wli_model *model, int64_t seq_len, int64_t batch, int threads);

#endif
