#include "svg_plot.h"

#include <math.h>
#include <stdio.h>

/* The picture and, within it, the box of the axes. */
enum { WIDTH = 1000, HEIGHT = 460, LEFT = 70, RIGHT = 980, TOP = 84, BOTTOM = 400 };

/* From data to the box: y runs from low (at BOTTOM) to high (at TOP). */
typedef struct axes {
    size_t points;
    double low, high, step;
} axes;

static double x_of(const axes *a, size_t point) {
    return LEFT + (RIGHT - LEFT) * (double)point / (double)(a->points - 1);
}

static double y_of(const axes *a, double value) {
    return BOTTOM - (BOTTOM - TOP) * (value - a->low) / (a->high - a->low);
}

/* Axes that hold every value, with ticks 1, 2 or 5 times a power of ten apart, at most 8 of them. */
static axes fit_axes(const svg_plot *plot) {
    double low = plot->series[0].values[0], high = low;
    for (size_t s = 0; s < plot->num_series; s++) {
        for (size_t p = 0; p < plot->points; p++) {
            low = fmin(low, plot->series[s].values[p]);
            high = fmax(high, plot->series[s].values[p]);
        }
    }
    double range = fmax(high - low, 1e-9), unit = pow(10.0, floor(log10(range / 8))), step = unit;
    if (range / step > 8) step = 2 * unit;
    if (range / step > 8) step = 5 * unit;
    if (range / step > 8) step = 10 * unit;
    return (axes){ plot->points, step * floor(low / step), step * ceil(high / step), step };
}

static void draw_axes(FILE *file, const svg_plot *plot, const axes *a) {
    fprintf(file, "<g stroke=\"#d8d8d8\" fill=\"none\">\n");
    for (double y = a->low; y < a->high + a->step / 2; y += a->step)
        fprintf(file, "<path d=\"M%d %.1fH%d\"/>\n", LEFT, y_of(a, y), RIGHT);
    for (size_t i = 0; i < plot->num_x_ticks; i++)
        fprintf(file, "<path d=\"M%.1f %dV%d\"/>\n", x_of(a, plot->x_ticks[i].point), TOP, BOTTOM);
    fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" stroke=\"#606060\"/>\n</g>\n", LEFT, TOP,
            RIGHT - LEFT, BOTTOM - TOP);
    for (double y = a->low; y < a->high + a->step / 2; y += a->step)
        fprintf(file, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g</text>\n", LEFT - 8, y_of(a, y) + 5, y);
    for (size_t i = 0; i < plot->num_x_ticks; i++)
        fprintf(file, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", x_of(a, plot->x_ticks[i].point),
                BOTTOM + 20, plot->x_ticks[i].label);
    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", (LEFT + RIGHT) / 2, BOTTOM + 45,
            plot->x_label);
    fprintf(file, "<text transform=\"translate(22 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            (TOP + BOTTOM) / 2, plot->y_label);
    fprintf(file, "<text x=\"%d\" y=\"30\" font-size=\"18\" font-weight=\"bold\">%s</text>\n", LEFT, plot->title);
}

static void draw_series(FILE *file, const svg_series *series, const axes *a) {
    fprintf(file, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%g\" stroke-dasharray=\"%s\" points=\"",
            series->color, series->width, series->dash);
    for (size_t p = 0; p < a->points; p++) fprintf(file, "%.1f,%.1f ", x_of(a, p), y_of(a, series->values[p]));
    fprintf(file, "\"/>\n");
    for (size_t p = 0; series->dots && p < a->points; p++)
        fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n", x_of(a, p),
                y_of(a, series->values[p]), series->color);
}

/* One row above the box: a sample of each line and its name. */
static void draw_legend(FILE *file, const svg_plot *plot) {
    for (size_t s = 0; s < plot->num_series; s++) {
        const svg_series *series = &plot->series[s];
        size_t x = LEFT + s * (size_t)(RIGHT - LEFT) / plot->num_series;
        fprintf(file, "<path d=\"M%zu 60h44\" stroke=\"%s\" stroke-width=\"%g\" stroke-dasharray=\"%s\"/>\n", x,
                series->color, series->width, series->dash);
        if (series->dots)
            fprintf(file, "<circle cx=\"%zu\" cy=\"60\" r=\"2.6\" fill=\"%s\"/>\n", x + 22, series->color);
        fprintf(file, "<text x=\"%zu\" y=\"65\">%s</text>\n", x + 54, series->name);
    }
}

int svg_plot_write(const char *path, const svg_plot *plot) {
    FILE *file = fopen(path, "w");
    if (!file) return -1;
    axes a = fit_axes(plot);
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
            "font-family=\"sans-serif\" font-size=\"14\">\n<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    draw_axes(file, plot, &a);
    for (size_t s = 0; s < plot->num_series; s++) draw_series(file, &plot->series[s], &a);
    draw_legend(file, plot);
    fprintf(file, "</svg>\n");
    int failed = ferror(file);
    return fclose(file) != 0 || failed ? -1 : 0;
}
