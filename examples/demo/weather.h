/* The demo's data: the weather, what train.py fitted to it, and PyTorch's outputs. Whatever is wrong with a file ends the
 * program with a message: a demo has nothing to go on with. */
#ifndef DEMO_WEATHER_H
#define DEMO_WEATHER_H

#include "csv_table.h"

/* As in train.py. */
#define HELD_BACK "2015" /* the year */
enum { FEATURES = 4, HARMONICS = 5, LEADS = 3, LEAD_IN = 30 };

typedef struct weather {
    csv_table series;            /* temp_max, temp_min, log(1 + precipitation), wind a day */
    csv_table features;          /* a feature's five harmonics and standard deviation */
    csv_table expected_forecast; /* [T, LEADS] by PyTorch */
    csv_table expected_state;    /* [layers * hidden_size, 2]: h_n, c_n by PyTorch */
    size_t held_back, start;     /* days: the first one to forecast; the first one that the model reads */
    size_t steps;                /* T, the days from start on */
} weather;

void weather_read(const char *directory, size_t hidden, size_t layers, weather *w);
void weather_free(weather *w);

/* What is usual for the date: the yearly cycle fitted to the training years. */
double weather_usual(const weather *w, size_t day, size_t feature);

/* A feature's standard deviation about that in the training years. */
double weather_std(const weather *w, size_t feature);

/* x [T, 1, FEATURES]: how far each day is from what is usual, in standard deviations. The caller frees it. */
float *weather_features(const weather *w);

/* directory/name, which ends the program if it does not fit. */
void join_path(char path[1024], const char *directory, const char *name);

/* Zeroed memory, or the end of the program. */
void *allocate(size_t count, size_t size);

#endif
