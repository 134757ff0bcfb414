#include "plan/choice.h"

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

/* Seconds to read `bytes` of weights again and again, when `threads` do so at once with bytes of their own. */
static double read_seconds(double bytes, int threads) {
#if defined(_SC_LEVEL2_CACHE_SIZE)
    const double l2 = cache_bytes(_SC_LEVEL2_CACHE_SIZE, 512e3), l3 = cache_bytes(_SC_LEVEL3_CACHE_SIZE, 16e6);
#else
    const double l2 = cache_bytes(0, 512e3), l3 = cache_bytes(0, 16e6);
#endif
    if (bytes < 0.8 * l2) return bytes / l2_bandwidth;
    if (bytes * threads < 0.8 * l3) return bytes / l3_bandwidth;
    return bytes / memory_bandwidth * (threads > 4 ? threads / 4.0 : 1.0);
}

/* One step of `rows` rows of a cell on one of `threads` threads that each own 1/units of its units. */
static double step_seconds(const wli_model *model, const wli_cell_weights *cell, int64_t rows, int units, int threads) {
    const double element = (double)wli_dtype_size(model->dtype), n = (double)rows;
    const double H = (double)cell->hidden_size / units, R = (double)cell->state_size, I = (double)cell->input_size;
    const double flops = flops_f32 * 4 / element, bytes = 4 * H * R * element;
    const double compute = 8 * H * R * n / flops, reads = read_seconds(bytes, threads);
    const double project = 8 * H * I * n / flops, cell_vectors = n * H * element / 32;
    return project + (compute > reads ? compute : reads) + cell_vectors * cell_vector_seconds;
}

/* A step of all layers and directions. */
static double stack_seconds(const wli_model *model, int64_t rows, int units, int threads) {
    double seconds = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++)
        seconds += step_seconds(model, &model->cells[i], rows, units, threads);
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

wli_choice wli_choose(const wli_model *model, int64_t seq_len, int64_t batch, int threads) {
    const double T = (double)seq_len;
    const int64_t L = model->num_layers, D = model->num_directions, B = batch;
    wli_choice best = { WLI_SERIAL, 1, 1, 0, seq_len };
    double best_seconds = T * stack_seconds(model, B, 1, 1);
    if (threads > 1) {
        /* Parts of the batch and directions: as many threads as there are of both. */
        const int64_t parts = B * D < threads ? B : (threads + D - 1) / D < B ? (threads + D - 1) / D : B;
        const int busy = (int)(parts * D < threads ? parts * D : threads);
        const double items = (double)((parts * D + busy - 1) / busy);
        consider(&best, &best_seconds, (wli_choice){ WLI_PARTS, busy, parts, 0, seq_len },
                 T * stack_seconds(model, (B + parts - 1) / parts, 1, busy) / (double)D * items + region_seconds);
        if (model->cells[0].proj_size == 0)
            consider(&best, &best_seconds, (wli_choice){ WLI_GANG, threads, 1, 0, seq_len },
                     T * (stack_seconds(model, B, threads, threads) + (double)(L * D) * barrier_seconds) +
                         region_seconds);
        for (int64_t S = 1; D == 1 && L > 1 && S <= seq_len; S *= 2) {
            const double chunks = (double)((seq_len + S - 1) / S), lanes = (double)(L < threads ? L : threads);
            const double fill = (chunks + lanes - 1) / chunks;
            const double tasks = chunks * (double)L * task_seconds;
            consider(&best, &best_seconds, (wli_choice){ WLI_WAVEFRONT, (int)lanes, 1, 0, S },
                     T * stack_seconds(model, B, 1, (int)lanes) / lanes * fill + tasks + region_seconds);
        }
    }
    best.gate_rows = choose_gate_rows(model, seq_len, (B + best.parts - 1) / best.parts);
    return best;
}
