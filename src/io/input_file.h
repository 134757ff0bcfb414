/* A file that is read and not trusted: it may be missing, a pipe, cut short, or change while it is read. */
#ifndef WLI_INPUT_FILE_H
#define WLI_INPUT_FILE_H

#include "wavelstm.h"

#include <stdint.h>
#include <stdio.h>

/* Opens a regular file and says how long it is. Anything else (a FIFO, a directory, a device) is refused, without
 * waiting for its other end. */
wlstm_status wli_input_open(const char *path, FILE **stream, uint64_t *size);

/* The next `count` bytes, all of them or an error. */
wlstm_status wli_input_read(FILE *stream, const char *path, void *bytes, size_t count);

#endif
