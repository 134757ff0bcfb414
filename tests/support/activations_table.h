/* The activations of one instruction set and dtype: activations_table.c is compiled once for each, with the flags of the native
 * kernels. Arrays are of the table's dtype; `count` is a multiple of 64. */
#ifndef TEST_SUPPORT_ACTIVATIONS_TABLE_H
#define TEST_SUPPORT_ACTIVATIONS_TABLE_H

#include <stdint.h>

/* The largest found so far, and the input that gave it. */
typedef struct largest_error {
    double error, at;
} largest_error;

typedef struct activations_table {
    const char *isa;
    int steps; /* whether 2^t looks its steps up (exp2.h) */
    void (*sigmoid)(int64_t count, const void *x, void *y);
    void (*tanh)(int64_t count, const void *x, void *y);

    /* cell_update on [count] of each; c is replaced, h written. */
    void (*cell_update)(int64_t count, const void *i, const void *f, const void *g, const void *o, void *c, void *h);

    /* |y - (high + low)|, divided by |high| if relative: high and low are the exact value in two pieces. A NaN in y is an
     * infinite error. */
    void (*errors)(int64_t count, const void *x, const void *y, const void *high, const void *low, int relative,
                   largest_error *largest);
} activations_table;

/* Those that this machine runs, of each dtype; the best last. Found by activations_find_tables. */
enum { ACTIVATIONS_TABLES = 6 };
extern const activations_table *activations_tables[2][ACTIVATIONS_TABLES];
extern int num_activations_tables;
void activations_find_tables(void);

#endif
