/* Packing of the parameters for a pass. */
#ifndef WLI_TRAIN_WEIGHTS_H
#define WLI_TRAIN_WEIGHTS_H

#include "train/team.h"

/* Before a forward pass: counts parameters that the caller wrote into the flat array as a change. */
void wli_weights_notice(wlstm_trainer *trainer);

/* On each thread: packs what has changed of the crew's layers, for A W^T or, `back`, for A W; then the crew meets.
 * Afterwards, once, tell it. */
void wli_weights_pack(const wli_hand *hand, bool back);
void wli_weights_packed(wlstm_trainer *trainer, bool back);

#endif
