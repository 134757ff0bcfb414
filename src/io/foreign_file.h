/* Files that are given for safetensors files and are others: what they are, told from how they begin. */
#ifndef WLI_FOREIGN_FILE_H
#define WLI_FOREIGN_FILE_H

#include <stdio.h>

enum { WLI_FOREIGN_START = 8 };

/* What a file is that begins with these bytes, and the way to a safetensors file; NULL if that is not known. The stream stands
 * behind them and may be read on. For a file that is known to be no safetensors file: one of those may begin so too. */
const char *wli_foreign_file(FILE *stream, const unsigned char start[WLI_FOREIGN_START]);

#endif
