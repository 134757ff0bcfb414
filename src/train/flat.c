/* One line of code a line of torch.optim (PyTorch 2.13, the updates of single tensors), and in its order of operations.
 * Compiled once a number type. */
#include "train/flat.h"

#include "base/real.h"
#include <stdbool.h>
#include <tgmath.h> /* sqrt of a float in float */

static void sgd(const wli_optimizer *o, int64_t step, int64_t begin, int64_t end, void *parameters,
                const void *gradients, void *momentum) {
    real *restrict p = parameters, *restrict buffer = momentum;
    const real *restrict g = gradients;
    const real minus_lr = (real)-o->lr, weight_decay = (real)o->weight_decay, mu = (real)o->momentum;
    const real undamped = (real)(1 - o->dampening);
    const bool decays = o->weight_decay != 0, first = step == 1, nesterov = o->nesterov;
    if (o->momentum == 0) {
        for (int64_t k = begin; k < end; k++) {
            const real d = decays ? g[k] + weight_decay * p[k] : g[k];
            p[k] += minus_lr * d;
        }
        return;
    }
    for (int64_t k = begin; k < end; k++) {
        const real d = decays ? g[k] + weight_decay * p[k] : g[k];
        const real b = first ? d : mu * buffer[k] + undamped * d;
        buffer[k] = b;
        p[k] += minus_lr * (nesterov ? d + mu * b : b);
    }
}

static void adam(const wli_optimizer *o, int64_t step, int64_t begin, int64_t end, void *parameters,
                 const void *gradients, void *exp_avg, void *exp_avg_sq) {
    real *restrict p = parameters, *restrict m = exp_avg, *restrict v = exp_avg_sq;
    const real *restrict g = gradients;
    const double correction1 = 1 - pow(o->beta1, (double)step), correction2 = 1 - pow(o->beta2, (double)step);
    const real minus_size = (real)(-o->lr / correction1), correction = (real)sqrt(correction2), eps = (real)o->eps;
    const real beta2 = (real)o->beta2, weight1 = (real)(1 - o->beta1), weight2 = (real)(1 - o->beta2);
    const real weight_decay = (real)o->weight_decay;
    const real shrink = o->kind == WLI_ADAMW ? (real)(1 - o->lr * o->weight_decay) : 1;
    const bool couples = o->kind == WLI_ADAM && o->weight_decay != 0;
    const bool near_m = weight1 < (real)0.5; /* torch.lerp starts at the nearer end */
    const real way = near_m ? weight1 : weight1 - 1;
    for (int64_t k = begin; k < end; k++) {
        const real q = p[k] * shrink;
        const real d = couples ? g[k] + weight_decay * q : g[k];
        m[k] = (near_m ? m[k] : d) + way * (d - m[k]);
        v[k] = v[k] * beta2 + weight2 * d * d;
        p[k] = q + minus_size * m[k] / (sqrt(v[k]) / correction + eps);
    }
}

/* In double, and side by side, so that a compiler makes vectors of it. */
static double squares(const void *values, int64_t begin, int64_t end) {
    enum { SIDES = 8 };
    const real *x = values;
    double sums[SIDES] = { 0 }, sum = 0;
    for (; end - begin >= SIDES; begin += SIDES)
        for (int side = 0; side < SIDES; side++) sums[side] += (double)x[begin + side] * (double)x[begin + side];
    for (; begin < end; begin++) sum += (double)x[begin] * (double)x[begin];
    for (int side = 0; side < SIDES; side++) sum += sums[side];
    return sum;
}

static void scale(double factor, int64_t begin, int64_t end, void *values) {
    real *x = values;
    for (int64_t k = begin; k < end; k++) x[k] *= (real)factor;
}

const wli_flat WLI_OF_PRODUCT(wli_flat) = { sgd, adam, squares, scale };
