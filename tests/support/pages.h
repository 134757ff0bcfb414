/* Memory between two pages that nobody may touch: what is read or written past its end, or before its begin where it
 * begins a page, ends the process. It is aligned to nothing but what its size is a multiple of. */
#ifndef TEST_SUPPORT_PAGES_H
#define TEST_SUPPORT_PAGES_H

#include <stddef.h>

/* Ends right before such a page, every fourth begins right after one; aborts where there is no memory. Threads may. */
void *pages_take(size_t bytes);

/* From here on it is only read. */
void pages_protect(const void *values);

/* Asserts that nothing was written beside it in its own pages. NULL is allowed. */
void pages_give(void *values);

#endif
