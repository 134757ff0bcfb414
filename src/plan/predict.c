#include "plan/predict.h"

#include "base/processor_caches.h"
#include <math.h>

/* Of a step that is not one of several in the kernel (kernels/few_tiles.h): the way there, and chains that nothing
 * else hides. */
static const double lone_step_seconds = 40e-9;

/* One cell under a choice: the steps of `rows` rows, on one of `threads` threads that each have one of `shares` of
 * its units, `sharers` of them the same one. */
typedef struct work {
    const wli_setting *setting;
    const wli_choice *choice;
    const wli_machine_model *machine;
    double rows, steps; /* of a part, of a chunk */
    double shares, threads, sharers;
} work;

/* Bytes a second of one of the threads, which all go through `bytes` again and again. What fits no L2 is in the L3
 * once for all who share it. */
static double bandwidth(const work *w, double bytes) {
    if (w->threads <= 1) return wli_rates_bandwidth(&w->machine->one, bytes);
    const bool fits = bytes < 0.8 * (double)wli_cache_sizes()[1];
    const double all = wli_rates_bandwidth(&w->machine->all, bytes * w->threads / (fits ? 1 : w->sharers));
    return all / (w->machine->all.threads > w->threads ? w->machine->all.threads : w->threads);
}

/* Arithmetic and reading overlap, not all of it. */
static double together(double compute, double reads) {
    return compute > reads ? compute + 0.25 * reads : reads + 0.25 * compute;
}

/* Of the thread that has most: threads share whole panels, of which one row takes a lone one in the time of one and
 * a half. */
static double own_units(const work *w, const wli_gate_layout *layout) {
    const double panels = (double)wli_all_panels(layout->columns, layout->lanes).end, own = ceil(panels / w->shares);
    const double lone = w->rows <= 1 && fmod(own, 2) != 0 ? 0.5 : 0;
    return fmin((double)layout->hidden_size, own * layout->lanes) + lone * layout->lanes;
}

/* Operations a second of one thread's product by a wli_gemm_kind, but for the seconds of each call. */
static double gemm_flops(const work *w, int64_t kind) {
    if (!wli_multipliers[kind]->in_panels) return w->machine->one.libraries[kind].flops;
    const wli_product product = wli_setting_product(w->setting);
    const double lanes = w->choice->native->lanes, widest = wli_native_get(product)->lanes;
    return wli_rates_flops(&w->machine->one, product) * lanes / widest;
}

static double call_seconds(const work *w, int64_t kind) {
    return wli_multipliers[kind]->in_panels ? 0 : w->machine->one.libraries[kind].call;
}

static bool steps_in_kernel(const work *w, const wli_cell_weights *cell, const wli_gate_layout *layout) {
    return w->shares <= 1 && !cell->proj_size && wli_multipliers[w->choice->step]->in_panels &&
           w->choice->native->few_tiles(layout, (int64_t)w->rows);
}

/* Seconds of one step, its part of the projection included. */
static double step_seconds(const work *w, const wli_cell_weights *cell) {
    const double element = (double)wli_real_size(w->setting->model->dtype), n = w->rows;
    const double weight = (double)wli_product_bytes(wli_setting_product(w->setting));
    const wli_gate_layout layout = wli_gate_layout_make(cell->hidden_size, w->choice->native->lanes);
    const double H = own_units(w, &layout), R = (double)cell->state_size, I = (double)cell->input_size;
    const double P = (double)cell->proj_size;
    const double lanes = w->choice->native->lanes, products = P > 0 ? 2 : 1;
    const double bytes = (4 * H * R + P * H) * weight, input_bytes = 4 * H * I * weight;
    const double step =
        together((8 * H * R + 2 * P * H) * n / gemm_flops(w, w->choice->step), bytes / bandwidth(w, bytes));
    /* A chunk's projection reads W_ih once. */
    const double project = together(8 * H * I * n / gemm_flops(w, w->choice->project),
                                    input_bytes / bandwidth(w, bytes + input_bytes) / w->steps);
    double seconds = project + step + n * H / lanes * wli_rates_cell(&w->machine->one, w->setting->model->dtype) +
                     lone_step_seconds / (steps_in_kernel(w, cell, &layout) ? w->steps : 1);
    /* G on its way through memory: written by the projection, read by the step, by a product apart from the step
     * once more. */
    const double gate_bytes = 4 * H * element * n, chunk_bytes = gate_bytes * w->steps;
    if (chunk_bytes > 0.8 * (double)wli_cache_sizes()[1]) seconds += 2 * gate_bytes / bandwidth(w, chunk_bytes);
    if (!wli_multipliers[w->choice->step]->in_panels) seconds += 2 * gate_bytes / bandwidth(w, gate_bytes);
    return seconds + products * call_seconds(w, w->choice->step) + call_seconds(w, w->choice->project) / w->steps;
}

static bool same_sizes(const wli_cell_weights *a, const wli_cell_weights *b) {
    return a->input_size == b->input_size && a->hidden_size == b->hidden_size && a->proj_size == b->proj_size;
}

/* A step of all layers and directions; cells like the one before take as long. */
static double stack_seconds(const work *w) {
    const wli_model *model = w->setting->model;
    double seconds = 0, one = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        if (i == 0 || !same_sizes(cell, cell - 1)) one = step_seconds(w, cell);
        seconds += one;
    }
    return seconds;
}

double wli_gang_barrier_seconds(double of_two, int64_t threads) {
    return threads > 1 ? of_two * (0.5 + 0.25 * (double)threads) : 0;
}

static int64_t ceil_divide(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/* Gangs of layers start one after the other, a chunk apart, and wait for each other once a chunk; a gang's threads
 * meet every step, twice with projection. */
static double gang_seconds(const work *w, int64_t steps) {
    const wli_model *model = w->setting->model;
    const wli_choice *choice = w->choice;
    const wli_rates *all = &w->machine->all;
    const int64_t L = model->num_layers, D = model->num_directions, T = w->setting->seq_len;
    const double barrier =
        wli_gang_barrier_seconds(all->barrier, (int64_t)w->shares) * (model->cells[0].proj_size ? 2 : 1);
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
    const double T = (double)setting->seq_len, parts = (double)choice->parts, N = (double)choice->threads;
    work w = { .setting = setting,
               .choice = choice,
               .machine = machine,
               .rows = (double)rows,
               .steps = (double)(steps > 1 ? steps : 1),
               .shares = 1,
               .threads = N,
               .sharers = parts < N ? parts : N };
    const double chunks = ceil(T / w.steps);
    switch (choice->schedule) {
    case WLI_GANG:
        w.shares = (double)wli_choice_shares(choice);
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
