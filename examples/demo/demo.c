/* wlstm-demo: a trained PyTorch LSTM forecasts a year of weather that it has not seen, in C.
 *
 *     wlstm-demo DATA_DIR PLOT.svg
 *
 * DATA_DIR holds the series, the model and PyTorch's own outputs (train.py wrote them). The model runs over the
 * held-back year twice, as one sequence and one day at a time; both must agree with PyTorch. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wavelstm.h>

#include "svg_plot.h"
#include "weather.h"

/* What assert_close allows float32 to differ. */
static const double RTOL = 1.3e-6, ATOL = 1e-5;

enum { MAX_PASSES = 2000 };

/* The model's results over weather's T days from start on. */
typedef struct result {
    float *out;      /* [T, 1, hidden_size] */
    float *h, *c;    /* [layers, 1, hidden_size] */
    float *forecast; /* [T, LEADS], in standard deviations from the date's usual temperature */
} result;

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "wlstm-demo: %s: %s\n", wlstm_status_string(status), wlstm_last_error());
    exit(1);
}

static result allocate_result(const wlstm_lstm_config *config, size_t steps) {
    size_t hidden = (size_t)config->hidden_size, layers = (size_t)config->num_layers;
    return (result){ allocate(steps * hidden, sizeof(float)), allocate(layers * hidden, sizeof(float)),
                     allocate(layers * hidden, sizeof(float)), allocate(steps * LEADS, sizeof(float)) };
}

static void result_free(result *r) {
    free(r->out);
    free(r->h);
    free(r->c);
    free(r->forecast);
}

/* nn.Linear */
typedef struct linear {
    size_t hidden;
    double *weight, *bias; /* [LEADS, hidden], [LEADS] */
} linear;

/* forecast [T, LEADS] = out [T, hidden] weight^T + bias */
static void apply_head(const linear *head, size_t steps, result *r) {
    size_t hidden = head->hidden;
    for (size_t t = 0; t < steps; t++) {
        for (size_t k = 0; k < LEADS; k++) {
            double sum = head->bias[k];
            for (size_t j = 0; j < hidden; j++) sum += head->weight[k * hidden + j] * (double)r->out[t * hidden + j];
            r->forecast[t * LEADS + k] = (float)sum;
        }
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* One day at a time, the state carried in h and c, as a program does that gets its data as it comes. Returns the time. */
static double stream(wlstm_plan *plan, const wlstm_lstm_config *config, const float *x, size_t steps, result *r) {
    size_t hidden = (size_t)config->hidden_size, state = hidden * (size_t)config->num_layers;
    memset(r->h, 0, state * sizeof *r->h);
    memset(r->c, 0, state * sizeof *r->c);
    double begin = seconds();
    for (size_t t = 0; t < steps; t++)
        check(wlstm_plan_execute(plan, 1, 1, NULL, x + t * FEATURES, r->h, r->c, r->out + t * hidden, r->h, r->c));
    return seconds() - begin;
}

static int compare_doubles(const void *a, const void *b) {
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The median time of a step over passes of half a second together. */
static double time_step(wlstm_plan *plan, const wlstm_lstm_config *config, const float *x, size_t steps, result *r) {
    double *passes = allocate(MAX_PASSES, sizeof *passes), total = 0;
    int count = 0;
    while (count < MAX_PASSES && (count < 3 || total < 0.5)) {
        passes[count] = stream(plan, config, x, steps, r);
        total += passes[count++];
    }
    qsort(passes, (size_t)count, sizeof *passes, compare_doubles);
    double median = passes[count / 2] / (double)steps;
    free(passes);
    return median;
}

/* The larger, and NaN if one is, so that it shows. */
static double larger(double a, double b) {
    return a >= b || isnan(a) ? a : b;
}

/* The largest difference of got from column `column` of expected; counts in *outside those that assert_close refuses. */
static double compare(const float *got, const csv_table *expected, size_t column, size_t stride, size_t *outside) {
    double largest = 0;
    for (size_t i = 0; i < expected->rows; i++) {
        double want = expected->values[i * expected->columns + column];
        double difference = fabs((double)got[i * stride] - want);
        if (!(difference <= ATOL + RTOL * fabs(want))) ++*outside;
        largest = larger(largest, difference);
    }
    return largest;
}

/* Prints how far a result is from PyTorch's forecasts, h_n and c_n; 1 if it agrees. */
static int agrees(const char *way, const weather *w, const result *r) {
    size_t outside = 0;
    double forecast = 0;
    for (size_t k = 0; k < LEADS; k++)
        forecast = larger(forecast, compare(r->forecast + k, &w->expected_forecast, k, LEADS, &outside));
    double h = compare(r->h, &w->expected_state, 0, 1, &outside);
    double c = compare(r->c, &w->expected_state, 1, 1, &outside);
    printf("  %-22s %8.1e %8.1e %8.1e   %s\n", way, forecast, h, c, outside == 0 ? "equal" : "DIFFERENT");
    return outside == 0;
}

/* Three ways to say, k days before, what a day's maximum temperature in C will be. */
static double lstm_forecast(const weather *w, const result *r, size_t day, size_t k) {
    return weather_usual(w, day, 0) + weather_std(w, 0) * (double)r->forecast[(day - k - w->start) * LEADS + k - 1];
}

static double as_today(const weather *w, const result *r, size_t day, size_t k) {
    (void)r;
    return w->series.values[(day - k) * FEATURES];
}

static double usual_for_date(const weather *w, const result *r, size_t day, size_t k) {
    (void)r, (void)k;
    return weather_usual(w, day, 0);
}

typedef double forecast_function(const weather *w, const result *r, size_t day, size_t k);

static void print_errors(const char *name, forecast_function *forecast, const weather *w, const result *r) {
    printf("  %-22s", name);
    for (size_t k = 1; k <= LEADS; k++) {
        double absolute = 0, square = 0, days = (double)(w->series.rows - w->held_back);
        for (size_t day = w->held_back; day < w->series.rows; day++) {
            double error = forecast(w, r, day, k) - w->series.values[day * FEATURES];
            absolute += fabs(error), square += error * error;
        }
        printf("   %4.2f (%4.2f)", absolute / days, sqrt(square / days));
    }
    printf("\n");
}

/* March and April, as forecast two days before; the legend gives the mean absolute errors of these days. */
static int write_plot(const char *path, const weather *w, const result *r) {
    enum { DAYS = 61, LEAD = 2 };
    static const svg_tick ticks[] = { { 0, "Mar 1" },   { 7, "Mar 8" },   { 14, "Mar 15" },
                                      { 21, "Mar 22" }, { 28, "Mar 29" }, { 35, "Apr 5" },
                                      { 42, "Apr 12" }, { 49, "Apr 19" }, { 56, "Apr 26" } };
    double actual[DAYS], lstm[DAYS], today[DAYS], lstm_error = 0, today_error = 0;
    size_t first = w->held_back;
    while (first < w->series.rows && strcmp(w->series.label[first], HELD_BACK "/03/01") != 0) first++;
    if (first + DAYS > w->series.rows) return fprintf(stderr, "seattle-weather.csv: March and April expected\n"), -1;
    for (size_t i = 0; i < DAYS; i++) {
        actual[i] = w->series.values[(first + i) * FEATURES];
        lstm[i] = lstm_forecast(w, r, first + i, LEAD);
        today[i] = as_today(w, r, first + i, LEAD);
        lstm_error += fabs(lstm[i] - actual[i]) / DAYS, today_error += fabs(today[i] - actual[i]) / DAYS;
    }
    char lstm_name[64], today_name[64];
    snprintf(lstm_name, sizeof lstm_name, "LSTM (mean error %.1f °C)", lstm_error);
    snprintf(today_name, sizeof today_name, "naive (mean error %.1f °C)", today_error);
    const svg_series series[] = { { today_name, today, "#d9a441", "5 4", 1.6, 0 },
                                  { lstm_name, lstm, "#0060a8", "none", 3.2, 0 },
                                  { "measured", actual, "#000000", "none", 1.1, 1 } };
    const svg_plot plot = { .title = "Seattle, the day's highest temperature, forecast two days before",
                            .x_label = HELD_BACK " (held back from training)",
                            .y_label = "temperature, °C",
                            .points = DAYS,
                            .x_ticks = ticks,
                            .num_x_ticks = sizeof ticks / sizeof *ticks,
                            .series = series,
                            .num_series = sizeof series / sizeof *series };
    if (svg_plot_write(path, &plot) != 0) return fprintf(stderr, "%s: %s\n", path, strerror(errno)), -1;
    return 0;
}

static wlstm_lstm *load_model(const char *directory, wlstm_lstm_config *config) {
    char path[1024];
    join_path(path, directory, "model.safetensors");
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = "lstm.";
    wlstm_lstm *lstm;
    check(wlstm_lstm_load(path, &options, &lstm));
    check(wlstm_lstm_get_config(lstm, config));
    if (config->dtype != WLSTM_F32 || config->input_size != FEATURES || config->bidirectional || config->proj_size) {
        fprintf(stderr, "%s: a float32 LSTM of input_size %d, one direction, no projection expected\n", path, FEATURES);
        exit(1);
    }
    return lstm;
}

/* The head is in the same file. */
static linear load_head(const char *directory, size_t hidden) {
    char path[1024];
    join_path(path, directory, "model.safetensors");
    linear head = { hidden, allocate(LEADS * hidden, sizeof *head.weight), allocate(LEADS, sizeof *head.bias) };
    check(wlstm_tensor_read(path, "head.weight", WLSTM_F64, head.weight, (int64_t)(LEADS * hidden), NULL, NULL));
    check(wlstm_tensor_read(path, "head.bias", WLSTM_F64, head.bias, LEADS, NULL, NULL));
    return head;
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: wlstm-demo DATA_DIR PLOT.svg\n"), 2;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm = load_model(argv[1], &config);
    size_t hidden = (size_t)config.hidden_size, layers = (size_t)config.num_layers;

    linear head = load_head(argv[1], hidden);

    weather w;
    weather_read(argv[1], hidden, layers, &w);
    size_t steps = w.steps;

    /* As one sequence: what nn.LSTM does with x [T, 1, FEATURES]. */
    float *x = weather_features(&w);
    result sequence = allocate_result(&config, steps), streamed = allocate_result(&config, steps);
    check(wlstm_forward(lstm, (int64_t)steps, 1, NULL, x, NULL, NULL, sequence.out, sequence.h, sequence.c));
    apply_head(&head, steps, &sequence);

    /* One step at a time. */
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = 1, options.max_batch = 1, options.num_threads = 1;
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &options, &plan));
    double step = time_step(plan, &config, x, steps, &streamed);
    apply_head(&head, steps, &streamed);

    printf("data    Seattle's weather by NOAA, %s to %s; %zu days of " HELD_BACK " held back\n", w.series.label[0],
           w.series.label[w.series.rows - 1], w.series.rows - w.held_back);
    printf("model   nn.LSTM(%d, %zu, num_layers=%zu) and nn.Linear(%zu, %d), trained in PyTorch on 2012 to 2014\n",
           FEATURES, hidden, layers, hidden, LEADS);
    printf("\nlargest difference from PyTorch  (allowed: %g + %g * |value|)\n", ATOL, RTOL);
    printf("  %-22s %8s %8s %8s\n", "", "forecast", "h_n", "c_n");
    int equal = agrees("as one sequence", &w, &sequence);
    equal &= agrees("step by step", &w, &streamed);
    printf("\nerror of the forecast maximum temperature, C: mean absolute (root mean square)\n");
    printf("  %-22s   %-11s   %-11s   %s\n", "", "1 day ahead", "2 days", "3 days");
    print_errors("LSTM, in C", lstm_forecast, &w, &streamed);
    print_errors("naive: as today", as_today, &w, &streamed);
    print_errors("naive: usual for date", usual_for_date, &w, &streamed);
    printf("\ntime    %.2f microseconds a step, one day at a time on one thread\n", 1e6 * step);
    printf("plan    %s\n", wlstm_plan_describe(plan));
    int plotted = write_plot(argv[2], &w, &streamed) == 0;
    if (plotted) printf("plot    %s\n", argv[2]);
    if (!equal) fprintf(stderr, "wlstm-demo: the results differ from PyTorch's\n");

    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    result_free(&sequence);
    result_free(&streamed);
    free(x);
    free(head.weight);
    free(head.bias);
    weather_free(&w);
    return equal && plotted ? 0 : 1;
}
