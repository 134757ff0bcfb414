/* One file in a directory of its own below TMPDIR (/tmp), gone when the program ends, also by Ctrl-C. */
#ifndef BENCH_SCRATCH_FILE_H
#define BENCH_SCRATCH_FILE_H

#include "wavelstm.h"

/* The path of the file, which is not made yet. FILE if the directory cannot be made; one file at a time. */
wlstm_status scratch_file_make(const char **path);
void scratch_file_remove(void);

#endif
