/* The search for the fastest choice of a trainer, by measuring. */
#ifndef WLI_TRAIN_TUNING_H
#define WLI_TRAIN_TUNING_H

#include "train/trainer.h"

#include <stdatomic.h>

typedef struct wli_train_result {
    wli_train_choice untuned, tuned;
    double untuned_seconds, tuned_seconds; /* of a pass forward and a pass back, by new parameters */
    int tried;                             /* choices that were measured beside the rule's */
} wli_train_result;

/* Times passes over random x and d_out of max_seq_len steps of max_batch rows, or where they take long of fewer steps, by
 * another trainer of the same kind, which is freed; the given one is only read. The rule's choice wins ties. MEASURE tries
 * each number of crews, then chunks and parts around the best; PATIENT chunks and parts around each. time_limit is in
 * seconds, 0: the effort's own; the search fails when *stop is not 0 any more, stop may be NULL. Errors: OUT_OF_MEMORY,
 * BACKEND (it was stopped). */
wlstm_status wli_train_search(const wlstm_trainer *trainer, wlstm_effort effort, double time_limit,
                              const atomic_int *stop, wli_train_result *result);

#endif
