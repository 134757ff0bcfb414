/* wlstm-bench: how fast wavelstm is on this machine, beside the machine's limit.
 *
 * read the arguments -> register FAMILY/PROBLEM/.../threads:N -> Google Benchmark runs them: prepare, check, time, count */
#include "arguments.h"
#include "base/allocator.h"
#include "shim.h"
#include "simulate.h"
#include "simulate_ranks.h"
#include "simulate_training.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(void) {
    fprintf(stderr, "wlstm-bench: out of memory\n");
    return EXIT_FAILURE;
}

static int print_machine(const bench_arguments *given) {
    machine *probed = machine_probe(given->threads, given->num_threads);
    if (!probed) return out_of_memory();
    machine_print(probed, stdout);
    machine_free(probed);
    return EXIT_SUCCESS;
}

static int print_simulation(const bench_arguments *given) {
    const wlstm_schedule schedule =
        given->schedules.count ? (wlstm_schedule)given->schedules.values[0] : WLSTM_SCHEDULE_AUTO;
    wlstm_status (*const simulates)(const bench_problem *, int, wlstm_schedule, const int *, int, FILE *) =
        given->families[FAMILY_TRAIN] ? simulate_training : simulate;
    if (simulates(given->problems, given->num_problems, schedule, given->threads, given->num_threads, stdout) ==
        WLSTM_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "wlstm-bench: --simulate-threads: %s\n", wlstm_last_error());
    return EXIT_FAILURE;
}

static int print_ranks(const bench_arguments *given) {
    const bench_cluster cluster = { .threads = given->threads[0],
                                    .per_machine =
                                        given->ranks_per_machine.count ? (int)given->ranks_per_machine.values[0] : 1,
                                    .latency = 1e-6 * given->network_us,
                                    .bandwidth = 1e9 * given->network_gbs };
    if (simulate_ranks(given->problems, given->num_problems, given->ranks.values, given->ranks.count, &cluster,
                       stdout) == WLSTM_OK)
        return EXIT_SUCCESS;
    fprintf(stderr, "wlstm-bench: --simulate-ranks: %s\n", wlstm_last_error());
    return EXIT_FAILURE;
}

/* Of each backend with each schedule. */
static int count_ways(const bench_arguments *given) {
    return (given->backends.count ? given->backends.count : 1) * (given->schedules.count ? given->schedules.count : 1);
}

static bench_way way_at(const bench_arguments *given, int index) {
    const int schedules = given->schedules.count ? given->schedules.count : 1;
    return (bench_way){
        .backend = given->backends.count ? given->backends.values[index / schedules] : UNNAMED,
        .schedule = given->schedules.count ? given->schedules.values[index % schedules] : UNNAMED,
    };
}

/* Fills cases[]; false when there is no memory. */
static bool register_cases(const bench_arguments *given, bench_threads *shared, bench_case **cases, size_t *count) {
    const int ways = count_ways(given);
    for (int f = 0; f < FAMILIES; f++)
        for (int p = 0; p < given->num_problems && given->families[f]; p++)
            for (int i = 0; i < ways * given->num_threads; i++) {
                cases[*count] =
                    bench_case_make((bench_family)f, &given->problems[p], way_at(given, i / given->num_threads),
                                    given->threads[i % given->num_threads], shared);
                if (!cases[*count]) return false;
                ++*count;
            }
    return true;
}

static int run(const bench_arguments *given) {
    bench_threads shared = { given->threads, given->num_threads, NULL };
    bench_case **cases = wli_calloc(FAMILIES * (size_t)given->num_problems * (size_t)count_ways(given) *
                                    (size_t)given->num_threads * sizeof *cases);
    size_t count = 0;
    if (!cases || !register_cases(given, &shared, cases, &count)) return out_of_memory();
    shim_describe("wavelstm", wlstm_build_info());
    int exit_status = EXIT_SUCCESS;
    if (shim_run() == 0) {
        fprintf(stderr, "wlstm-bench: --benchmark_filter: one that matches a benchmark expected\n");
        exit_status = EXIT_USAGE;
    }
    for (size_t i = 0; i < count; i++) {
        if (bench_case_failed(cases[i])) exit_status = EXIT_FAILURE;
        bench_case_free(cases[i]);
    }
    wli_free(cases);
    machine_free(shared.probed);
    return exit_status;
}

int main(int argc, char **argv) {
    bench_arguments given;
    bool finished;
    int exit_status = bench_parse_arguments(argc, argv, &given, &finished);
    if (exit_status == 0 && !finished) {
        if (!shim_initialize(given.benchmark_argc, given.benchmark_argv)) {
            fprintf(stderr, "Try 'wlstm-bench --help'.\n");
            exit_status = EXIT_USAGE;
        } else {
            exit_status = given.machine       ? print_machine(&given)
                          : given.simulate    ? print_simulation(&given)
                          : given.ranks.count ? print_ranks(&given)
                                              : run(&given);
        }
    }
    bench_arguments_free(&given);
    if (fflush(stdout) != 0 && exit_status == 0) {
        fprintf(stderr, "wlstm-bench: standard output: cannot write: %s\n", strerror(errno));
        exit_status = EXIT_FAILURE;
    }
    return exit_status;
}
