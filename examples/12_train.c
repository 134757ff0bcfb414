/* Trains the demo's weather forecaster, nn.LSTM(4, 48, 2) and nn.Linear(48, 3), from the parameters that PyTorch began with, by
 * the same steps of AdamW on the same windows of days, and holds its losses to PyTorch's (demo/train_curve.py).
 *
 *     12_train examples/demo [PLOT.svg] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <wavelstm.h>

#include "demo/forecaster.h"
#include "demo/svg_plot.h"

/* Losses of the first steps are PyTorch's but for rounding, which grows from step to step. */
enum { STEPS = 200, EQUAL_STEPS = 50 };
static const double TOLERANCE = 1e-4;

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "12_train: %s\n", wlstm_last_error());
    exit(1);
}

/* All steps; losses [STEPS]. */
static void train(wlstm_trainer *trainer, linear *head, const float *features, size_t days, double *losses) {
    windows w = windows_allocate(0, BATCH);
    struct timespec begin, now;
    timespec_get(&begin, TIME_UTC);
    for (int step = 0; step < STEPS; ++step) {
        windows_gather(&w, features, days, step);
        check(wlstm_trainer_forward(trainer, WINDOW, BATCH, NULL, w.x, NULL, NULL, w.out, NULL, NULL, 1, 0, 0, NULL));
        losses[step] = windows_loss(&w, head);
        check(wlstm_trainer_backward(trainer, NULL, w.d_out, NULL, NULL, NULL, NULL, NULL, 0));
        check(forecaster_clip(trainer, head));
        check(wlstm_trainer_update(trainer, &forecaster_optimizer));
        linear_update(head, step + 1);
        timespec_get(&now, TIME_UTC);
        const double seconds = (double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec);
        if ((step + 1) % 20 == 0)
            printf("step %3d of %d   loss %.4f   %.1f s left\n", step + 1, STEPS, losses[step],
                   seconds / (step + 1) * (STEPS - step - 1));
    }
    windows_free(&w);
}

/* Mean absolute error, C, of the forecasts 1 to 3 days ahead for the year that is held back. */
static double held_back_error(wlstm_lstm *lstm, const linear *head, const weather *w, const float *features) {
    const size_t days = w->series.rows, start = w->held_back - LEAD_IN, steps = days - start;
    float *h = allocate(steps * HIDDEN, sizeof *h);
    double sum = 0;
    check(wlstm_forward(lstm, (int64_t)steps, 1, NULL, features + start * FEATURES, NULL, NULL, h, NULL, NULL));
    for (size_t day = w->held_back; day < days; ++day)
        for (size_t k = 0; k < LEADS; ++k) {
            const float anomaly = linear_forecast(head, h + (day - k - 1 - start) * HIDDEN, (int)k);
            const double degrees = (double)anomaly * weather_std(w, 0) + weather_usual(w, day, 0);
            sum += fabs(degrees - w->series.values[day * FEATURES]);
        }
    free(h);
    return sum / (double)(LEADS * (days - w->held_back));
}

static void plot(const char *path, const double *losses, const double *expected) {
    const svg_tick ticks[] = { { 0, "1" }, { 49, "50" }, { 99, "100" }, { 149, "150" }, { 199, "200" } };
    const svg_series series[] = { { "PyTorch", expected, "#c0c0c0", "none", 5, 0 },
                                  { "wavelstm", losses, "#1f5fa8", "none", 1.5, 0 } };
    const svg_plot curve = { "Training the weather forecaster", "step", "loss", STEPS, ticks, 5, series, 2 };
    if (svg_plot_write(path, &curve) != 0) perror(path), exit(1);
    printf("plot    %s\n", path);
}

int main(int argc, char **argv) {
    if (argc < 2 || argc > 3) return fprintf(stderr, "usage: 12_train examples/demo [PLOT.svg]\n"), 2;
    char path[1024];
    weather w;
    csv_table curve;
    linear head;
    double losses[STEPS], expected[STEPS], largest = 0;
    weather_read(argv[1], HIDDEN, LAYERS, &w);
    join_path(path, argv[1], "loss_curve.csv");
    if (csv_table_read(path, 0, 2, &curve) != 0 || curve.rows != STEPS) return 1;
    w.start = 0, w.steps = w.series.rows; /* the features of all days */
    float *features = weather_features(&w);

    join_path(path, argv[1], "initial.safetensors");
    check(linear_read(path, &head));
    wlstm_load_options load = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    load.prefix = "lstm.";
    options.max_seq_len = WINDOW, options.max_batch = BATCH;
    check(wlstm_lstm_load(path, &load, &lstm));
    check(wlstm_trainer_create(lstm, &options, &trainer));

    train(trainer, &head, features, w.held_back, losses);
    check(wlstm_trainer_copy_to(trainer, lstm));
    for (int step = 0; step < STEPS; ++step) expected[step] = curve.values[2 * step];
    for (int step = 0; step < EQUAL_STEPS; ++step)
        largest = fmax(largest, fabs(losses[step] - expected[step]) / expected[step]);
    printf("losses of the first %d steps: largest difference from PyTorch %.1e of the loss (allowed: %.0e)\n",
           EQUAL_STEPS, largest, TOLERANCE);
    printf("forecasts of " HELD_BACK ": mean absolute error %.3f C, after PyTorch's training %.3f C\n",
           held_back_error(lstm, &head, &w, features), curve.values[2 * STEPS - 1]);
    if (argc == 3) plot(argv[2], losses, expected);

    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
    free(features);
    csv_table_free(&curve);
    weather_free(&w);
    return largest <= TOLERANCE ? 0 : 1;
}
