#include "weather.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory) {
        fprintf(stderr, "wlstm-demo: out of memory\n");
        exit(1);
    }
    return memory;
}

void join_path(char path[1024], const char *directory, const char *name) {
    if (snprintf(path, 1024, "%s/%s", directory, name) >= 1024) {
        fprintf(stderr, "wlstm-demo: DATA_DIR: a shorter path expected\n");
        exit(1);
    }
}

static void read_table(const char *directory, const char *name, size_t first, size_t columns, size_t rows,
                       csv_table *table) {
    char path[1024];
    join_path(path, directory, name);
    if (csv_table_read(path, first, columns, table) != 0) exit(1);
    if (rows != 0 && table->rows != rows) {
        fprintf(stderr, "%s: %zu rows expected, got %zu\n", path, rows, table->rows);
        exit(1);
    }
}

static void read_series(const char *directory, weather *w) {
    read_table(directory, "seattle-weather.csv", 1, FEATURES, 0, &w->series);
    for (size_t day = 0; day < w->series.rows; day++) {
        double *row = w->series.values + day * FEATURES; /* the file's order: precipitation, temp_max, temp_min, wind */
        double precipitation = row[0];
        row[0] = row[1], row[1] = row[2], row[2] = log1p(precipitation);
    }
    while (w->held_back < w->series.rows && strncmp(w->series.label[w->held_back], HELD_BACK, 4) != 0) w->held_back++;
    if (w->held_back == w->series.rows || w->held_back < LEAD_IN) {
        fprintf(stderr, "seattle-weather.csv: days of " HELD_BACK " after at least %d others expected\n", LEAD_IN);
        exit(1);
    }
    w->start = w->held_back - LEAD_IN;
    w->steps = w->series.rows - w->start;
}

void weather_read(const char *directory, size_t hidden, size_t layers, weather *w) {
    *w = (weather){ 0 };
    read_series(directory, w);
    read_table(directory, "features.csv", 0, HARMONICS + 1, FEATURES, &w->features);
    read_table(directory, "expected_forecast.csv", 0, LEADS, w->steps, &w->expected_forecast);
    read_table(directory, "expected_state.csv", 0, 2, layers * hidden, &w->expected_state);
}

void weather_free(weather *w) {
    csv_table_free(&w->series);
    csv_table_free(&w->features);
    csv_table_free(&w->expected_forecast);
    csv_table_free(&w->expected_state);
}

double weather_usual(const weather *w, size_t day, size_t feature) {
    double phase = 2 * 3.14159265358979323846 * (double)day / 365.25;
    const double *harmonic = w->features.values + feature * (HARMONICS + 1);
    return harmonic[0] + harmonic[1] * cos(phase) + harmonic[2] * sin(phase) + harmonic[3] * cos(2 * phase) +
           harmonic[4] * sin(2 * phase);
}

double weather_std(const weather *w, size_t feature) {
    return w->features.values[feature * (HARMONICS + 1) + HARMONICS];
}

float *weather_features(const weather *w) {
    float *x = allocate(w->steps * FEATURES, sizeof *x);
    for (size_t t = 0; t < w->steps; t++) {
        for (size_t j = 0; j < FEATURES; j++) {
            double value = w->series.values[(w->start + t) * FEATURES + j];
            x[t * FEATURES + j] = (float)((value - weather_usual(w, w->start + t, j)) / weather_std(w, j));
        }
    }
    return x;
}
