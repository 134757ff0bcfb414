#include "plan/axes.h"

#include "base/hash.h"
#include "plan/gate_rows.h"
#include "plan/scratch.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const schedules[] = { "serial", "wavefront", "gangs" };
static const char *const lanes[] = { "widest", "half", "quarter" };
static const char *const sweeps[] = { "back and forth", "one way" };
static const char *const pages[] = { "huge", "small" };
/* Ladders; 0: one gang for all layers, and for both directions; as many parts as gangs have threads, otherwise one; all steps,
 * the model's number of rows, all threads. */
static const int64_t gang_layers[] = { 0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128 };
static const int64_t gang_directions[] = { 0, 2 };
static const int64_t parts[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };
static const int64_t chunk_steps[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };
static const int64_t gate_rows[] = { 0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096 };
static const int64_t thread_shares[] = { 0, 2, 4, 8, 16, 32 }; /* one in so many */

static wli_schedule schedule_of(const wli_candidate *candidate) {
    return (wli_schedule)candidate->index[WLI_AXIS_SCHEDULE];
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t at_least_one(int64_t value) {
    return value > 0 ? value : 1;
}

static int64_t threads_of(const wli_setting *setting, const wli_candidate *candidate) {
    return setting->threads / at_least_one(thread_shares[candidate->index[WLI_AXIS_THREADS]]);
}

static int64_t layers_of(const wli_candidate *candidate) {
    return at_least_one(gang_layers[candidate->index[WLI_AXIS_GANG_LAYERS]]);
}

static int64_t directions_of(const wli_candidate *candidate) {
    return at_least_one(gang_directions[candidate->index[WLI_AXIS_GANG_DIRECTIONS]]);
}

static bool legal_schedule(const wli_setting *setting, const wli_candidate *candidate) {
    const wli_model *model = setting->model;
    if (schedule_of(candidate) == WLI_SERIAL) return true;
    /* A oneDNN gemm's memory objects serve one thread. */
    if (setting->threads < 2 || setting->backend == WLSTM_BACKEND_ONEDNN) return false;
    return schedule_of(candidate) == WLI_GANG || model->num_layers * model->num_directions > 1;
}

static bool legal_threads(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t share = thread_shares[candidate->index[WLI_AXIS_THREADS]];
    return share == 0 || (schedule_of(candidate) != WLI_SERIAL && setting->threads / share >= 2);
}

/* Gangs of layers need one direction: with two a layer waits for all of the one below. */
static bool legal_gang_layers(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t layers = layers_of(candidate);
    return layers == 1 || (schedule_of(candidate) == WLI_GANG && setting->model->num_directions == 1 &&
                           layers <= setting->model->num_layers && layers <= threads_of(setting, candidate));
}

static bool legal_gang_directions(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t directions = directions_of(candidate);
    return directions == 1 || (schedule_of(candidate) == WLI_GANG && setting->model->num_directions == directions &&
                               layers_of(candidate) * directions <= threads_of(setting, candidate));
}

static bool legal_parts(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t value = at_least_one(parts[candidate->index[WLI_AXIS_PARTS]]);
    const int64_t gangs = layers_of(candidate) * directions_of(candidate) * value;
    return value <= setting->batch && (schedule_of(candidate) != WLI_GANG || gangs <= threads_of(setting, candidate));
}

static bool legal_always(const wli_setting *setting, const wli_candidate *candidate) {
    (void)setting, (void)candidate;
    return true;
}

static bool legal_backend(const wli_setting *setting, const wli_candidate *candidate, wli_gemm_kind kind) {
    if (kind == WLI_GEMM_NATIVE) return setting->backend != WLSTM_BACKEND_ONEDNN;
    char version[WLI_ONEDNN_VERSION_BYTES];
    wli_onednn_version(version);
    return version[0] && setting->backend != WLSTM_BACKEND_NATIVE && !setting->deterministic &&
           setting->model->dtype == WLSTM_F32 && schedule_of(candidate) == WLI_SERIAL;
}

static bool legal_project(const wli_setting *setting, const wli_candidate *candidate) {
    return legal_backend(setting, candidate, (wli_gemm_kind)candidate->index[WLI_AXIS_PROJECT]);
}

static bool legal_step(const wli_setting *setting, const wli_candidate *candidate) {
    return legal_backend(setting, candidate, (wli_gemm_kind)candidate->index[WLI_AXIS_STEP]);
}

/* Narrower vectors may round otherwise. */
static bool legal_lanes(const wli_setting *setting, const wli_candidate *candidate) {
    const int index = candidate->index[WLI_AXIS_LANES];
    return wli_native_at(setting->model->dtype, index) && (!setting->deterministic || wli_native_rounds_alike(index));
}

/* Only blocks of 2 MiB have huge pages to lose. */
static bool legal_pages(const wli_setting *setting, const wli_candidate *candidate) {
    const double huge_page = 2 << 20;
    if (candidate->index[WLI_AXIS_PAGES] == 0) return true;
    for (int64_t i = 0; i < setting->model->num_layers * setting->model->num_directions; i++) {
        const wli_cell_weights *cell = &setting->model->cells[i];
        const double widest = (double)(cell->input_size > cell->state_size ? cell->input_size : cell->state_size);
        if (4 * (double)cell->hidden_size * widest * (double)wli_dtype_size(setting->model->dtype) >= huge_page)
            return true;
    }
    return false;
}

const wli_axis wli_axes[WLI_AXES] = {
    [WLI_AXIS_SCHEDULE] = { "schedule", COUNT(schedules), schedules, NULL, legal_schedule },
    [WLI_AXIS_THREADS] = { "thread_share", COUNT(thread_shares), NULL, thread_shares, legal_threads },
    [WLI_AXIS_GANG_LAYERS] = { "gang_layers", COUNT(gang_layers), NULL, gang_layers, legal_gang_layers },
    [WLI_AXIS_GANG_DIRECTIONS] = { "gang_directions", COUNT(gang_directions), NULL, gang_directions,
                                   legal_gang_directions },
    [WLI_AXIS_PARTS] = { "parts", COUNT(parts), NULL, parts, legal_parts },
    [WLI_AXIS_CHUNK_STEPS] = { "chunk_steps", COUNT(chunk_steps), NULL, chunk_steps, legal_always },
    [WLI_AXIS_GATE_ROWS] = { "gate_rows", COUNT(gate_rows), NULL, gate_rows, legal_always },
    [WLI_AXIS_PROJECT] = { "project", WLI_GEMM_KINDS, wli_gemm_names, NULL, legal_project },
    [WLI_AXIS_STEP] = { "step", WLI_GEMM_KINDS, wli_gemm_names, NULL, legal_step },
    [WLI_AXIS_LANES] = { "lanes", COUNT(lanes), lanes, NULL, legal_lanes },
    [WLI_AXIS_SWEEP] = { "sweep", COUNT(sweeps), sweeps, NULL, legal_always },
    [WLI_AXIS_PAGES] = { "pages", COUNT(pages), pages, NULL, legal_pages },
};

/* The value's name, in words or a number. */
static void print_value(const wli_axis *axis, int index, char text[32]) {
    if (axis->words)
        snprintf(text, 32, "%s", axis->words[index]);
    else
        snprintf(text, 32, "%" PRId64, axis->numbers[index]);
}

uint64_t wli_axes_hash(void) {
    uint64_t hash = WLI_HASH_START;
    char value[32];
    for (int a = 0; a < WLI_AXES; a++) {
        hash = wli_hash_text(hash, wli_axes[a].name);
        for (int i = 0; i < wli_axes[a].count; i++) {
            print_value(&wli_axes[a], i, value);
            hash = wli_hash_text(wli_hash_text(hash, ","), value);
        }
    }
    return hash;
}

bool wli_candidate_legal(const wli_setting *setting, const wli_candidate *candidate) {
    for (int a = 0; a < WLI_AXES; a++)
        if (candidate->index[a] >= wli_axes[a].count || !wli_axes[a].legal(setting, candidate)) return false;
    const wli_choice choice = wli_candidate_resolve(setting, candidate);
    return wli_scratch_in_proportion(setting, &choice);
}

/* A slice of a narrower cell is not worth a thread: 16 units, AVX-512's. */
static int64_t most_units(const wli_model *model) {
    int64_t narrowest = model->cells[0].hidden_size;
    for (int64_t l = 0; l < model->num_layers; l++)
        narrowest = smaller(narrowest, wli_model_cell(model, l, 0)->hidden_size);
    return at_least_one(narrowest / 16);
}

/* A gang's threads, by what they share: what layers, directions and parts leave goes to the units. */
static void resolve_gangs(const wli_setting *setting, const wli_candidate *candidate, int64_t threads,
                          wli_choice *choice) {
    choice->gang_layers = layers_of(candidate), choice->gang_directions = directions_of(candidate);
    const int64_t left = threads / (choice->gang_layers * choice->gang_directions);
    if (candidate->index[WLI_AXIS_PARTS] == 0) choice->parts = smaller(left, setting->batch);
    const int64_t units = smaller(left / choice->parts, most_units(setting->model));
    choice->threads = (int)(choice->gang_layers * choice->gang_directions * choice->parts * units);
    if (choice->threads == 1) choice->schedule = WLI_SERIAL;
}

wli_choice wli_candidate_resolve(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t B = setting->batch, T = setting->seq_len;
    /* Layers overlap, but for those of two directions, whose first chunk waits for the last one of the layer below. */
    const int64_t wide = setting->model->num_directions == 2 ? 2 : setting->model->num_layers;
    const int64_t given_steps = chunk_steps[candidate->index[WLI_AXIS_CHUNK_STEPS]];
    const int64_t given_rows = gate_rows[candidate->index[WLI_AXIS_GATE_ROWS]];
    const int64_t threads = threads_of(setting, candidate);
    wli_choice choice = { .project = (wli_gemm_kind)candidate->index[WLI_AXIS_PROJECT],
                          .step = (wli_gemm_kind)candidate->index[WLI_AXIS_STEP],
                          .native = wli_native_at(setting->model->dtype, candidate->index[WLI_AXIS_LANES]),
                          .schedule = schedule_of(candidate),
                          .threads = 1,
                          .parts = at_least_one(parts[candidate->index[WLI_AXIS_PARTS]]),
                          .gang_layers = 1,
                          .gang_directions = 1,
                          .one_way = candidate->index[WLI_AXIS_SWEEP] == 1,
                          .small_pages = candidate->index[WLI_AXIS_PAGES] == 1 };
    if (choice.schedule == WLI_WAVEFRONT) choice.threads = (int)smaller(choice.parts * wide, threads);
    if (choice.schedule == WLI_GANG) resolve_gangs(setting, candidate, threads, &choice);
    choice.chunk_steps = given_steps ? smaller(given_steps, T) : T;
    /* Whole steps of a part's rows. */
    const int64_t part_rows = (B + choice.parts - 1) / choice.parts;
    const int64_t rows = given_rows ? given_rows : wli_choose_gate_rows(setting->model, part_rows);
    choice.gate_rows = part_rows * (rows < part_rows ? 1 : smaller(rows / part_rows, T));
    return choice;
}

wli_sequence_spec wli_choice_spec(const wli_setting *setting, const wli_choice *choice, const wli_cell_kernels *cells) {
    return (wli_sequence_spec){ .model = setting->model,
                                .cells = cells,
                                .max_seq_len = setting->seq_len,
                                .max_batch = setting->batch,
                                .schedule = choice->schedule,
                                .threads = choice->threads,
                                .parts = choice->parts,
                                .gang_layers = choice->gang_layers,
                                .gang_directions = choice->gang_directions,
                                .gate_rows = choice->gate_rows,
                                .chunk_steps = choice->chunk_steps,
                                .one_way = choice->one_way };
}

/* The most steps of a chunk, whichever of the two limits it. */
static int64_t effective_steps(const wli_setting *setting, const wli_choice *choice) {
    const int64_t part_rows = (setting->batch + choice->parts - 1) / choice->parts;
    return smaller(choice->chunk_steps, choice->gate_rows / part_rows);
}

bool wli_choice_equal(const wli_setting *setting, const wli_choice *a, const wli_choice *b) {
    return a->project == b->project && a->step == b->step && a->native == b->native && a->schedule == b->schedule &&
           a->threads == b->threads && a->parts == b->parts && a->gang_layers == b->gang_layers &&
           a->gang_directions == b->gang_directions && a->one_way == b->one_way && a->small_pages == b->small_pages &&
           effective_steps(setting, a) == effective_steps(setting, b);
}

void wli_candidate_print(const wli_candidate *candidate, char text[WLI_CANDIDATE_TEXT]) {
    size_t used = 0;
    char value[32];
    snprintf(text, WLI_CANDIDATE_TEXT, "defaults");
    for (int a = 0; a < WLI_AXES; a++) {
        if (candidate->index[a] == 0 || candidate->index[a] >= wli_axes[a].count) continue;
        print_value(&wli_axes[a], candidate->index[a], value);
        const int written =
            snprintf(text + used, WLI_CANDIDATE_TEXT - used, "%s%s %s", used ? ", " : "", wli_axes[a].name, value);
        if (written < 0 || (size_t)written >= WLI_CANDIDATE_TEXT - used) break;
        used += (size_t)written;
    }
}
