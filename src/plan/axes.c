#include "plan/axes.h"

#include "base/hash.h"
#include "plan/gate_rows.h"
#include "plan/scratch.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORDS(array) (int)(sizeof(array) / sizeof(array)[0]), array, NULL
#define NUMBERS(array) (int)(sizeof(array) / sizeof(array)[0]), NULL, array
#define FIELD(name) offsetof(wli_choice, name)

static const char *const schedules[] = { "serial", "wavefront", "gangs" };
static const char *const lanes[] = { "widest", "half", "quarter" };
/* Ladders; 0: all threads; one gang for all layers, and for both directions; as many parts as gangs have threads,
 * otherwise one; all steps. */
static const int64_t thread_shares[] = { 0, 2, 4, 8, 16, 32 }; /* one in so many */
static const int64_t gang_layers[] = { 0, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128 };
static const int64_t gang_directions[] = { 0, 2 };
static const int64_t parts[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };
static const int64_t chunk_steps[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static int64_t at_least_one(int64_t value) {
    return value > 0 ? value : 1;
}

static int64_t threads_for(const wli_setting *setting, const wli_choice *given) {
    return setting->threads / at_least_one(given->thread_share);
}

/* A slice of a narrower cell is not worth a thread: 16 units, AVX-512's. Rows of G that lie close cannot be those of a
 * slice. */
static int64_t most_shares(const wli_model *model, const wli_choice *given) {
    int64_t narrowest = model->cells[0].hidden_size;
    if (wli_multipliers[given->project]->dense || wli_multipliers[given->step]->dense) return 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        narrowest = smaller(narrowest, wli_model_cell(model, l, 0)->hidden_size);
    return at_least_one(narrowest / 16);
}

bool wli_schedule_possible(const wli_setting *setting, wli_schedule schedule) {
    const wli_model *model = setting->model;
    const bool several_cells = model->num_layers * model->num_directions > 1;
    const wli_choice sharing = { .project = WLI_GEMM_NATIVE };
    if (schedule == WLI_SERIAL) return true;
    if (setting->threads < 2) return false;
    return several_cells || (schedule == WLI_GANG && (setting->batch > 1 || most_shares(model, &sharing) > 1));
}

static bool legal_schedule(const wli_setting *setting, const wli_choice *given) {
    return wli_schedule_possible(setting, (wli_schedule)given->schedule);
}

static bool legal_threads(const wli_setting *setting, const wli_choice *given) {
    return given->thread_share == 0 || (given->schedule != WLI_SERIAL && threads_for(setting, given) >= 2);
}

/* Gangs of layers need one direction: with two a layer waits for all of the one below. */
static bool legal_gang_layers(const wli_setting *setting, const wli_choice *given) {
    const int64_t layers = at_least_one(given->gang_layers);
    return layers == 1 || (given->schedule == WLI_GANG && setting->model->num_directions == 1 &&
                           layers <= setting->model->num_layers && layers <= threads_for(setting, given));
}

static bool legal_gang_directions(const wli_setting *setting, const wli_choice *given) {
    const int64_t layers = at_least_one(given->gang_layers), directions = at_least_one(given->gang_directions);
    return directions == 1 || (given->schedule == WLI_GANG && setting->model->num_directions == directions &&
                               layers * directions <= threads_for(setting, given));
}

static bool legal_parts(const wli_setting *setting, const wli_choice *given) {
    const int64_t layers = at_least_one(given->gang_layers), directions = at_least_one(given->gang_directions);
    const int64_t count = at_least_one(given->parts);
    return count <= setting->batch &&
           (given->schedule != WLI_GANG || layers * directions * count <= threads_for(setting, given));
}

static bool legal_chunk_steps(const wli_setting *setting, const wli_choice *given) {
    return setting->chunk_steps == 0 || given->chunk_steps == 0;
}

static bool legal_multiplier(const wli_setting *setting, int64_t kind) {
    const wli_multiplier *multiplier = wli_multipliers[kind];
    if (setting->model->compact && !multiplier->in_panels) return false;
    return (setting->backend == WLSTM_BACKEND_AUTO || setting->backend == multiplier->backend) &&
           (!setting->deterministic || multiplier->deterministic) && multiplier->serves(wli_setting_product(setting));
}

static bool legal_project(const wli_setting *setting, const wli_choice *given) {
    return legal_multiplier(setting, given->project);
}

static bool legal_step(const wli_setting *setting, const wli_choice *given) {
    return legal_multiplier(setting, given->step);
}

/* Narrower vectors may round otherwise, and a compact model's weights are packed for some. */
static bool legal_lanes(const wli_setting *setting, const wli_choice *given) {
    const int index = (int)given->lanes;
    const wli_native *native = wli_native_at(wli_setting_product(setting), index);
    const int packed_lanes = setting->model->packed_lanes;
    return native && (packed_lanes == 0 || native->lanes == packed_lanes) &&
           (!setting->deterministic || wli_native_rounds_alike(wli_setting_product(setting), index));
}

const wli_axis wli_axes[WLI_AXES] = {
    [WLI_AXIS_SCHEDULE] = { "schedule", FIELD(schedule), WORDS(schedules), legal_schedule, true },
    [WLI_AXIS_THREADS] = { "thread_share", FIELD(thread_share), NUMBERS(thread_shares), legal_threads, true },
    [WLI_AXIS_GANG_LAYERS] = { "gang_layers", FIELD(gang_layers), NUMBERS(gang_layers), legal_gang_layers, true },
    [WLI_AXIS_GANG_DIRECTIONS] = { "gang_directions", FIELD(gang_directions), NUMBERS(gang_directions),
                                   legal_gang_directions, true },
    [WLI_AXIS_PARTS] = { "parts", FIELD(parts), NUMBERS(parts), legal_parts, true },
    [WLI_AXIS_CHUNK_STEPS] = { "chunk_steps", FIELD(chunk_steps), NUMBERS(chunk_steps), legal_chunk_steps, true },
    [WLI_AXIS_PROJECT] = { "project", FIELD(project), WORDS(wli_gemm_names), legal_project, false },
    [WLI_AXIS_STEP] = { "step", FIELD(step), WORDS(wli_gemm_names), legal_step, false },
    [WLI_AXIS_LANES] = { "lanes", FIELD(lanes), WORDS(lanes), legal_lanes, false },
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

static int64_t *field_of(wli_choice *choice, int axis) {
    return (int64_t *)((char *)choice + wli_axes[axis].field);
}

int64_t wli_choice_value(const wli_choice *choice, wli_axis_id axis) {
    wli_choice copy = *choice;
    return *field_of(&copy, (int)axis);
}

/* Each axis's value as the table has it. */
static wli_choice values_of(const wli_candidate *candidate) {
    wli_choice given = { 0 };
    for (int a = 0; a < WLI_AXES; a++) {
        const int index = candidate->index[a];
        *field_of(&given, a) = wli_axes[a].numbers ? wli_axes[a].numbers[index] : index;
    }
    return given;
}

/* What a candidate comes to: gangs of one thread are none. */
static bool as_named(const wli_setting *setting, const wli_choice *choice) {
    if (setting->schedule == WLSTM_SCHEDULE_AUTO) return true;
    const wli_schedule named = (wli_schedule)(setting->schedule - WLSTM_SCHEDULE_SERIAL);
    return (wli_schedule)choice->schedule == named || !wli_schedule_possible(setting, named);
}

bool wli_candidate_legal(const wli_setting *setting, const wli_candidate *candidate) {
    for (int a = 0; a < WLI_AXES; a++)
        if (candidate->index[a] >= wli_axes[a].count) return false;
    const wli_choice given = values_of(candidate);
    for (int a = 0; a < WLI_AXES; a++)
        if (!wli_axes[a].legal(setting, &given)) return false;
    const wli_candidate defaults = { .index = { 0 } };
    const wli_choice choice = wli_candidate_resolve(setting, candidate);
    const wli_choice by_default = wli_candidate_resolve(setting, &defaults);
    return as_named(setting, &choice) && wli_scratch_in_proportion(setting, &choice, &by_default);
}

/* A gang's threads, by what they share: what layers, directions and parts leave of `threads` goes to the units. */
static void settle_gangs(const wli_setting *setting, int64_t threads, int64_t given_parts, wli_choice *choice) {
    const int64_t left = threads / (choice->gang_layers * choice->gang_directions);
    if (given_parts == 0) choice->parts = smaller(left, setting->batch);
    const int64_t shares = smaller(left / choice->parts, most_shares(setting->model, choice));
    choice->threads = choice->gang_layers * choice->gang_directions * choice->parts * shares;
    if (choice->threads == 1) choice->schedule = WLI_SERIAL;
}

static void settle_threads(const wli_setting *setting, wli_choice *choice) {
    const int64_t threads = threads_for(setting, choice), given_parts = choice->parts;
    /* Layers overlap, but for those of two directions, whose first chunk waits for the last one of the layer below. */
    const int64_t wide = setting->model->num_directions == 2 ? 2 : setting->model->num_layers;
    choice->gang_layers = at_least_one(choice->gang_layers);
    choice->gang_directions = at_least_one(choice->gang_directions);
    choice->parts = at_least_one(given_parts);
    choice->threads = 1;
    if (choice->schedule == WLI_WAVEFRONT) choice->threads = smaller(choice->parts * wide, threads);
    if (choice->schedule == WLI_GANG) settle_gangs(setting, threads, given_parts, choice);
    choice->thread_share = setting->threads / choice->threads;
}

/* Whole steps of a part's rows. */
static void settle_chunks(const wli_setting *setting, wli_choice *choice) {
    const int64_t T = setting->seq_len, part_rows = (setting->batch + choice->parts - 1) / choice->parts;
    const int64_t rows = wli_choose_gate_rows(setting, part_rows);
    choice->chunk_steps = choice->chunk_steps ? smaller(choice->chunk_steps, T) : T;
    choice->gate_rows = part_rows * (rows < part_rows ? 1 : smaller(rows / part_rows, T));
}

wli_choice wli_candidate_resolve(const wli_setting *setting, const wli_candidate *candidate) {
    wli_choice choice = values_of(candidate);
    if (setting->chunk_steps) choice.chunk_steps = setting->chunk_steps;
    choice.native = wli_native_at(wli_setting_product(setting), (int)choice.lanes);
    settle_threads(setting, &choice);
    settle_chunks(setting, &choice);
    return choice;
}

/* A choice in which only the smaller of a chunk's two limits counts. */
static wli_choice with_effective_steps(const wli_setting *setting, wli_choice choice) {
    const int64_t part_rows = (setting->batch + choice.parts - 1) / choice.parts;
    choice.chunk_steps = choice.gate_rows = smaller(choice.chunk_steps, choice.gate_rows / part_rows);
    return choice;
}

bool wli_choice_equal(const wli_setting *setting, const wli_choice *a, const wli_choice *b) {
    wli_choice one = with_effective_steps(setting, *a), other = with_effective_steps(setting, *b);
    for (int axis = 0; axis < WLI_AXES; axis++)
        if (*field_of(&one, axis) != *field_of(&other, axis)) return false;
    return one.threads == other.threads;
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
