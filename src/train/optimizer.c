#include "train/optimizer.h"

#include "base/status.h"
#include "train/flat.h"

#include <math.h>

enum { NORM_BLOCK = 4096 };

static const wli_flat *flat_of(wlstm_dtype dtype) {
    return dtype == WLSTM_F64 ? &wli_flat_f64 : &wli_flat_f32;
}

/* Each number of [0, most), and finite. */
static wlstm_status check_number(const char *name, double value, double below) {
    if (isfinite(value) && value >= 0 && value < below) return WLSTM_OK;
    if (isfinite(below))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a number from 0 to below %g expected, got %g", name, below,
                        value);
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a finite number of at least 0 expected, got %g", name, value);
}

wlstm_status wli_optimizer_check(const wli_optimizer *optimizer) {
    const wli_optimizer *o = optimizer;
    const struct {
        const char *name;
        double value, below;
    } numbers[] = { { "lr", o->lr, INFINITY },   { "momentum", o->momentum, INFINITY },
                    { "beta1", o->beta1, 1 },    { "beta2", o->beta2, 1 },
                    { "eps", o->eps, INFINITY }, { "weight_decay", o->weight_decay, INFINITY } };
    if (o->kind < WLI_SGD || o->kind > WLI_ADAMW)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "kind: %d (SGD) to %d (AdamW) expected, got %d", WLI_SGD,
                        WLI_ADAMW, (int)o->kind);
    for (size_t k = 0; k < sizeof numbers / sizeof numbers[0]; k++) {
        const wlstm_status status = check_number(numbers[k].name, numbers[k].value, numbers[k].below);
        if (status != WLSTM_OK) return status;
    }
    if (!isfinite(o->dampening))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "dampening: a finite number expected, got %g", o->dampening);
    if (o->nesterov && (o->momentum == 0 || o->dampening != 0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "nesterov: momentum above 0 and dampening 0 expected beside it, got %g and %g", o->momentum,
                        o->dampening);
    return WLSTM_OK;
}

int wli_optimizer_moments(const wli_optimizer *optimizer) {
    return optimizer->kind != WLI_SGD ? 2 : optimizer->momentum != 0;
}

void wli_optimizer_update(const wli_optimizer *optimizer, wlstm_dtype dtype, int64_t step, int64_t begin, int64_t end,
                          void *parameters, const void *gradients, void *const moments[2]) {
    const wli_flat *flat = flat_of(dtype);
    if (optimizer->kind == WLI_SGD)
        flat->sgd(optimizer, step, begin, end, parameters, gradients, moments[0]);
    else
        flat->adam(optimizer, step, begin, end, parameters, gradients, moments[0], moments[1]);
}

int64_t wli_norm_blocks(int64_t n) {
    return n / NORM_BLOCK + (n % NORM_BLOCK > 0);
}

void wli_norm_squares(wlstm_dtype dtype, const void *gradients, int64_t n, int64_t first_block, int64_t end_block,
                      double *squares) {
    for (int64_t block = first_block; block < end_block; block++) {
        const int64_t begin = block * NORM_BLOCK, left = n - begin;
        squares[block] = flat_of(dtype)->squares(gradients, begin, begin + (left < NORM_BLOCK ? left : NORM_BLOCK));
    }
}

double wli_norm_of(const double *squares, int64_t blocks) {
    double sum = 0;
    for (int64_t block = 0; block < blocks; block++) sum += squares[block];
    return sqrt(sum);
}

double wli_clip_factor(double norm, double max_norm) {
    const double factor = max_norm / (norm + 1e-6);
    return factor > 1 ? 1 : factor;
}

void wli_clip_scale(wlstm_dtype dtype, double factor, int64_t begin, int64_t end, void *gradients) {
    flat_of(dtype)->scale(factor, begin, end, gradients);
}
