/* The demo's forecaster in training: nn.LSTM(4, 48, 2), which is wavelstm's, and on it nn.Linear(48, 3), which is here,
 * on the same windows of days as demo/train_curve.py. What a step does for some of its windows, so that processes may
 * share them. */
#ifndef DEMO_FORECASTER_H
#define DEMO_FORECASTER_H

#include <wavelstm.h>

#include "weather.h"

/* As in train.py and train_curve.py. BATCH windows a step, of WINDOW days, of which the first BURN_IN do not count. */
enum { HIDDEN = 48, LAYERS = 2, WINDOW = 60, BATCH = 48, BURN_IN = 10 };
extern const wlstm_optimizer forecaster_optimizer;

/* nn.Linear(48, 3), weights and then biases, and Adam's moments of both. */
enum { HEAD = LEADS * HIDDEN + LEADS };
typedef struct linear {
    float values[HEAD], gradients[HEAD], mean[HEAD], square[HEAD];
} linear;

/* PyTorch's, from initial.safetensors. */
wlstm_status linear_read(const char *path, linear *head);

/* One of the forecasts of a day, from h of the last layer. */
float linear_forecast(const linear *head, const float h[HIDDEN], int lead);

/* AdamW of torch.optim without weight decay, step from 1 on. */
void linear_update(linear *head, int step);

/* Windows first to first + rows - 1 of a step's BATCH. */
typedef struct windows {
    size_t first, rows;
    float *x, *target, *out, *d_out; /* [WINDOW, rows, FEATURES], [., ., LEADS], [., ., HIDDEN] twice */
} windows;

windows windows_allocate(size_t first, size_t rows);
void windows_free(windows *w);

/* x and target of a step out of all days' features. */
void windows_gather(windows *w, const float *features, size_t days, int step);

/* From out their part of the loss, the mean square of the errors of all BATCH; d_out and the head's gradients. */
double windows_loss(windows *w, linear *head);

/* torch.nn.utils.clip_grad_norm_ over the trainer's gradients and the head's together. */
wlstm_status forecaster_clip(wlstm_trainer *trainer, linear *head);

#endif
