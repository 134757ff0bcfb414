#include "schedule/sequence.h"

#include "base/allocator.h"
#include "base/one_thread.h"
#include "base/status.h"
#include "schedule/state.h"
#include <omp.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

static int64_t largest(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static int64_t smallest(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The widest of everything that one worker holds a row of. */
typedef struct widths {
    int64_t gates, depth, state, hidden, projected;
} widths;

static widths widest(const wli_sequence_spec *spec) {
    widths w = { 0 };
    for (int64_t i = 0; i < spec->model->num_layers * spec->model->num_directions; i++) {
        const wli_cell_kernels *cell = &spec->cells[i];
        /* Rows of whole lines, dense ones too: what is written past the last one must fit into one row more. */
        w.gates = largest(w.gates, wli_gate_stride(cell->layout.columns, cell->element));
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
    const int64_t rows = (spec->max_batch + spec->choice.parts - 1) / spec->choice.parts,
                  gathered = largest(spec->choice.gate_rows, rows);
    const int64_t projected_rows = w->projected ? rows : 0;
    wli_worker parts = { .gates = wli_arena_take(arena, spec->choice.gate_rows + 1, w->gates, element),
                         .x_rows = wli_arena_take(arena, spec->choice.gate_rows, 1, sizeof(void *)),
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
    sequence->workers = wli_arena_take(arena, spec->choice.threads, 1, sizeof(wli_worker));
    const bool tasks = spec->choice.schedule == WLI_WAVEFRONT;
    sequence->token_window = one_direction || L == 1 ? 4 : spec->max_seq_len;
    sequence->token_layers = one_direction ? L : smallest(L, 2);
    const int64_t token_lanes = sequence->token_layers * model->num_directions * spec->choice.parts;
    sequence->tokens = wli_arena_take(arena, tasks ? token_lanes + 1 : 0, sequence->token_window, 1);
    sequence->done = wli_arena_take(arena, num_cells, spec->choice.parts, sizeof(wli_counter));
    sequence->barriers = wli_arena_take(arena, spec->choice.threads, 1, sizeof(wli_barrier));
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
            char *output = one_direction ? wli_arena_take(arena, spec->choice.gate_rows * spec->choice.parts,
                                                          wli_output_stride(sequence, R), sequence->element)
                                         : wli_arena_take(arena, spec->max_seq_len * B,
                                                          wli_output_stride(sequence, 2 * R), sequence->element);
            if (output) sequence->between[one_direction ? 2 * l + half : l] = output;
        }
    }
    for (int i = 0; i < spec->choice.threads; i++)
        lay_out_worker(sequence, &w, arena->base ? &sequence->workers[i] : NULL, arena);
}

/* A team of OpenMP's threads does not survive a fork, and starting one in the child may hang, so there a plan runs on one thread;
 * unless the parent had no other threads, and so no team, when it forked. */
static atomic_bool threads_at_fork, forked;

static void before_fork(void) {
    struct stat tasks; /* its links: one a thread, "." and ".." */
    atomic_store(&threads_at_fork, stat("/proc/self/task", &tasks) != 0 || tasks.st_nlink != 3);
}

static void in_child(void) {
    if (atomic_load(&threads_at_fork)) atomic_store(&forked, true);
}

/* At the start, as the team may be made, and forked with, before a plan is. */
__attribute__((constructor)) static void watch_forks(void) {
    (void)pthread_atfork(before_fork, NULL, in_child);
}

wlstm_status wli_sequence_make(const wli_sequence_spec *spec, wli_sequence **out) {
    *out = NULL;
    const int64_t single_layers = wli_is_single_step(spec) ? spec->model->num_layers : 0;
    const size_t bytes = sizeof(wli_sequence) + (size_t)single_layers * sizeof(wli_single_step);
    wli_sequence *sequence = wli_calloc(bytes);
    if (!sequence) return wli_out_of_memory("sequence", bytes);
    sequence->single_layers = single_layers;
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
    wli_single_steps_make(sequence);
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

wlstm_status wli_sequence_run_by(wli_sequence *sequence, const wli_call *call, wli_run_nodes *run_nodes,
                                 void *context) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t parts = smallest(spec->choice.parts, call->batch), part_rows = (call->batch + parts - 1) / parts;
    const wli_run run = { .sequence = sequence,
                          .call = call,
                          .graph = { .layers = spec->model->num_layers,
                                     .directions = spec->model->num_directions,
                                     .parts = parts,
                                     .chunk_steps =
                                         smallest(spec->choice.gate_rows / part_rows, spec->choice.chunk_steps),
                                     .lengths = sequence->rows.lengths } };
    wli_rows_sort(&sequence->rows, call);
    wli_rows_deal(&sequence->rows, parts);
    if (call->h_0 && call->h_0 == call->out) /* a cell's h_out may be h */
        memcpy(sequence->h_copy, call->h_0,
               (size_t)(call->batch * spec->cells[0].weights->state_size) * sequence->element);
    wlstm_status status = run_nodes(&run, context);
    if (call->lengths) zero_padding(sequence, call);
    return status;
}

/* All nodes by the first worker. */
typedef struct serial_run {
    const wli_run *run;
    wlstm_status status;
} serial_run;

static void run_serial(void *context) {
    serial_run *serial = context;
    const wli_run *run = serial->run;
    wli_node node;
    for (bool more = wli_graph_first(&run->graph, &node); more && serial->status == WLSTM_OK;
         more = wli_graph_next(&run->graph, WLI_BY_CHUNK, &node))
        serial->status = wli_node_run(run, &run->sequence->workers[0], &node, NULL);
}

static wlstm_status run_alone(const wli_run *run) {
    const wli_choice *choice = &run->sequence->spec.choice;
    serial_run serial = { run, WLSTM_OK };
    const bool forks = wli_multipliers[choice->project]->forks || wli_multipliers[choice->step]->forks;
    if (forks && !omp_in_parallel())
        wli_as_one_thread(run_serial, &serial);
    else
        run_serial(&serial);
    return serial.status;
}

wli_grid wli_grid_of(const wli_run *run) {
    const wli_sequence_spec *spec = &run->sequence->spec;
    const int64_t threads = spec->choice.threads;
    wli_grid grid = { smallest(largest(spec->choice.gang_layers, 1), threads), 1, 1, 1 };
    grid.directions =
        smallest(smallest(largest(spec->choice.gang_directions, 1), run->graph.directions), threads / grid.layers);
    grid.parts = smallest(spec->choice.parts, threads / (grid.layers * grid.directions));
    grid.units = threads / (grid.layers * grid.directions * grid.parts);
    grid.parts = smallest(run->graph.parts, grid.parts);
    return grid;
}

bool wli_runs_alone(void) {
    return omp_in_parallel() || atomic_load_explicit(&forked, memory_order_relaxed);
}

/* By the spec's schedule. */
static wlstm_status run_schedule(const wli_run *run, void *context) {
    const wli_sequence_spec *spec = &run->sequence->spec;
    (void)context;
    if (spec->choice.threads == 1 || spec->choice.schedule == WLI_SERIAL || wli_runs_alone()) return run_alone(run);
    if (spec->choice.schedule == WLI_WAVEFRONT)
        wli_run_wavefront(run, (int)spec->choice.threads);
    else
        wli_run_gangs(run, wli_grid_of(run));
    return WLSTM_OK;
}

wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call) {
    if (call->seq_len == 1 && sequence->single_layers) return wli_run_single_step(sequence, call);
    return wli_sequence_run_by(sequence, call, run_schedule, NULL);
}
