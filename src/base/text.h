/* Pieces of error sentences. */
#ifndef WLI_TEXT_H
#define WLI_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define WLI_SHAPE_TEXT 192 /* holds 8 dimensions */

/* "[4, 3, 20]" in `text`, which is returned. */
const char *wli_shape_text(int ndim, const int64_t *shape, char text[WLI_SHAPE_TEXT]);

/* Text from a file made fit for a terminal: control characters become '?', what passes `capacity` (at least 4) becomes
 * "...". Returns `text`. */
const char *wli_printable(const char *source, size_t length, char *text, size_t capacity);

/* What is in a file's place: "regular file", "directory", "pipe", "socket" or "device". */
const char *wli_file_kind(mode_t mode);

#endif
