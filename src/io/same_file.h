/* Whether two paths lead to one file, whatever their spelling. */
#ifndef WLI_SAME_FILE_H
#define WLI_SAME_FILE_H

#include <stdbool.h>

/* Links are followed; files that are not there yet are the same by directory and name. */
bool wli_same_file(const char *a, const char *b);

#endif
