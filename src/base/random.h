/* SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014): equal numbers on
 * every machine. */
#ifndef WLI_RANDOM_H
#define WLI_RANDOM_H

#include <stdint.h>

/* What the generator that starts at `seed` puts out at place `index`, from 0 on. */
static inline uint64_t wli_random_bits(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The same as a number of [-1, 1), a multiple of 2^-52. */
static inline double wli_random_real(uint64_t seed, uint64_t index) {
    return (double)(wli_random_bits(seed, index) >> 11) * 0x1p-52 - 1;
}

#endif
