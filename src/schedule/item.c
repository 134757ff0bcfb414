/* One item of work: the rows of the tensors that a (layer, direction, chunk, part of the batch, share of the units) reads and
 * writes. */
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
    char *chunk = sequence->between[2 * (layer - 1) + first_step / run->graph.chunk_steps % 2];
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

static const wli_cell_kernels *cell_of(const wli_run *run, const wli_item *item) {
    const wli_sequence_spec *spec = &run->sequence->spec;
    return &spec->cells[item->layer * spec->model->num_directions + item->direction];
}

/* The item's share of all panels of a weight. */
static wli_panel_range share_of(const wli_item *item, wli_panel_range all) {
    return (wli_panel_range){ all.end * item->share.member / item->share.units,
                              all.end * (item->share.member + 1) / item->share.units };
}

/* The part of a row [width] that a range of panels covers: its first `*count` elements from `*first` on. */
static void elements_of(wli_panel_range range, int64_t panel, int64_t width, int64_t *first, int64_t *count) {
    const int64_t end = range.end * panel < width ? range.end * panel : width;
    *first = range.first * panel;
    *count = end > *first ? end - *first : 0;
}

/* Of c, and without projection of h. */
static void units_of(const wli_item *item, const wli_cell_kernels *cell, int64_t *first, int64_t *count) {
    elements_of(share_of(item, cell->range), cell->layout.lanes, cell->weights->hidden_size, first, count);
}

/* Of h. */
static void outputs_of(const wli_item *item, const wli_cell_kernels *cell, int64_t *first, int64_t *count) {
    if (!cell->weights->weight_hr)
        units_of(item, cell, first, count);
    else
        elements_of(share_of(item, cell->projection_range), WLI_PANEL_VECTORS * cell->layout.lanes,
                    cell->weights->proj_size, first, count);
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
    for (int64_t r = item->part; r < run->call->batch; r += run->graph.parts) {
        char *c = c_of(run, item) + (size_t)(r * cell->c_stride + first) * element;
        if (c_0)
            memcpy(c, c_0 + (size_t)sequence->rows.order[r] * row_bytes + (size_t)first * element,
                   (size_t)count * element);
        else
            memset(c, 0, (size_t)count * element);
    }
}

/* h_n, c_n of the item's rows whose last step it holds, and of its share. */
static void store_states(const wli_run *run, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const size_t element = sequence->element;
    const int64_t B = run->call->batch, H = cell->weights->hidden_size, R = cell->weights->state_size;
    char *h_n = state_at(run->call->h_n, cell->weights->h_offset, B, element);
    char *c_n = state_at(run->call->c_n, cell->weights->c_offset, B, element);
    int64_t first, count, h_first, h_count;
    units_of(item, cell, &first, &count);
    outputs_of(item, cell, &h_first, &h_count);
    for (int64_t r = item->part; r < B && (h_n || c_n); r += run->graph.parts) {
        const int64_t length = sequence->rows.lengths[r], row = sequence->rows.order[r];
        if (length <= item->first_step || length > item->end_step) continue;
        const char *h = wli_view_at(output, wli_rows_time(&sequence->rows, item->direction, length - 1, r), r);
        if (h_n)
            memcpy(h_n + (size_t)(row * R + h_first) * element, h + (size_t)h_first * element,
                   (size_t)h_count * element);
        if (c_n)
            memcpy(c_n + (size_t)(row * H + first) * element,
                   c_of(run, item) + (size_t)(r * cell->c_stride + first) * element, (size_t)count * element);
    }
}

/* How many rows of the item's part still run at a step, no more than the `active` of an earlier one. */
static int64_t active_rows(const wli_run *run, const wli_item *item, int64_t step, int64_t active) {
    return wli_rows_active(&run->sequence->rows, item->part, run->graph.parts, step, active);
}

static int64_t all_rows(const wli_run *run, const wli_item *item) {
    return wli_rows_of_part(&run->sequence->rows, item->part, run->graph.parts);
}

/* Begins to fetch few rows that another core may have written: their lines come together, not one after the other as they are
 * read. Inline, as gcc drops calls of what only fetches. */
static inline __attribute__((always_inline)) void fetch_rows(const wli_run *run, const wli_worker *worker,
                                                             const wli_item *item, int64_t count) {
    const int64_t most_bytes = 8 << 10, line = 64,
                  bytes = cell_of(run, item)->ih.depth * (int64_t)run->sequence->element;
    if (run->sequence->spec.choice.threads == 1 || item->layer == 0 || count * bytes > most_bytes) return;
    for (int64_t i = 0; i < count; i++)
        for (int64_t byte = 0; byte < bytes; byte += line) __builtin_prefetch((const char *)worker->x_rows[i] + byte);
}

/* Whether the item's steps project their rows of x themselves. */
static bool brings_input(const wli_run *run, const wli_item *item) {
    return cell_of(run, item)->brings_input && item->share.units == 1;
}

/* Pointers to x of the item's steps: its rows still running, step by step; and G of them, but where the steps bring it. */
static wlstm_status project(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const wli_view input = input_view(run, item->layer, item->first_step);
    int64_t count = 0, active = all_rows(run, item);
    for (int64_t s = item->first_step; s < item->end_step; s++) {
        active = active_rows(run, item, s, active);
        for (int64_t i = 0, r = item->part; i < active; i++, r += run->graph.parts)
            worker->x_rows[count++] = wli_view_at(&input, wli_rows_time(&sequence->rows, item->direction, s, r), r);
    }
    fetch_rows(run, worker, item, count);
    const bool brings = brings_input(run, item);
    /* The loads of a dense tail reach one vector past the last row: no leftovers there, as they could trap. */
    memset((char *)worker->gates +
               (size_t)((brings ? all_rows(run, item) : count) * cell->ih.stride) * sequence->element,
           0, WLI_ALIGNMENT);
    if (brings) return WLSTM_OK;
    return wli_cell_project(cell, &worker->workspace, count, worker->x_rows, share_of(item, cell->range),
                            worker->gates);
}

/* Pointers to the rows of h before and after the item's first step. */
static void point_to_h(const wli_run *run, wli_worker *worker, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = cell_of(run, item);
    const size_t h_bytes = (size_t)cell->weights->state_size * sequence->element;
    const int64_t s = item->first_step, active = active_rows(run, item, s, all_rows(run, item));
    const char *h_0 = state_at(run->call->h_0, cell->weights->h_offset, run->call->batch, sequence->element);
    if (h_0 && h_0 == run->call->out) h_0 = sequence->h_copy;
    const wli_view previous =
        s == 0 ? *output : output_view(run, item->layer, item->direction, s - run->graph.chunk_steps);
    for (int64_t r = item->part, i = 0; i < active; r += run->graph.parts, i++) {
        worker->h_rows[i] = wli_view_at(output, wli_rows_time(&sequence->rows, item->direction, s, r), r);
        worker->h_prev_rows[i] =
            s > 0 ? wli_view_at(&previous, wli_rows_time(&sequence->rows, item->direction, s - 1, r), r)
            : h_0 ? h_0 + (size_t)sequence->rows.order[r] * h_bytes
                  : sequence->zeros;
    }
}

/* The threads that share the item's units meet. */
static void meet(const wli_item *item) {
    if (item->share.barrier) wli_barrier_wait(item->share.barrier, item->share.units);
}

/* How many steps from `step` on, and so many rows, may be one after the other without a word to other threads. */
static int64_t steps_together(const wli_run *run, const wli_item *item, int64_t step, int64_t active) {
    if (item->share.units > 1 || cell_of(run, item)->weights->weight_hr) return 1;
    const int64_t length = run->sequence->rows.lengths[item->part + (active - 1) * run->graph.parts];
    return (length < item->end_step ? length : item->end_step) - step;
}

wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_cell_kernels *cell = cell_of(run, item);
    const wli_view output = output_view(run, item->layer, item->direction, item->first_step);
    const size_t element = run->sequence->element, gate_bytes = (size_t)cell->ih.stride * element;
    int64_t active = all_rows(run, item), done = 0;
    if (item->first_step == 0) load_c(run, item);
    wlstm_status status = project(run, worker, item);
    point_to_h(run, worker, item, &output);
    wli_cell_step step = { .x = brings_input(run, item) ? worker->x_rows : NULL,
                           .one_way = run->sequence->spec.choice.one_way != 0,
                           .h_prev = worker->h_prev_rows,
                           .gates = worker->gates,
                           .c = c_of(run, item) + (size_t)(item->part * cell->c_stride) * element,
                           .ldc = run->graph.parts * cell->c_stride,
                           .h = worker->h_rows,
                           .h_step = item->direction ? -output.time : output.time,
                           .range = share_of(item, cell->range),
                           .projection_range = share_of(item, cell->projection_range) };
    for (int64_t s = item->first_step; s < item->end_step && status == WLSTM_OK; s += done) {
        active = step.rows = active_rows(run, item, s, active);
        if (step.rows == 0) break;
        for (int64_t i = 0; i < step.rows && s > item->first_step; i++) {
            worker->h_prev_rows[i] = (char *)worker->h_rows[i] + (done - 1) * step.h_step;
            worker->h_rows[i] = (char *)worker->h_rows[i] + done * step.h_step;
        }
        step.steps = steps_together(run, item, s, active);
        step.h_prev_is_zero = s == 0 && !run->call->h_0;
        step.backwards = s % 2 == 1 && !step.one_way;
        status = wli_cell_run_steps(cell, &worker->workspace, &step, &done);
        if (status == WLSTM_OK && cell->weights->weight_hr) {
            meet(item); /* an output of the projection needs all units */
            status = wli_cell_project_hidden(cell, &worker->workspace, &step);
        }
        if (step.x)
            step.x += done * step.rows;
        else
            step.gates = (char *)step.gates + (size_t)(done * step.rows) * gate_bytes;
        meet(item);
    }
    if (status == WLSTM_OK) store_states(run, item, &output);
    meet(item); /* who is told that the item is done may write over what the states were copied from */
    return status;
}

wlstm_status wli_node_run(const wli_run *run, wli_worker *worker, const wli_node *node, const wli_share *share) {
    const int64_t T = run->call->seq_len, S = run->graph.chunk_steps;
    const wli_item item = { .layer = node->layer,
                            .direction = node->direction,
                            .part = node->part,
                            .first_step = node->chunk * S,
                            .end_step = (node->chunk + 1) * S < T ? (node->chunk + 1) * S : T,
                            .share = share ? *share : (wli_share){ 0, 1, NULL } };
    return wli_item_run(run, worker, &item);
}
