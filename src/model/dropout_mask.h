/* Dropout between layers: which elements are dropped follows from a seed and where they are, and nothing else, so that a
 * pass that is run again, and processes that share a batch, draw the same. */
#ifndef WLI_DROPOUT_MASK_H
#define WLI_DROPOUT_MASK_H

#include "base/number_types.h"
#include "base/philox.h"

#include <stdint.h>

/* The largest row. */
#define WLI_LARGEST_DROPOUT_ROW ((INT64_C(1) << 40) - 1)

typedef struct wli_dropout {
    uint64_t seed;
    double p; /* 0 to 1: this share of the elements is dropped, up to 2^-32 */
} wli_dropout;

/* Where a row of D*R elements, a layer's output at one time, is: `row` counts from the first of all processes. */
typedef struct wli_dropout_place {
    int64_t layer, time, row;
} wli_dropout_place;

/* The counter of four units, whose key is the seed: element `unit` has word unit % 4 of what comes of
 *
 *     word 0    unit / 4
 *     word 1    time, its low 32 bits
 *     word 2    row, its low 32 bits
 *     word 3    layer in bits 0 to 15, bits 32 to 39 of time in 16 to 23, bits 32 to 39 of row in 24 to 31 */
static inline wli_philox_words wli_dropout_counter(wli_dropout_place at, int64_t unit) {
    const uint32_t high_time = (uint32_t)(at.time >> 32) & 0xff, high_row = (uint32_t)(at.row >> 32) & 0xff;
    return (wli_philox_words){ { (uint32_t)(unit / 4), (uint32_t)at.time, (uint32_t)at.row,
                                 ((uint32_t)at.layer & 0xffff) | high_time << 16 | high_row << 24 } };
}

/* An element is dropped whose word is below this. */
static inline uint64_t wli_dropout_threshold(const wli_dropout *dropout) {
    return (uint64_t)(dropout->p * 0x1p32);
}

/* What is not dropped is multiplied by this. */
static inline double wli_dropout_kept(const wli_dropout *dropout) {
    return dropout->p < 1 ? 1 / (1 - dropout->p) : 0;
}

/* The mask at one element: 0 or 1 / (1 - p). */
static inline double wli_dropout_scale(const wli_dropout *dropout, wli_dropout_place at, int64_t unit) {
    const wli_philox_words words = wli_philox(wli_dropout_counter(at, unit), dropout->seed);
    return words.at[unit % 4] < wli_dropout_threshold(dropout) ? 0 : wli_dropout_kept(dropout);
}

/* Elements [first, end) of a row, first a multiple of 4, times the mask. */
void wli_dropout_row(const wli_dropout *dropout, wli_dropout_place at, wlstm_dtype dtype, int64_t first, int64_t end,
                     void *values);

#endif
