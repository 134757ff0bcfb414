#include "families.h"

#include "base/allocator.h"
#include "case.h"
#include <stdio.h>

static const char *last_failure(void *context) {
    return ((bench_case *)context)->error;
}

static const shim_benchmark benchmarks[FAMILIES] = {
    [FAMILY_FORWARD] = { case_prepare, NULL, call_forward, count_calls, last_failure },
    [FAMILY_CELL] = { case_prepare, NULL, call_cell, count_calls, last_failure },
    [FAMILY_CREATE] = { case_prepare, before_create, call_create, count_parameters, last_failure },
    [FAMILY_LOAD] = { case_prepare, NULL, call_load, count_parameters, last_failure },
    [FAMILY_STREAMS] = { case_prepare, NULL, call_streams, count_calls, last_failure },
    [FAMILY_TRAIN] = { case_prepare, NULL, call_train, count_passes, last_failure },
};

/* "/KEY:NAME", or nothing. */
static void print_way(const char *key, const char *const *names, int value, char text[32]) {
    text[0] = '\0';
    if (value != UNNAMED) snprintf(text, 32, "/%s:%s", key, names[value]);
}

bench_case *bench_case_make(bench_family family, const bench_problem *problem, bench_way way, int threads,
                            bench_threads *shared) {
    bench_case *benchmark = wli_calloc(sizeof *benchmark);
    if (!benchmark) return NULL;
    char backend[32], schedule[32];
    print_way("backend", backend_names, way.backend, backend);
    print_way("schedule", schedule_names, way.schedule, schedule);
    snprintf(benchmark->name, sizeof benchmark->name, "%s/%s%s%s/threads:%d", family_names[family], problem->name,
             backend, schedule, threads);
    benchmark->family = family;
    benchmark->given = problem;
    benchmark->problem = problem->problem;
    if (family == FAMILY_CELL)
        benchmark->problem.seq_len = benchmark->problem.num_layers = 1, benchmark->problem.bidirectional = false;
    if (family == FAMILY_STREAMS) benchmark->problem.seq_len = 1;
    benchmark->way = way;
    benchmark->threads = threads;
    benchmark->shared = shared;
    shim_register(benchmark->name, &benchmarks[family], benchmark);
    return benchmark;
}

bool bench_case_failed(const bench_case *benchmark) {
    return benchmark->failed;
}

void bench_case_free(bench_case *benchmark) {
    if (!benchmark) return;
    case_release(benchmark);
    wli_free(benchmark);
}
