/* Every native table this machine runs, and what tests of their functions compute with and compare to. */
#ifndef TEST_SUPPORT_NATIVE_TABLES_H
#define TEST_SUPPORT_NATIVE_TABLES_H

#include "kernels/dispatch.h"

enum { MAX_TABLES = 8, ROWS = 64 };
extern const wli_native *tables[2][MAX_TABLES]; /* of each dtype */
extern int num_tables;
extern uint64_t stream; /* of random numbers */

/* Every count up to two tiles and one more, and ROWS, the first, to which the others are compared. */
static const int64_t row_counts[] = { ROWS, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13 };
enum { NUM_ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };

/* First of all in a test: finds the tables and begins the stream. */
void find_tables(void);

/* All the tables of a product that this machine runs, whichever of one width a plan would take; says how many. */
int find_tables_of(wli_product product, const wli_native *found[MAX_TABLES]);

/* Of a product those of 16 lanes in the compiler's pieces, at most two, where they are compiled; says how many. */
int find_wide_tables_of(wli_product product, const wli_native *found[]);

/* count random values of the dtype in [-2^exponent, 2^exponent) in memory of exactly their size. */
void *random_values(wlstm_dtype dtype, int64_t count, int exponent);

/* ROWS rows [depth], each in memory of its own. */
void make_rows(wlstm_dtype dtype, int64_t depth, const void *rows[ROWS]);

void free_rows(const void *rows[ROWS]);

/* weight [rows, depth] packed for the table, in the order of the layout or as it is. */
void *pack(wlstm_dtype dtype, const wli_native *native, const void *weight, int64_t rows, int64_t depth,
           const wli_gate_layout *layout, int64_t columns);

/* The index-th other table whose bits are to be those of `native`; they follow the widest. NULL past the last. */
const wli_native *alike(wlstm_dtype dtype, const wli_native *native, int index);

/* The range in two at random, as two threads would share it; a part may be empty. */
void cut(wli_panel_range whole, wli_panel_range parts[2]);

/* A sum in double and how far one in the dtype, in any order, may be from it (Higham, Accuracy and Stability of Numerical
 * Algorithms, 3.1; twice that, for the oracle's own rounding in f64). */
typedef struct bounded_sum {
    double value, bound;
} bounded_sum;

/* start + a [depth] . w [depth] */
bounded_sum dot(wlstm_dtype dtype, double start, const void *a, const void *w, int64_t depth);

#endif
