/* One item of work: the rows of the tensors that a (layer, direction, chunk, part of the batch, range of units) reads and writes. */
#include "schedule/state.h"

#include <string.h>

/* Elements from one row to the next of an output [.., width] between layers. */
int64_t wli_output_stride(const wli_sequence *sequence, int64_t width) {
    return wli_gate_stride(width, sequence->element);
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
    const int64_t row = wli_output_stride(sequence, width) * element;
    if (model->num_directions == 2) return (wli_view){ sequence->between[(layer - 1) % 2], 0, B * row, row, NULL };
    char *chunk = sequence->between[2 * (layer - 1) + first_step / run->chunk_steps % 2];
    return (wli_view){ chunk, first_step, B * row, row, NULL };
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

/* The units that an item's range covers. */
static void units_of(const wli_item *item, const wli_cell_kernels *cell, int64_t *first, int64_t *count) {
    int64_t end = item->range.end * cell->layout.lanes;
    *first = item->range.first * cell->layout.lanes;
    if (end > cell->weights->hidden_size) end = cell->weights->hidden_size;
    *count = end > *first ? end - *first : 0;
}

static const wli_cell_kernels *cell_of(const wli_run *run, const wli_item *item) {
    const wli_sequence_spec *spec = &run->sequence->spec;
    return &spec->cells[item->layer * spec->model->num_directions + item->direction];
}

static char *c_of(const wli_run *run, const wli_item *item) {
    return run->sequence->c[item->layer * run->sequence->spec.model->num_directions + item->direction];
}

/* c [B, c_stride] = c_0 [B, H] in the order of work: the item's rows and units; the padding is zero already. */
static void load_c(const wli_run *run, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const size_t element = sequence->element, row_bytes = (size_t)cell->weights->hidden_size * element;
    const char *c_0 = state_at(run->call->c_0, cell->weights->c_offset, run->call->batch, element);
    int64_t first, count;
    units_of(item, cell, &first, &count);
    for (int64_t r = item->part; r < run->call->batch; r += run->parts) {
        char *c = c_of(run, item) + (size_t)(r * cell->c_stride + first) * element;
        if (c_0)
            memcpy(c, c_0 + (size_t)sequence->rows.order[r] * row_bytes + (size_t)first * element,
                   (size_t)count * element);
        else
            memset(c, 0, (size_t)count * element);
    }
}

/* h_n, c_n of the item's rows whose last step it holds, and of its units (with projection it has all). */
static void store_states(const wli_run *run, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const size_t element = sequence->element;
    const int64_t B = run->call->batch, H = cell->weights->hidden_size, R = cell->weights->state_size;
    char *h_n = state_at(run->call->h_n, cell->weights->h_offset, B, element);
    char *c_n = state_at(run->call->c_n, cell->weights->c_offset, B, element);
    int64_t first, count;
    units_of(item, cell, &first, &count);
    const int64_t h_count = R == H ? count : R;
    for (int64_t r = item->part; r < B && (h_n || c_n); r += run->parts) {
        const int64_t length = sequence->rows.lengths[r], row = sequence->rows.order[r];
        if (length <= item->first_step || length > item->end_step) continue;
        const char *h = wli_view_at(output, wli_rows_time(&sequence->rows, item->direction, length - 1, r), r);
        if (h_n)
            memcpy(h_n + (size_t)(row * R + first) * element, h + (size_t)first * element, (size_t)h_count * element);
        if (c_n)
            memcpy(c_n + (size_t)(row * H + first) * element,
                   c_of(run, item) + (size_t)(r * cell->c_stride + first) * element, (size_t)count * element);
    }
}

/* How many of a part's rows are among the first `active` rows. */
static int64_t rows_of_part(const wli_run *run, int64_t part, int64_t active) {
    if (run->parts == 1) return active;
    return active > part ? (active - part + run->parts - 1) / run->parts : 0;
}

/* G of the item's steps: its rows still running, step by step. */
static wlstm_status project(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const wli_view input = input_view(run, item->layer, item->first_step);
    int64_t count = 0, active = run->call->batch;
    for (int64_t s = item->first_step; s < item->end_step; s++) {
        active = wli_rows_active(&sequence->rows, s, active);
        for (int64_t r = item->part; r < active; r += run->parts)
            worker->x_rows[count++] = wli_view_at(&input, wli_rows_time(&sequence->rows, item->direction, s, r), r);
    }
    /* The loads of a dense tail reach one vector past the last row: no leftovers there, as they could trap. */
    memset((char *)worker->gates + (size_t)(count * cell->ih.stride) * sequence->element, 0, WLI_ALIGNMENT);
    return wli_cell_project(cell, &worker->workspace, count, worker->x_rows, item->range, worker->gates);
}

/* Pointers to the rows of h before and after the item's first step. */
static void point_to_h(const wli_run *run, wli_worker *worker, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const size_t h_bytes = (size_t)cell->weights->state_size * sequence->element;
    const int64_t s = item->first_step, active = wli_rows_active(&sequence->rows, s, run->call->batch);
    const char *h_0 = state_at(run->call->h_0, cell->weights->h_offset, run->call->batch, sequence->element);
    if (h_0 && h_0 == run->call->out) h_0 = sequence->h_copy;
    const wli_view previous = s == 0 ? *output : output_view(run, item->layer, item->direction, s - run->chunk_steps);
    for (int64_t r = item->part, i = 0; r < active; r += run->parts, i++) {
        worker->h_rows[i] = wli_view_at(output, wli_rows_time(&sequence->rows, item->direction, s, r), r);
        worker->h_prev_rows[i] =
            s > 0 ? wli_view_at(&previous, wli_rows_time(&sequence->rows, item->direction, s - 1, r), r)
            : h_0 ? h_0 + (size_t)sequence->rows.order[r] * h_bytes
                  : sequence->zeros;
    }
}

wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const wli_view output = output_view(run, item->layer, item->direction, item->first_step);
    const int64_t next_step = item->direction ? -output.time : output.time;
    const size_t element = sequence->element, gate_bytes = (size_t)cell->ih.stride * element;
    int64_t active = run->call->batch;
    if (item->first_step == 0) load_c(run, item);
    wlstm_status status = project(run, worker, item);
    point_to_h(run, worker, item, &output);
    wli_cell_step step = { .h_prev = worker->h_prev_rows,
                           .gates = worker->gates,
                           .c = c_of(run, item) + (size_t)(item->part * cell->c_stride) * element,
                           .ldc = run->parts * cell->c_stride,
                           .h = worker->h_rows,
                           .range = item->range };
    for (int64_t s = item->first_step; s < item->end_step && status == WLSTM_OK; s++) {
        active = wli_rows_active(&sequence->rows, s, active);
        step.rows = rows_of_part(run, item->part, active);
        if (step.rows == 0) break;
        for (int64_t i = 0; i < step.rows && s > item->first_step; i++) {
            worker->h_prev_rows[i] = worker->h_rows[i];
            worker->h_rows[i] = (char *)worker->h_rows[i] + next_step;
        }
        step.h_prev_is_zero = s == 0 && !run->call->h_0;
        step.backwards = s % 2 == 1 && !sequence->spec.one_way;
        status = wli_cell_run_step(cell, &worker->workspace, &step);
        step.gates = (char *)step.gates + (size_t)step.rows * gate_bytes;
        if (item->barrier) wli_barrier_wait(item->barrier, item->threads);
    }
    if (status == WLSTM_OK) store_states(run, item, &output);
    return status;
}

wlstm_status wli_item_run_chunks(const wli_run *run, wli_worker *worker, wli_item item) {
    const int64_t T = run->call->seq_len;
    wlstm_status status = WLSTM_OK;
    for (int64_t first = 0; first < T && status == WLSTM_OK; first += run->chunk_steps) {
        item.first_step = first;
        item.end_step = first + run->chunk_steps < T ? first + run->chunk_steps : T;
        status = wli_item_run(run, worker, &item);
    }
    return status;
}

wli_item wli_item_whole(const wli_run *run, int64_t layer, int direction, int64_t part) {
    wli_item item = { .layer = layer, .direction = direction, .part = part, .end_step = run->call->seq_len };
    item.range = wli_cell_range(cell_of(run, &item));
    return item;
}
