/* The choices of a trainer for passes of its whole size, and which of them can run. */
#ifndef WLI_TRAIN_CHOICES_H
#define WLI_TRAIN_CHOICES_H

#include "train/crews.h"

/* How many threads passes of max_seq_len steps of max_batch rows are worth. */
int wli_whole_threads(const wlstm_trainer *trainer);

/* What the rule gives them by so many crews; 0: by as many as it finds best. */
wli_train_choice wli_rule_for(const wlstm_trainer *trainer, int64_t crews);

/* The most parts in each of so many crews. */
int64_t wli_most_parts(const wlstm_trainer *trainer, int64_t crews);

/* Whether the trainer can have the choice. */
bool wli_train_choice_legal(const wlstm_trainer *trainer, const wli_train_choice *choice);

/* Whether there is a choice but the rule's. */
bool wli_train_choice_free(const wlstm_trainer *trainer);

#endif
