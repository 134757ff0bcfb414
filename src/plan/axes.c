#include "plan/axes.h"

#include "plan/choice.h"
#include "plan/fingerprint.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static const char *const schedules[] = { "serial", "parts", "wavefront", "gang" };
static const char *const backends[] = { "native", "onednn" };
static const char *const lanes[] = { "widest", "half", "quarter" };
static const char *const sweeps[] = { "back and forth", "one way" };
static const char *const pages[] = { "huge", "small" };
/* Ladders; 0: the schedule's own number of parts, all steps, the model's number of rows, all threads. */
static const int64_t parts[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };
static const int64_t chunk_steps[] = { 0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256 };
static const int64_t gate_rows[] = { 0, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096 };
static const int64_t thread_shares[] = { 0, 2, 4, 8, 16, 32 }; /* one in so many */

static wli_schedule schedule_of(const wli_candidate *candidate) {
    return (wli_schedule)candidate->index[WLI_AXIS_SCHEDULE];
}

static bool legal_schedule(const wli_setting *setting, const wli_candidate *candidate) {
    const wli_model *model = setting->model;
    if (schedule_of(candidate) == WLI_SERIAL) return true;
    /* A oneDNN gemm's memory objects serve one thread. */
    if (setting->threads < 2 || setting->backend == WLSTM_BACKEND_ONEDNN) return false;
    if (schedule_of(candidate) == WLI_GANG) {
        for (int64_t i = 0; i < model->num_layers * model->num_directions; i++)
            if (model->cells[i].proj_size) return false;
        return true;
    }
    if (schedule_of(candidate) == WLI_WAVEFRONT) return model->num_directions == 1 && model->num_layers > 1;
    return setting->batch * model->num_directions > 1;
}

/* A gang's threads share all rows. */
static bool legal_parts(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t value = parts[candidate->index[WLI_AXIS_PARTS]];
    return value == 0 || (value <= setting->batch && schedule_of(candidate) != WLI_GANG);
}

static bool legal_always(const wli_setting *setting, const wli_candidate *candidate) {
    (void)setting, (void)candidate;
    return true;
}

static bool legal_threads(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t share = thread_shares[candidate->index[WLI_AXIS_THREADS]];
    return share == 0 || (schedule_of(candidate) != WLI_SERIAL && setting->threads / share >= 2);
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
    return index == 0 || (!setting->deterministic && wli_native_at(setting->model->dtype, index));
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
    [WLI_AXIS_PARTS] = { "parts", COUNT(parts), NULL, parts, legal_parts },
    [WLI_AXIS_CHUNK_STEPS] = { "chunk_steps", COUNT(chunk_steps), NULL, chunk_steps, legal_always },
    [WLI_AXIS_GATE_ROWS] = { "gate_rows", COUNT(gate_rows), NULL, gate_rows, legal_always },
    [WLI_AXIS_THREADS] = { "thread_share", COUNT(thread_shares), NULL, thread_shares, legal_threads },
    [WLI_AXIS_PROJECT] = { "project", COUNT(backends), backends, NULL, legal_project },
    [WLI_AXIS_STEP] = { "step", COUNT(backends), backends, NULL, legal_step },
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
    return true;
}

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

wli_choice wli_candidate_resolve(const wli_setting *setting, const wli_candidate *candidate) {
    const int64_t B = setting->batch, T = setting->seq_len, D = setting->model->num_directions;
    const int64_t share = thread_shares[candidate->index[WLI_AXIS_THREADS]];
    const int64_t given_parts = parts[candidate->index[WLI_AXIS_PARTS]];
    const int64_t given_steps = chunk_steps[candidate->index[WLI_AXIS_CHUNK_STEPS]];
    const int64_t given_rows = gate_rows[candidate->index[WLI_AXIS_GATE_ROWS]];
    const int64_t threads = share ? setting->threads / share : setting->threads;
    wli_choice choice = { .project = (wli_gemm_kind)candidate->index[WLI_AXIS_PROJECT],
                          .step = (wli_gemm_kind)candidate->index[WLI_AXIS_STEP],
                          .native = wli_native_at(setting->model->dtype, candidate->index[WLI_AXIS_LANES]),
                          .schedule = schedule_of(candidate),
                          .threads = 1,
                          .parts = 1,
                          .one_way = candidate->index[WLI_AXIS_SWEEP] == 1,
                          .small_pages = candidate->index[WLI_AXIS_PAGES] == 1 };
    /* Parts of the batch and directions: as many threads as there are of both. */
    if (choice.schedule == WLI_PARTS) choice.parts = smaller((threads + D - 1) / D, B);
    if (given_parts) choice.parts = given_parts;
    if (choice.schedule == WLI_PARTS) choice.threads = (int)smaller(choice.parts * D, threads);
    if (choice.schedule == WLI_WAVEFRONT)
        choice.threads = (int)smaller(choice.parts * setting->model->num_layers, threads);
    if (choice.schedule == WLI_GANG) choice.threads = (int)threads;
    choice.chunk_steps = given_steps ? smaller(given_steps, T) : T;
    /* Whole steps of a part's rows. */
    const int64_t part_rows = (B + choice.parts - 1) / choice.parts;
    const int64_t rows = given_rows ? given_rows : wli_choose_gate_rows(setting->model, part_rows);
    choice.gate_rows = part_rows * (rows < part_rows ? 1 : smaller(rows / part_rows, T));
    return choice;
}

/* The most steps of a chunk, whichever of the two limits it. */
static int64_t effective_steps(const wli_setting *setting, const wli_choice *choice) {
    const int64_t part_rows = (setting->batch + choice->parts - 1) / choice->parts;
    return smaller(choice->chunk_steps, choice->gate_rows / part_rows);
}

bool wli_choice_equal(const wli_setting *setting, const wli_choice *a, const wli_choice *b) {
    return a->project == b->project && a->step == b->step && a->native == b->native && a->schedule == b->schedule &&
           a->threads == b->threads && a->parts == b->parts && a->one_way == b->one_way &&
           a->small_pages == b->small_pages && effective_steps(setting, a) == effective_steps(setting, b);
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
