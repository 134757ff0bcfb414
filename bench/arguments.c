#include "arguments.h"

#include "base/allocator.h"
#include "grid.h"
#include "options.h"
#include "plan/plan.h"
#include <getopt.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLI_RANKS = 65536 };
const char cli_name[] = "wlstm-bench";

const char *const family_names[FAMILIES + 1] = { "forward", "cell", "create", "load", "streams", "train", NULL };
const char *const backend_names[] = { "auto", "reference", "onednn", "native", NULL };
const char *const schedule_names[] = { "auto", "serial", "wavefront", "gangs", NULL };

static const char usage[] =
    "Usage: wlstm-bench [PROBLEM]... [--threads LIST] [--family LIST | --cell] [--backend LIST] [--schedule LIST]\n"
    "                   [--effort EFFORT] [--benchmark_*]...\n"
    "       wlstm-bench --machine [--threads LIST]\n"
    "       wlstm-bench --simulate-threads LIST [--schedule SCHEDULE] [PROBLEM]...\n"
    "       wlstm-bench --simulate-ranks LIST [--threads N] [--ranks-per-machine N] [--network-us L]\n"
    "                   [--network-gbs B] [PROBLEM]...\n"
    "Times wavelstm on problems, across thread counts, with Google Benchmark. Each result is compared with the\n"
    "reference first: a wrong one is an error, not a number.\n"
    "\n"
    "  PROBLEM          t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias]\n"
    "                   [-f64|-bf16|[-bf16arrays][-int8]], as in t200b1i80h320l2-bi; default: the grid of public\n"
    "                   problems in bench/grid.txt, of streams alone 1 to 4096 sessions of t1b1i128h128l1 and of\n"
    "                   t1b1i512h512l2\n"
    "                   t100b1i256h512h256h128: a stack of cells of these hidden_sizes, for forward and "
    "--simulate-threads\n";

static const char ending[] =
    "\n"
    "Benchmarks are named FAMILY/PROBLEM/threads:N, where asked for FAMILY/PROBLEM/backend:B/schedule:S/threads:N;\n"
    "real_time is one call. Counters of forward, cell and streams:\n"
    "  GFLOPS           8H(I+R) + 2HP operations a row, step, layer and direction\n"
    "  sequences/s      batch rows a second\n"
    "  steps/s          time steps of batch rows a second\n"
    "  limit            the part of this machine's limit that is reached; 1: the projections ran at the FMA peak and\n"
    "                   each step took the longer of its operations at the FMA peak and of reading its recurrent\n"
    "                   weights (cell: all weights) once, with the rates that --machine prints\n"
    "of train the first three, its operations three times as many; of create and load:\n"
    "  GB/s             parameters\n"
    "\n"
    "Exit status: 0 success, 1 a wrong result or a failure, 2 wrong usage.\n";

static int no_memory(void) {
    fprintf(stderr, "%s: out of memory\n", cli_name);
    return EXIT_FAILURE;
}

/* Ascending, each once. */
static void add_threads(int threads, bench_arguments *given) {
    int at = 0;
    while (at < given->num_threads && given->threads[at] < threads) at++;
    if (at < given->num_threads && given->threads[at] == threads) return;
    memmove(&given->threads[at + 1], &given->threads[at], (size_t)(given->num_threads - at) * sizeof given->threads[0]);
    given->threads[at] = threads;
    given->num_threads++;
}

static void set_threads(const cli_list *list, bench_arguments *given) {
    for (int i = 0; i < list->count; i++) add_threads((int)list->values[i], given);
    if (list->count)
        unsetenv("WLSTM_NUM_THREADS"); /* the library would give it to cells, whose calls name no thread count */
}

/* A positive number that is not beyond all networks. */
static int take_positive(const cli_option *option, const char *value) {
    char *end;
    const double number = strtod(value, &end);
    if (end == value || *end != '\0' || !(number > 0 && number <= 1e9))
        return cli_wrong(option->name, "a number above 0, as in 1.5,", value);
    *(double *)option->to = number;
    return 0;
}

static int take_families(const cli_option *option, const char *value) {
    bench_arguments *given = option->to;
    for (const char *text = value;; text++) {
        const size_t length = strcspn(text, ",");
        const int family = cli_find(family_names, text, length);
        if (family < 0)
            return cli_wrong(option->name, "forward, cell, create, load, streams or train, with commas between them",
                             value);
        given->families[family] = true;
        text += length;
        if (*text == '\0') return 0;
    }
}

/* Values of an enum, whose names the words are from 0 on. */
static int take_names(const cli_option *option, const char *value, const char *const *words, const char *expected) {
    bench_names *names = option->to;
    names->count = 0;
    for (const char *text = value;; text++) {
        const size_t length = strcspn(text, ",");
        const int found = cli_find(words, text, length);
        if (found < 0) return cli_wrong(option->name, expected, value);
        for (int i = 0; i < names->count; i++)
            if (names->values[i] == found) return cli_wrong(option->name, "each once", value);
        names->values[names->count++] = found;
        text += length;
        if (*text == '\0') return 0;
    }
}

static int take_backends(const cli_option *option, const char *value) {
    return take_names(option, value, backend_names, "auto, reference, onednn or native, with commas between them");
}

static int take_schedules(const cli_option *option, const char *value) {
    return take_names(option, value, schedule_names, "auto, serial, wavefront or gangs, with commas between them");
}

static int take_effort(const cli_option *option, const char *value) {
    int which;
    const int wrong = cli_word(option->name, cli_efforts, value, &which);
    return wrong != 0 ? wrong : setenv("WLSTM_EFFORT", value, 1) == 0 ? 0 : no_memory();
}

static int parse_problem(const char *name, bench_arguments *given) {
    bench_problem *problem = &given->problems[given->num_problems++];
    if (bench_problem_parse(name, problem) != WLSTM_OK) return cli_refuse("%s", wlstm_last_error());
    for (int f = FAMILY_FORWARD + 1; f < FAMILIES; f++)
        if (problem->cells && given->families[f])
            return cli_wrong("--family", "forward alone for a stack of cells", family_names[f]);
    if (given->families[FAMILY_CELL] && problem->problem.proj_size)
        return cli_wrong("--family cell", "a problem without proj_size, which nn.LSTMCell has not,", name);
    if (given->families[FAMILY_STREAMS] && problem->problem.bidirectional)
        return cli_wrong("--family streams", "a problem of one direction", name);
    return 0;
}

/* Streams by the number of their sessions. */
static const char *const sessions[] = { "t1b1i128h128l1",    "t1b4i128h128l1",   "t1b16i128h128l1",
                                        "t1b64i128h128l1",   "t1b256i128h128l1", "t1b1024i128h128l1",
                                        "t1b4096i128h128l1", "t1b1i512h512l2",   "t1b4i512h512l2",
                                        "t1b16i512h512l2",   "t1b64i512h512l2",  "t1b256i512h512l2",
                                        "t1b1024i512h512l2", "t1b4096i512h512l2" };

static bool streams_alone(const bench_arguments *given) {
    for (int f = 0; f < FAMILIES; f++)
        if (given->families[f] != (f == FAMILY_STREAMS)) return false;
    return true;
}

static int parse_problems(int given_count, char *const *given_names, bench_arguments *given) {
    const bool by_sessions = streams_alone(given);
    const char *const *defaults = by_sessions ? sessions : grid;
    const size_t default_count = by_sessions ? sizeof sessions / sizeof sessions[0] : sizeof grid / sizeof grid[0];
    const size_t count = given_count ? (size_t)given_count : default_count;
    given->problems = wli_calloc(count * sizeof *given->problems);
    if (!given->problems) return no_memory();
    int wrong = 0;
    for (size_t i = 0; i < count && wrong == 0; i++)
        wrong = parse_problem(given_count ? given_names[i] : defaults[i], given);
    return wrong;
}

/* Google Benchmark takes its options out of argv, and ends the program with success where a value is unknown to it. */
static int take_benchmark_option(char *option, bench_arguments *given) {
    static const char *const checked[] = { "--benchmark_format", "--benchmark_out_format", NULL };
    static const char *const formats[] = { "console", "json", "csv", NULL };
    const size_t length = strcspn(option, "=");
    const int which = option[length] ? cli_find(checked, option, length) : -1;
    int format;
    given->benchmark_argv[given->benchmark_argc++] = option;
    if (which >= 0) return cli_word(checked[which], formats, option + length + 1, &format);
    return strcmp(option, "--benchmark_color=") == 0 ? cli_wrong("--benchmark_color", "auto, true or false", "") : 0;
}

/* Parts argv into Google Benchmark's options and ours. */
static int split_arguments(int argc, char **argv, int *own_argc, char **own_argv, bench_arguments *given) {
    int wrong = 0;
    bool options = true;
    given->benchmark_argv[given->benchmark_argc++] = argv[0];
    own_argv[(*own_argc)++] = argv[0];
    for (int i = 1; i < argc && wrong == 0; i++) {
        if (options &&
            (strncmp(argv[i], "--benchmark_", strlen("--benchmark_")) == 0 || strncmp(argv[i], "--v=", 4) == 0))
            wrong = take_benchmark_option(argv[i], given);
        else
            own_argv[(*own_argc)++] = argv[i];
        if (strcmp(argv[i], "--") == 0) options = false;
    }
    return wrong;
}

static int parse_options(int argc, char **argv, bench_arguments *given, bool *finished) {
    cli_list threads = { .largest = CLI_THREADS }, simulated = { .largest = CLI_THREADS };
    const cli_option options[] = {
        { "--threads", "LIST", cli_take_list, &threads,
          "thread counts, as in 1,2,4; default: WLSTM_NUM_THREADS, else OpenMP's,\n"
          "at most the CPU quota of its control group" },
        { "--family", "LIST", take_families, given,
          "which benchmarks, as in forward,cell; default: forward\n"
          "  forward  one forward call, zero initial state: out, (h_n, c_n) = lstm(x)\n"
          "  cell     one streaming step of the first layer as an LSTMCell: h, c = cell(x, (h, c))\n"
          "  create   a new lstm's first plan, weights packed, and freeing both\n"
          "  load     a safetensors file (in TMPDIR) to a ready plan, and freeing both\n"
          "  streams  one step of each of as many streams as the batch has rows\n"
          "  train    one forward and backward pass of a trainer, to x and all parameters, and the use of new ones" },
        { "--cell", NULL, cli_take_flag, &given->families[FAMILY_CELL], "--family cell" },
        { "--backend", "LIST", take_backends, &given->backends,
          "each benchmark by each of these, as in native,onednn: auto, reference, onednn, native" },
        { "--schedule", "LIST", take_schedules, &given->schedules,
          "and with each of these, as in serial,wavefront,gangs: auto, serial, wavefront, gangs" },
        { "--effort", "EFFORT", take_effort, NULL, "how long to look for a fast plan: estimate, measure or patient" },
        { "--machine", NULL, cli_take_flag, &given->machine,
          "print this machine's FMA peak and read bandwidth by size, by default at 1 and at all threads,\n"
          "what the cell's arithmetic and synchronizing threads cost, and the instruction sets used" },
        { "--simulate-threads", "LIST", cli_take_list, &simulated,
          "predict the speed-up on so many threads, as in 2,4,8,16,32,64,128: the plans' items are timed\n"
          "here and replayed on virtual threads; for 2 the measured speed-up stands beside; of --family train\n"
          "those of a trainer's passes" },
        { "--simulate-ranks", "LIST", cli_take_list, &given->ranks,
          "predict the speed-up of rows and of layers over so many ranks, as in 2,4,8,16,32,64: a rank's\n"
          "work is timed here, with --threads N, and laid out on a network" },
        { "--ranks-per-machine", "N", cli_take_list, &given->ranks_per_machine,
          "so many of them share a machine, and are timed at once; default: 1" },
        { "--network-us", "L", take_positive, &given->network_us, "that network's microseconds a message; default: 2" },
        { "--network-gbs", "B", take_positive, &given->network_gbs,
          "and 10^9 bytes a second of each rank's link; default: 10" },
        { "--benchmark_*", NULL, NULL, NULL,
          "Google Benchmark's own options: --benchmark_filter=REGEX, --benchmark_format=json,\n"
          "--benchmark_out=FILE, --benchmark_repetitions=N, --benchmark_min_time=SECONDS,\n"
          "--benchmark_list_tests, --benchmark_counters_tabular=true, ..." },
    };
    const int wrong = cli_parse(argc, argv, options, sizeof options / sizeof options[0], usage, ending, finished);
    if (wrong != 0) return wrong;
    given->simulate = simulated.count > 0;
    if (given->ranks.count > 0 && threads.count > 1)
        return cli_wrong("--simulate-ranks", "one thread count beside it", "several");
    if (given->ranks_per_machine.count > 1) return cli_wrong("--ranks-per-machine", "one number", "several");
    if (given->simulate && threads.count > 0) return cli_wrong("--simulate-threads", "none beside --threads", "both");
    set_threads(given->simulate ? &simulated : &threads, given);
    return 0;
}

static void choose_defaults(bench_arguments *given) {
    bool any = false;
    for (int f = 0; f < FAMILIES; f++) any = any || given->families[f];
    if (!any) given->families[FAMILY_FORWARD] = true;
    if (given->num_threads > 0) return;
    if (given->machine) add_threads(1, given);
    add_threads(wli_default_threads(), given);
}

/* What options mean to each other. */
static int check_together(const bench_arguments *given, const char *problem) {
    const bool ways = given->backends.count > 0 || given->schedules.count > 0;
    if (given->machine && given->simulate) return cli_wrong("--simulate-threads", "none beside --machine", "both");
    if (given->ranks.count && (given->machine || given->simulate || ways))
        return cli_wrong("--simulate-ranks", "no --machine, --simulate-threads, --backend and --schedule", "one");
    if (given->ranks_per_machine.count && given->ranks_per_machine.values[0] * given->threads[0] > omp_get_num_procs())
        return cli_wrong("--ranks-per-machine", "a rank's threads so many times, no more than there are processors,",
                         "more");
    if (given->machine && problem) return cli_wrong("--machine", "no PROBLEM", problem);
    if (given->machine && ways) return cli_wrong("--machine", "no --backend and no --schedule", "one");
    if (given->simulate && given->backends.count)
        return cli_wrong("--simulate-threads", "no --backend, as native kernels are simulated,", "one");
    if (given->simulate && given->schedules.count > 1)
        return cli_wrong("--simulate-threads", "one --schedule at most", "several");
    if (given->families[FAMILY_CELL] && ways)
        return cli_wrong("--family cell", "no --backend and no --schedule, as a cell has no plan,", "one");
    if (given->families[FAMILY_TRAIN] && given->backends.count)
        return cli_wrong("--family train", "no --backend, as a trainer has native kernels,", "one");
    if (given->families[FAMILY_STREAMS] && ways)
        return cli_wrong("--family streams", "no --backend and no --schedule, as streams have plans of their own,",
                         "one");
    return 0;
}

int bench_parse_arguments(int argc, char **argv, bench_arguments *given, bool *finished) {
    *given = (bench_arguments){
        .ranks.largest = CLI_RANKS, .ranks_per_machine.largest = CLI_RANKS, .network_us = 2, .network_gbs = 10
    };
    *finished = false;
    char **own_argv = wli_calloc(((size_t)argc + 1) * sizeof *own_argv);
    given->benchmark_argv = wli_calloc(((size_t)argc + 1) * sizeof *own_argv);
    if (!own_argv || !given->benchmark_argv) {
        wli_free(own_argv);
        return no_memory();
    }
    int own_argc = 0;
    int wrong = split_arguments(argc, argv, &own_argc, own_argv, given);
    if (wrong == 0) wrong = parse_options(own_argc, own_argv, given, finished);
    if (wrong == 0 && !*finished) {
        choose_defaults(given);
        wrong = check_together(given, optind < own_argc ? own_argv[optind] : NULL);
        if (wrong == 0 && !given->machine) wrong = parse_problems(own_argc - optind, own_argv + optind, given);
    }
    wli_free(own_argv);
    return wrong;
}

void bench_arguments_free(bench_arguments *given) {
    wli_free(given->problems);
    wli_free(given->benchmark_argv);
}
