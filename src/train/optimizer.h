/* torch.optim's SGD, Adam and AdamW and torch.nn.utils.clip_grad_norm_ on flat arrays of n parameters and gradients, in
 * pieces that threads may share: by which pieces an array is gone through moves no bit. */
#ifndef WLI_OPTIMIZER_H
#define WLI_OPTIMIZER_H

#include "base/number_types.h"

#include <stdint.h>

typedef enum wli_optimizer_kind { WLI_SGD, WLI_ADAM, WLI_ADAMW } wli_optimizer_kind;

/* torch.optim's arguments; dampening and nesterov are SGD's with momentum, beta1, beta2 and eps the other two's. */
typedef struct wli_optimizer {
    wli_optimizer_kind kind;
    bool nesterov;
    double lr, momentum, dampening, beta1, beta2, eps, weight_decay;
} wli_optimizer;

/* INVALID_ARGUMENT where torch.optim refuses, and for what is not finite. */
wlstm_status wli_optimizer_check(const wli_optimizer *optimizer);

/* How many arrays of n it keeps from one update to the next, zeros before the first: SGD's momentum_buffer if it has
 * momentum; exp_avg and exp_avg_sq. */
int wli_optimizer_moments(const wli_optimizer *optimizer);

/* Update number `step`, from 1 on, of the elements from `begin` to below `end`. */
void wli_optimizer_update(const wli_optimizer *optimizer, wlstm_dtype dtype, int64_t step, int64_t begin, int64_t end,
                          void *parameters, const void *gradients, void *const moments[2]);

/* Clipping: the sum of squares of each block, [wli_norm_blocks(n)]; the norm of all; by what to multiply. */
int64_t wli_norm_blocks(int64_t n);
void wli_norm_squares(wlstm_dtype dtype, const void *gradients, int64_t n, int64_t first_block, int64_t end_block,
                      double *squares);
double wli_norm_of(const double *squares, int64_t blocks);
double wli_clip_factor(double norm, double max_norm); /* at most 1, NaN where the norm is */
void wli_clip_scale(wlstm_dtype dtype, double factor, int64_t begin, int64_t end, void *gradients);

#endif
