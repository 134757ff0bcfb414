#include "csv_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE 4096

/* Appends a row of space; 0 without memory. */
static int append_row(csv_table *table, size_t *capacity) {
    if (table->rows == *capacity) {
        size_t wanted = *capacity ? 2 * *capacity : 64;
        double *values = realloc(table->values, wanted * table->columns * sizeof *values);
        if (!values) return 0;
        table->values = values;
        char(*label)[16] = realloc(table->label, wanted * sizeof *label);
        if (!label) return 0;
        table->label = label;
        *capacity = wanted;
    }
    table->rows++;
    return 1;
}

/* The start of cell `index` in a line, NULL if it has fewer. */
static const char *find_cell(const char *line, size_t index) {
    for (; index > 0 && line; index--) {
        line = strchr(line, ',');
        if (line) line++;
    }
    return line;
}

/* Parses `columns` numbers from cell `first` on; the count that were numbers. */
static size_t parse_cells(const char *line, size_t first, size_t columns, double *values) {
    const char *cell = find_cell(line, first);
    for (size_t j = 0; j < columns; j++) {
        if (!cell) return j;
        char *end;
        values[j] = strtod(cell, &end);
        if (end == cell || !strchr(",\r\n", *end)) return j;
        cell = *end == ',' ? end + 1 : NULL;
    }
    return columns;
}

static int read_lines(FILE *file, const char *path, size_t first, csv_table *table) {
    char line[MAX_LINE];
    size_t capacity = 0;
    for (size_t number = 1; fgets(line, sizeof line, file); number++) {
        if (!strchr(line, '\n') && !feof(file))
            return fprintf(stderr, "%s:%zu: at most %d characters a line expected\n", path, number, MAX_LINE - 2), -1;
        if (number == 1) continue;
        if (!append_row(table, &capacity)) return fprintf(stderr, "%s:%zu: out of memory\n", path, number), -1;
        size_t row = table->rows - 1;
        size_t found = parse_cells(line, first, table->columns, table->values + row * table->columns);
        if (found != table->columns)
            return fprintf(stderr, "%s:%zu: %zu numbers from column %zu on expected, got %zu\n", path, number,
                           table->columns, first + 1, found),
                   -1;
        snprintf(table->label[row], sizeof table->label[row], "%.*s", (int)strcspn(line, ",\r\n"), line);
    }
    if (ferror(file)) return fprintf(stderr, "%s: %s\n", path, strerror(errno)), -1;
    if (table->rows == 0) return fprintf(stderr, "%s: at least one line after the header expected\n", path), -1;
    return 0;
}

int csv_table_read(const char *path, size_t first, size_t columns, csv_table *table) {
    *table = (csv_table){ .columns = columns };
    FILE *file = fopen(path, "r");
    if (!file) return fprintf(stderr, "%s: %s\n", path, strerror(errno)), -1;
    int result = read_lines(file, path, first, table);
    fclose(file);
    if (result != 0) csv_table_free(table);
    return result;
}

void csv_table_free(csv_table *table) {
    free(table->values);
    free(table->label);
    *table = (csv_table){ 0 };
}
