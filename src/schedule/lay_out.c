/* The scratch memory of a sequence. */
#include "base/allocator.h"
#include "schedule/state.h"

/* The widest of everything that one worker holds a row of. */
typedef struct widths {
    int64_t gates, depth, state, hidden, projected;
} widths;

static widths widest(const wli_sequence_spec *spec) {
    widths w = { 0 };
    for (int64_t i = 0; i < spec->model->num_layers * spec->model->num_directions; i++) {
        const wli_cell_kernels *cell = &spec->cells[i];
        /* Rows of whole lines, dense ones too: what is written past the last one must fit into one row more. */
        w.gates = wli_larger(w.gates, wli_gate_stride(cell->layout.columns, cell->element));
        w.depth = wli_larger(w.depth, wli_larger(cell->weights->input_size, cell->weights->hidden_size));
        w.state = wli_larger(w.state, cell->weights->state_size);
        w.hidden = wli_larger(w.hidden, cell->weights->hidden_size);
        w.projected = wli_larger(w.projected, cell->hr.stride);
    }
    return w;
}

static wli_cell_workspace lay_out_workspace(const wli_sequence *sequence, const widths *w, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const size_t element = sequence->element;
    const int64_t rows = wli_part_rows(spec), gathered = wli_larger(spec->choice.gate_rows, rows);
    const int64_t projected_rows = w->projected ? rows : 0;
    return (wli_cell_workspace){ .tools.gathered = { .dense = wli_arena_take(
                                                         arena, gathered, wli_gate_stride(w->depth, element), element),
                                                     .rows = wli_arena_take(arena, gathered, 1, sizeof(void *)) },
                                 .unprojected = wli_arena_take(arena, projected_rows, w->hidden, element),
                                 .projected = wli_arena_take(arena, projected_rows, w->projected, element),
                                 .unprojected_rows = wli_arena_take(arena, projected_rows, 1, sizeof(void *)) };
}

static void lay_out_worker(const wli_sequence *sequence, const widths *w, wli_worker *worker, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t gate_rows = spec->choice.gate_rows, rows = wli_part_rows(spec);
    wli_worker cut = { .gates = wli_arena_take(arena, gate_rows + 1, w->gates, sequence->element),
                       .x_rows = wli_arena_take(arena, gate_rows, 1, sizeof(void *)),
                       .h_prev_rows = wli_arena_take(arena, rows, 1, sizeof(void *)),
                       .h_rows = wli_arena_take(arena, rows, 1, sizeof(void *)),
                       .widened = wli_arena_take(arena, sequence->narrows ? wli_larger(gate_rows, rows) : 0,
                                                 sequence->widened_stride, sequence->element) };
    cut.workspace = lay_out_workspace(sequence, w, arena);
    if (arena->base) *worker = cut;
}

/* Outputs on their way to the next layer: two chunks of each layer's, or two layers' whole. */
static void lay_out_between(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const wli_model *model = spec->model;
    const bool one_direction = model->num_directions == 1;
    for (int64_t l = 0; l + 1 < model->num_layers; l++) {
        const int64_t width = model->num_directions * wli_model_cell(model, l, 0)->state_size;
        const int64_t rows =
            one_direction ? spec->choice.gate_rows * spec->choice.parts : spec->max_seq_len * spec->max_batch;
        for (int half = 0; half < (one_direction ? 2 : l < 2); half++) {
            char *output = wli_arena_take(arena, rows, wli_output_stride(sequence, width), sequence->element);
            if (output) sequence->between[one_direction ? 2 * l + half : l] = output;
        }
    }
}

/* The last layer's output on its way to narrower arrays: two chunks of each direction's. */
static void lay_out_staged(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const wli_model *model = spec->model;
    const int64_t R = wli_model_cell(model, model->num_layers - 1, 0)->state_size;
    const int64_t rows = spec->choice.gate_rows * spec->choice.parts;
    for (int chunk = 0; sequence->narrows && chunk < 2 * model->num_directions; chunk++)
        sequence->staged[chunk / 2][chunk % 2] =
            wli_arena_take(arena, rows, wli_output_stride(sequence, R), sequence->element);
}

/* What threads tell each other by. */
static void lay_out_signals(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t L = spec->model->num_layers, D = spec->model->num_directions, parts = spec->choice.parts;
    const bool tasks = spec->choice.schedule == WLI_WAVEFRONT;
    sequence->token_window = D == 1 || L == 1 ? 4 : spec->max_seq_len;
    sequence->token_layers = D == 1 ? L : wli_smaller(L, 2);
    sequence->tokens =
        wli_arena_take(arena, tasks ? sequence->token_layers * D * parts + 1 : 0, sequence->token_window, 1);
    sequence->done = wli_arena_take(arena, L * D, parts, sizeof(wli_counter));
    sequence->barriers = wli_arena_take(arena, spec->choice.threads, 1, sizeof(wli_barrier));
}

void wli_lay_out(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t L = spec->model->num_layers, B = spec->max_batch, num_cells = L * spec->model->num_directions;
    const widths w = widest(spec);
    sequence->c = wli_arena_take(arena, num_cells, 1, sizeof(char *));
    sequence->between = wli_arena_take(arena, L, 2, sizeof(char *));
    sequence->workers = wli_arena_take(arena, spec->choice.threads, 1, sizeof(wli_worker));
    lay_out_signals(sequence, arena);
    sequence->rows.order = wli_arena_take(arena, B, 1, sizeof(int64_t));
    sequence->rows.lengths = wli_arena_take(arena, B, 1, sizeof(int64_t));
    sequence->packed.behind = wli_arena_take(arena, B + 1, 1, sizeof(int64_t));
    sequence->zeros = wli_arena_take(arena, w.state, 1, sequence->element);
    sequence->h_copy = wli_arena_take(arena, B, w.state, sequence->element);
    for (int64_t i = 0; i < num_cells; i++) {
        char *c = wli_arena_take(arena, B, spec->cells[i].c_stride, sequence->element);
        if (c) sequence->c[i] = c;
    }
    lay_out_between(sequence, arena);
    lay_out_staged(sequence, arena);
    sequence->widened_stride =
        wli_gate_stride(wli_larger(spec->model->cells[0].input_size, w.state), sequence->element);
    const size_t before = arena->used;
    for (int64_t i = 0; i < spec->choice.threads; i++)
        lay_out_worker(sequence, &w, arena->base ? &sequence->workers[i] : NULL, arena);
    sequence->worker_bytes = (arena->used - before) / (size_t)spec->choice.threads;
}
