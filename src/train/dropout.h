/* Dropout between layers. The mask follows from the seed, the layer, the time, the row and the unit alone. */
#ifndef WLI_DROPOUT_H
#define WLI_DROPOUT_H

#include "train/team.h"

/* Whether dropout acts in this pass. */
bool wli_drops(const wlstm_trainer *trainer, const wli_tape *tape);

/* values [D*R] of the row (t, r) of a layer's output, units [first, end), multiplied by the mask: 0, or 1 / (1 - p). */
void wli_drop_row(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, int64_t t, int64_t r,
                  int64_t first, int64_t end, void *values);

/* On each thread of a crew: what the layer above reads at times [from, to), its share of the rows. */
void wli_drop_outputs(const wli_hand *hand, int64_t layer, int64_t from, int64_t to);

/* mask [T, B, D*R] of a layer, rows in the caller's order; ones where dropout does not act. */
void wli_drop_mask(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, void *mask);

#endif
