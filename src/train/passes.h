/* The two passes, on each of the team's threads. */
#ifndef WLI_PASSES_H
#define WLI_PASSES_H

#include "train/team.h"

/* The gradients that the caller has and wants; each may be NULL. */
typedef struct wli_backward_call {
    const void *d_out, *d_h_n, *d_c_n;
    void *d_x, *d_h_0, *d_c_0;
    bool adds; /* onto the parameters' gradients */
} wli_backward_call;

/* A wli_pass: the tape's call, kept. arguments: NULL. */
void wli_forward_pass(wli_hand *hand, const void *arguments);

/* On each thread of the team: a window of a kept tape again, on the way back; then the team meets. */
void wli_forward_again(wli_hand *hand, int64_t window);

/* A wli_pass: a kept tape's gradients, a wli_backward_call. */
void wli_backward_pass(wli_hand *hand, const void *arguments);

/* On each thread of the layer's crew, for blocks [first, end) of a cell, all of whose dG is there: adds dG^T X,
 * dG^T H_prev, the sums of dG and with projection dH^T (o tanh(c)) onto the parameters' gradients, the last block first.
 * Of the last block of all, unless the pass adds, they are written. `turn` counts the blocks of a pass. */
void wli_add_gradients(const wli_hand *hand, int64_t layer, int direction, int64_t first, int64_t end, bool adds,
                       int *turn);

/* Before a pass back: no layer's gradients are complete. */
void wli_watch_begin(wlstm_trainer *trainer);

/* On each thread of the layer's crew, which has met: the layer's gradients are complete. */
void wli_gradients_complete(const wli_hand *hand, int64_t layer);

/* On each thread: the one that called the trainer tells of the layers that have become complete, the last first. */
void wli_tell_complete(const wli_hand *hand);

/* On the thread that called the trainer, of a pass without rows: tells of all layers. */
void wli_tell_all(const wlstm_trainer *trainer);

/* On each thread of the layer's crew: before the tape takes the window before, copies the pairs of the block that is not
 * complete yet. */
void wli_leave_pairs(const wli_hand *hand, int64_t layer, int direction);

#endif
