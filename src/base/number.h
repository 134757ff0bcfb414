/* Numbers in text that somebody wrote: plain decimal, without sign, blank, hexadecimal, infinity or NaN. */
#ifndef WLI_NUMBER_H
#define WLI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* The digits that *text begins with, as an integer from `lowest` (at least 0) to `highest`; *text moves past them. False, and
 * nothing changes, where there are none or they say another one. */
bool wli_take_integer(const char **text, int64_t lowest, int64_t highest, int64_t *value);

/* The whole text so. */
bool wli_parse_integer(const char *text, int64_t lowest, int64_t highest, int64_t *value);

/* The whole text as a number above `above` (at least 0) and at most `highest`: "2", "0.5", "1e-3". Otherwise false, and nothing
 * changes. */
bool wli_parse_real(const char *text, double above, double highest, double *value);

#endif
