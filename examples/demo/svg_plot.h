/* A line plot as an SVG file. Text is written as it is given: no '&' or '<' in it. */
#ifndef DEMO_SVG_PLOT_H
#define DEMO_SVG_PLOT_H

#include <stddef.h>

typedef struct svg_series {
    const char *name;     /* for the legend */
    const double *values; /* [plot's points] */
    const char *color;
    const char *dash; /* SVG's stroke-dasharray, "none" for a solid line */
    double width;
    int dots; /* 1: a dot on every point */
} svg_series;

typedef struct svg_tick {
    size_t point;
    const char *label;
} svg_tick;

typedef struct svg_plot {
    const char *title, *x_label, *y_label;
    size_t points; /* at least 2 */
    const svg_tick *x_ticks;
    size_t num_x_ticks;
    const svg_series *series; /* drawn in this order, the last on top */
    size_t num_series;
} svg_plot;

/* Returns 0, or -1 with errno set. */
int svg_plot_write(const char *path, const svg_plot *plot);

#endif
