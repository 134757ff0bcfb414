/* Which choice a trainer's passes of its whole size run: tuned before, tuned now, or the rule's. */
#ifndef WLI_TRAIN_DECISION_H
#define WLI_TRAIN_DECISION_H

#include "train/trainer.h"

/* Decides, and says so in a line to those who asked for lines. Of an effort (not DEFAULT) of MEASURE or PATIENT it may search.
 * Errors: OUT_OF_MEMORY of the search, which leaves the trainer as it was. */
wlstm_status wli_trainer_decide(wlstm_trainer *trainer, wlstm_effort effort);

#endif
