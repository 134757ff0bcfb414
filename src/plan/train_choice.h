/* What a trainer's passes may be given instead of the rule's: how their threads share them. */
#ifndef WLI_TRAIN_CHOICE_H
#define WLI_TRAIN_CHOICE_H

#include <stdint.h>

typedef struct wli_train_choice {
    int64_t crews;       /* that own layers; 0: nobody chose */
    int64_t chunk_steps; /* that a crew is ahead; of one crew all steps */
    int64_t parts;       /* of the batch, in each crew */
} wli_train_choice;

enum { WLI_TRAIN_CHOICE_TEXT = 96 };

/* "crews 2, chunk_steps 9, parts 1" */
void wli_train_choice_print(const wli_train_choice *choice, char text[WLI_TRAIN_CHOICE_TEXT]);

#endif
