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

/* `path` may exist if it is a regular file that may be written; its permissions are kept and a symbolic link to it
 * stays one. Errors: FILE, OUT_OF_MEMORY. */
wlstm_status wli_output_create(const char *path, wli_output **output);

wlstm_status wli_output_write(wli_output *output, const void *bytes, size_t count);

/* Everything is on the disk, under the other name. */
wlstm_status wli_output_finish(wli_output *output);

/* Puts the file in its place. Frees the output, whether that worked or not. */
wlstm_status wli_output_commit(wli_output *output);

/* Removes what was written and frees the output. NULL is allowed. */
void wli_output_discard(wli_output *output);

#endif
