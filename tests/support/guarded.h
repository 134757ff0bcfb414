/* Memory that shows what is read without having been written, as all of it is NaN at first, and what is written beside it. */
#ifndef TEST_SUPPORT_GUARDED_H
#define TEST_SUPPORT_GUARDED_H

#include <stddef.h>
#include <stdint.h>
#include <wavelstm.h>

typedef struct guarded {
    unsigned char *block;
    size_t bytes;
    void *values; /* all NaN at first */
} guarded;

guarded guarded_make(size_t bytes);
/* Asserts that nothing was written beside it. */
void guarded_free(guarded *g);

/* Asserts that nothing is written between the rows of values [rows, columns], stride apart. */
void check_gaps(wlstm_dtype dtype, const void *values, int64_t rows, int64_t columns, int64_t stride);

#endif
