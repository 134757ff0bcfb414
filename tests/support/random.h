/* Numbers for tests, bit for bit those of tests/golden/golden_cases.py: the golden data has only what comes of them,
 * so that test_golden fails where C's differ. Python draws whole arrays at once, which C's functions cannot do for
 * it. */
#ifndef TEST_SUPPORT_RANDOM_H
#define TEST_SUPPORT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>
#include <wavelstm.h>

/* A seed for each named tensor: its name, hashed. */
uint64_t random_seed_of(const char *name);

/* Number `index` of those that begin with `seed` (base/random.h). */
uint64_t random_bits(uint64_t seed, int64_t index);

/* values[i] = a multiple of 2^(exponent-19) in [-2^exponent, 2^exponent): exact in float and double, in bfloat16 the
 * nearest. */
void random_fill(wlstm_dtype dtype, void *values, int64_t count, uint64_t seed, int exponent);

/* The smallest e with 2^e >= 1/sqrt(hidden_size). */
int random_weight_exponent(int64_t hidden_size);

/* A stream for choosing options: the next draw, uniform in [low, high]. */
int64_t random_between(uint64_t *stream, int64_t low, int64_t high);
bool random_flag(uint64_t *stream);

/* The stream of a property test: the environment's WLSTM_TEST_SEED, else the clock; printed so that it can be given back. */
uint64_t random_test_stream(void);

#endif
