#include "random.h"

#include "base/hash.h"
#include "base/number.h"
#include "base/number_types.h"
#include "base/random.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

uint64_t random_seed_of(const char *name) {
    return wli_hash_text(WLI_HASH_START, name);
}

uint64_t random_bits(uint64_t seed, int64_t index) {
    return wli_random_bits(seed, (uint64_t)index);
}

void random_fill(wlstm_dtype dtype, void *values, int64_t count, uint64_t seed, int exponent) {
    for (int64_t i = 0; i < count; ++i) {
        const int64_t integer = (int64_t)(random_bits(seed, i) >> 44) - ((int64_t)1 << 19);
        wli_put(dtype, values, (size_t)i, ldexp((double)integer, exponent - 19));
    }
}

int random_weight_exponent(int64_t hidden_size) {
    int exponent = 0;
    while (ldexp((double)hidden_size, 2 * (exponent - 1)) >= 1.0) --exponent;
    return exponent;
}

int64_t random_between(uint64_t *stream, int64_t low, int64_t high) {
    *stream = random_bits(*stream, 0);
    return low + (int64_t)(*stream % (uint64_t)(high - low + 1));
}

bool random_flag(uint64_t *stream) {
    return random_between(stream, 0, 1) == 1;
}

uint64_t random_test_stream(void) {
    const char *given = getenv("WLSTM_TEST_SEED");
    int64_t seed = (int64_t)time(NULL);
    if (given && !wli_parse_integer(given, 0, INT64_MAX, &seed)) {
        fprintf(stderr, "WLSTM_TEST_SEED: an integer from 0 to 2^63 - 1 expected, got %s\n", given);
        exit(2);
    }
    printf("WLSTM_TEST_SEED=%" PRId64 "\n", seed);
    fflush(stdout);
    return random_bits((uint64_t)seed, 0);
}
