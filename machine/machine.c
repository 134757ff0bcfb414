#include "machine.h"

#include "base/allocator.h"
#include "cell_cost.h"
#include "kernels/dispatch.h"
#include "library_cost.h"
#include "probe.h"
#include "product_speed.h"
#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <string.h>

struct machine {
    int count;
    const char *isa; /* of the highest FMA peak */
    meeting_costs meetings;
    wli_rates rates[];
};

/* Of measuring; touching the memory first, and sets so large that two passes take longer than their share, come on top. */
static const double seconds_for_all = 0.25;

/* The kernels this machine can run: all are tried, as the widest vectors are not everywhere the fastest. */
static int usable_kernels(const probe_kernels *usable[3]) {
    int count = 0;
    usable[count++] = &probe_baseline;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) usable[count++] = &probe_avx2;
    if (__builtin_cpu_supports("avx512f")) usable[count++] = &probe_avx512;
#endif
    return count;
}

/* A thing to do on all threads, as often as asked. */
typedef struct load {
    const probe_kernels *kernels;
    wlstm_dtype dtype;
    const char *memory; /* NULL: multiply-adds, else reading */
    size_t bytes;       /* in whole blocks */
    probe_read way;
} load;

static volatile double sink; /* keeps the work from being optimised away */

/* Thread `id` of `threads` reads its contiguous share. */
static double run_share(const load *work, int id, int threads, int64_t repeats) {
    if (!work->memory) return work->kernels->multiply_add[work->dtype](repeats, 0.9);
    const size_t blocks = work->bytes / PROBE_BLOCK, share = (size_t)id, shares = (size_t)threads;
    const size_t first = blocks * share / shares, end = blocks * (share + 1) / shares;
    return (double)work->kernels->read(work->memory + first * PROBE_BLOCK, (end - first) * PROBE_BLOCK, (int)repeats,
                                       work->way);
}

/* Seconds from the first thread's start to the last one's end. */
static double run_load(const load *work, int threads, int64_t repeats) {
    double start = INFINITY, end = 0.0, sum = 0.0;
#pragma omp parallel num_threads(threads) reduction(min : start) reduction(max : end) reduction(+ : sum)
    {
#pragma omp barrier
        start = omp_get_wtime();
        sum = run_share(work, omp_get_thread_num(), omp_get_num_threads(), repeats);
        end = omp_get_wtime();
    }
    sink = sum;
    return end - start;
}

/* How often to repeat for half a millisecond or more. Found on one thread: where others keep a core busy, threads that start
 * together wait for each other, and the wait would be taken for work. */
static int64_t enough_repeats(const load *work, int threads) {
    int64_t repeats = 2;
    const size_t long_enough = 64 << 20; /* bytes that take longer on any machine */
    if (work->bytes / (size_t)threads * 2 > long_enough) return repeats;
    for (;; repeats *= 2) {
        const double start = omp_get_wtime();
        sink = run_share(work, 0, threads, repeats);
        if (omp_get_wtime() - start >= 0.5e-3 || repeats >= 1 << 28) return repeats;
    }
}

/* Seconds of one repeat: the least of several runs within the time given. */
static double fastest(const load *work, int threads, double seconds) {
    const double until = omp_get_wtime() + seconds;
    const int64_t repeats = enough_repeats(work, threads);
    double best = INFINITY;
    do {
        best = fmin(best, run_load(work, threads, repeats));
    } while (omp_get_wtime() < until);
    return best / (double)repeats;
}

/* Narrow vectors, as wide ones slow some cores down. */
double machine_stretch(int threads) {
    enum { RUNS = 80 };
    const load work = { &probe_baseline, WLSTM_F32, NULL, 0, PROBE_ONE_STREAM };
    const int64_t repeats = enough_repeats(&work, threads);
    double least = INFINITY, sum = 0;
    (void)run_load(&work, threads, repeats); /* the team is made */
    for (int i = 0; i < RUNS; i++) {
        const double seconds = run_load(&work, threads, repeats);
        least = fmin(least, seconds), sum += seconds;
    }
    return sum / RUNS / least;
}

/* Raises *rate to what this measurement reached; whether it did. */
static bool raise_rate(double *rate, double amount, const load *work, int threads, double seconds) {
    const double reached = amount / fastest(work, threads, seconds);
    if (reached <= *rate) return false;
    *rate = reached;
    return true;
}

static void probe_rates(wli_rates *rates, const char **isa, const char *memory, probe_read way, double seconds) {
    const probe_kernels *usable[3];
    const int count = usable_kernels(usable), threads = rates->threads;
    for (int i = 0; i < count; i++) {
        for (int dtype = 0; dtype < WLI_COMPUTING; dtype++) {
            const load work = { usable[i], (wlstm_dtype)dtype, NULL, 0, way };
            const double flops = threads * usable[i]->flops_a_round[dtype];
            if (raise_rate(&rates->flops[dtype], flops, &work, threads, seconds) && dtype == WLSTM_F32)
                *isa = usable[i]->isa;
        }
    }
    for (int s = 0; s < WLI_RATE_SIZES; s++) {
        const load work = { usable[count - 1], WLSTM_F32, memory, (size_t)WLI_RATE_SMALLEST << s, way };
        raise_rate(&rates->bandwidths[s], (double)work.bytes, &work, threads, seconds);
    }
}

/* More threads can do at least what fewer can; measured otherwise only where other programs kept the cores busy. */
static void raise_to(wli_rates *rates, const wli_rates *fewer) {
    if (rates->flops[WLSTM_F32] < fewer->flops[WLSTM_F32] && rates->threads <= omp_get_num_procs())
        fprintf(stderr,
                "note: other programs keep this machine busy; its limit at %d threads is higher than "
                "measured\n",
                rates->threads);
    for (int dtype = 0; dtype < WLI_COMPUTING; dtype++)
        rates->flops[dtype] = fmax(rates->flops[dtype], fewer->flops[dtype]);
    for (int s = 0; s < WLI_RATE_SIZES; s++) rates->bandwidths[s] = fmax(rates->bandwidths[s], fewer->bandwidths[s]);
}

/* One thread meets nobody: what it would pay stays a guess. */
static void set_costs(machine *probed) {
    wli_rates guess = wli_rates_guess(1);
    double cell[WLI_COMPUTING];
    for (int dtype = 0; dtype < WLI_COMPUTING; dtype++) cell[dtype] = cell_cost_measure((wlstm_dtype)dtype);
    const double bf16 = product_speed_measure(WLI_PRODUCT_BF16), s8 = product_speed_measure(WLI_PRODUCT_S8);
    probed->meetings = meetings_measure();
    library_cost_measure(&guess);
    for (int i = 0; i < probed->count; i++) {
        wli_rates *rates = &probed->rates[i];
        const bool meets = rates->threads > 1;
        rates->region = meets ? probed->meetings.region : guess.region;
        rates->barrier = meets ? probed->meetings.barrier : guess.barrier;
        rates->task = meets ? probed->meetings.task : guess.task;
        memcpy(rates->cell, cell, sizeof cell);
        memcpy(rates->libraries, guess.libraries, sizeof rates->libraries);
        rates->flops[WLI_PRODUCT_BF16] = rates->flops[WLI_PRODUCT_F32] * bf16;
        rates->flops[WLI_PRODUCT_S8] = rates->flops[WLI_PRODUCT_F32] * s8;
    }
}

machine *machine_probe(const int *threads, int count) {
    const size_t largest = (size_t)WLI_RATE_SMALLEST << (WLI_RATE_SIZES - 1), page = 4096;
    machine *probed = wli_calloc(sizeof *probed + (size_t)count * sizeof probed->rates[0]);
    char *memory = wli_alloc(largest + page);
    if (!probed || !memory) {
        wli_free(probed);
        wli_free(memory);
        return NULL;
    }
    char *pages = memory + (page - (uintptr_t)memory % page);
    /* Touched by the threads that will read it, for machines whose memory is nearer to some cores. */
#pragma omp parallel for num_threads(threads[count - 1]) schedule(static)
    for (size_t p = 0; p < largest / page; p++) memset(pages + p * page, (int)(p % 251), page);

    probed->count = count;
    for (int i = 0; i < count; i++) probed->rates[i].threads = threads[i];
    const double seconds = seconds_for_all / (PROBE_READS * count * (WLI_RATE_SIZES + 6));
    /* Each way of reading is a round over everything, as what disturbs a run may last longer than one measurement. */
    for (int way = 0; way < PROBE_READS; way++)
        for (int i = 0; i < count; i++) probe_rates(&probed->rates[i], &probed->isa, pages, (probe_read)way, seconds);
    for (int i = 1; i < count; i++) raise_to(&probed->rates[i], &probed->rates[i - 1]);
    wli_free(memory);
    set_costs(probed);
    return probed;
}

void machine_free(machine *probed) {
    wli_free(probed);
}

const wli_rates *machine_at(const machine *probed, int threads) {
    int i = 0;
    while (i + 1 < probed->count && probed->rates[i].threads != threads) i++;
    return &probed->rates[i];
}

const meeting_costs *machine_meetings(const machine *probed) {
    return &probed->meetings;
}

void machine_print(const machine *probed, FILE *out) {
    fprintf(out, "This machine's limits, all threads together (FMA: %s, kernels: %s)\n\n%-22s", probed->isa,
            wli_native_get(WLI_PRODUCT_F32)->isa, "threads");
    for (int i = 0; i < probed->count; i++) fprintf(out, "%10d", probed->rates[i].threads);
    for (int dtype = 0; dtype < WLI_COMPUTING; dtype++) {
        fprintf(out, "\nFMA peak %s, GFLOP/s ", wli_numbers[dtype].name);
        for (int i = 0; i < probed->count; i++) fprintf(out, "%10.1f", probed->rates[i].flops[dtype] / 1e9);
    }
    fprintf(out, "\n%-22s", "products bf16, GFLOP/s");
    for (int i = 0; i < probed->count; i++) fprintf(out, "%10.1f", probed->rates[i].flops[WLI_PRODUCT_BF16] / 1e9);
    fprintf(out, "\n%-22s", "products int8, Gop/s");
    for (int i = 0; i < probed->count; i++) fprintf(out, "%10.1f", probed->rates[i].flops[WLI_PRODUCT_S8] / 1e9);
    for (int s = 0; s < WLI_RATE_SIZES; s++) {
        const long kibibytes = ((long)WLI_RATE_SMALLEST << s) / 1024;
        fprintf(out, "\nread %4ld %s, GB/s%5s", kibibytes < 1024 ? kibibytes : kibibytes / 1024,
                kibibytes < 1024 ? "KiB" : "MiB", "");
        for (int i = 0; i < probed->count; i++) fprintf(out, "%10.1f", probed->rates[i].bandwidths[s] / 1e9);
    }
    fprintf(out, "\n\nThe cell's arithmetic on one vector, nanoseconds:");
    for (int dtype = 0; dtype < WLI_COMPUTING; dtype++)
        fprintf(out, "%s %s %.1f", dtype ? "," : "", wli_numbers[dtype].name, 1e9 * probed->rates[0].cell[dtype]);
    fputc('\n', out);
    meetings_print(&probed->meetings, out);
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++)
        if (probed->rates[0].libraries[kind].flops > 0)
            fprintf(out, "%s on one thread: f32 %.1f GFLOP/s, a call %.2f us\n", wli_gemm_names[kind],
                    probed->rates[0].libraries[kind].flops / 1e9, 1e6 * probed->rates[0].libraries[kind].call);
}
