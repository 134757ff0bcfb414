/* Which choice a trainer's passes of its whole size run: tuned before, tuned now, or the rule's. */
#ifndef WLI_TRAIN_DECISION_H
#define WLI_TRAIN_DECISION_H

#include "train/trainer.h"

/* Decides, and says so in a line to those who asked for lines. Of an effort of MEASURE or PATIENT it may search; a search that
 * fails is another line, and leaves it to the rest. */
void wli_trainer_decide(wlstm_trainer *trainer, wlstm_effort effort);

#endif
