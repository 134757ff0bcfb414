#include "plan/choice.h"

#include "plan/gangs.h"
#include <unistd.h>

/* What the model knows of a core, in seconds, bytes and operations: round figures of 2020s x86-64 servers. Only their ratios matter, as the
 * model compares ways to do the same work. */
static const double flops_f32 = 90e9, l2_bandwidth = 100e9, l3_bandwidth = 60e9, memory_bandwidth = 25e9;
static const double cell_vector_seconds = 18e-9; /* the cell's arithmetic on one vector of 32 bytes */
static const double region_seconds = 4e-6, task_seconds = 1.5e-6, barrier_seconds = 0.4e-6;

/* A way that gains less than this is not worth other people's cores. */
static const double smallest_gain = 1.1;

static double cache_bytes(int name, double otherwise) {
#if defined(_SC_LEVEL2_CACHE_SIZE)
    long bytes = sysconf(name);
    if (bytes > 0) return (double)bytes;
#endif
    (void)name;
    return otherwise;
}

/* A model on a machine. */
typedef struct setting {
    const wli_model *model;
    double l2, l3;
} setting;

static setting make_setting(const wli_model *model) {
#if defined(_SC_LEVEL2_CACHE_SIZE)
    return (setting){ model, cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512e3), cache_bytes(_SC_LEVEL3_CACHE_SIZE, 16e6) };
#else
    return (setting){ model, cache_bytes(0, 512e3), cache_bytes(0, 16e6) };
#endif
}

/* Seconds to read `bytes` of weights again and again, when `threads` do so at once, `sharers` of them the same bytes. */
static double read_seconds(const setting *on, double bytes, int64_t threads, int64_t sharers) {
    if (bytes < 0.8 * on->l2) return bytes / l2_bandwidth;
    if (bytes * (double)threads / (double)sharers < 0.8 * on->l3) return bytes / l3_bandwidth;
    return bytes / memory_bandwidth * (threads > 4 ? (double)threads / 4.0 : 1.0);
}

/* Arithmetic and reading overlap, not all of it. */
static double together(double compute, double reads) {
    return compute > reads ? compute + 0.25 * reads : reads + 0.25 * compute;
}

/* One step of `rows` rows of a cell, projected `steps` at once, on one of `threads` threads that each own 1/units of its units. */
static double step_seconds(const setting *on, const wli_cell_weights *cell, int64_t rows, int64_t steps, int64_t units,
                           int64_t parts, int64_t threads) {
    const double element = (double)wli_dtype_size(on->model->dtype), n = (double)rows;
    const double H = (double)cell->hidden_size / (double)units, R = (double)cell->state_size;
    const double I = (double)cell->input_size, P = (double)cell->proj_size;
    const double flops = flops_f32 * 4 / element, input_bytes = 4 * H * I * element,
                 bytes = (4 * H * R + P * H) * element;
    const double project = together(8 * H * I * n / flops, read_seconds(on, input_bytes + bytes, threads, parts) *
                                                               input_bytes / (input_bytes + bytes) / (double)steps);
    const double step = together((8 * H * R + 2 * P * H) * n / flops, read_seconds(on, bytes, threads, parts));
    return project + step + n * H * element / 32 * cell_vector_seconds;
}

/* A step of all layers and directions. */
static double stack_seconds(const void *context, int64_t rows, int64_t steps, int64_t units, int64_t parts,
                            int64_t threads) {
    const setting *on = context;
    double seconds = 0;
    for (int64_t i = 0; i < on->model->num_layers * on->model->num_directions; i++)
        seconds += step_seconds(on, &on->model->cells[i], rows, steps, units, parts, threads);
    return seconds;
}

/* G of a chunk should stay in the L2 beside the panel in use, yet have rows enough that the weights' way from further out is shared
 * by many. */
static int64_t choose_gate_rows(const wli_model *model, int64_t seq_len, int64_t part_rows) {
    const int64_t gate_bytes = 256 << 10, fewest_rows = 48;
    int64_t widest = 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size > widest) widest = wli_model_cell(model, l, 0)->hidden_size;
    int64_t rows = gate_bytes / (4 * widest * (int64_t)wli_dtype_size(model->dtype));
    if (rows < fewest_rows) rows = fewest_rows;
    rows = rows / part_rows * part_rows; /* whole steps */
    if (rows < part_rows) rows = part_rows;
    return rows < seq_len * part_rows ? rows : seq_len * part_rows;
}

/* Where a way is faster than the best so far, it takes its place. */
static void consider(wli_choice *best, double *best_seconds, wli_choice way, double seconds) {
    if (seconds * smallest_gain < *best_seconds) *best = way, *best_seconds = seconds;
}

/* A slice of a narrower cell is not worth a thread: panels of 4 * 16 columns, AVX-512's. */
static int64_t most_units(const wli_model *model) {
    int64_t narrowest = model->cells[0].hidden_size;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size < narrowest) narrowest = wli_model_cell(model, l, 0)->hidden_size;
    return narrowest < 16 ? 1 : narrowest / 16;
}

wli_choice wli_choose(const wli_model *model, int64_t seq_len, int64_t batch, int threads) {
    const double T = (double)seq_len;
    const int64_t L = model->num_layers, D = model->num_directions, B = batch;
    const setting on = make_setting(model);
    wli_choice best = { .schedule = WLI_SERIAL, .threads = 1, .parts = 1, .chunk_steps = seq_len };
    double best_seconds = T * stack_seconds(&on, B, seq_len, 1, 1, 1);
    if (threads > 1) {
        const wli_gangs gangs = wli_best_gangs(&(wli_gangs_problem){ .seq_len = seq_len,
                                                                     .batch = B,
                                                                     .layers = L,
                                                                     .directions = (int)D,
                                                                     .threads = threads,
                                                                     .most_units = most_units(model),
                                                                     .projects = model->cells[0].proj_size > 0,
                                                                     .barrier_seconds = barrier_seconds,
                                                                     .region_seconds = region_seconds,
                                                                     .stack_seconds = stack_seconds,
                                                                     .context = &on });
        consider(&best, &best_seconds,
                 (wli_choice){ .schedule = WLI_GANG,
                               .threads = (int)(gangs.layers * gangs.directions * gangs.parts * gangs.units),
                               .parts = gangs.parts,
                               .chunk_steps = gangs.chunk_steps,
                               .gang_layers = gangs.layers,
                               .gang_directions = gangs.directions },
                 gangs.seconds);
        /* Tasks go to whoever is free, which serves where the layers do not divide among the threads. */
        for (int64_t S = 1; D == 1 && L > 1 && S <= seq_len; S *= 2) {
            const double chunks = (double)((seq_len + S - 1) / S), lanes = (double)(L < threads ? L : threads);
            const double fill = (chunks + lanes - 1) / chunks;
            const double tasks = chunks * (double)L * task_seconds;
            consider(&best, &best_seconds,
                     (wli_choice){ .schedule = WLI_WAVEFRONT, .threads = (int)lanes, .parts = 1, .chunk_steps = S },
                     T * stack_seconds(&on, B, S, 1, 1, (int64_t)lanes) / lanes * fill + tasks + region_seconds);
        }
    }
    best.gate_rows = choose_gate_rows(model, seq_len, (B + best.parts - 1) / best.parts);
    return best;
}
