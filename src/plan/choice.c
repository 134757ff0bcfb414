#include "plan/choice.h"

#include "plan/fingerprint.h"
#include <math.h>

/* What rates do not say: a round figure of 2020s x86-64 servers. */
static const double onednn_call_seconds = 1.5e-6;
/* Of a step that is not one of several in the kernel (kernels/few_tiles.h): the way there, and chains that nothing else hides. */
static const double lone_step_seconds = 40e-9;

/* A way that gains less than this is not worth other people's cores. */
static const double smallest_gain = 1.1;

/* One cell under a choice: the steps of `rows` rows, on one of `threads` threads that each own 1/units of its units, `sharers` of
 * them the same ones. */
typedef struct work {
    const wli_setting *setting;
    const wli_choice *choice;
    const wli_machine_model *machine;
    double rows, steps; /* of a part, of a chunk */
    double units, threads, sharers;
} work;

/* Bytes a second of one of the threads, which all go through `bytes` again and again. What fits no L2 is in the L3 once for
 * all who share it. */
static double bandwidth(const work *w, double bytes) {
    if (w->threads <= 1) return wli_rates_bandwidth(&w->machine->one, bytes);
    const bool fits = bytes < 0.8 * (double)wli_fingerprint_get()->caches[1];
    const double all = wli_rates_bandwidth(&w->machine->all, bytes * w->threads / (fits ? 1 : w->sharers));
    return all / (w->machine->all.threads > w->threads ? w->machine->all.threads : w->threads);
}

/* Arithmetic and reading overlap, not all of it. */
static double together(double compute, double reads) {
    return compute > reads ? compute + 0.25 * reads : reads + 0.25 * compute;
}

/* Of the thread that has most: threads share whole panels, of which one row takes a lone one in the time of one and a half. */
static double own_units(const work *w, const wli_gate_layout *layout) {
    const double panels = (double)wli_all_panels(layout->columns, layout->lanes).end, own = ceil(panels / w->units);
    const double lone = w->rows <= 1 && fmod(own, 2) != 0 ? 0.5 : 0;
    return fmin((double)layout->hidden_size, own * layout->lanes) + lone * layout->lanes;
}

static bool steps_in_kernel(const work *w, const wli_cell_weights *cell, const wli_gate_layout *layout) {
    return w->units <= 1 && !cell->weight_hr && w->choice->step == WLI_GEMM_NATIVE &&
           w->choice->native->few_tiles(layout, (int64_t)w->rows);
}

/* Seconds of one step, its part of the projection included. */
static double step_seconds(const work *w, const wli_cell_weights *cell) {
    const double element = (double)wli_dtype_size(w->setting->model->dtype), n = w->rows;
    const wli_gate_layout layout = wli_gate_layout_make(cell->hidden_size, w->choice->native->lanes);
    const double H = own_units(w, &layout), R = (double)cell->state_size, I = (double)cell->input_size;
    const double P = (double)cell->proj_size;
    const double lanes = w->choice->native->lanes, widest = wli_native_at(w->setting->model->dtype, 0)->lanes;
    const double flops = wli_rates_flops(&w->machine->one, w->setting->model->dtype) * lanes / widest;
    const double bytes = (4 * H * R + P * H) * element, input_bytes = 4 * H * I * element;
    const double step = together((8 * H * R + 2 * P * H) * n / flops, bytes / bandwidth(w, bytes));
    /* A chunk's projection reads W_ih once. */
    const double project = together(8 * H * I * n / flops, input_bytes / bandwidth(w, bytes + input_bytes) / w->steps);
    double seconds = project + step + n * H / lanes * wli_rates_cell(&w->machine->one, w->setting->model->dtype) +
                     lone_step_seconds / (steps_in_kernel(w, cell, &layout) ? w->steps : 1);
    /* G on its way through memory: written by the projection, read by the step, by oneDNN once more. */
    const double gate_bytes = 4 * H * element * n, chunk_bytes = gate_bytes * w->steps;
    if (chunk_bytes > 0.8 * (double)wli_fingerprint_get()->caches[1])
        seconds += 2 * gate_bytes / bandwidth(w, chunk_bytes);
    if (w->choice->step != WLI_GEMM_NATIVE) seconds += onednn_call_seconds + 2 * gate_bytes / bandwidth(w, gate_bytes);
    if (w->choice->project != WLI_GEMM_NATIVE) seconds += onednn_call_seconds / w->steps;
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

double wli_gang_barrier_seconds(double of_two, int64_t threads) {
    return threads > 1 ? of_two * (0.5 + 0.25 * (double)threads) : 0;
}

static int64_t ceil_divide(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Gangs of layers start one after the other, a chunk apart, and wait for each other once a chunk; a gang's threads meet every
 * step, twice with projection. */
static double gang_seconds(const work *w, int64_t steps) {
    const wli_model *model = w->setting->model;
    const wli_choice *choice = w->choice;
    const wli_rates *all = &w->machine->all;
    const int64_t L = model->num_layers, D = model->num_directions, T = w->setting->seq_len;
    const double barrier =
        wli_gang_barrier_seconds(all->barrier, (int64_t)w->units) * (model->cells[0].proj_size ? 2 : 1);
    const double cell = stack_seconds(w) / (double)(L * D) + barrier;
    const double own = (double)(ceil_divide(L, choice->gang_layers) * ceil_divide(D, choice->gang_directions));
    const double waits = choice->gang_layers > 1 || D > choice->gang_directions || choice->gang_directions > 1
                             ? (double)ceil_divide(T, steps) * own * all->barrier
                             : 0;
    return ((double)T * own + (double)((choice->gang_layers - 1) * steps)) * cell + waits + all->region;
}

double wli_predict(const wli_setting *setting, const wli_choice *choice, const wli_machine_model *machine) {
    const int64_t rows = ceil_divide(setting->batch, choice->parts), fit = choice->gate_rows / rows;
    const int64_t most = fit < choice->chunk_steps ? fit : choice->chunk_steps;
    const int64_t steps = most < setting->seq_len ? most : setting->seq_len; /* the search times part of a sequence */
    const double cells = (double)(setting->model->num_layers * setting->model->num_directions);
    const double T = (double)setting->seq_len, parts = (double)choice->parts, N = choice->threads;
    work w = { .setting = setting,
               .choice = choice,
               .machine = machine,
               .rows = (double)rows,
               .steps = (double)(steps > 1 ? steps : 1),
               .units = 1,
               .threads = N,
               .sharers = parts < N ? parts : N };
    const double chunks = ceil(T / w.steps);
    switch (choice->schedule) {
    case WLI_GANG:
        w.units = N / (double)(choice->gang_layers * choice->gang_directions * choice->parts);
        return gang_seconds(&w, (int64_t)w.steps);
    case WLI_WAVEFRONT: {
        /* N threads wide, narrower at its ends; two directions stay as wide as they are. */
        const double fill = setting->model->num_directions == 2 ? 1 : (chunks + ceil(N / parts) - 1) / chunks;
        const double meetings = chunks * cells * parts * machine->all.task + machine->all.region;
        return T * stack_seconds(&w) * parts / N * fill + meetings;
    }
    default:
        return T * stack_seconds(&w) * parts;
    }
}

/* Whether layers that each could stay in the last cache push each other out of it, so that every chunk fetches them from memory. */
static bool layers_compete(const wli_model *model) {
    const double cache = 0.5 * (double)wli_fingerprint_get()->caches[2]; /* programs beside this one have their part */
    double all = 0, largest = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        const double bytes = 4 * (double)cell->hidden_size * (double)(cell->input_size + cell->state_size) *
                             (double)wli_dtype_size(model->dtype);
        all += bytes;
        if (bytes > largest) largest = bytes;
    }
    return largest < cache && all >= cache;
}

/* The largest hidden_size of the layers. */
static int64_t widest_hidden(const wli_model *model) {
    int64_t widest = 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size > widest) widest = wli_model_cell(model, l, 0)->hidden_size;
    return widest;
}

/* G of a chunk should stay in the L2 beside the panel in use, yet have rows enough that the weights' way from further out is
 * shared by many. From memory a byte takes a wide core (Zen 5) as long as some 6 operations: 384 rows keep that to a
 * few percent. Another (Zen 4) it takes half as many, and what prefetches bring meanwhile hides it from 128 rows on. */
int64_t wli_choose_gate_rows(const wli_model *model, int64_t part_rows) {
    const bool from_memory = layers_compete(model);
    const int64_t gate_bytes = from_memory ? 4 << 20 : 256 << 10, fewest_rows = 48;
    const int64_t enough_rows = wli_wide_core() ? 384 : 128;
    int64_t rows = gate_bytes / (4 * widest_hidden(model) * (int64_t)wli_dtype_size(model->dtype));
    if (rows < fewest_rows) rows = fewest_rows;
    if (from_memory && rows > enough_rows) rows = enough_rows;
    return rows < part_rows ? part_rows : rows;
}

/* What is weighed. */
typedef struct contest {
    const wli_setting *setting;
    const wli_machine_model *machine;
    wli_candidate best;
    double seconds;
    int threads;
} contest;

/* A legal way takes the best one's place if it is faster, or as fast with fewer threads. */
static void consider(contest *c, const wli_candidate *way) {
    if (!wli_candidate_legal(c->setting, way)) return;
    const wli_choice choice = wli_candidate_resolve(c->setting, way);
    const double seconds = wli_predict(c->setting, &choice, c->machine);
    if (seconds < c->seconds || (seconds <= c->seconds && choice.threads < c->threads))
        c->best = *way, c->seconds = seconds, c->threads = choice.threads;
}

/* The way with each chunk, if chunks are what others wait for. */
static void consider_chunks(contest *c, wli_candidate way, bool waited_for) {
    const int count = waited_for ? wli_axes[WLI_AXIS_CHUNK_STEPS].count : 1;
    for (int i = 0; i < count; i++) {
        way.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)i;
        if (i > 1 && wli_axes[WLI_AXIS_CHUNK_STEPS].numbers[i - 1] >= c->setting->seq_len) break;
        consider(c, &way);
    }
}

/* All gangs: layers x directions x parts of the batch, the units sharing what is left. */
static void consider_gangs(contest *c) {
    wli_candidate way = c->best;
    way.index[WLI_AXIS_SCHEDULE] = WLI_GANG;
    for (int l = 0; l < wli_axes[WLI_AXIS_GANG_LAYERS].count; l++)
        for (int d = 0; d < wli_axes[WLI_AXIS_GANG_DIRECTIONS].count; d++)
            for (int p = 0; p < wli_axes[WLI_AXIS_PARTS].count; p++) {
                way.index[WLI_AXIS_GANG_LAYERS] = (uint8_t)l, way.index[WLI_AXIS_GANG_DIRECTIONS] = (uint8_t)d;
                way.index[WLI_AXIS_PARTS] = (uint8_t)p, way.index[WLI_AXIS_CHUNK_STEPS] = 0;
                consider_chunks(c, way, l > 0);
            }
}

/* The best of them with a part of the threads: shares of a step may cost more than they save. */
static void consider_fewer(contest *c) {
    const wli_candidate best = c->best;
    for (int i = 1; i < wli_axes[WLI_AXIS_THREADS].count; i++) {
        wli_candidate way = best;
        way.index[WLI_AXIS_THREADS] = (uint8_t)i;
        consider(c, &way);
    }
}

/* Half of the widest vectors where a cell's units fill more than half of one, but no more than one, and results stay the same: its gates
 * are then a vector each or nearly so, where a whole one holds those of two gates, to be taken apart (layout.h). Where fewer units are
 * several rows', a whole vector holds the cells of more of them (finish.h). */
static uint8_t choose_lanes(const wli_setting *setting) {
    if (!wli_native_rounds_alike(1)) return 0;
    const int64_t H = widest_hidden(setting->model), half = wli_native_at(setting->model->dtype, 1)->lanes;
    return H <= half && (2 * H > half || setting->batch == 1);
}

/* oneDNN, and vectors narrower than the sizes ask for, are for those who measure, or ask for them; then inner product, about as fast
 * as matmul with AVX-512 and up to twice as fast with AVX2 (docs/architecture.md). Several threads must gain clearly; tasks, which
 * go to whoever is free, over gangs too. */
wli_candidate wli_choose(const wli_setting *setting, const wli_machine_model *machine) {
    wli_candidate serial = { .index = { [WLI_AXIS_LANES] = choose_lanes(setting) } }, tasks = serial;
    if (setting->backend == WLSTM_BACKEND_ONEDNN)
        serial.index[WLI_AXIS_PROJECT] = serial.index[WLI_AXIS_STEP] = WLI_GEMM_INNER_PRODUCT;
    if (setting->threads < 2 || setting->backend == WLSTM_BACKEND_ONEDNN) return serial;
    contest alone = { setting, machine, serial, INFINITY, 0 }, gangs = alone, fronts = alone;
    consider(&alone, &serial);
    consider_gangs(&gangs);
    consider_fewer(&gangs);
    tasks.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT;
    consider_chunks(&fronts, tasks, true);
    const contest *best = gangs.seconds * smallest_gain < alone.seconds ? &gangs : &alone;
    return fronts.seconds * smallest_gain < best->seconds ? fronts.best : best->best;
}
