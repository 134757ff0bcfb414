/* What bounds an LSTM: multiply-adds in registers, and reading memory that is gone through again and again, as weight_hh
 * is at every step. PROBE_VECTOR_BYTES, PROBE_ISA and PROBE_TABLE come from the build. */
#include "probe.h"

#include <stdbool.h>

/* Enough chains to hide a multiply-add's latency (4 or 5 cycles, 2 or more a cycle), few enough for 16 registers. */
enum { CHAINS = 12 };

/* c = c * a + b, whose limit b / (1 - a) keeps every c an ordinary number. */
#define DEFINE_MULTIPLY_ADD(name, real)                                                                                \
    static double name(int64_t rounds, double start) {                                                                 \
        typedef real vec __attribute__((vector_size(PROBE_VECTOR_BYTES)));                                             \
        const vec a = (vec){ 0 } + (real)(start * 0.5), b = (vec){ 0 } + (real)start;                                  \
        vec chain[CHAINS];                                                                                             \
        for (int k = 0; k < CHAINS; k++) chain[k] = b + (real)k;                                                       \
        for (int64_t round = 0; round < rounds; round++)                                                               \
            for (int k = 0; k < CHAINS; k++) chain[k] = chain[k] * a + b;                                              \
        double sum = 0;                                                                                                \
        for (int k = 0; k < CHAINS; k++) sum += (double)chain[k][0];                                                   \
        return sum;                                                                                                    \
    }
DEFINE_MULTIPLY_ADD(multiply_add_f32, float)
DEFINE_MULTIPLY_ADD(multiply_add_f64, double)

/* Back and forth, every other pass goes from the last page to the first, where a set larger than a cache meets first what
 * the cache kept of it. */
static inline __attribute__((always_inline)) uint64_t read_streams(const void *from, size_t bytes, int passes,
                                                                   const size_t streams, bool back_and_forth) {
    typedef uint64_t vec __attribute__((vector_size(PROBE_VECTOR_BYTES), may_alias));
    enum { VECTORS = 8 };
    const size_t page_bytes = 4096, stream_bytes = bytes / streams, vectors = VECTORS / streams;
    const size_t pages = (stream_bytes + page_bytes - 1) / page_bytes;
    vec sums[VECTORS] = { { 0 } };
    for (int pass = 0; pass < passes; pass++)
        for (size_t n = 0; n < pages; n++) {
            const size_t page = back_and_forth && pass % 2 ? pages - 1 - n : n;
            const size_t end = page + 1 < pages ? (page + 1) * page_bytes : stream_bytes;
            for (size_t at = page * page_bytes; at < end; at += vectors * sizeof(vec))
                for (size_t k = 0; k < VECTORS; k++)
                    sums[k] ^= ((const vec *)((const char *)from + k / vectors * stream_bytes + at))[k % vectors];
        }
    uint64_t sum = 0;
    for (int k = 0; k < VECTORS; k++) sum ^= sums[k][0];
    return sum;
}

/* Near the core one stream is the fastest; further out it leaves caches and memory waiting. */
static uint64_t read_passes(const void *from, size_t bytes, int passes, probe_read way) {
    switch (way) {
    case PROBE_ONE_STREAM:
        return read_streams(from, bytes, passes, 1, true);
    case PROBE_FOUR_STREAMS:
        return read_streams(from, bytes, passes, 4, true);
    default:
        return read_streams(from, bytes, passes, 4, false);
    }
}

const probe_kernels PROBE_TABLE = { PROBE_ISA,
                                    { multiply_add_f32, multiply_add_f64 },
                                    { 2.0 * CHAINS * (PROBE_VECTOR_BYTES / sizeof(float)),
                                      2.0 * CHAINS *(PROBE_VECTOR_BYTES / sizeof(double)) },
                                    read_passes };
