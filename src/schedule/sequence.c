#include "schedule/sequence.h"

#include "allocator.h"
#include "schedule/rows.h"
#include "status.h"
#include <string.h>

/* Scratch of a sequence, drawn for one direction, B rows, chunks of S steps:
 *
 *     | G [S*B, columns] | c of each layer [B, H'] | layer 0: chunk k, chunk k-1 | layer 1: ... | zeros [R] | rows' pointers |
 *
 * With one direction a layer hands its output on a chunk at a time, so two chunks of it are kept whatever T is: the one being
 * written, and the one before, whose last step is the next h. With two directions the layer above starts at both ends, so a
 * layer's whole output is kept, two layers' in turn. */
struct wli_sequence {
    wli_sequence_spec spec;
    size_t element, bytes;
    void *memory;
    wli_cell_workspace workspace;
    void *gates;              /* [gate_rows, columns], and a vector of padding */
    const void **x_rows;      /* [gate_rows] */
    const void **h_prev_rows; /* [max_batch] */
    void **h_rows;            /* [max_batch] */
    char *zeros;              /* [widest R] */
    char *h_copy;             /* [max_batch, R] of a cell, whose h_out may be h */
    char **c;                 /* [cells] pointers to [max_batch, padded_hidden] */
    char **between;           /* [cells or 2][2 or 1] outputs on their way to the next layer */
    wli_rows rows;
};

/* One call on its way through the layers. */
typedef struct wli_run {
    wli_sequence *sequence;
    const wli_call *call;
    int64_t chunk_steps;
} wli_run;

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* Cuts the scratch memory out of the arena, or measures it. */
static void lay_out(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const wli_model *model = spec->model;
    const int64_t L = model->num_layers, B = spec->max_batch, num_cells = L * model->num_directions;
    const bool one_direction = model->num_directions == 1;
    int64_t columns = 0, depth = 0, state = 0, hidden = 0, projected = 0;
    bool gathers = false;
    sequence->c = wli_arena_take(arena, num_cells, 1, sizeof(char *));
    sequence->between = wli_arena_take(arena, L, 2, sizeof(char *));
    for (int64_t i = 0; i < num_cells; i++) {
        const wli_cell_kernels *cell = &spec->cells[i];
        columns = largest(columns, cell->layout.columns);
        depth = largest(depth, largest(cell->weights->input_size, cell->weights->hidden_size));
        state = largest(state, cell->weights->state_size);
        hidden = largest(hidden, cell->layout.padded_hidden);
        projected = largest(projected, cell->hr.columns);
        gathers = gathers || cell->ih.kind == WLI_GEMM_ONEDNN || cell->hh.kind == WLI_GEMM_ONEDNN;
        char *c = wli_arena_take(arena, B, cell->layout.padded_hidden, sequence->element);
        if (c) sequence->c[i] = c;
    }
    for (int64_t l = 0; l + 1 < L; l++) {
        int64_t R = wli_model_cell(model, l, 0)->state_size;
        for (int half = 0; half < (one_direction ? 2 : l < 2); half++) {
            char *output = one_direction ? wli_arena_take(arena, spec->gate_rows, R, sequence->element)
                                         : wli_arena_take(arena, spec->max_seq_len * B, 2 * R, sequence->element);
            if (output) sequence->between[one_direction ? 2 * l + half : l] = output;
        }
    }
    sequence->gates = wli_arena_take(arena, spec->gate_rows + 1, columns, sequence->element);
    sequence->zeros = wli_arena_take(arena, state, 1, sequence->element);
    sequence->h_copy = wli_arena_take(arena, model->is_cell ? B : 0, state, sequence->element);
    sequence->workspace.dense = wli_arena_take(arena, gathers ? spec->gate_rows : 0, depth, sizeof(float));
    sequence->workspace.unprojected = wli_arena_take(arena, projected ? B : 0, hidden, sequence->element);
    sequence->workspace.projected = wli_arena_take(arena, B, projected, sequence->element);
    sequence->workspace.unprojected_rows = wli_arena_take(arena, projected ? B : 0, 1, sizeof(void *));
    sequence->x_rows = wli_arena_take(arena, spec->gate_rows, 1, sizeof(void *));
    sequence->h_prev_rows = wli_arena_take(arena, B, 1, sizeof(void *));
    sequence->h_rows = wli_arena_take(arena, B, 1, sizeof(void *));
    sequence->rows.order = wli_arena_take(arena, B, 1, sizeof(int64_t));
    sequence->rows.lengths = wli_arena_take(arena, B, 1, sizeof(int64_t));
}

wlstm_status wli_sequence_make(const wli_sequence_spec *spec, wli_sequence **out) {
    *out = NULL;
    wli_sequence *sequence = wli_calloc(sizeof *sequence);
    if (!sequence) return wli_out_of_memory("sequence", sizeof *sequence);
    wli_arena arena = { NULL, 0, false };
    sequence->spec = *spec;
    sequence->element = wli_dtype_size(spec->model->dtype);
    lay_out(sequence, &arena);
    sequence->bytes = arena.overflow ? SIZE_MAX : arena.used;
    if (arena.overflow || !(sequence->memory = wli_alloc(sequence->bytes))) {
        wlstm_status status = wli_out_of_memory("scratch", sequence->bytes);
        wli_sequence_destroy(sequence);
        return status;
    }
    arena = (wli_arena){ sequence->memory, 0, false };
    lay_out(sequence, &arena);
    int64_t widest = 0;
    for (int64_t l = 0; l < spec->model->num_layers; l++)
        widest = largest(widest, wli_model_cell(spec->model, l, 0)->state_size);
    memset(sequence->zeros, 0, (size_t)widest * sequence->element);
    *out = sequence;
    return WLSTM_OK;
}

void wli_sequence_destroy(wli_sequence *sequence) {
    if (!sequence) return;
    wli_free(sequence->memory);
    wli_free(sequence);
}

size_t wli_sequence_bytes(const wli_sequence *sequence) {
    return sequence->bytes;
}

/* What layer `layer` reads: x, or the output of both directions of the layer below. */
static wli_view input_view(const wli_run *run, int64_t layer, int64_t first_step) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t element = (int64_t)sequence->element, B = run->call->batch;
    const int64_t width = wli_model_cell(model, layer, 0)->input_size;
    if (layer == 0) {
        wli_strides strides = wli_call_strides(model, run->call, width);
        return (wli_view){ (char *)(uintptr_t)run->call->x, 0, strides.time * element, strides.row * element,
                           sequence->rows.order };
    }
    if (model->num_directions == 2)
        return (wli_view){ sequence->between[(layer - 1) % 2], 0, B * width * element, width * element, NULL };
    char *chunk = sequence->between[2 * (layer - 1) + first_step / run->chunk_steps % 2];
    return (wli_view){ chunk, first_step, B * width * element, width * element, NULL };
}

/* Where a (layer, direction) writes h in the chunk that begins at first_step: out, or what the layer above reads. */
static wli_view output_view(const wli_run *run, int64_t layer, int direction, int64_t first_step) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t element = (int64_t)sequence->element, R = wli_model_cell(model, layer, direction)->state_size;
    wli_view view;
    if (layer + 1 < model->num_layers)
        view = input_view(run, layer + 1, first_step);
    else {
        wli_strides strides = wli_call_strides(model, run->call, model->num_directions * R);
        view = (wli_view){ run->call->out, 0, strides.time * element, strides.row * element, sequence->rows.order };
    }
    view.base += direction * R * element;
    return view;
}

/* A state tensor's [B, width] of one cell, or NULL where the caller gave none; `offset` is the cell's in units of B elements. */
static char *state_at(const void *states, int64_t offset, int64_t batch, size_t element) {
    return states ? (char *)(uintptr_t)states + (size_t)(offset * batch) * element : NULL;
}

/* c [B, padded_hidden] = c_0 [B, H] in the order of work. */
static void load_c(const wli_run *run, const wli_cell_kernels *cell, char *c) {
    const wli_sequence *sequence = run->sequence;
    const size_t bytes = (size_t)cell->weights->hidden_size * sequence->element;
    const size_t padded = (size_t)cell->layout.padded_hidden * sequence->element;
    const char *c_0 = state_at(run->call->c_0, cell->weights->c_offset, run->call->batch, sequence->element);
    memset(c, 0, (size_t)run->call->batch * padded);
    for (int64_t r = 0; r < run->call->batch && c_0; r++)
        memcpy(c + (size_t)r * padded, c_0 + (size_t)sequence->rows.order[r] * bytes, bytes);
}

/* h_n, c_n of the rows whose last step lies in [first_step, end_step). */
static void store_states(const wli_run *run, const wli_cell_kernels *cell, const char *c, const wli_view *output,
                         int direction, int64_t first_step, int64_t end_step) {
    const wli_sequence *sequence = run->sequence;
    const size_t element = sequence->element, padded = (size_t)cell->layout.padded_hidden * element;
    const size_t c_bytes = (size_t)cell->weights->hidden_size * element,
                 h_bytes = (size_t)cell->weights->state_size * element;
    char *h_n = state_at(run->call->h_n, cell->weights->h_offset, run->call->batch, element);
    char *c_n = state_at(run->call->c_n, cell->weights->c_offset, run->call->batch, element);
    for (int64_t r = 0; r < run->call->batch && (h_n || c_n); r++) {
        int64_t length = sequence->rows.lengths[r], row = sequence->rows.order[r];
        if (length <= first_step || length > end_step) continue;
        if (h_n)
            memcpy(h_n + (size_t)row * h_bytes,
                   wli_view_at(output, wli_rows_time(&sequence->rows, direction, length - 1, r), r), h_bytes);
        if (c_n) memcpy(c_n + (size_t)row * c_bytes, c + (size_t)r * padded, c_bytes);
    }
}

/* G of a chunk: the rows (step, r) still running, step by step. */
static wlstm_status project_chunk(const wli_run *run, const wli_cell_kernels *cell, int64_t layer, int direction,
                                  int64_t first_step, int64_t end_step) {
    wli_sequence *sequence = run->sequence;
    const wli_view input = input_view(run, layer, first_step);
    int64_t count = 0, active = run->call->batch;
    for (int64_t s = first_step; s < end_step; s++) {
        active = wli_rows_active(&sequence->rows, s, active);
        for (int64_t r = 0; r < active; r++)
            sequence->x_rows[count++] = wli_view_at(&input, wli_rows_time(&sequence->rows, direction, s, r), r);
    }
    return wli_cell_project(cell, &sequence->workspace, count, sequence->x_rows, sequence->gates);
}

/* One layer and direction over the steps [first_step, end_step) of a chunk: project, then step by step. */
static wlstm_status run_chunk(const wli_run *run, int64_t layer, int direction, int64_t first_step, int64_t end_step) {
    wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t index = layer * model->num_directions + direction, B = run->call->batch;
    const wli_cell_kernels *cell = &sequence->spec.cells[index];
    const size_t row_bytes = (size_t)cell->layout.columns * sequence->element;
    const size_t h_bytes = (size_t)cell->weights->state_size * sequence->element;
    const char *h_0 = state_at(run->call->h_0, cell->weights->h_offset, B, sequence->element);
    const wli_view output = output_view(run, layer, direction, first_step);
    if (h_0 && h_0 == run->call->out) h_0 = memcpy(sequence->h_copy, h_0, (size_t)B * h_bytes);
    char *c = sequence->c[index], *gates = sequence->gates;

    if (first_step == 0) load_c(run, cell, c);
    wlstm_status status = project_chunk(run, cell, layer, direction, first_step, end_step);
    int64_t active = B;
    for (int64_t s = first_step; s < end_step && status == WLSTM_OK; s++) {
        active = wli_rows_active(&sequence->rows, s, active);
        if (active == 0) break;
        const wli_view previous =
            s > first_step || s == 0 ? output : output_view(run, layer, direction, first_step - run->chunk_steps);
        for (int64_t r = 0; r < active; r++) {
            sequence->h_rows[r] = wli_view_at(&output, wli_rows_time(&sequence->rows, direction, s, r), r);
            sequence->h_prev_rows[r] =
                s > 0 ? wli_view_at(&previous, wli_rows_time(&sequence->rows, direction, s - 1, r), r)
                : h_0 ? h_0 + (size_t)sequence->rows.order[r] * h_bytes
                      : sequence->zeros;
        }
        status = wli_cell_run_step(
            cell, &sequence->workspace,
            &(wli_cell_step){ active, sequence->h_prev_rows, s == 0 && !h_0, gates, c, sequence->h_rows });
        gates += (size_t)active * row_bytes;
    }
    if (status == WLSTM_OK) store_states(run, cell, c, &output, direction, first_step, end_step);
    return status;
}

/* out past each row's end is zero. */
static void zero_padding(const wli_run *run) {
    const wli_model *model = run->sequence->spec.model;
    const wli_rows *rows = &run->sequence->rows;
    const wli_view output = output_view(run, model->num_layers - 1, 0, 0);
    const size_t bytes =
        (size_t)(model->num_directions * model->cells[model->num_layers * model->num_directions - 1].state_size) *
        run->sequence->element;
    for (int64_t r = 0; r < rows->batch; r++)
        for (int64_t t = rows->lengths[r]; t < run->call->seq_len; t++) memset(wli_view_at(&output, t, r), 0, bytes);
}

/* With one direction chunk by chunk, each through all layers while it is warm; with two, layer by layer. */
wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call) {
    const wli_model *model = sequence->spec.model;
    const int64_t T = call->seq_len, L = model->num_layers;
    const wli_run run = { sequence, call, sequence->spec.gate_rows / call->batch };
    const int64_t S = run.chunk_steps;
    wlstm_status status = WLSTM_OK;
    wli_rows_sort(&sequence->rows, call);
    if (model->num_directions == 1)
        for (int64_t first = 0; first < T; first += S)
            for (int64_t l = 0; l < L && status == WLSTM_OK; l++)
                status = run_chunk(&run, l, 0, first, first + S < T ? first + S : T);
    else
        for (int64_t l = 0; l < L; l++)
            for (int d = 0; d < 2; d++)
                for (int64_t first = 0; first < T && status == WLSTM_OK; first += S)
                    status = run_chunk(&run, l, d, first, first + S < T ? first + S : T);
    if (call->lengths) zero_padding(&run);
    return status;
}
