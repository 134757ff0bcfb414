#include "schedule/sequence.h"

#include "allocator.h"
#include "schedule/state.h"
#include "status.h"
#include <omp.h>
#include <pthread.h>
#include <string.h>

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The widest of everything that one worker holds a row of. */
typedef struct widths {
    int64_t gates, depth, state, hidden, projected;
} widths;

static widths widest(const wli_sequence_spec *spec) {
    widths w = { 0 };
    for (int64_t i = 0; i < spec->model->num_layers * spec->model->num_directions; i++) {
        const wli_cell_kernels *cell = &spec->cells[i];
        w.gates = largest(w.gates, cell->ih.stride);
        w.depth = largest(w.depth, largest(cell->weights->input_size, cell->weights->hidden_size));
        w.state = largest(w.state, cell->weights->state_size);
        w.hidden = largest(w.hidden, cell->weights->hidden_size);
        w.projected = largest(w.projected, cell->hr.stride);
    }
    return w;
}

static void lay_out_worker(const wli_sequence *sequence, const widths *w, wli_worker *worker, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const size_t element = sequence->element;
    const int64_t rows = (spec->max_batch + spec->parts - 1) / spec->parts, gathered = largest(spec->gate_rows, rows);
    const int64_t projected_rows = w->projected ? rows : 0;
    wli_worker parts = { .gates = wli_arena_take(arena, spec->gate_rows + 1, w->gates, element),
                         .x_rows = wli_arena_take(arena, spec->gate_rows, 1, sizeof(void *)),
                         .h_prev_rows = wli_arena_take(arena, rows, 1, sizeof(void *)),
                         .h_rows = wli_arena_take(arena, rows, 1, sizeof(void *)),
                         .workspace = {
                             .gathered = { .dense = wli_arena_take(arena, gathered, wli_gate_stride(w->depth, element),
                                                                   element),
                                           .rows = wli_arena_take(arena, gathered, 1, sizeof(void *)) },
                             .unprojected = wli_arena_take(arena, projected_rows, w->hidden, element),
                             .projected = wli_arena_take(arena, projected_rows, w->projected, element),
                             .unprojected_rows = wli_arena_take(arena, projected_rows, 1, sizeof(void *)) } };
    if (arena->base) *worker = parts;
}

/* Cuts the scratch memory out of the arena, or measures it. */
static void lay_out(wli_sequence *sequence, wli_arena *arena) {
    const wli_sequence_spec *spec = &sequence->spec;
    const wli_model *model = spec->model;
    const int64_t L = model->num_layers, B = spec->max_batch, num_cells = L * model->num_directions;
    const bool one_direction = model->num_directions == 1;
    const widths w = widest(spec);
    sequence->c = wli_arena_take(arena, num_cells, 1, sizeof(char *));
    sequence->between = wli_arena_take(arena, L, 2, sizeof(char *));
    sequence->workers = wli_arena_take(arena, spec->threads, 1, sizeof(wli_worker));
    sequence->tokens = wli_arena_take(arena, 4 * L, spec->parts, 1);
    sequence->rows.order = wli_arena_take(arena, B, 1, sizeof(int64_t));
    sequence->rows.lengths = wli_arena_take(arena, B, 1, sizeof(int64_t));
    sequence->zeros = wli_arena_take(arena, w.state, 1, sequence->element);
    sequence->h_copy = wli_arena_take(arena, B, w.state, sequence->element);
    for (int64_t i = 0; i < num_cells; i++) {
        char *c = wli_arena_take(arena, B, spec->cells[i].c_stride, sequence->element);
        if (c) sequence->c[i] = c;
    }
    for (int64_t l = 0; l + 1 < L; l++) {
        const int64_t R = wli_model_cell(model, l, 0)->state_size;
        for (int half = 0; half < (one_direction ? 2 : l < 2); half++) {
            char *output = one_direction ? wli_arena_take(arena, spec->gate_rows * spec->parts,
                                                          wli_output_stride(sequence, R), sequence->element)
                                         : wli_arena_take(arena, spec->max_seq_len * B,
                                                          wli_output_stride(sequence, 2 * R), sequence->element);
            if (output) sequence->between[one_direction ? 2 * l + half : l] = output;
        }
    }
    for (int i = 0; i < spec->threads; i++)
        lay_out_worker(sequence, &w, arena->base ? &sequence->workers[i] : NULL, arena);
}

/* A team of threads does not survive a fork, and starting one in the child may hang: the child runs on one thread. */
static atomic_bool forked;
static pthread_once_t watch_forks = PTHREAD_ONCE_INIT;
static void note_fork(void) {
    atomic_store(&forked, true);
}
static void start_watching(void) {
    (void)pthread_atfork(NULL, NULL, note_fork);
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
    /* Zeros for the zero state, and no leftovers in the padding of rows. */
    memset(sequence->memory, 0, sequence->bytes);
    arena = (wli_arena){ sequence->memory, 0, false };
    lay_out(sequence, &arena);
    if (spec->threads > 1) pthread_once(&watch_forks, start_watching);
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

/* out past each row's end is zero. */
static void zero_padding(const wli_sequence *sequence, const wli_call *call) {
    const wli_model *model = sequence->spec.model;
    const int64_t width = model->num_directions * wli_model_cell(model, model->num_layers - 1, 0)->state_size;
    const wli_strides strides = wli_call_strides(model, call, width);
    for (int64_t b = 0; b < call->batch; b++)
        for (int64_t t = call->lengths[b]; t < call->seq_len; t++)
            memset((char *)call->out + (size_t)(t * strides.time + b * strides.row) * sequence->element, 0,
                   (size_t)width * sequence->element);
}

wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call) {
    const wli_sequence_spec *spec = &sequence->spec;
    if (wli_is_single_step(sequence, call)) return wli_run_single_step(sequence, call);
    wli_run run = { .sequence = sequence,
                    .call = call,
                    .parts = spec->parts < call->batch ? spec->parts : call->batch };
    const int64_t part_rows = (call->batch + run.parts - 1) / run.parts, fitting_steps = spec->gate_rows / part_rows;
    run.chunk_steps = fitting_steps < spec->chunk_steps ? fitting_steps : spec->chunk_steps;
    const bool alone = spec->threads == 1 || omp_in_parallel() || atomic_load_explicit(&forked, memory_order_relaxed);
    wlstm_status status = WLSTM_OK;
    wli_rows_sort(&sequence->rows, call);
    if (call->h_0 && call->h_0 == call->out) /* a cell's h_out may be h */
        memcpy(sequence->h_copy, call->h_0,
               (size_t)(call->batch * spec->cells[0].weights->state_size) * sequence->element);
    if (alone || spec->schedule == WLI_SERIAL)
        for (int64_t part = 0; part < run.parts && status == WLSTM_OK; part++)
            status = wli_run_part(&run, &sequence->workers[0], part);
    else if (spec->schedule == WLI_GANG)
        wli_run_gang(&run, spec->threads);
    else if (spec->schedule == WLI_WAVEFRONT && spec->model->num_directions == 1)
        wli_run_wavefront(&run, spec->threads);
    else
        wli_run_parts(&run, spec->threads);
    if (call->lengths) zero_padding(sequence, call);
    return status;
}
