/* Trains the demo's weather forecaster, nn.LSTM(4, 48, 2) and nn.Linear(48, 3), from the parameters that PyTorch began with, by
 * the same steps of AdamW on the same windows of days, and holds its losses to PyTorch's (demo/train_curve.py).
 *
 *     12_train examples/demo [PLOT.svg] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <wavelstm.h>

#include "demo/svg_plot.h"
#include "demo/weather.h"

/* As in demo/train.py and demo/train_curve.py. */
enum { HIDDEN = 48, LAYERS = 2, STEPS = 200, WINDOW = 60, BATCH = 48, BURN_IN = 10 };
static const double LR = 3e-3, DECAY = 10.0, MAX_NORM = 1.0;

/* Losses of the first steps are PyTorch's but for rounding, which grows from step to step. */
enum { EQUAL_STEPS = 50 };
static const double TOLERANCE = 1e-4;

/* nn.Linear(48, 3), weights and then biases, and Adam's moments of both. */
enum { HEAD = LEADS * HIDDEN + LEADS };
typedef struct linear {
    float values[HEAD], gradients[HEAD], mean[HEAD], square[HEAD];
} linear;

static float x[WINDOW][BATCH][FEATURES], target[WINDOW][BATCH][LEADS];
static float out[WINDOW][BATCH][HIDDEN], d_out[WINDOW][BATCH][HIDDEN];

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "12_train: %s\n", wlstm_last_error());
    exit(1);
}

/* The windows of a step out of all days' features. */
static void gather(const float *features, size_t days, int step) {
    const size_t windows = days - WINDOW - LEADS + 1;
    for (size_t b = 0; b < BATCH; ++b) {
        const size_t first = ((size_t)step * BATCH + b) * 7919 % windows;
        for (size_t t = 0; t < WINDOW; ++t) {
            const float *day = features + (first + t) * FEATURES;
            memcpy(x[t][b], day, sizeof x[t][b]);
            for (size_t k = 0; k < LEADS; ++k)
                target[t][b][k] = day[(k + 1) * FEATURES]; /* the maximum, k + 1 days later */
        }
    }
}

static float forecast(const linear *head, const float h[HIDDEN], int k) {
    float sum = head->values[LEADS * HIDDEN + k];
    for (int u = 0; u < HIDDEN; ++u) sum += head->values[k * HIDDEN + u] * h[u];
    return sum;
}

/* The mean square of the errors after the burn-in; the gradients by out and by the head's parameters. */
static double loss_and_gradients(linear *head) {
    const double count = (double)(WINDOW - BURN_IN) * BATCH * LEADS;
    double loss = 0, gradients[HEAD] = { 0 };
    memset(d_out, 0, sizeof d_out);
    for (int t = BURN_IN; t < WINDOW; ++t)
        for (int b = 0; b < BATCH; ++b)
            for (int k = 0; k < LEADS; ++k) {
                const double error = (double)forecast(head, out[t][b], k) - (double)target[t][b][k];
                const double d = 2 * error / count;
                loss += error * error / count;
                gradients[LEADS * HIDDEN + k] += d;
                for (int u = 0; u < HIDDEN; ++u) {
                    gradients[k * HIDDEN + u] += d * (double)out[t][b][u];
                    d_out[t][b][u] += (float)d * head->values[k * HIDDEN + u];
                }
            }
    for (int i = 0; i < HEAD; ++i) head->gradients[i] = (float)gradients[i];
    return loss;
}

/* torch.nn.utils.clip_grad_norm_ over the trainer's gradients and the head's together. */
static void clip(wlstm_trainer *trainer, linear *head) {
    double norm, squares = 0;
    check(wlstm_trainer_clip_gradients(trainer, INFINITY, &norm)); /* asks for the norm alone */
    for (int i = 0; i < HEAD; ++i) squares += (double)head->gradients[i] * (double)head->gradients[i];
    const double all = sqrt(norm * norm + squares), factor = MAX_NORM / (all + 1e-6);
    if (factor >= 1) return;
    check(wlstm_trainer_clip_gradients(trainer, norm * factor, NULL));
    for (int i = 0; i < HEAD; ++i) head->gradients[i] *= (float)factor;
}

/* Adam without weight decay, step from 1 on. */
static void update_head(linear *head, int step) {
    const double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
    const double first = 1 - pow(beta1, step), second = 1 - pow(beta2, step);
    for (int i = 0; i < HEAD; ++i) {
        const double g = (double)head->gradients[i];
        head->mean[i] = (float)(beta1 * (double)head->mean[i] + (1 - beta1) * g);
        head->square[i] = (float)(beta2 * (double)head->square[i] + (1 - beta2) * g * g);
        head->values[i] -= (float)(LR / first * (double)head->mean[i] / (sqrt((double)head->square[i] / second) + eps));
    }
}

static void read_head(const char *path, linear *head) {
    memset(head, 0, sizeof *head);
    check(wlstm_tensor_read(path, "head.weight", WLSTM_F32, head->values, (int64_t)LEADS * HIDDEN, NULL, NULL));
    check(wlstm_tensor_read(path, "head.bias", WLSTM_F32, head->values + LEADS * HIDDEN, LEADS, NULL, NULL));
}

/* All steps; losses [STEPS]. */
static void train(wlstm_trainer *trainer, linear *head, const float *features, size_t days, double *losses) {
    wlstm_optimizer optimizer = WLSTM_OPTIMIZER_INIT;
    optimizer.kind = WLSTM_OPTIMIZER_ADAMW, optimizer.lr = LR, optimizer.weight_decay = DECAY;
    struct timespec begin, now;
    timespec_get(&begin, TIME_UTC);
    for (int step = 0; step < STEPS; ++step) {
        gather(features, days, step);
        check(wlstm_trainer_forward(trainer, WINDOW, BATCH, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL));
        losses[step] = loss_and_gradients(head);
        check(wlstm_trainer_backward(trainer, NULL, d_out, NULL, NULL, NULL, NULL, NULL, 0));
        clip(trainer, head);
        check(wlstm_trainer_update(trainer, &optimizer));
        update_head(head, step + 1);
        timespec_get(&now, TIME_UTC);
        const double seconds = (double)(now.tv_sec - begin.tv_sec) + 1e-9 * (double)(now.tv_nsec - begin.tv_nsec);
        if ((step + 1) % 20 == 0)
            printf("step %3d of %d   loss %.4f   %.1f s left\n", step + 1, STEPS, losses[step],
                   seconds / (step + 1) * (STEPS - step - 1));
    }
}

/* Mean absolute error, C, of the forecasts 1 to 3 days ahead for the year that is held back. */
static double held_back_error(wlstm_lstm *lstm, const linear *head, const weather *w, const float *features) {
    const size_t days = w->series.rows, start = w->held_back - LEAD_IN, steps = days - start;
    float *h = allocate(steps * HIDDEN, sizeof *h);
    double sum = 0;
    check(wlstm_forward(lstm, (int64_t)steps, 1, NULL, features + start * FEATURES, NULL, NULL, h, NULL, NULL));
    for (size_t day = w->held_back; day < days; ++day)
        for (size_t k = 0; k < LEADS; ++k) {
            const float anomaly = forecast(head, h + (day - k - 1 - start) * HIDDEN, (int)k);
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
    read_head(path, &head);
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
