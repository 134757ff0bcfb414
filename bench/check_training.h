/* No number without a right result: a trainer's gradients are first compared with the reference's. */
#ifndef BENCH_CHECK_TRAINING_H
#define BENCH_CHECK_TRAINING_H

#include "check.h"

/* OK if a trainer with the lstm's parameters, made for the whole problem, finds the gradients that the reference finds,
 * of as many rows and first steps as it can do in time. The last error names the first element that differs. */
wlstm_status check_training(wlstm_lstm *lstm, wlstm_trainer *trainer, const wli_problem *problem);

#endif
