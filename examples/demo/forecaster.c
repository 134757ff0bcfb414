#include "forecaster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double max_norm = 1.0;
const wlstm_optimizer forecaster_optimizer = { .struct_size = sizeof(wlstm_optimizer),
                                               .kind = WLSTM_OPTIMIZER_ADAMW,
                                               .lr = 3e-3,
                                               .beta1 = 0.9,
                                               .beta2 = 0.999,
                                               .eps = 1e-8,
                                               .weight_decay = 10.0 };

wlstm_status linear_read(const char *path, linear *head) {
    memset(head, 0, sizeof *head);
    const int64_t weights = (int64_t)LEADS * HIDDEN;
    const wlstm_status status = wlstm_tensor_read(path, "head.weight", WLSTM_F32, head->values, weights, NULL, NULL);
    if (status != WLSTM_OK) return status;
    return wlstm_tensor_read(path, "head.bias", WLSTM_F32, head->values + weights, LEADS, NULL, NULL);
}

float linear_forecast(const linear *head, const float h[HIDDEN], int lead) {
    float sum = head->values[LEADS * HIDDEN + lead];
    for (int u = 0; u < HIDDEN; ++u) sum += head->values[lead * HIDDEN + u] * h[u];
    return sum;
}

void linear_update(linear *head, int step) {
    const wlstm_optimizer *by = &forecaster_optimizer;
    const double first = 1 - pow(by->beta1, step), second = 1 - pow(by->beta2, step);
    for (int i = 0; i < HEAD; ++i) {
        const double g = (double)head->gradients[i];
        head->mean[i] = (float)(by->beta1 * (double)head->mean[i] + (1 - by->beta1) * g);
        head->square[i] = (float)(by->beta2 * (double)head->square[i] + (1 - by->beta2) * g * g);
        const double root = sqrt((double)head->square[i] / second) + by->eps;
        head->values[i] -= (float)(by->lr / first * (double)head->mean[i] / root);
    }
}

windows windows_allocate(size_t first, size_t rows) {
    const size_t days = WINDOW * rows;
    return (windows){ .first = first,
                      .rows = rows,
                      .x = allocate(days * FEATURES + 1, sizeof(float)),
                      .target = allocate(days * LEADS + 1, sizeof(float)),
                      .out = allocate(days * HIDDEN + 1, sizeof(float)),
                      .d_out = allocate(days * HIDDEN + 1, sizeof(float)) };
}

void windows_free(windows *w) {
    free(w->x), free(w->target), free(w->out), free(w->d_out);
}

void windows_gather(windows *w, const float *features, size_t days, int step) {
    const size_t starts = days - WINDOW - LEADS + 1;
    for (size_t b = 0; b < w->rows; ++b) {
        const size_t start = ((size_t)step * BATCH + w->first + b) * 7919 % starts;
        for (size_t t = 0; t < WINDOW; ++t) {
            const float *day = features + (start + t) * FEATURES;
            memcpy(w->x + (t * w->rows + b) * FEATURES, day, FEATURES * sizeof *day);
            for (size_t k = 0; k < LEADS; ++k)
                w->target[(t * w->rows + b) * LEADS + k] = day[(k + 1) * FEATURES]; /* the maximum, k + 1 days later */
        }
    }
}

double windows_loss(windows *w, linear *head) {
    const double count = (double)(WINDOW - BURN_IN) * BATCH * LEADS;
    const size_t days = WINDOW * w->rows;
    double loss = 0, gradients[HEAD] = { 0 };
    memset(w->d_out, 0, days * HIDDEN * sizeof *w->d_out);
    for (size_t day = BURN_IN * w->rows; day < days; ++day) {
        const float *h = w->out + day * HIDDEN;
        for (int k = 0; k < LEADS; ++k) {
            const double error = (double)linear_forecast(head, h, k) - (double)w->target[day * LEADS + (size_t)k];
            const double d = 2 * error / count;
            loss += error * error / count;
            gradients[LEADS * HIDDEN + k] += d;
            for (int u = 0; u < HIDDEN; ++u) {
                gradients[k * HIDDEN + u] += d * (double)h[u];
                w->d_out[day * HIDDEN + (size_t)u] += (float)d * head->values[k * HIDDEN + u];
            }
        }
    }
    for (int i = 0; i < HEAD; ++i) head->gradients[i] = (float)gradients[i];
    return loss;
}

wlstm_status forecaster_clip(wlstm_trainer *trainer, linear *head) {
    double norm, squares = 0;
    const wlstm_status status = wlstm_trainer_clip_gradients(trainer, INFINITY, &norm); /* asks for the norm alone */
    if (status != WLSTM_OK) return status;
    for (int i = 0; i < HEAD; ++i) squares += (double)head->gradients[i] * (double)head->gradients[i];
    const double all = sqrt(norm * norm + squares), factor = max_norm / (all + 1e-6);
    if (factor >= 1) return WLSTM_OK;
    for (int i = 0; i < HEAD; ++i) head->gradients[i] *= (float)factor;
    return wlstm_trainer_clip_gradients(trainer, norm * factor, NULL);
}
