/* Small CSV files of numbers, the demo's only input format beside the model. */
#ifndef DEMO_CSV_TABLE_H
#define DEMO_CSV_TABLE_H

#include <stddef.h>

typedef struct csv_table {
    size_t rows, columns;
    double *values;    /* [rows, columns] */
    char (*label)[16]; /* [rows] the text of a row's first cell, cut to 15 characters */
} csv_table;

/* Reads columns first to first + columns - 1 of every line after the header; other columns may hold anything.
 * Returns 0; or says on stderr which file and line is wrong, leaves *table empty and returns -1. */
int csv_table_read(const char *path, size_t first, size_t columns, csv_table *table);

void csv_table_free(csv_table *table);

#endif
