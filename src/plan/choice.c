#include "plan/choice.h"

#include "plan/fingerprint.h"
#include <math.h>

/* What rates do not say, in seconds: round figures of 2020s x86-64 servers. */
static const double cell_vector_seconds = 18e-9; /* the cell's arithmetic on one vector of 32 bytes */
static const double region_seconds = 4e-6, task_seconds = 1.5e-6, barrier_seconds = 0.4e-6;
static const double onednn_call_seconds = 1.5e-6;

/* A way that gains less than this is not worth other people's cores. */
static const double smallest_gain = 1.1;

/* Bytes a second of one of `threads` threads that each go through `bytes` of their own again and again. */
static double bandwidth(const wli_machine_model *machine, double bytes, int threads) {
    if (threads <= 1) return wli_rates_bandwidth(&machine->one, bytes);
    const double all = wli_rates_bandwidth(&machine->all, bytes * threads);
    return all / (machine->all.threads > threads ? machine->all.threads : threads);
}

/* One cell under a choice: the steps of `rows` rows, on one of `threads` threads that each own 1/units of its units. */
typedef struct work {
    const wli_setting *setting;
    const wli_choice *choice;
    const wli_machine_model *machine;
    double rows, steps; /* of a part, of a chunk */
    double units;
    int threads;
} work;

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* Seconds of one step, its part of the projection included. */
static double step_seconds(const work *w, const wli_cell_weights *cell) {
    const double element = (double)wli_dtype_size(w->setting->model->dtype), n = w->rows;
    const double H = (double)cell->hidden_size / w->units, R = (double)cell->state_size, I = (double)cell->input_size;
    const double lanes = w->choice->native->lanes, widest = wli_native_at(w->setting->model->dtype, 0)->lanes;
    const double flops = wli_rates_flops(&w->machine->one, w->setting->model->dtype) * lanes / widest;
    const double bytes = 4 * H * R * element, input_bytes = 4 * H * I * element;
    const double step = larger(8 * H * R * n / flops, bytes / bandwidth(w->machine, bytes, w->threads));
    /* A chunk's projection reads W_ih once. */
    const double project =
        larger(8 * H * I * n / flops, input_bytes / bandwidth(w->machine, bytes + input_bytes, w->threads) / w->steps);
    double seconds = project + step + n * H / lanes * cell_vector_seconds;
    /* G on its way through memory: written by the projection, read by the step, by oneDNN once more. */
    const double gate_bytes = 4 * H * element * n, chunk_bytes = gate_bytes * w->steps;
    if (chunk_bytes > 0.8 * (double)wli_fingerprint_get()->caches[1])
        seconds += 2 * gate_bytes / bandwidth(w->machine, chunk_bytes, w->threads);
    if (w->choice->step == WLI_GEMM_ONEDNN)
        seconds += onednn_call_seconds + 2 * gate_bytes / bandwidth(w->machine, gate_bytes, 1);
    if (w->choice->project == WLI_GEMM_ONEDNN) seconds += onednn_call_seconds / w->steps;
    return seconds;
}

/* A step of all layers and directions. */
static double stack_seconds(const work *w) {
    const wli_model *model = w->setting->model;
    double seconds = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++)
        seconds += step_seconds(w, &model->cells[i]);
    return seconds;
}

double wli_predict(const wli_setting *setting, const wli_choice *choice, const wli_machine_model *machine) {
    const double T = (double)setting->seq_len, L = (double)setting->model->num_layers;
    const double D = (double)setting->model->num_directions, parts = (double)choice->parts, N = choice->threads;
    work w = { setting, choice, machine, ceil((double)setting->batch / parts), 0, 1, choice->threads };
    w.steps = (double)choice->gate_rows / w.rows;
    if (w.steps > (double)choice->chunk_steps) w.steps = (double)choice->chunk_steps;
    if (w.steps < 1) w.steps = 1;
    const double chunks = ceil(T / w.steps);
    switch (choice->schedule) {
    case WLI_PARTS:
        return T * stack_seconds(&w) / D * ceil(parts * D / N) + region_seconds * (D > 1 ? L : 1);
    case WLI_GANG:
        w.units = N;
        return T * (stack_seconds(&w) + L * D * barrier_seconds) + region_seconds;
    case WLI_WAVEFRONT: {
        /* N threads wide, narrower at its ends. */
        const double fill = (chunks + ceil(N / parts) - 1) / chunks;
        return T * stack_seconds(&w) * parts / N * fill + chunks * L * parts * task_seconds + region_seconds;
    }
    default:
        return T * stack_seconds(&w) * parts;
    }
}

/* G of a chunk should stay in the L2 beside the panel in use, yet have rows enough that the weights' way from further out is
 * shared by many. */
int64_t wli_choose_gate_rows(const wli_model *model, int64_t part_rows) {
    const int64_t gate_bytes = 256 << 10, fewest_rows = 48;
    int64_t widest = 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size > widest) widest = wli_model_cell(model, l, 0)->hidden_size;
    int64_t rows = gate_bytes / (4 * widest * (int64_t)wli_dtype_size(model->dtype));
    if (rows < fewest_rows) rows = fewest_rows;
    return rows < part_rows ? part_rows : rows;
}

/* Where a way is faster than the best so far, it takes its place. */
static void consider(const wli_setting *setting, const wli_machine_model *machine, wli_candidate way,
                     wli_candidate *best, double *best_seconds) {
    if (!wli_candidate_legal(setting, &way)) return;
    const wli_choice choice = wli_candidate_resolve(setting, &way);
    const double seconds = wli_predict(setting, &choice, machine);
    if (seconds * smallest_gain < *best_seconds) *best = way, *best_seconds = seconds;
}

/* oneDNN and narrower vectors are for those who measure, or ask for them. */
wli_candidate wli_choose(const wli_setting *setting, const wli_machine_model *machine) {
    wli_candidate best = { { 0 } }, way = best;
    if (setting->backend == WLSTM_BACKEND_ONEDNN)
        best.index[WLI_AXIS_PROJECT] = best.index[WLI_AXIS_STEP] = WLI_GEMM_ONEDNN;
    if (setting->threads < 2 || setting->backend == WLSTM_BACKEND_ONEDNN) return best;
    const wli_choice serial = wli_candidate_resolve(setting, &best);
    double best_seconds = wli_predict(setting, &serial, machine);
    way.index[WLI_AXIS_SCHEDULE] = WLI_PARTS;
    consider(setting, machine, way, &best, &best_seconds);
    way.index[WLI_AXIS_SCHEDULE] = WLI_GANG;
    consider(setting, machine, way, &best, &best_seconds);
    way.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT;
    for (int i = 0; i < wli_axes[WLI_AXIS_CHUNK_STEPS].count; i++) {
        way.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)i;
        consider(setting, machine, way, &best, &best_seconds);
    }
    return best;
}
