/* The table of what tuning brought. */
#ifndef TUNE_TABLE_H
#define TUNE_TABLE_H

#include "plan/cache.h"

void table_head(bool with_limit);

/* `limit`: the part of the machine's limit that is reached, 0 to leave it out. */
void table_row(const wli_cache_entry *entry, double limit);

/* The geometric mean of untuned / tuned, for each thread count. */
void table_means(const wli_cache_entry *entries, int count);

#endif
