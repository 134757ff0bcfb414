#include "train/trainer.h"

#include "base/allocator.h"
#include "base/status.h"
#include "train/crews.h"
#include "train/optimizer.h"
#include "train/tape.h"
#include <string.h>

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The largest of everything that scratch holds a row of. */
typedef struct widths {
    int64_t input, columns, depth, hidden, state, window, block;
    bool projects;
} widths;

static widths widest(const wlstm_trainer *trainer) {
    const wli_model *model = trainer->model;
    widths w = { 0 };
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        const int64_t unprojected = cell->P ? wli_padded(trainer, cell->H) : 0;
        w.columns = larger(w.columns, wli_padded(trainer, larger(4 * cell->H, larger(cell->I, cell->R))));
        w.depth = larger(w.depth, larger(cell->H, cell->I));
        w.hidden = larger(w.hidden, cell->c_stride);
        w.state = larger(w.state, cell->h_stride);
        w.block = larger(w.block, wli_padded(trainer, cell->I) + wli_padded(trainer, cell->R) + unprojected);
        if (i >= model->num_directions) w.window = larger(w.window, wli_gate_stride(cell->I, trainer->element));
        w.projects = w.projects || cell->P;
    }
    w.input = wli_gate_stride(trainer->cells[0].I, trainer->element);
    return w;
}

/* Panels of a weight both ways. */
static void lay_out_weight(const wlstm_trainer *trainer, wli_train_weight *weight, wli_arena *arena) {
    const int64_t padding = WLI_PANELS_PADDING / (int64_t)trainer->element;
    if (weight->rows == 0) return;
    weight->panels =
        wli_arena_take(arena, 1, wli_padded(trainer, weight->rows) * weight->columns + padding, trainer->element);
    weight->back =
        wli_arena_take(arena, 1, wli_padded(trainer, weight->columns) * weight->rows + padding, trainer->element);
}

static void lay_out_cell(const wlstm_trainer *trainer, wli_train_cell *cell, wli_arena *arena) {
    lay_out_weight(trainer, &cell->ih, arena);
    lay_out_weight(trainer, &cell->hh, arena);
    lay_out_weight(trainer, &cell->hr, arena);
    cell->bias = wli_arena_take(arena, 1, wli_padded(trainer, 4 * cell->H), trainer->element);
    cell->dh = wli_arena_take(arena, trainer->max_batch, cell->h_stride, trainer->element);
    cell->dc = wli_arena_take(arena, trainer->max_batch, cell->c_stride, trainer->element);
    const int64_t left = trainer->recompute_steps > 0 ? WLI_BLOCK_PAIRS : 0, projected = cell->P ? left : 0;
    cell->left.gates = wli_arena_take(arena, left, cell->gate_stride, trainer->element);
    cell->left.x = wli_arena_take(arena, left, wli_gate_stride(cell->I, trainer->element), trainer->element);
    cell->left.h = wli_arena_take(arena, left, cell->h_stride, trainer->element);
    cell->left.m = wli_arena_take(arena, projected, cell->c_stride, trainer->element);
    cell->left.dh = wli_arena_take(arena, projected, cell->h_stride, trainer->element);
}

static wli_train_worker lay_out_worker(const wlstm_trainer *trainer, const widths *w, wli_arena *arena) {
    const int64_t rows = trainer->rows_at_once, lines = wli_gate_stride(WLI_BLOCK_PAIRS, trainer->element);
    return (wli_train_worker){
        .gathered = { .dense =
                          wli_arena_take(arena, rows, wli_gate_stride(w->depth, trainer->element), trainer->element),
                      .rows = wli_arena_take(arena, rows, 1, sizeof(void *)) },
        .a = wli_arena_take(arena, rows, 1, sizeof(void *)),
        .b = wli_arena_take(arena, rows, 1, sizeof(void *)),
        .h = wli_arena_take(arena, trainer->max_batch, 1, sizeof(void *)),
        .turned = wli_arena_take(arena, WLI_GROUP_ROWS, lines, trainer->element),
        .product = wli_arena_take(arena, WLI_GROUP_ROWS, WLI_GROUP_COLUMNS + lines - WLI_BLOCK_PAIRS, trainer->element),
        .piece = wli_arena_take(arena, WLI_PIECE_ROWS, w->input, trainer->element),
    };
}

static wli_crew lay_out_crew(const wlstm_trainer *trainer, const widths *w, int64_t crews, wli_arena *arena) {
    const int64_t rows = w->projects ? trainer->model->num_directions * trainer->max_batch : 0;
    const int64_t padding = WLI_PANELS_PADDING / (int64_t)trainer->element;
    wli_crew crew = { .unprojected = wli_arena_take(arena, rows, w->hidden, trainer->element),
                      .projected = wli_arena_take(arena, rows, w->state, trainer->element) };
    for (int i = 0; i < (crews > 1 ? 2 : 1); i++)
        crew.windows[i] = wli_arena_take(arena, wli_window_pairs(trainer), w->window, trainer->element);
    for (int i = 0; i < 2; i++)
        crew.blocks[i] = wli_arena_take(arena, 1, WLI_BLOCK_PAIRS * w->block + padding, trainer->element);
    return crew;
}

static void lay_out_shared(const wlstm_trainer *trainer, const widths *w, wli_train_shared *shared, wli_arena *arena) {
    const int64_t crews = wli_most_crews(trainer);
    shared->zeros = wli_arena_take(arena, 1, w->columns, trainer->element);
    shared->gangs = wli_arena_take(arena, trainer->threads, 1, sizeof(wli_barrier));
    shared->crews = wli_arena_take(arena, crews, 1, sizeof(wli_crew));
    for (int64_t i = 0; i < crews; i++) {
        const wli_crew crew = lay_out_crew(trainer, w, crews, arena);
        if (arena->base) shared->crews[i] = crew;
    }
}

static void lay_out(wlstm_trainer *trainer, wli_arena *arena) {
    const wli_model *model = trainer->model;
    const widths w = widest(trainer);
    trainer->gathered_depth = w.depth;
    trainer->parameters = wli_arena_take(arena, trainer->count, 1, trainer->element);
    trainer->gradients = wli_arena_take(arena, trainer->count, 1, trainer->element);
    for (int i = 0; i < 2; i++) trainer->moments[i] = wli_arena_take(arena, trainer->count, 1, trainer->element);
    trainer->squares = wli_arena_take(arena, wli_norm_blocks(trainer->count), 1, sizeof(double));
    trainer->packed_values = wli_arena_take(arena, trainer->count, 1, trainer->element);
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++)
        lay_out_cell(trainer, &trainer->cells[i], arena);
    for (int i = 0; i < trainer->threads; i++) trainer->workers[i] = lay_out_worker(trainer, &w, arena);
    lay_out_shared(trainer, &w, &trainer->shared, arena);
}

/* Sizes, strides and where each parameter is. */
static void describe_cells(wlstm_trainer *trainer) {
    const wli_model *model = trainer->model;
    int64_t offset = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_cell_weights *weights = &model->cells[i];
        const int64_t I = weights->input_size, H = weights->hidden_size, P = weights->proj_size;
        const int64_t R = weights->state_size;
        wli_train_cell *cell = &trainer->cells[i];
        *cell = (wli_train_cell){ .I = I,
                                  .H = H,
                                  .P = P,
                                  .R = R,
                                  .h_offset = weights->h_offset,
                                  .c_offset = weights->c_offset,
                                  .bias_ih = -1,
                                  .bias_hh = -1,
                                  .gate_stride = wli_gate_stride(wli_padded(trainer, 4 * H), trainer->element),
                                  .c_stride = wli_gate_stride(wli_padded(trainer, H), trainer->element),
                                  .h_stride = wli_gate_stride(wli_padded(trainer, R), trainer->element) };
        cell->ih = (wli_train_weight){ offset, 4 * H, I, NULL, NULL }, offset += 4 * H * I;
        cell->hh = (wli_train_weight){ offset, 4 * H, R, NULL, NULL }, offset += 4 * H * R;
        if (model->bias) cell->bias_ih = offset, cell->bias_hh = offset + 4 * H, offset += 8 * H;
        cell->hr = (wli_train_weight){ offset, P, H, NULL, NULL }, offset += P * H;
    }
    trainer->count = offset;
}

static wlstm_status fill(wlstm_trainer *trainer) {
    const wli_model *model = trainer->model;
    const size_t cells_bytes = (size_t)(model->num_layers * model->num_directions) * sizeof *trainer->cells;
    const size_t workers_bytes = (size_t)trainer->threads * sizeof *trainer->workers;
    if (!(trainer->cells = wli_alloc(cells_bytes))) return wli_out_of_memory("trainer", cells_bytes);
    if (!(trainer->workers = wli_alloc(workers_bytes))) return wli_out_of_memory("trainer", workers_bytes);
    describe_cells(trainer);
    trainer->rows_at_once = wli_rows_at_once(trainer);
    wli_arena arena = { 0 };
    lay_out(trainer, &arena);
    if (arena.overflow || !wli_tape_bytes(trainer, trainer->max_seq_len, trainer->max_batch, &trainer->own_tape_bytes))
        return wli_out_of_memory("trainer", SIZE_MAX);
    trainer->bytes = arena.used;
    if (!(trainer->memory = wli_calloc(arena.used))) return wli_out_of_memory("trainer", arena.used);
    if (!(trainer->own_tape = wli_alloc(trainer->own_tape_bytes)))
        return wli_out_of_memory("tape", trainer->own_tape_bytes);
    arena = (wli_arena){ .base = trainer->memory };
    lay_out(trainer, &arena);
    wli_tape_forget(trainer->own_tape);
    return WLSTM_OK;
}

wlstm_status wli_trainer_make(wli_model *model, int64_t max_seq_len, int64_t max_batch, int64_t recompute_steps,
                              int threads, wlstm_schedule schedule, wlstm_trainer **out) {
    static _Atomic(uint64_t) made;
    wlstm_trainer *trainer = *out = wli_calloc(sizeof *trainer);
    if (!trainer) return wli_out_of_memory("trainer", sizeof *trainer);
    wli_model_retain(model);
    const wli_product product = wli_product_of(model->dtype, WLSTM_PRECISION_FULL);
    trainer->model = model;
    trainer->max_seq_len = max_seq_len, trainer->max_batch = max_batch, trainer->threads = threads;
    trainer->recompute_steps = recompute_steps, trainer->schedule = schedule;
    trainer->step_work = 16 << 10, trainer->pass_work = 128 << 10;
    trainer->element = wli_dtype_size(model->dtype);
    trainer->native = wli_native_get(product);
    trainer->kernels = wli_training_get(product);
    trainer->id = 1 + atomic_fetch_add(&made, 1);
    trainer->version = 1;
    wlstm_status status = fill(trainer);
    if (status != WLSTM_OK) {
        wlstm_trainer_free(trainer);
        *out = NULL;
        return status;
    }
    char *to = trainer->parameters;
    for (int64_t i = 0; i < model->num_parameters; i++) {
        const size_t bytes = model->parameters[i].count * trainer->element;
        memcpy(to, model->parameters[i].values, bytes);
        to += bytes;
    }
    return WLSTM_OK;
}

void wlstm_trainer_free(wlstm_trainer *trainer) {
    if (!trainer) return;
    wli_free(trainer->own_tape);
    wli_free(trainer->memory);
    wli_free(trainer->workers);
    wli_free(trainer->cells);
    wli_model_release(trainer->model);
    wli_free(trainer);
}

void wli_trainer_changed(wlstm_trainer *trainer) {
    trainer->version++;
}
