#include "run_arguments.h"

#include "base/number.h"
#include "io/same_file.h"
#include "options.h"

#include <getopt.h>
#include <string.h>

const char cli_name[] = "wlstm-run";

static const char usage[] =
    "Usage: wlstm-run --model M.safetensors --input X.npy --output OUT.npy [OPTION]...\n"
    "Runs the nn.LSTM or nn.LSTMCell in a safetensors file on an array: out, (hn, cn) = lstm(input, (h0, c0)).\n"
    "\n";

static const char ending[] =
    "\n"
    "Arrays are .npy files of float16, float32 or float64 (lengths: int32 or int64), of either byte order, in C "
    "order;\n"
    "results are float32 or float64, as the model runs. With --dtype bf16 they are uint16, bfloat16's bits, and "
    "arrays\n"
    "may be that, or ml_dtypes' bfloat16.\n"
    "A result goes to a new file or in the place of a regular one, none of those that the same call reads or writes.\n"
    "Exit status: 0 success, 1 failure (no result is written), 2 wrong usage.\n";

static int take_threads(const cli_option *option, const char *value) {
    int64_t threads;
    if (!wli_parse_integer(value, 1, CLI_THREADS, &threads))
        return cli_wrong(option->name, "an integer from 1 to 4096", value);
    *(int *)option->to = (int)threads;
    return 0;
}

static int take_schedule(const cli_option *option, const char *value) {
    static const char *const schedules[] = { "auto", "serial", "wavefront", "gangs", NULL };
    int which;
    const int wrong = cli_word(option->name, schedules, value, &which);
    if (wrong == 0) *(wlstm_schedule *)option->to = (wlstm_schedule)(WLSTM_SCHEDULE_AUTO + which);
    return wrong;
}

static int take_compare(const cli_option *option, const char *value) {
    static const char *const full[] = { "full", NULL };
    int which;
    const int wrong = cli_word(option->name, full, value, &which);
    if (wrong == 0) *(bool *)option->to = true;
    return wrong;
}

static int take_ranks(const cli_option *option, const char *value) {
    static const char *const ranks[] = { "rows", "layers", NULL };
    int which;
    const int wrong = cli_word(option->name, ranks, value, &which);
    if (wrong == 0) *(run_ranks *)option->to = (run_ranks)(RUN_ROWS + which);
    return wrong;
}

static int take_dtype(const cli_option *option, const char *value) {
    static const char *const dtypes[] = { "f32", "f64", "bf16", NULL };
    run_arguments *given = option->to;
    int which;
    const int wrong = cli_word(option->name, dtypes, value, &which);
    if (wrong != 0) return wrong;
    given->convert = true;
    given->dtype = (wlstm_dtype)(WLSTM_F32 + which);
    return 0;
}

static int take_effort(const cli_option *option, const char *value) {
    int which;
    const int wrong = cli_word(option->name, cli_efforts, value, &which);
    if (wrong == 0) *(wlstm_effort *)option->to = (wlstm_effort)(WLSTM_EFFORT_ESTIMATE + which);
    return wrong;
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
            return cli_wrong(files[k].option, "a file", "an empty name");
    for (int a = 0; a < RESULTS; a++)
        for (int b = a + 1; b < FILES; b++) {
            if (files[a].path == NULL || files[b].path == NULL || !wli_same_file(files[a].path, files[b].path))
                continue;
            return cli_refuse("%s, %s: different files expected, got %s and %s", files[a].option, files[b].option,
                              files[a].path, files[b].path);
        }
    return 0;
}

static int check_arguments(int argc, char **argv, const run_arguments *given) {
    if (optind < argc) return cli_wrong("arguments", "options only", argv[optind]);
    if (given->model == NULL) return cli_wrong("--model", "a file", "none");
    if (given->input == NULL) return cli_wrong("--input", "a file", "none");
    if (given->output == NULL) return cli_wrong("--output", "a file", "none");
    if ((given->h0 == NULL) != (given->c0 == NULL))
        return cli_wrong("--h0, --c0", "both or neither", given->h0 == NULL ? "--c0 alone" : "--h0 alone");
    if (given->ranks != RUN_ALONE && given->compare) return cli_wrong("--ranks, --compare", "one of them", "both");
    if (given->compact && given->compare) return cli_wrong("--compact, --compare", "one of them", "both");
    return check_files(given);
}

int run_parse_arguments(int argc, char **argv, run_arguments *given, bool *finished) {
    const cli_option options[] = {
        { "--model", "FILE", cli_take_text, &given->model,
          "weight_ih_l0, weight_hh_l0, ... as in PyTorch's state_dict; an nn.LSTMCell (weight_ih,\n"
          "weight_hh, ...) is run over the sequence" },
        { "--prefix", "TEXT", cli_take_text, &given->prefix,
          "what stands before these names in the file, as in \"encoder.lstm.\"" },
        { "--input", "FILE", cli_take_text, &given->input,
          "x [seq_len, batch, input_size], or unbatched [seq_len, input_size]" },
        { "--output", "FILE", cli_take_text, &given->output,
          "out [seq_len, batch, D*H_out] or [seq_len, D*H_out]; D is 2 if bidirectional, else 1" },
        { "--h0", "FILE", cli_take_text, &given->h0, "initial h [D*num_layers, batch, H_out]; default: zeros" },
        { "--c0", "FILE", cli_take_text, &given->c0, "initial c [D*num_layers, batch, hidden_size]; goes with --h0" },
        { "--hn", "FILE", cli_take_text, &given->hn, "final h is written there, shaped as h0" },
        { "--cn", "FILE", cli_take_text, &given->cn,
          "final c is written there, shaped as c0\n"
          "(h and c have no batch if unbatched, and no first dimension for an nn.LSTMCell)" },
        { "--lengths", "FILE", cli_take_text, &given->lengths,
          "[batch] integers, 1 to seq_len: as a PackedSequence with enforce_sorted=False" },
        { "--batch-first", NULL, cli_take_flag, &given->batch_first, "x and out are [batch, seq_len, ...]" },
        { "--threads", "N", take_threads, &given->threads,
          "default: WLSTM_NUM_THREADS, else OpenMP's, at most the CPU quota of its control group" },
        { "--dtype", "TYPE", take_dtype, given,
          "of the model and the arrays: f32, f64 or bf16; default: f64 for an F64 model, else f32" },
        { "--schedule", "NAME", take_schedule, &given->schedule,
          "auto, serial, wavefront or gangs: which thread does what; default: WLSTM_SCHEDULE, else auto" },
        { "--precision", "P", cli_take_precision, &given->precision,
          "what products multiply: full, bf16 or int8; default: WLSTM_PRECISION, else full" },
        { "--compare", "full", take_compare, &given->compare,
          "also run in full precision: how far the results are apart, and the seconds of both" },
        { "--compact", NULL, cli_take_flag, &given->compact,
          "keep packed weights alone: less memory, and no search; not with --compare" },
        { "--ranks", "WHAT", take_ranks, &given->ranks,
          "rows or layers: over the ranks that mpirun starts; files are the first rank's" },
        { "--effort", "EFFORT", take_effort, &given->effort,
          "how long to look for a fast plan: estimate, measure or patient" },
    };
    *given = (run_arguments){ .prefix = "" };
    const int wrong = cli_parse(argc, argv, options, sizeof options / sizeof options[0], usage, ending, finished);
    return wrong != 0 || *finished ? wrong : check_arguments(argc, argv, given);
}
