#include "arguments.h"

#include "base/allocator.h"
#include "base/number.h"
#include "grid.h"
#include "plan/plan.h"
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, MOST_THREADS = 4096 };

static const char help[] =
    "Usage: wlstm-bench [PROBLEM]... [--threads LIST] [--family LIST | --cell] [--effort EFFORT] [--benchmark_*]...\n"
    "       wlstm-bench --machine [--threads LIST]\n"
    "       wlstm-bench --simulate-threads LIST [PROBLEM]...\n"
    "Times wavelstm on problems, across thread counts, with Google Benchmark. Each result is compared with the\n"
    "reference first: a wrong one is an error, not a number.\n"
    "\n"
    "  PROBLEM          t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias][-f64],\n"
    "                   as in t200b1i80h320l2-bi; default: the grid of public problems in bench/grid.txt\n"
    "  --threads LIST   thread counts, as in 1,2,4; default: WLSTM_NUM_THREADS, else OpenMP's,\n"
    "                   at most the CPU quota of its control group\n"
    "  --family LIST    which benchmarks, as in forward,cell; default: forward\n"
    "                     forward  one forward call, zero initial state: out, (h_n, c_n) = lstm(x)\n"
    "                     cell     one streaming step of the first layer as an LSTMCell: h, c = cell(x, (h, c))\n"
    "                     create   a new lstm's first plan, weights packed, and freeing both\n"
    "                     load     a safetensors file (in TMPDIR) to a ready plan, and freeing both\n"
    "  --cell           --family cell\n"
    "  --effort EFFORT  how long to look for a fast plan: estimate, measure or patient\n"
    "  --machine        print this machine's FMA peak and read bandwidth by size, by default at 1 and at all threads,\n"
    "                   what the cell's arithmetic and synchronizing threads cost, and the instruction sets used\n"
    "  --simulate-threads LIST\n"
    "                   predict the speed-up on so many threads, as in 2,4,8,16,32,64,128: the plans' items are timed\n"
    "                   here and replayed on virtual threads; for 2 the measured speed-up stands beside\n"
    "  --benchmark_*    Google Benchmark's own options: --benchmark_filter=REGEX, --benchmark_format=json,\n"
    "                   --benchmark_out=FILE, --benchmark_repetitions=N, --benchmark_min_time=SECONDS,\n"
    "                   --benchmark_list_tests, --benchmark_counters_tabular=true, ...\n"
    "  --help           this text\n"
    "  --version        version, instruction set, oneDNN's version\n"
    "\n"
    "Benchmarks are named FAMILY/PROBLEM/threads:N; real_time is one call. Counters of forward and cell:\n"
    "  GFLOPS           8H(I+R) + 2HP operations a row, step, layer and direction\n"
    "  sequences/s      batch rows a second\n"
    "  steps/s          time steps of batch rows a second\n"
    "  limit            the part of this machine's limit that is reached; 1: the projections ran at the FMA peak and\n"
    "                   each step took the longer of its operations at the FMA peak and of reading its recurrent\n"
    "                   weights (cell: all weights) once, with the rates that --machine prints\n"
    "of create and load:\n"
    "  GB/s             parameters\n"
    "\n"
    "Exit status: 0 success, 1 a wrong result or a failure, 2 wrong usage.\n";

static int wrong_usage(const char *option, const char *expected, const char *got) {
    fprintf(stderr, "wlstm-bench: %s: %s expected, got %s\nTry 'wlstm-bench --help'.\n", option, expected,
            got[0] ? got : "nothing");
    return EXIT_USAGE;
}

static int no_memory(void) {
    fprintf(stderr, "wlstm-bench: out of memory\n");
    return EXIT_FAILURE;
}

/* Which of the words the text starts with, up to its end or a comma, or -1. */
static int find_word(const char *text, const char *const *words, int count) {
    const size_t length = strcspn(text, ",");
    while (count-- > 0)
        if (strlen(words[count]) == length && strncmp(text, words[count], length) == 0) break;
    return count;
}

/* Ascending, each once. */
static int add_threads(int threads, bench_arguments *given) {
    int at = 0;
    while (at < given->num_threads && given->threads[at] < threads) at++;
    if (at < given->num_threads && given->threads[at] == threads) return 0;
    if (given->num_threads == MOST_THREAD_COUNTS) return EXIT_USAGE;
    memmove(&given->threads[at + 1], &given->threads[at], (size_t)(given->num_threads - at) * sizeof given->threads[0]);
    given->threads[at] = threads;
    given->num_threads++;
    return 0;
}

static int parse_threads(const char *option, const char *list, bench_arguments *given) {
    given->num_threads = 0;
    for (const char *text = list;; text++) {
        int64_t value;
        if (!wli_take_integer(&text, 1, MOST_THREADS, &value) || (*text != ',' && *text != '\0') ||
            add_threads((int)value, given) != 0)
            return wrong_usage(option, "integers from 1 to 4096 with commas between them, 64 at most", list);
        if (*text == '\0') break;
    }
    unsetenv("WLSTM_NUM_THREADS"); /* the library would give it to cells, whose calls name no thread count */
    return 0;
}

static int parse_families(const char *list, bench_arguments *given) {
    for (const char *text = list;; text++) {
        const int family = find_word(text, family_names, FAMILIES);
        if (family < 0) return wrong_usage("--family", "forward, cell, create or load, with commas between them", list);
        given->families[family] = true;
        text += strlen(family_names[family]);
        if (*text == '\0') return 0;
    }
}

static int parse_effort(const char *text) {
    static const char *const efforts[] = { "estimate", "measure", "patient" };
    const int effort = find_word(text, efforts, 3);
    if (effort < 0 || strcmp(text, efforts[effort]) != 0)
        return wrong_usage("--effort", "estimate, measure or patient", text);
    return setenv("WLSTM_EFFORT", text, 1) == 0 ? 0 : no_memory();
}

static int parse_problem(const char *name, bench_arguments *given) {
    wli_problem *problem = &given->problems[given->num_problems++];
    if (wli_problem_parse(name, problem) != WLSTM_OK) {
        fprintf(stderr, "wlstm-bench: %s\nTry 'wlstm-bench --help'.\n", wlstm_last_error());
        return EXIT_USAGE;
    }
    if (given->families[FAMILY_CELL] && problem->proj_size)
        return wrong_usage("--family cell", "a problem without proj_size, which nn.LSTMCell has not,", name);
    return 0;
}

static int parse_problems(int count, char *const *names, bench_arguments *given) {
    const int grid_size = (int)(sizeof grid / sizeof grid[0]);
    given->problems = wli_calloc((size_t)(count ? count : grid_size) * sizeof *given->problems);
    if (!given->problems) return no_memory();
    int wrong = 0;
    for (int i = 0; i < (count ? count : grid_size) && wrong == 0; i++)
        wrong = parse_problem(count ? names[i] : grid[i], given);
    return wrong;
}

/* Google Benchmark takes its options out of argv, and ends the program with success where a value is unknown to it. */
static int take_benchmark_option(char *option, bench_arguments *given) {
    static const char *const formats[] = { "console", "json", "csv" };
    const char *value = strchr(option, '=');
    const size_t length = value ? (size_t)(value - option) : 0;
    given->benchmark_argv[given->benchmark_argc++] = option;
    if ((length == strlen("--benchmark_format") && strncmp(option, "--benchmark_format", length) == 0) ||
        (length == strlen("--benchmark_out_format") && strncmp(option, "--benchmark_out_format", length) == 0)) {
        const int format = find_word(value + 1, formats, 3);
        if (format < 0 || strcmp(value + 1, formats[format]) != 0)
            return wrong_usage(length == strlen("--benchmark_format") ? "--benchmark_format" : "--benchmark_out_format",
                               "console, json or csv", value + 1);
    }
    return strcmp(option, "--benchmark_color=") == 0 ? wrong_usage("--benchmark_color", "auto, true or false", "") : 0;
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
    static const struct option options[] = {
        { "threads", 1, NULL, 't' },          { "family", 1, NULL, 'f' },  { "cell", 0, NULL, 'c' },
        { "effort", 1, NULL, 'e' },           { "machine", 0, NULL, 'm' }, { "help", 0, NULL, 'h' },
        { "simulate-threads", 1, NULL, 's' }, { "version", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
    };
    for (int option, wrong; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        wrong = 0;
        switch (option) {
        case 't':
            if (given->simulate) return wrong_usage("--threads", "none beside --simulate-threads", optarg);
            wrong = parse_threads("--threads", optarg, given);
            break;
        case 'f':
            wrong = parse_families(optarg, given);
            break;
        case 'c':
            given->families[FAMILY_CELL] = true;
            break;
        case 'e':
            wrong = parse_effort(optarg);
            break;
        case 'm':
            given->machine = true;
            break;
        case 's':
            if (given->num_threads) return wrong_usage("--simulate-threads", "one of them, no --threads", optarg);
            given->simulate = true;
            wrong = parse_threads("--simulate-threads", optarg, given);
            break;
        case 'v':
            printf("wlstm-bench %s\n%s\n", wlstm_version(), wlstm_build_info());
            *finished = true;
            return 0;
        case 'h':
            fputs(help, stdout);
            *finished = true;
            return 0;
        default: /* getopt_long has said what is wrong */
            fprintf(stderr, "Try 'wlstm-bench --help'.\n");
            return EXIT_USAGE;
        }
        if (wrong != 0) return wrong;
    }
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

int bench_parse_arguments(int argc, char **argv, bench_arguments *given, bool *finished) {
    *given = (bench_arguments){ 0 };
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
        if (given->machine && given->simulate)
            wrong = wrong_usage("--simulate-threads", "none beside --machine", "both");
        else if (given->machine && optind < own_argc)
            wrong = wrong_usage("--machine", "no PROBLEM", own_argv[optind]);
        else if (!given->machine)
            wrong = parse_problems(own_argc - optind, own_argv + optind, given);
    }
    wli_free(own_argv);
    return wrong;
}

void bench_arguments_free(bench_arguments *given) {
    wli_free(given->problems);
    wli_free(given->benchmark_argv);
}
