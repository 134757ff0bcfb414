#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

const char *wli_shape_text(int ndim, const int64_t *shape, char text[WLI_SHAPE_TEXT]) {
    size_t used = (size_t)snprintf(text, WLI_SHAPE_TEXT, "[");
    for (int d = 0; d < ndim; d++)
        used += (size_t)snprintf(text + used, WLI_SHAPE_TEXT - used, d == 0 ? "%" PRId64 : ", %" PRId64, shape[d]);
    snprintf(text + used, WLI_SHAPE_TEXT - used, "]");
    return text;
}

const char *wli_printable(const char *source, size_t length, char *text, size_t capacity) {
    size_t shown = length < capacity ? length : capacity - 4;
    for (size_t i = 0; i < shown; i++) {
        unsigned char byte = (unsigned char)source[i];
        text[i] = byte < 0x20 || byte == 0x7f ? '?' : source[i];
    }
    memcpy(text + shown, shown < length ? "..." : "", shown < length ? 4 : 1);
    return text;
}

const char *wli_file_kind(mode_t mode) {
    return S_ISREG(mode)    ? "regular file"
           : S_ISDIR(mode)  ? "directory"
           : S_ISFIFO(mode) ? "pipe"
           : S_ISSOCK(mode) ? "socket"
                            : "device";
}
