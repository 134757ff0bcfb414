/* What one forward pass keeps for its backward pass, in memory of the caller's or the trainer's:
 *
 *     | header | order, lengths [B] | first [T+1] | part_first [parts][T+1] |
 *     | cell 0: gates [N, 4H]  c [N, H]  h_0 [B, R]  c_0 [B, H]  dh [N, P], with projection | cell 1 ... |
 *     | layer 0's h [N, D*R], and as dropout leaves it | layer 1's ... |
 *
 * N is the number of pairs (step, row), at most T*B: rows that have ended take none. With recompute_steps the tape has the
 * pairs of so many steps, a window, at a time: the pass forward leaves it with the last one, and the pass back runs each
 * other one again from h and c before its first step, of which there are then as many as windows. Rows are in the order of work,
 * longest first. Part q has rows q, q + parts, ...: its pairs lie together, step by step, so that the rows of several
 * steps are equally far apart. Rows of h lie by time. */
#ifndef WLI_TAPE_H
#define WLI_TAPE_H

#include "schedule/rows.h"
#include "train/trainer.h"

typedef enum wli_tape_state { WLI_TAPE_EMPTY, WLI_TAPE_KEPT, WLI_TAPE_USED } wli_tape_state;

typedef struct wli_tape_cell {
    void *gates, *c; /* [N, .]; c of a step gives way to o tanh(c) in the backward pass, with projection */
    void *h_0, *c_0; /* [windows][B, .] */
    void *dh;        /* with projection, [N, h_stride] the whole gradient of h */
} wli_tape_cell;

struct wli_tape {
    uint64_t mark;    /* of a tape in this place, of this trainer */
    uint64_t version; /* of the parameters */
    wli_tape_state state;
    bool training;
    bool packed; /* x, out and their gradients are */
    uint64_t seed;
    int64_t first_row;
    wli_call call; /* x and out are read by the backward pass */
    wli_rows rows;
    int64_t parts, pairs;
    int64_t window_steps; /* T without recompute_steps */
    int64_t window;       /* that is there */
    int64_t *first;       /* [T+1] pairs before a step, or a time */
    int64_t *part_first;  /* [parts][T+1] where a part's pairs of a step lie in its window */
    wli_tape_cell *cells; /* [layers * directions] */
    void **hidden;        /* [layers - 1] */
    void **inputs;        /* [layers - 1] what the layer above reads: hidden, or where dropout acts rows of its own */
};

/* What a tape of so many steps and rows takes, at any alignment; false: more than there can be. */
bool wli_tape_bytes(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch, size_t *bytes);

/* The tape in the memory, its state whatever it is. */
wli_tape *wli_tape_in(void *memory);

/* Makes the memory no tape. */
void wli_tape_forget(void *memory);

/* Lays a tape out for a checked call, rows sorted, and copies its initial states. */
wli_tape *wli_tape_begin(const wlstm_trainer *trainer, void *memory, const wli_call *call, bool training);

/* Deals the rows to so many parts. */
void wli_tape_deal(wli_tape *tape, int64_t parts);

/* Whether the memory has a tape of this trainer, of any state. */
bool wli_tape_is_of(const wlstm_trainer *trainer, const wli_tape *tape);

/* Room for so many pairs' gradients of a layer's input. */
int64_t wli_window_pairs(const wlstm_trainer *trainer);

/* Room for so many pointers to rows. */
int64_t wli_rows_at_once(const wlstm_trainer *trainer);

/* The most rows whose inputs are projected at once. */
int64_t wli_projected_rows(const wlstm_trainer *trainer, const wli_train_cell *cell);

/* Where row r of a part's step lies. */
static inline int64_t wli_tape_place(const wli_tape *tape, int64_t step, int64_t r) {
    return tape->part_first[r % tape->parts * (tape->call.seq_len + 1) + step] + r / tape->parts;
}

/* How many rows run at a step. */
static inline int64_t wli_tape_active(const wli_tape *tape, int64_t step) {
    return tape->first[step + 1] - tape->first[step];
}

/* Where a part's rows of a step begin, and how many still run. */
static inline int64_t wli_tape_part(const wli_tape *tape, int64_t part, int64_t step, int64_t *rows) {
    const int64_t active = wli_tape_active(tape, step);
    *rows = active > part ? (active - part + tape->parts - 1) / tape->parts : 0;
    return tape->part_first[part * (tape->call.seq_len + 1) + step];
}

/* Whether the trainer's choice is for the tape's call. */
static inline bool wli_tape_is_chosen(const wlstm_trainer *trainer, const wli_tape *tape) {
    return trainer->choice.crews > 0 && tape->call.seq_len == trainer->max_seq_len &&
           tape->call.batch == trainer->max_batch;
}

static inline int64_t wli_tape_windows(const wli_tape *tape) {
    return (tape->call.seq_len + tape->window_steps - 1) / tape->window_steps;
}

/* Steps [first, end) of a window. */
static inline int64_t wli_window_first(const wli_tape *tape, int64_t window) {
    const int64_t first = window * tape->window_steps, T = tape->call.seq_len;
    return first < T ? first : T;
}

/* Where the pair (t, r) lies among a window's rows between layers, which lie by time. */
static inline int64_t wli_tape_between(const wli_tape *tape, int64_t t, int64_t r) {
    return tape->first[t] - tape->first[wli_window_first(tape, tape->window)] + r;
}

/* Row r of h or of c before the first step of the window that is there. */
static inline char *wli_tape_state_row(const wlstm_trainer *trainer, const wli_tape *tape, const void *states,
                                       int64_t stride, int64_t window, int64_t r) {
    return wli_elements(trainer, states, (window * tape->call.batch + r) * stride);
}

/* The row (t, r) of a caller's tensor [T, B, width], or [B, T, width] if batch_first, or [pairs, width] if packed. */
static inline char *wli_callers_row(const wlstm_trainer *trainer, const wli_tape *tape, const void *base, int64_t width,
                                    int64_t t, int64_t r) {
    if (tape->packed) return wli_elements(trainer, base, (tape->first[t] + tape->rows.order[r]) * width);
    const wli_strides strides = wli_call_strides(trainer->model, &tape->call, width);
    return wli_elements(trainer, base, t * strides.time + tape->rows.order[r] * strides.row);
}

/* The row (t, r) of what a layer reads. */
static inline const char *wli_tape_input(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, int64_t t,
                                         int64_t r) {
    const int64_t width = wli_trainer_cell(trainer, layer, 0)->I;
    if (layer == 0) return wli_callers_row(trainer, tape, tape->call.x, width, t, r);
    return wli_elements(trainer, tape->inputs[layer - 1],
                        wli_tape_between(tape, t, r) * wli_gate_stride(width, trainer->element));
}

/* The row (t, r) of h of a cell. */
static inline char *wli_tape_output(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, int direction,
                                    int64_t t, int64_t r) {
    const int64_t R = wli_trainer_cell(trainer, layer, 0)->R, width = wli_output_width(trainer, layer);
    char *row = layer + 1 == trainer->model->num_layers
                    ? wli_callers_row(trainer, tape, tape->call.out, width, t, r)
                    : wli_elements(trainer, tape->hidden[layer],
                                   wli_tape_between(tape, t, r) * wli_gate_stride(width, trainer->element));
    return row + (size_t)(direction * R) * trainer->element;
}

#endif
