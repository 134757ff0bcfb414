#include "tune_arguments.h"

#include "base/number.h"
#include "base/precision.h"
#include "model/call.h"
#include "plan/plan.h"
#include <getopt.h>
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

const char cli_name[] = "wlstm-tune";

static const char usage[] =
    "Usage: wlstm-tune [--family FAMILY] [PROBLEM]... [OPTION]...\n"
    "       wlstm-tune --model M.safetensors --batch LIST --seq LIST [OPTION]...\n"
    "       wlstm-tune --list | --forget [PROBLEM]... | --export FILE | --import FILE\n"
    "Measures once which choices run an LSTM fastest on this machine, and keeps them where every later program finds\n"
    "them: the plan cache. Ctrl-C ends it and keeps what is done.\n"
    "\n"
    "  PROBLEM          t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias]\n"
    "                   [-f64|-bf16|[-bf16arrays][-int8]], as in t200b1i80h320l2-bi; default: the grid of public\n"
    "                   problems in bench/grid.txt\n";

static const char ending[] =
    "\n"
    "The table at the end, microseconds a forward call, or a trainer's pass forward and back: untuned (the cost "
    "model's\n"
    "choice, or the trainers' rule's), tuned, untuned / tuned, the part of the machine's limit that is reached (as\n"
    "wlstm-bench has it; not of training), and what was chosen.\n"
    "Exit status: 0 success, 1 failure, 2 wrong usage, 130 after Ctrl-C, 143 after SIGTERM.\n";

static int take_seconds(const cli_option *option, const char *value) {
    return wli_parse_real(value, 0, 86400, option->to)
               ? 0
               : cli_wrong(option->name, "seconds, above 0 and at most 86400,", value);
}

/* An estimate measures nothing. */
static int take_effort(const cli_option *option, const char *value) {
    int which;
    const int wrong = cli_word(option->name, cli_efforts + 1, value, &which);
    if (wrong == 0) *(wlstm_effort *)option->to = (wlstm_effort)(WLSTM_EFFORT_MEASURE + which);
    return wrong;
}

static int take_family(const cli_option *option, const char *value) {
    static const char *const families[] = { "forward", "train", NULL };
    tune_arguments *given = option->to;
    int which;
    const int wrong = cli_word(option->name, families, value, &which);
    if (wrong == 0) given->family = value, given->training = which == 1;
    return wrong;
}

static int choose_action(tune_arguments *given, tune_action action, const char *file) {
    if (given->action != TUNE_SEARCH)
        return cli_wrong("--list, --forget, --export, --import", "one of them", "several");
    given->action = action, given->file = file;
    return 0;
}

static int take_list(const cli_option *option, const char *value) {
    return choose_action(option->to, TUNE_SHOW, value);
}

static int take_forget(const cli_option *option, const char *value) {
    return choose_action(option->to, TUNE_FORGET, value);
}

static int take_export(const cli_option *option, const char *value) {
    return choose_action(option->to, TUNE_EXPORT, value);
}

static int take_import(const cli_option *option, const char *value) {
    return choose_action(option->to, TUNE_IMPORT, value);
}

static int take_cache(const cli_option *option, const char *value) {
    if (value[0] == '\0') return cli_wrong(option->name, "a directory", value);
    if (setenv("WLSTM_CACHE", value, 1) == 0) return 0;
    fprintf(stderr, "%s: out of memory\n", cli_name);
    return EXIT_FAILURE;
}

static int check_problems(const tune_arguments *given) {
    for (int i = 0; i < given->num_problems; i++) {
        wli_problem problem;
        const bool any = given->action == TUNE_FORGET;
        if ((any ? wli_problem_parse_entry : wli_problem_parse)(given->problems[i], &problem) != WLSTM_OK)
            return cli_refuse("%s", wlstm_last_error());
        if (given->training && (problem.precision > WLSTM_PRECISION_FULL || problem.dtype == WLSTM_BF16))
            return cli_wrong("PROBLEM", "one of f32 or f64 with --family train", given->problems[i]);
        if (given->precision > WLSTM_PRECISION_FULL && problem.dtype == WLSTM_F64)
            return cli_wrong("--precision", "full with a problem of f64", wli_precision_names[given->precision]);
    }
    return 0;
}

/* Of --model; in a PROBLEM its name is looked at. */
static int check_rows(const tune_arguments *given) {
    for (int b = 0; b < given->batches.count; b++)
        for (int t = 0; t < given->seq_lens.count; t++)
            if (given->seq_lens.values[t] > WLI_LARGEST_ROWS / given->batches.values[b]) {
                char got[64];
                snprintf(got, sizeof got, "%" PRId64 " and %" PRId64, given->batches.values[b],
                         given->seq_lens.values[t]);
                return cli_wrong("--batch, --seq", "products of at most 2^40", got);
            }
    return 0;
}

static int check_arguments(tune_arguments *given) {
    const bool takes_problems = (given->action == TUNE_SEARCH && !given->model) || given->action == TUNE_FORGET;
    if (given->num_problems && !takes_problems) return cli_wrong("PROBLEM", "none here", given->problems[0]);
    if (given->action != TUNE_SEARCH && given->model) return cli_wrong("--model", "none here", given->model);
    if (given->action != TUNE_SEARCH && given->family) return cli_wrong("--family", "none here", given->family);
    if (given->training && given->precision > WLSTM_PRECISION_FULL)
        return cli_wrong("--precision", "full with --family train", wli_precision_names[given->precision]);
    if (given->action != TUNE_SEARCH && given->precision)
        return cli_wrong("--precision", "none here", wli_precision_names[given->precision]);
    if (given->model && (!given->batches.count || !given->seq_lens.count))
        return cli_wrong(given->batches.count ? "--seq" : "--batch", "a list with --model", "");
    if (!given->model && (given->batches.count || given->seq_lens.count || given->prefix))
        return cli_wrong("--batch, --seq, --prefix", "--model with them", "");
    if (given->threads.count == 0) {
        const int wanted = wli_default_threads();
        given->threads.values[given->threads.count++] = wanted < omp_get_num_procs() ? wanted : omp_get_num_procs();
    }
    /* A plan takes no more threads than there are cores: nobody would look up what was tuned for more. */
    for (int i = 0; i < given->threads.count; i++)
        if (given->threads.values[i] > omp_get_num_procs()) {
            char cores[64], got[32];
            snprintf(cores, sizeof cores, "at most the %d cores of this process", omp_get_num_procs());
            snprintf(got, sizeof got, "%lld", (long long)given->threads.values[i]);
            return cli_wrong("--threads", cores, got);
        }
    const int wrong = check_rows(given);
    return wrong ? wrong : check_problems(given);
}

int tune_parse_arguments(int argc, char **argv, tune_arguments *given, bool *finished) {
    const cli_option options[] = {
        { "--family", "FAMILY", take_family, given,
          "what is tuned: forward (the default), plans; or train, the passes of trainers" },
        { "--model", "FILE", cli_take_text, &given->model, "tunes the nn.LSTM or nn.LSTMCell of a safetensors file" },
        { "--prefix", "TEXT", cli_take_text, &given->prefix,
          "what stands before its tensors' names, as in \"encoder.lstm.\"" },
        { "--batch", "LIST", cli_take_list, &given->batches, "for each of these batch sizes, as in 1,8" },
        { "--seq", "LIST", cli_take_list, &given->seq_lens, "and each of these sequence lengths" },
        { "--threads", "LIST", cli_take_list, &given->threads,
          "thread counts, as in 1,2,4, at most the cores that it may use; default: WLSTM_NUM_THREADS, else\n"
          "OpenMP's, at most the CPU quota of its control group" },
        { "--time-limit", "S", take_seconds, &given->time_limit,
          "seconds a problem and thread count; default: 2, with --effort patient 10" },
        { "--effort", "EFFORT", take_effort, &given->effort,
          "measure (the default) or patient, which takes longer and tries more" },
        { "--precision", "P", cli_take_precision, &given->precision,
          "what products multiply: full, bf16 or int8, of --model and of problems whose names have none;\n"
          "default: full, of --model that of WLSTM_PRECISION" },
        { "--list", NULL, take_list, given,
          "prints which files it looked for, what became of each, and what they hold for this machine" },
        { "--forget", NULL, take_forget, given,
          "takes the problems, as --list has them, or everything out of the user's cache" },
        { "--export", "FILE", take_export, given, "writes what the cache holds to one file" },
        { "--import", "FILE", take_import, given,
          "puts such a file, of a machine of this kind, into the user's cache" },
        { "--cache", "DIR", take_cache, NULL,
          "the user's cache; default: WLSTM_CACHE, else XDG_CACHE_HOME/wavelstm, else HOME/.cache/wavelstm" },
    };
    *given = (tune_arguments){ .batches.largest = WLI_LARGEST_SIZE,
                               .seq_lens.largest = WLI_LARGEST_SIZE,
                               .threads.largest = CLI_THREADS,
                               .effort = WLSTM_EFFORT_MEASURE };
    const int wrong = cli_parse(argc, argv, options, sizeof options / sizeof options[0], usage, ending, finished);
    if (wrong != 0 || *finished) return wrong;
    given->problems = argv + optind, given->num_problems = argc - optind;
    return check_arguments(given);
}
