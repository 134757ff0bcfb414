/* Google Benchmark for C: register benchmarks, run them, report counters. shim.cc is the product's only C++. */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { SHIM_COUNTERS = 4 };

typedef struct shim_counter {
    const char *name;
    double value;
} shim_counter;

/* Functions return false for a failure, after which `error` says why and the benchmark is reported as failed. */
typedef struct shim_benchmark {
    bool (*prepare)(
        void *context); /* untimed, before each repetition: does nothing if this benchmark is prepared already */
    bool (*before)(void *context); /* untimed, before each call; NULL if there is nothing to do */
    bool (*call)(void *context);   /* timed */
    /* How many counters it filled in, from the seconds one call took. */
    size_t (*count)(void *context, double seconds, shim_counter counters[SHIM_COUNTERS]);
    const char *(*error)(void *context);
} shim_benchmark;

/* Takes Google Benchmark's options; those it does not know are named on stderr, and the result is false. */
bool shim_initialize(int argc, char **argv);

/* A line of the report's context. */
void shim_describe(const char *key, const char *value);

/* The benchmark and its context live until shim_run has returned. */
void shim_register(const char *name, const shim_benchmark *benchmark, void *context);

/* How many benchmarks were run (or listed). */
size_t shim_run(void);

#ifdef __cplusplus
}
#endif

#endif
