/* Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3, SC 2011): numbers that follow
 * from a counter and a key alone, so that whoever asks for one, and when, does not matter. */
#ifndef WLI_PHILOX_H
#define WLI_PHILOX_H

#include <stdint.h>

typedef struct wli_philox_words {
    uint32_t at[4];
} wli_philox_words;

static inline wli_philox_words wli_philox(wli_philox_words counter, uint64_t key) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t x0 = counter.at[0], x1 = counter.at[1], x2 = counter.at[2], x3 = counter.at[3];
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = (uint64_t)x0 * 0xd2511f53, product1 = (uint64_t)x2 * 0xcd9e8d57;
        const uint32_t y0 = (uint32_t)(product1 >> 32) ^ x1 ^ k0, y2 = (uint32_t)(product0 >> 32) ^ x3 ^ k1;
        x0 = y0, x1 = (uint32_t)product1, x2 = y2, x3 = (uint32_t)product0;
        k0 += 0x9e3779b9, k1 += 0xbb67ae85;
    }
    return (wli_philox_words){ { x0, x1, x2, x3 } };
}

#endif
