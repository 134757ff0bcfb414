/* Numbers for tests that C and Python make bit for bit alike (tests/golden/make_golden.py holds the same generator). */
#ifndef TEST_SUPPORT_RANDOM_H
#define TEST_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <wavelstm.h>

/* FNV-1a, 64 bits, of a string: a seed for each named tensor. */
uint64_t random_seed_of(const char *name);

/* Output `index` (from 0) of splitmix64 started at `seed`. */
uint64_t random_bits(uint64_t seed, int64_t index);

/* values[i] = a multiple of 2^(exponent-19) in [-2^exponent, 2^exponent): exact in float and double. */
void random_fill(wlstm_dtype dtype, void *values, int64_t count, uint64_t seed, int exponent);

/* The smallest e with 2^e >= 1/sqrt(hidden_size). */
int random_weight_exponent(int64_t hidden_size);

/* A stream for choosing options: the next draw, uniform in [low, high]. */
int64_t random_between(uint64_t *stream, int64_t low, int64_t high);
bool random_flag(uint64_t *stream);

/* The stream of a property test: the environment's WLSTM_TEST_SEED, else the clock; printed so that it can be given back. */
uint64_t random_test_stream(void);

#endif
