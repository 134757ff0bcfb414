/* One cell, part of the batch and range of steps on its way through time, forward or back: what a gang runs. */
#ifndef WLI_CHAIN_H
#define WLI_CHAIN_H

#include "train/team.h"

typedef struct wli_chain {
    const wli_hand *hand;
    const wli_train_cell *cell;
    const wli_tape_cell *kept;
    int64_t layer;
    int direction;
    int64_t part, from, to; /* steps of the tape's window */
} wli_chain;

static inline wli_chain wli_chain_of(const wli_hand *hand, int64_t layer, int64_t direction, int64_t part, int64_t from,
                                     int64_t to) {
    const wlstm_trainer *trainer = hand->trainer;
    return (wli_chain){ .hand = hand,
                        .cell = wli_trainer_cell(trainer, layer, (int)direction),
                        .kept = &hand->tape->cells[layer * trainer->model->num_directions + direction],
                        .layer = layer,
                        .direction = (int)direction,
                        .part = part,
                        .from = from,
                        .to = to };
}

/* The tape's number of the part's i-th row. */
static inline int64_t wli_chain_row(const wli_chain *chain, int64_t i) {
    return chain->part + i * chain->hand->tape->parts;
}

/* When a row, by the tape's number, has a step. */
static inline int64_t wli_chain_time(const wli_chain *chain, int64_t step, int64_t r) {
    return wli_rows_time(&chain->hand->tape->rows, chain->direction, step, r);
}

/* c of the part's rows before a step, the first row's, and in *stride elements from one to the next. */
static inline const void *wli_chain_c_before(const wli_chain *chain, int64_t step, int64_t *stride) {
    const wli_tape *tape = chain->hand->tape;
    const wlstm_trainer *trainer = chain->hand->trainer;
    const wli_train_cell *cell = chain->cell;
    int64_t rows;
    if (step == wli_window_first(tape, tape->window)) {
        *stride = tape->parts * cell->c_stride;
        return wli_tape_state_row(trainer, tape, chain->kept->c_0, cell->c_stride, tape->window, chain->part);
    }
    *stride = cell->c_stride;
    return wli_elements(trainer, chain->kept->c, wli_tape_part(tape, chain->part, step - 1, &rows) * cell->c_stride);
}

#endif
