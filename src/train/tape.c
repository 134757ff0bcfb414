#include "train/tape.h"

#include "base/allocator.h"
#include <string.h>

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static bool drops(const wlstm_trainer *trainer) {
    return trainer->model->dropout > 0 && trainer->model->num_layers > 1;
}

static int64_t window_steps(const wlstm_trainer *trainer, int64_t seq_len) {
    const int64_t steps = trainer->recompute_steps;
    return steps > 0 && steps < seq_len ? steps : seq_len;
}

/* Cuts the tape out of the arena, or measures it; `pairs` are those of a window. */
static void lay_out(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch, int64_t pairs, wli_tape *tape,
                    wli_arena *arena) {
    const int64_t steps = window_steps(trainer, seq_len), windows = (seq_len + steps - 1) / steps;
    const wli_model *model = trainer->model;
    const int64_t num_cells = model->num_layers * model->num_directions, inner = model->num_layers - 1;
    const size_t element = trainer->element;
    tape->rows.order = wli_arena_take(arena, batch, 1, sizeof(int64_t));
    tape->rows.lengths = wli_arena_take(arena, batch, 1, sizeof(int64_t));
    tape->first = wli_arena_take(arena, seq_len + 1, 1, sizeof(int64_t));
    tape->part_first = wli_arena_take(arena, seq_len + 1, trainer->threads, sizeof(int64_t));
    tape->cells = wli_arena_take(arena, num_cells, 1, sizeof *tape->cells);
    tape->hidden = wli_arena_take(arena, inner, 1, sizeof(void *));
    tape->inputs = wli_arena_take(arena, inner, 1, sizeof(void *));
    for (int64_t i = 0; i < num_cells; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        const wli_tape_cell cut = { .gates = wli_arena_take(arena, pairs, cell->gate_stride, element),
                                    .c = wli_arena_take(arena, pairs, cell->c_stride, element),
                                    .h_0 = wli_arena_take(arena, windows * batch, cell->h_stride, element),
                                    .c_0 = wli_arena_take(arena, windows * batch, cell->c_stride, element),
                                    .dh = wli_arena_take(arena, cell->P ? pairs : 0, cell->h_stride, element) };
        if (arena->base) tape->cells[i] = cut;
    }
    for (int64_t l = 0; l < inner; l++) {
        const int64_t stride = wli_gate_stride(wli_output_width(trainer, l), element);
        void *hidden = wli_arena_take(arena, pairs, stride, element);
        void *dropped = drops(trainer) ? wli_arena_take(arena, pairs, stride, element) : NULL;
        if (arena->base) tape->hidden[l] = hidden, tape->inputs[l] = tape->training && dropped ? dropped : hidden;
    }
}

enum { HEADER_BYTES = (sizeof(wli_tape) + WLI_ALIGNMENT - 1) / WLI_ALIGNMENT * WLI_ALIGNMENT };

bool wli_tape_bytes(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch, size_t *bytes) {
    wli_arena arena = { 0 };
    wli_tape measured;
    lay_out(trainer, seq_len, batch, window_steps(trainer, seq_len) * batch, &measured, &arena);
    return !arena.overflow && !__builtin_add_overflow(arena.used, HEADER_BYTES + WLI_ALIGNMENT, bytes);
}

wli_tape *wli_tape_in(void *memory) {
    const uintptr_t place = (uintptr_t)memory;
    return (wli_tape *)((place + WLI_ALIGNMENT - 1) / WLI_ALIGNMENT * WLI_ALIGNMENT);
}

static uint64_t mark_of(const wlstm_trainer *trainer, const wli_tape *tape) {
    return (trainer->id + (uint64_t)(uintptr_t)tape) * UINT64_C(0x9e3779b97f4a7c15);
}

void wli_tape_forget(void *memory) {
    wli_tape_in(memory)->mark = 0;
}

bool wli_tape_is_of(const wlstm_trainer *trainer, const wli_tape *tape) {
    return tape->mark == mark_of(trainer, tape);
}

/* One cell's state of the call's rows, in the order of work; NULL is zeros. */
static void copy_state(const wlstm_trainer *trainer, const wli_tape *tape, const void *states, int64_t offset,
                       int64_t width, int64_t stride, void *to) {
    const size_t bytes = (size_t)width * trainer->element;
    for (int64_t r = 0; r < tape->call.batch; r++) {
        char *row = wli_elements(trainer, to, r * stride);
        if (states)
            memcpy(row, wli_elements(trainer, states, offset * tape->call.batch + tape->rows.order[r] * width), bytes);
        else
            memset(row, 0, bytes);
    }
}

wli_tape *wli_tape_begin(const wlstm_trainer *trainer, void *memory, const wli_call *call, bool training) {
    wli_tape *tape = wli_tape_in(memory);
    const int64_t T = call->seq_len, B = call->batch;
    const int64_t steps = window_steps(trainer, T);
    int64_t pairs = 0, in_window = 0; /* no window has more than the first */
    for (int64_t b = 0; b < B; b++) {
        const int64_t length = wli_call_length(call, b);
        pairs += length, in_window += length < steps ? length : steps;
    }
    memset(tape, 0, sizeof *tape);
    tape->training = training;
    wli_arena arena = { .base = (char *)tape + HEADER_BYTES };
    lay_out(trainer, T, B, in_window, tape, &arena);
    tape->window_steps = steps;
    tape->mark = mark_of(trainer, tape);
    tape->version = trainer->version;
    tape->call = *call;
    tape->pairs = pairs;
    wli_rows_sort(&tape->rows, call);
    tape->packed = call->batch_sizes;
    tape->call.lengths = tape->call.batch_sizes = NULL; /* the caller's may go */
    int64_t active = B;
    tape->first[0] = 0;
    for (int64_t s = 0; s < T; s++) {
        active = wli_rows_active(&tape->rows, 0, 1, s, active);
        tape->first[s + 1] = tape->first[s] + active;
    }
    for (int64_t i = 0; i < trainer->model->num_layers * trainer->model->num_directions; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        copy_state(trainer, tape, call->h_0, cell->h_offset, cell->R, cell->h_stride, tape->cells[i].h_0);
        copy_state(trainer, tape, call->c_0, cell->c_offset, cell->H, cell->c_stride, tape->cells[i].c_0);
    }
    return tape;
}

void wli_tape_deal(wli_tape *tape, int64_t parts) {
    const int64_t T = tape->call.seq_len;
    tape->parts = parts;
    for (int64_t window = 0; window < wli_tape_windows(tape); window++) {
        const int64_t end = wli_window_first(tape, window + 1);
        int64_t place = 0, rows;
        for (int64_t part = 0; part < parts; part++)
            for (int64_t s = wli_window_first(tape, window); s < end; s++) {
                (void)wli_tape_part(tape, part, s, &rows);
                tape->part_first[part * (T + 1) + s] = place;
                place += rows;
            }
    }
}

int64_t wli_window_pairs(const wlstm_trainer *trainer) {
    if (trainer->model->num_layers == 1) return 0;
    /* Of fewer rows a chunk has more steps, and at most a block more pairs. */
    const int64_t T = trainer->max_seq_len, B = trainer->max_batch;
    if (trainer->model->num_directions == 2) return T * B;
    return larger(WLI_BLOCK_PAIRS + B, 0) < T * B ? WLI_BLOCK_PAIRS + B : T * B;
}

int64_t wli_projected_rows(const wlstm_trainer *trainer, const wli_train_cell *cell) {
    const int64_t fewest = 48, bytes = 256 << 10;
    return larger(fewest, bytes / (cell->gate_stride * (int64_t)trainer->element));
}

int64_t wli_rows_at_once(const wlstm_trainer *trainer) {
    int64_t rows = larger(trainer->max_batch, WLI_BLOCK_PAIRS);
    for (int64_t i = 0; i < trainer->model->num_layers * trainer->model->num_directions; i++)
        rows = larger(rows, wli_projected_rows(trainer, &trainer->cells[i]));
    return rows;
}
