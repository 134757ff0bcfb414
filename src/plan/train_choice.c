#include "plan/train_choice.h"

#include <inttypes.h>
#include <stdio.h>

void wli_train_choice_print(const wli_train_choice *choice, char text[WLI_TRAIN_CHOICE_TEXT]) {
    snprintf(text, WLI_TRAIN_CHOICE_TEXT, "crews %" PRId64 ", chunk_steps %" PRId64 ", parts %" PRId64, choice->crews,
             choice->chunk_steps, choice->parts);
}
