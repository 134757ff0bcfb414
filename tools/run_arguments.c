#include "run_arguments.h"

#include "base/number.h"
#include "io/same_file.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define MAX_THREADS 4096
enum { EXIT_USAGE = 2 };

static const char help[] =
    "Usage: wlstm-run --model M.safetensors --input X.npy --output OUT.npy [OPTION]...\n"
    "Runs the nn.LSTM or nn.LSTMCell in a safetensors file on an array: out, (hn, cn) = lstm(input, (h0, c0)).\n"
    "\n"
    "  --model FILE     weight_ih_l0, weight_hh_l0, ... as in PyTorch's state_dict; an nn.LSTMCell (weight_ih,\n"
    "                   weight_hh, ...) is run over the sequence\n"
    "  --prefix TEXT    what stands before these names in the file, as in \"encoder.lstm.\"\n"
    "  --input FILE     x [seq_len, batch, input_size], or unbatched [seq_len, input_size]\n"
    "  --output FILE    out [seq_len, batch, D*H_out] or [seq_len, D*H_out]; D is 2 if bidirectional, else 1\n"
    "  --h0 FILE        initial h [D*num_layers, batch, H_out]; default: zeros\n"
    "  --c0 FILE        initial c [D*num_layers, batch, hidden_size]; goes with --h0\n"
    "  --hn FILE        final h is written there, shaped as h0\n"
    "  --cn FILE        final c is written there, shaped as c0\n"
    "                   (h and c have no batch if unbatched, and no first dimension for an nn.LSTMCell)\n"
    "  --lengths FILE   [batch] integers, 1 to seq_len: as a PackedSequence with enforce_sorted=False\n"
    "  --batch-first    x and out are [batch, seq_len, ...]\n"
    "  --threads N      default: WLSTM_NUM_THREADS, else OpenMP's, at most the CPU quota of its control group\n"
    "  --dtype TYPE     f32 or f64 (bf16 is not in this version); default: f64 for an F64 model, else f32\n"
    "  --effort EFFORT  how long to look for a fast plan: estimate, measure or patient\n"
    "  --help           this text\n"
    "  --version        version, instruction set, oneDNN's version\n"
    "\n"
    "Arrays are .npy files of float16, float32 or float64 (lengths: int32 or int64), of either byte order, in C "
    "order;\n"
    "results are float32 or float64, as the model runs.\n"
    "A result goes to a new file or in the place of a regular one, none of those that the same call reads or writes.\n"
    "Exit status: 0 success, 1 failure (no result is written), 2 wrong usage.\n";

static int wrong_usage(const char *option, const char *expected, const char *got) {
    fprintf(stderr, "wlstm-run: %s: %s expected, got %s\nTry 'wlstm-run --help'.\n", option, expected, got);
    return EXIT_USAGE;
}

// Which of the `count` words it is, or -1.
static int find_word(const char *word, const char *const *words, int count) {
    while (count-- > 0 && strcmp(word, words[count]) != 0) {
    }
    return count;
}

static int parse_threads(const char *text, int *threads) {
    int64_t value;
    if (!wli_parse_integer(text, 1, MAX_THREADS, &value))
        return wrong_usage("--threads", "an integer from 1 to 4096", text[0] ? text : "nothing");
    *threads = (int)value;
    return 0;
}

static int parse_word(int option, const char *text, run_arguments *given) {
    static const char *const dtypes[] = { "f32", "f64", "bf16" }, *const efforts[] = { "estimate", "measure",
                                                                                       "patient" };
    if (option == 'd') {
        int which = find_word(text, dtypes, 3);
        if (which < 0) return wrong_usage("--dtype", "f32, f64 or bf16", text);
        given->convert = true;
        given->dtype = (wlstm_dtype)(WLSTM_F32 + which);
    } else {
        int which = find_word(text, efforts, 3);
        if (which < 0) return wrong_usage("--effort", "estimate, measure or patient", text);
        given->effort = (wlstm_effort)(WLSTM_EFFORT_ESTIMATE + which);
    }
    return 0;
}

// No result may take the place of another one, of the model or of an input.
static int check_files(const run_arguments *given) {
    enum { RESULTS = 3, FILES = 8 };
    const struct {
        const char *option, *path;
    } files[FILES] = { { "--output", given->output }, { "--hn", given->hn },          { "--cn", given->cn },
                       { "--model", given->model },   { "--input", given->input },    { "--h0", given->h0 },
                       { "--c0", given->c0 },         { "--lengths", given->lengths } };
    for (int k = 0; k < FILES; k++)
        if (files[k].path != NULL && files[k].path[0] == '\0')
            return wrong_usage(files[k].option, "a file", "an empty name");
    for (int a = 0; a < RESULTS; a++)
        for (int b = a + 1; b < FILES; b++) {
            if (files[a].path == NULL || files[b].path == NULL || !wli_same_file(files[a].path, files[b].path))
                continue;
            fprintf(stderr, "wlstm-run: %s, %s: different files expected, got %s and %s\nTry 'wlstm-run --help'.\n",
                    files[a].option, files[b].option, files[a].path, files[b].path);
            return EXIT_USAGE;
        }
    return 0;
}

static int check_arguments(int argc, char **argv, const run_arguments *given) {
    if (optind < argc) return wrong_usage("arguments", "options only", argv[optind]);
    if (given->model == NULL) return wrong_usage("--model", "a file", "none");
    if (given->input == NULL) return wrong_usage("--input", "a file", "none");
    if (given->output == NULL) return wrong_usage("--output", "a file", "none");
    if ((given->h0 == NULL) != (given->c0 == NULL))
        return wrong_usage("--h0, --c0", "both or neither", given->h0 == NULL ? "--c0 alone" : "--h0 alone");
    return check_files(given);
}

int run_parse_arguments(int argc, char **argv, run_arguments *given, bool *finished) {
    static const struct option options[] = {
        { "model", 1, NULL, 'm' },  { "prefix", 1, NULL, 'p' },      { "input", 1, NULL, 'i' },
        { "output", 1, NULL, 'o' }, { "h0", 1, NULL, 'h' },          { "c0", 1, NULL, 'c' },
        { "hn", 1, NULL, 'H' },     { "cn", 1, NULL, 'C' },          { "lengths", 1, NULL, 'l' },
        { "dtype", 1, NULL, 'd' },  { "batch-first", 0, NULL, 'b' }, { "threads", 1, NULL, 't' },
        { "effort", 1, NULL, 'e' }, { "help", 0, NULL, '?' + 256 },  { "version", 0, NULL, 'v' },
        { NULL, 0, NULL, 0 },
    };
    *given = (run_arguments){ .prefix = "" };
    *finished = false;
    for (int option, wrong; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        wrong = 0;
        switch (option) {
        case 'm':
            given->model = optarg;
            break;
        case 'p':
            given->prefix = optarg;
            break;
        case 'i':
            given->input = optarg;
            break;
        case 'o':
            given->output = optarg;
            break;
        case 'h':
            given->h0 = optarg;
            break;
        case 'c':
            given->c0 = optarg;
            break;
        case 'H':
            given->hn = optarg;
            break;
        case 'C':
            given->cn = optarg;
            break;
        case 'l':
            given->lengths = optarg;
            break;
        case 'b':
            given->batch_first = true;
            break;
        case 't':
            wrong = parse_threads(optarg, &given->threads);
            break;
        case 'd':
        case 'e':
            wrong = parse_word(option, optarg, given);
            break;
        case 'v':
            printf("wlstm-run %s\n%s\n", wlstm_version(), wlstm_build_info());
            *finished = true;
            return 0;
        case '?' + 256:
            fputs(help, stdout);
            *finished = true;
            return 0;
        default: // getopt_long has said what is wrong
            fprintf(stderr, "Try 'wlstm-run --help'.\n");
            return EXIT_USAGE;
        }
        if (wrong != 0) return wrong;
    }
    return check_arguments(argc, argv, given);
}
