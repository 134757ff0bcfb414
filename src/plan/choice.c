#include "plan/choice.h"

#include "plan/predict.h"
#include <math.h>

/* A way that gains less than this is not worth other people's cores. */
static const double smallest_gain = 1.1;

/* What is weighed. */
typedef struct contest {
    const wli_setting *setting;
    const wli_machine_model *machine;
    wli_candidate best;
    double seconds;
    int64_t threads;
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

/* Half vectors for cells whose units fit one, if results stay the same: their gates fill three or four of them,
 * where whole ones hold two gates each, to be taken apart (finish.h). Not for several rows of so few units that two
 * rows' would fit: of them a whole one holds four. Of a compact model those that there are. */
static uint8_t choose_lanes(const wli_setting *setting) {
    const wli_product product = wli_setting_product(setting);
    if (setting->model->packed_lanes) {
        uint8_t index = 0;
        while (wli_native_at(product, index)->lanes != setting->model->packed_lanes) index++;
        return index;
    }
    if (!wli_native_rounds_alike(product, 1)) return 0;
    const int64_t H = wli_model_widest_hidden(setting->model), half = wli_native_at(product, 1)->lanes;
    return H <= half && (2 * H > half || setting->batch == 1);
}

/* Several threads must gain clearly; tasks, which go to whoever is free, over gangs too. */
static contest choose_schedule(const wli_setting *setting, const wli_machine_model *machine, wli_gemm_kind kind) {
    wli_candidate serial = { .index = { [WLI_AXIS_LANES] = choose_lanes(setting) } };
    serial.index[WLI_AXIS_PROJECT] = serial.index[WLI_AXIS_STEP] = (uint8_t)kind;
    wli_candidate tasks = serial;
    contest alone = { setting, machine, serial, INFINITY, 0 }, gangs = alone, fronts = alone;
    consider(&alone, &serial);
    if (setting->threads < 2) return alone;
    consider_gangs(&gangs);
    consider_fewer(&gangs);
    tasks.index[WLI_AXIS_SCHEDULE] = WLI_WAVEFRONT;
    consider_chunks(&fronts, tasks, true);
    const contest *best = gangs.seconds * smallest_gain < alone.seconds ? &gangs : &alone;
    return fronts.seconds * smallest_gain < best->seconds ? fronts : *best;
}

wli_candidate wli_choose_by(const wli_setting *setting, const wli_machine_model *machine, wli_gemm_kind kind) {
    return choose_schedule(setting, machine, kind).best;
}

/* oneDNN, and vectors narrower than the sizes ask for, are for those who measure, or ask for them; then inner
 * product, as fast as matmul or faster (docs/kernels.md), unless a share of the units, which it cannot have, gains
 * clearly. */
wli_candidate wli_choose(const wli_setting *setting, const wli_machine_model *machine) {
    if (setting->backend != WLSTM_BACKEND_ONEDNN) return wli_choose_by(setting, machine, WLI_GEMM_NATIVE);
    const contest whole = choose_schedule(setting, machine, WLI_GEMM_INNER_PRODUCT);
    const contest shared = choose_schedule(setting, machine, WLI_GEMM_MATMUL);
    return shared.seconds * smallest_gain < whole.seconds ? shared.best : whole.best;
}
