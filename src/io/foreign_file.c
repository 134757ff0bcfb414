#include "io/foreign_file.h"

#include <stdbool.h>
#include <string.h>

#define EXPORT                                                                                                         \
    "export it in Python by safetensors.torch.save_file(torch.load(\"model.pt\", weights_only=True), "                 \
    "\"model.safetensors\")"

/* Whether the text from here on has the key that the index of a sharded model maps tensors to files by. */
static bool has_weight_map(FILE *stream) {
    char text[4096];
    text[fread(text, 1, sizeof text - 1, stream)] = '\0';
    return strstr(text, "\"weight_map\"") != NULL;
}

const char *wli_foreign_file(FILE *stream, const unsigned char start[WLI_FOREIGN_START]) {
    if (memcmp(start, "PK\3\4", 4) == 0) return "a zip archive, as torch.save writes: " EXPORT;
    if (start[0] == 0x80 && start[1] >= 2 && start[1] <= 5) return "a pickle, as torch.save wrote once: " EXPORT;
    if (start[0] == '{' && has_weight_map(stream))
        return "the index of a sharded model: load the file that its weight_map names for the LSTM's tensors, or save "
               "the "
               "model to one file";
    return NULL;
}
