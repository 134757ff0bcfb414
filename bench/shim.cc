#include "shim.h"

#include <benchmark/benchmark.h>
#include <chrono>

namespace {

double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Google Benchmark's real_time is the wall clock's either way; UseRealTime would only append "/real_time" to the names.
// The counters come from the same clock, read here, as Google Benchmark's rates are of CPU time.
void run(benchmark::State &state, const shim_benchmark *benchmark, void *context) {
    if (!benchmark->prepare(context)) {
        state.SkipWithError(benchmark->error(context));
        return;
    }
    double seconds = 0.0, start = now();
    for (auto unused : state) {
        (void)unused;
        bool done = true;
        if (benchmark->before) {
            state.PauseTiming();
            done = benchmark->before(context);
            state.ResumeTiming();
            start = now();
        }
        if (!done || !benchmark->call(context)) {
            state.SkipWithError(benchmark->error(context));
            return;
        }
        if (benchmark->before) seconds += now() - start;
    }
    if (!benchmark->before) seconds = now() - start;
    shim_counter counters[SHIM_COUNTERS];
    const size_t count = benchmark->count(context, seconds / static_cast<double>(state.iterations()), counters);
    for (size_t i = 0; i < count; i++) state.counters[counters[i].name] = counters[i].value;
}

} // namespace

bool shim_initialize(int argc, char **argv) {
    benchmark::Initialize(&argc, argv);
    return !benchmark::ReportUnrecognizedArguments(argc, argv);
}

void shim_describe(const char *key, const char *value) {
    benchmark::AddCustomContext(key, value);
}

void shim_register(const char *name, const shim_benchmark *benchmark, void *context) {
    benchmark::RegisterBenchmark(name, [=](benchmark::State &state) {
        run(state, benchmark, context);
    })->Unit(benchmark::kMicrosecond);
}

size_t shim_run(void) {
    const size_t count = benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return count;
}
