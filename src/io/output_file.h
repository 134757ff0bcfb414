/* A result file that appears whole or not at all: written under another name in its directory, then renamed. Several
 * results appear together if all are finished before the first is committed.
 *
 *     create -> write ... -> finish -> commit
 *         \________\___________\_____> discard */
#ifndef WLI_OUTPUT_FILE_H
#define WLI_OUTPUT_FILE_H

#include "wavelstm.h"

#include <stddef.h>

typedef struct wli_output wli_output;

/* `path` may exist if it is a regular file that may be written: its permissions are kept, and its owner where that may be set; a
 * symbolic link to it stays one, another hard link to it keeps the old content. A link to nothing is refused, and so is whatever
 * else is there (a pipe, a device, a directory), by itself or through a link: none of them is ever replaced.
 * Errors: FILE, INVALID_ARGUMENT (NULL, empty), OUT_OF_MEMORY. */
wlstm_status wli_output_create(const char *path, wli_output **output);

wlstm_status wli_output_write(wli_output *output, const void *bytes, size_t count);

/* Everything is on the disk, under the other name. */
wlstm_status wli_output_finish(wli_output *output);

/* Puts the file in its place. Frees the output, whether that worked or not. */
wlstm_status wli_output_commit(wli_output *output);

/* Removes what was written and frees the output. NULL is allowed. */
void wli_output_discard(wli_output *output);

#endif
