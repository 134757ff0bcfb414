/* The machine as the cost model knows it. */
#ifndef WLI_MACHINE_MODEL_H
#define WLI_MACHINE_MODEL_H

#include "plan/rates.h"

/* Rates of one thread, and of as many as a setting has. */
typedef struct wli_machine_model {
    wli_rates one, all;
} wli_machine_model;

/* That of who never tuned. */
wli_machine_model wli_machine_model_guess(int threads);

/* As it was probed; guessed where nobody did. */
wli_machine_model wli_machine_model_get(int threads);

#endif
