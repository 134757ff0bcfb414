/* wlstm-bench's command line. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include "families.h"
#include "options.h"

enum { MOST_NAMES = 4 };

/* Values of an enum of the library, each once, in the order given. */
typedef struct bench_names {
    int values[MOST_NAMES];
    int count;
} bench_names;

typedef struct bench_arguments {
    bench_problem *problems;
    int num_problems;
    int threads[CLI_LIST]; /* ascending */
    int num_threads;
    bench_names backends, schedules;
    bool families[FAMILIES];
    bool machine;
    bool simulate;  /* the threads are virtual */
    cli_list ranks; /* virtual ones too, of so many threads each */
    cli_list ranks_per_machine;
    double network_us, network_gbs;
    char **benchmark_argv; /* argv[0] and Google Benchmark's own options */
    int benchmark_argc;
} bench_arguments;

/* 0 to go on, else the exit status, the reason being on stderr; *finished after --help and --version. --effort and
 * --threads go into the environment that the library reads, so this comes before its first call. */
int bench_parse_arguments(int argc, char **argv, bench_arguments *given, bool *finished);
void bench_arguments_free(bench_arguments *given);

#endif
