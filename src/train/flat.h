/* What optimizer.h does to elements, for one number type. */
#ifndef WLI_FLAT_H
#define WLI_FLAT_H

#include "train/optimizer.h"

typedef struct wli_flat {
    void (*sgd)(const wli_optimizer *optimizer, int64_t step, int64_t begin, int64_t end, void *parameters,
                const void *gradients, void *momentum);
    void (*adam)(const wli_optimizer *optimizer, int64_t step, int64_t begin, int64_t end, void *parameters,
                 const void *gradients, void *exp_avg, void *exp_avg_sq);
    double (*squares)(const void *values, int64_t begin, int64_t end);
    void (*scale)(double factor, int64_t begin, int64_t end, void *values);
} wli_flat;

extern const wli_flat wli_flat_f32, wli_flat_f64;

#endif
