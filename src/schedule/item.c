#include "schedule/item.h"

#include "base/bf16.h"
#include <string.h>

/* How many rows of the item's part still run at a step, no more than the `active` of an earlier one. */
static int64_t active_rows(const wli_run *run, const wli_item *item, int64_t step, int64_t active) {
    return wli_rows_active(&run->sequence->rows, item->part, run->graph.parts, step, active);
}

static int64_t all_rows(const wli_run *run, const wli_item *item) {
    return wli_rows_of_part(&run->sequence->rows, item->part, run->graph.parts);
}

/* Begins to fetch few rows that another core may have written: their lines come together, not one after the other as
 * they are read. Inline, as gcc drops calls of what only fetches. */
static inline __attribute__((always_inline)) void fetch_rows(const wli_run *run, const wli_worker *worker,
                                                             const wli_item *item, int64_t count) {
    const int64_t most_bytes = 8 << 10, line = 64;
    const int64_t bytes = wli_item_cell(run, item)->ih.depth * (int64_t)run->sequence->element;
    if (run->sequence->spec.choice.threads == 1 || item->layer == 0 || count * bytes > most_bytes) return;
    for (int64_t i = 0; i < count; i++)
        for (int64_t byte = 0; byte < bytes; byte += line) __builtin_prefetch((const char *)worker->x_rows[i] + byte);
}

/* Whether the item's steps project their rows of x themselves. */
static bool brings_input(const wli_run *run, const wli_item *item) {
    return wli_item_cell(run, item)->brings_input && item->share.members == 1 && !run->sequence->narrows;
}

/* Pointers to x of the item's steps: its rows still running, step by step. Says how many. */
static int64_t point_to_x(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_rows *rows = &run->sequence->rows;
    const wli_view input = wli_input_view(run, item->layer, item->first_step);
    int64_t count = 0, active = all_rows(run, item);
    for (int64_t s = item->first_step; s < item->end_step; s++) {
        active = active_rows(run, item, s, active);
        for (int64_t i = 0, r = item->part; i < active; i++, r += run->graph.parts)
            worker->x_rows[count++] = wli_view_at(&input, wli_rows_time(rows, item->direction, s, r), r);
    }
    return count;
}

/* Rows [depth] of the caller's narrower arrays as cells compute in them, in the worker's own room, and pointers to
 * these. */
static void widen(const wli_run *run, const wli_worker *worker, int64_t count, int64_t depth, const void **rows) {
    const int64_t stride = run->sequence->widened_stride;
    for (int64_t i = 0; i < count; i++) {
        wli_bf16_widen(rows[i], (size_t)depth, worker->widened + i * stride);
        rows[i] = worker->widened + i * stride;
    }
}

/* Pointers to x, and G from them, but where the steps bring it. */
static wlstm_status project(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const int64_t count = point_to_x(run, worker, item);
    const bool brings = brings_input(run, item);
    const int64_t gate_rows = brings ? all_rows(run, item) : count;
    if (run->sequence->narrows && item->layer == 0) widen(run, worker, count, cell->ih.depth, worker->x_rows);
    fetch_rows(run, worker, item, count);
    /* The loads of a dense tail reach one vector past the last row: no leftovers there, as they could trap. */
    memset((char *)worker->gates + (size_t)(gate_rows * cell->ih.stride) * cell->element, 0, WLI_ALIGNMENT);
    if (brings) return WLSTM_OK;
    return wli_cell_project(cell, &worker->workspace, count, worker->x_rows, wli_item_share(item, cell->range),
                            worker->gates);
}

/* Pointers to the rows of h before and after the item's step s. */
static void point_to_h(const wli_run *run, wli_worker *worker, const wli_item *item, const wli_view *output,
                       int64_t s) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_weights *cell = wli_item_cell(run, item)->weights;
    const int64_t active = active_rows(run, item, s, all_rows(run, item));
    wli_state_rows h_0 = wli_call_h(sequence->spec.model, run->call, cell, run->call->h_0);
    if (h_0.tensor && h_0.tensor == run->call->out) h_0.tensor = sequence->h_copy;
    const wli_view previous = s > item->first_step || s == 0
                                  ? *output
                                  : wli_output_view(run, item->layer, item->direction, s - run->graph.chunk_steps);
    for (int64_t r = item->part, i = 0; i < active; r += run->graph.parts, i++) {
        worker->h_rows[i] = wli_view_at_step(output, &sequence->rows, item->direction, s, r);
        worker->h_prev_rows[i] = s > 0 ? wli_view_at_step(&previous, &sequence->rows, item->direction, s - 1, r)
                                 : wli_state_given(&h_0) ? wli_state_row(&h_0, sequence->rows.order[r])
                                                         : sequence->zeros;
    }
    if (sequence->narrows && s == 0 && wli_state_given(&h_0))
        widen(run, worker, active, cell->state_size, worker->h_prev_rows);
}

/* The threads that share the item's units meet. */
static void meet(const wli_item *item) {
    if (item->share.barrier) wli_barrier_wait(item->share.barrier, item->share.members);
}

/* Of so many packed steps those from each of which to the next it is as far: until a row ends; in the reverse
 * direction, where each row begins at its own end, for rows that are equally long. */
static int64_t even_steps(const wli_run *run, const wli_item *item, const wli_view *output, int64_t step,
                          int64_t active, int64_t most, int64_t *h_step) {
    const wli_rows *rows = &run->sequence->rows;
    const int64_t last = item->part + (active - 1) * run->graph.parts, way = item->direction ? -1 : 1;
    if (most == 1 || (item->direction && rows->lengths[item->part] != rows->lengths[last])) return 1;
    const int64_t *sizes = &output->packed->batch_sizes[wli_rows_time(rows, item->direction, step, last)];
    if (item->direction) sizes--; /* rows are as far from the time before as that has rows */
    int64_t steps = 2;
    while (steps < most && sizes[way * (steps - 1)] == sizes[0]) steps++;
    *h_step = way * sizes[0] * output->row;
    return steps;
}

/* How many steps from `step` on, and so many rows, may be one after the other without a word to other threads and
 * without h rounded between them, and how far it is from one to the next where there are several. */
static int64_t steps_together(const wli_run *run, const wli_item *item, const wli_view *output, int64_t step,
                              int64_t active, int64_t *h_step) {
    if (item->share.members > 1 || wli_item_cell(run, item)->weights->proj_size || run->sequence->rounds) return 1;
    const int64_t length = run->sequence->rows.lengths[item->part + (active - 1) * run->graph.parts];
    const int64_t most = (length < item->end_step ? length : item->end_step) - step;
    return output->packed ? even_steps(run, item, output, step, active, most, h_step) : most;
}

/* The item's first step, but for what each step has of its own. */
static wli_cell_step first_step(const wli_run *run, const wli_worker *worker, const wli_item *item,
                                const wli_view *output) {
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    return (wli_cell_step){ .x = brings_input(run, item) ? worker->x_rows : NULL,
                            .h_prev = worker->h_prev_rows,
                            .gates = worker->gates,
                            .c = wli_item_c(run, item) + (size_t)(item->part * cell->c_stride) * cell->element,
                            .ldc = run->graph.parts * cell->c_stride,
                            .h = worker->h_rows,
                            .h_step = item->direction && !output->by_step ? -output->time : output->time,
                            .range = wli_item_share(item, cell->range),
                            .projection_range = wli_item_share(item, cell->projection_range) };
}

/* From the rows of h of the step before, and after it, to those of the next: `done` steps later, of as many rows as
 * it has. */
static void move_h(wli_worker *worker, const wli_cell_step *step, int64_t done) {
    for (int64_t i = 0; i < step->rows; i++) {
        worker->h_prev_rows[i] = (char *)worker->h_rows[i] + (done - 1) * step->h_step;
        worker->h_rows[i] = (char *)worker->h_rows[i] + done * step->h_step;
    }
}

/* Past the rows of x, or G, of the steps that are done. */
static void move_input(const wli_cell_kernels *cell, wli_cell_step *step, int64_t done) {
    if (step->x)
        step->x += done * step->rows;
    else
        step->gates = (char *)step->gates + (size_t)(done * step->rows * cell->ih.stride) * cell->element;
}

/* One step, or several where nobody waits for it; none of it after an error, but for the others who wait. */
static wlstm_status run_steps(const wli_run *run, wli_worker *worker, const wli_item *item, const wli_cell_step *step,
                              wlstm_status status, int64_t *done) {
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    *done = 1;
    if (status == WLSTM_OK) status = wli_cell_run_steps(cell, &worker->workspace, step, done);
    if (cell->weights->proj_size) {
        meet(item); /* an output of the projection needs all units */
        if (status == WLSTM_OK) status = wli_cell_project_hidden(cell, &worker->workspace, step);
    }
    if (run->sequence->rounds && status == WLSTM_OK) wli_round_h(run, item, step->rows, step->h);
    meet(item);
    return status;
}

wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item) {
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const wli_view output = wli_output_view(run, item->layer, item->direction, item->first_step);
    if (item->first_step == 0) wli_load_c(run, item);
    wlstm_status status = wli_failure_seen(&run->sequence->failure);
    if (status == WLSTM_OK) status = project(run, worker, item);
    point_to_h(run, worker, item, &output, item->first_step);
    wli_cell_step step = first_step(run, worker, item, &output);
    step.rows = all_rows(run, item);
    for (int64_t s = item->first_step, done = 0; s < item->end_step; s += done) {
        step.rows = active_rows(run, item, s, step.rows);
        if (step.rows == 0) break;
        if (done > 0 && output.packed) point_to_h(run, worker, item, &output, s);
        if (done > 0 && !output.packed) move_h(worker, &step, done);
        step.steps = steps_together(run, item, &output, s, step.rows, &step.h_step);
        step.h_prev_is_zero = s == 0 && !run->call->h_0 && !run->call->streams;
        step.backwards = s % 2 == 1;
        status = run_steps(run, worker, item, &step, status, &done);
        move_input(cell, &step, done);
    }
    if (status == WLSTM_OK && output.by_step) wli_store_out(run, item, &output);
    if (status == WLSTM_OK) wli_store_states(run, item, &output);
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
                            .share = share ? *share : (wli_share){ 0, 1, 1, 1, NULL } };
    return wli_item_run(run, worker, &item);
}
