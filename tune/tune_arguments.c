#include "tune_arguments.h"

#include "base/number.h"
#include "model/call.h"
#include "plan/plan.h"
#include <getopt.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2, MOST_THREADS = 4096 };

static const char help[] =
    "Usage: wlstm-tune [PROBLEM]... [OPTION]...\n"
    "       wlstm-tune --model M.safetensors --batch LIST --seq LIST [OPTION]...\n"
    "       wlstm-tune --list | --forget [PROBLEM]... | --export FILE | --import FILE\n"
    "Measures once which choices run an LSTM fastest on this machine, and keeps them where every later program finds\n"
    "them: the plan cache. Ctrl-C ends it and keeps what is done.\n"
    "\n"
    "  PROBLEM          t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias][-f64],\n"
    "                   as in t200b1i80h320l2-bi; default: the grid of public problems in bench/grid.txt\n"
    "  --model FILE     tunes the nn.LSTM or nn.LSTMCell of a safetensors file\n"
    "  --prefix TEXT    what stands before its tensors' names, as in \"encoder.lstm.\"\n"
    "  --batch LIST     for each of these batch sizes, as in 1,8\n"
    "  --seq LIST       and each of these sequence lengths\n"
    "  --threads LIST   thread counts, as in 1,2,4, at most the cores that it may use; default: WLSTM_NUM_THREADS, "
    "else\n"
    "                   OpenMP's, at most the CPU quota of its control group\n"
    "  --time-limit S   seconds a problem and thread count; default: 2, with --effort patient 10\n"
    "  --effort EFFORT  measure (the default) or patient, which takes longer and tries more\n"
    "  --list           prints which files it looked for, what became of each, and what they hold for this machine\n"
    "  --forget         takes the problems, by default everything, out of the user's cache\n"
    "  --export FILE    writes what the cache holds to one file\n"
    "  --import FILE    puts such a file, of a machine of this kind, into the user's cache\n"
    "  --cache DIR      the user's cache; default: WLSTM_CACHE, else XDG_CACHE_HOME/wavelstm, else "
    "HOME/.cache/wavelstm\n"
    "  --help           this text\n"
    "  --version        version, instruction set, oneDNN's version\n"
    "\n"
    "The table at the end, microseconds a forward call: untuned (the cost model's choice), tuned, untuned / tuned, "
    "the\n"
    "part of the machine's limit that is reached (as wlstm-bench has it), and what was chosen.\n"
    "Exit status: 0 success, 1 failure, 2 wrong usage, 130 after Ctrl-C, 143 after SIGTERM.\n";

static int wrong_usage(const char *option, const char *expected, const char *got) {
    fprintf(stderr, "wlstm-tune: %s: %s expected, got %s\nTry 'wlstm-tune --help'.\n", option, expected,
            got[0] ? got : "nothing");
    return EXIT_USAGE;
}

/* Integers from 1 to `largest`, with commas between them, in the order given. */
static int parse_list(const char *option, const char *list, int64_t largest, int64_t values[TUNE_LIST], int *count) {
    char expected[96];
    snprintf(expected, sizeof expected, "integers from 1 to %" PRId64 " with commas between them, 64 at most", largest);
    *count = 0;
    for (const char *text = list;; text++) {
        int64_t value;
        if (!wli_take_integer(&text, 1, largest, &value) || (*text != ',' && *text != '\0') || *count == TUNE_LIST)
            return wrong_usage(option, expected, list);
        values[(*count)++] = value;
        if (*text == '\0') return 0;
    }
}

static int parse_seconds(const char *text, double *seconds) {
    return wli_parse_real(text, 0, 86400, seconds)
               ? 0
               : wrong_usage("--time-limit", "seconds, above 0 and at most 86400,", text);
}

static int parse_effort(const char *text, wlstm_effort *effort) {
    if (strcmp(text, "measure") != 0 && strcmp(text, "patient") != 0)
        return wrong_usage("--effort", "measure or patient", text);
    *effort = strcmp(text, "patient") == 0 ? WLSTM_EFFORT_PATIENT : WLSTM_EFFORT_MEASURE;
    return 0;
}

static int choose_action(tune_arguments *given, tune_action action, const char *file) {
    if (given->action != TUNE_SEARCH)
        return wrong_usage("--list, --forget, --export, --import", "one of them", "several");
    given->action = action, given->file = file;
    return 0;
}

static int take_option(int option, tune_arguments *given) {
    switch (option) {
    case 'm':
        given->model = optarg;
        return 0;
    case 'p':
        given->prefix = optarg;
        return 0;
    case 'b':
        return parse_list("--batch", optarg, WLI_LARGEST_SIZE, given->batches, &given->num_batches);
    case 's':
        return parse_list("--seq", optarg, WLI_LARGEST_SIZE, given->seq_lens, &given->num_seq_lens);
    case 't':
        return parse_list("--threads", optarg, MOST_THREADS, given->threads, &given->num_threads);
    case 'T':
        return parse_seconds(optarg, &given->time_limit);
    case 'e':
        return parse_effort(optarg, &given->effort);
    case 'l':
        return choose_action(given, TUNE_SHOW, NULL);
    case 'f':
        return choose_action(given, TUNE_FORGET, NULL);
    case 'x':
        return choose_action(given, TUNE_EXPORT, optarg);
    case 'i':
        return choose_action(given, TUNE_IMPORT, optarg);
    case 'c':
        if (optarg[0] == '\0') return wrong_usage("--cache", "a directory", "nothing");
        if (setenv("WLSTM_CACHE", optarg, 1) == 0) return 0;
        fprintf(stderr, "wlstm-tune: out of memory\n");
        return EXIT_FAILURE;
    default: /* getopt_long has said what is wrong */
        fprintf(stderr, "Try 'wlstm-tune --help'.\n");
        return EXIT_USAGE;
    }
}

static int check_problems(const tune_arguments *given) {
    for (int i = 0; i < given->num_problems; i++) {
        wli_problem problem;
        if (wli_problem_parse(given->problems[i], &problem) != WLSTM_OK) {
            fprintf(stderr, "wlstm-tune: %s\nTry 'wlstm-tune --help'.\n", wlstm_last_error());
            return EXIT_USAGE;
        }
    }
    return 0;
}

/* Of --model; in a PROBLEM its name is looked at. */
static int check_rows(const tune_arguments *given) {
    for (int b = 0; b < given->num_batches; b++)
        for (int t = 0; t < given->num_seq_lens; t++)
            if (given->seq_lens[t] > WLI_LARGEST_ROWS / given->batches[b]) {
                char got[64];
                snprintf(got, sizeof got, "%" PRId64 " and %" PRId64, given->batches[b], given->seq_lens[t]);
                return wrong_usage("--batch, --seq", "products of at most 2^40", got);
            }
    return 0;
}

static int check_arguments(tune_arguments *given) {
    const bool takes_problems = (given->action == TUNE_SEARCH && !given->model) || given->action == TUNE_FORGET;
    if (given->num_problems && !takes_problems) return wrong_usage("PROBLEM", "none here", given->problems[0]);
    if (given->action != TUNE_SEARCH && given->model) return wrong_usage("--model", "none here", given->model);
    if (given->model && (!given->num_batches || !given->num_seq_lens))
        return wrong_usage(given->num_batches ? "--seq" : "--batch", "a list with --model", "");
    if (!given->model && (given->num_batches || given->num_seq_lens || given->prefix))
        return wrong_usage("--batch, --seq, --prefix", "--model with them", "");
    if (given->num_threads == 0) {
        const int wanted = wli_default_threads();
        given->threads[given->num_threads++] = wanted < omp_get_num_procs() ? wanted : omp_get_num_procs();
    }
    /* A plan takes no more threads than there are cores: nobody would look up what was tuned for more. */
    for (int i = 0; i < given->num_threads; i++)
        if (given->threads[i] > omp_get_num_procs()) {
            char cores[64], got[32];
            snprintf(cores, sizeof cores, "at most the %d cores of this process", omp_get_num_procs());
            snprintf(got, sizeof got, "%lld", (long long)given->threads[i]);
            return wrong_usage("--threads", cores, got);
        }
    const int wrong = check_rows(given);
    return wrong ? wrong : check_problems(given);
}

int tune_parse_arguments(int argc, char **argv, tune_arguments *given, bool *finished) {
    static const struct option options[] = {
        { "model", 1, NULL, 'm' },  { "prefix", 1, NULL, 'p' },  { "batch", 1, NULL, 'b' },
        { "seq", 1, NULL, 's' },    { "threads", 1, NULL, 't' }, { "time-limit", 1, NULL, 'T' },
        { "effort", 1, NULL, 'e' }, { "list", 0, NULL, 'l' },    { "forget", 0, NULL, 'f' },
        { "export", 1, NULL, 'x' }, { "import", 1, NULL, 'i' },  { "cache", 1, NULL, 'c' },
        { "help", 0, NULL, 'h' },   { "version", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
    };
    *given = (tune_arguments){ .effort = WLSTM_EFFORT_MEASURE };
    *finished = false;
    for (int option, wrong; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h' || option == 'v') {
            if (option == 'h')
                fputs(help, stdout);
            else
                printf("wlstm-tune %s\n%s\n", wlstm_version(), wlstm_build_info());
            *finished = true;
            return 0;
        }
        if ((wrong = take_option(option, given)) != 0) return wrong;
    }
    given->problems = argv + optind, given->num_problems = argc - optind;
    return check_arguments(given);
}
