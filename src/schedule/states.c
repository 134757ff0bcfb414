/* c_0 into the layers' own c before the first step, c and h into c_n and h_n after the last; out from where it is
 * wider than the caller's. */
#include "schedule/item.h"

#include "base/bf16.h"
#include <string.h>

/* What of a row [width] a range of panels covers: its first `*count` elements from `*first` on. */
static void elements_of(wli_panel_range range, int64_t panel, int64_t width, int64_t *first, int64_t *count) {
    const int64_t end = range.end * panel < width ? range.end * panel : width;
    *first = range.first * panel;
    *count = end > *first ? end - *first : 0;
}

/* Of c, and without projection of h. */
static void units_of(const wli_item *item, const wli_cell_kernels *cell, int64_t *first, int64_t *count) {
    elements_of(wli_item_share(item, cell->range), cell->layout.lanes, cell->weights->hidden_size, first, count);
}

/* Of h. */
static void outputs_of(const wli_item *item, const wli_cell_kernels *cell, int64_t *first, int64_t *count) {
    if (!cell->weights->proj_size)
        units_of(item, cell, first, count);
    else
        elements_of(wli_item_share(item, cell->projection_range), WLI_PANEL_VECTORS * cell->layout.lanes,
                    cell->weights->proj_size, first, count);
}

/* Elements of a caller's array as cells compute in them, and back. */
static void load(const wli_sequence *sequence, const char *from, int64_t count, char *to) {
    if (sequence->narrows)
        wli_bf16_widen((const uint16_t *)(const void *)from, (size_t)count, (float *)(void *)to);
    else
        memcpy(to, from, (size_t)count * sequence->element);
}

static void store(const wli_sequence *sequence, const char *from, int64_t count, char *to) {
    if (sequence->narrows)
        wli_bf16_narrow((const float *)(const void *)from, (size_t)count, (uint16_t *)(void *)to);
    else
        memcpy(to, from, (size_t)count * sequence->element);
}

void wli_load_c(const wli_run *run, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const size_t element = sequence->element, array_element = sequence->array_element;
    const wli_state_rows c_0 = wli_call_c(sequence->spec.model, run->call, cell->weights, run->call->c_0);
    int64_t first, count;
    units_of(item, cell, &first, &count);
    for (int64_t r = item->part; r < run->call->batch; r += run->graph.parts) {
        char *c = wli_item_c(run, item) + (size_t)(r * cell->c_stride + first) * element;
        if (wli_state_given(&c_0))
            load(sequence, wli_state_row(&c_0, sequence->rows.order[r]) + (size_t)first * array_element, count, c);
        else
            memset(c, 0, (size_t)count * element);
    }
}

void wli_store_states(const wli_run *run, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const size_t element = sequence->element, array_element = sequence->array_element;
    const wli_state_rows h_n = wli_call_h(sequence->spec.model, run->call, cell->weights, run->call->h_n);
    const wli_state_rows c_n = wli_call_c(sequence->spec.model, run->call, cell->weights, run->call->c_n);
    const bool wants_h = wli_state_given(&h_n), wants_c = wli_state_given(&c_n);
    int64_t first, count, h_first, h_count;
    units_of(item, cell, &first, &count);
    outputs_of(item, cell, &h_first, &h_count);
    for (int64_t r = item->part; r < run->call->batch && (wants_h || wants_c); r += run->graph.parts) {
        const int64_t length = sequence->rows.lengths[r], row = sequence->rows.order[r];
        if (length <= item->first_step || length > item->end_step) continue;
        const char *h = wli_view_at_step(output, &sequence->rows, item->direction, length - 1, r);
        if (wants_h)
            store(sequence, h + (size_t)h_first * element, h_count,
                  wli_state_row(&h_n, row) + (size_t)h_first * array_element);
        if (wants_c)
            store(sequence, wli_item_c(run, item) + (size_t)(r * cell->c_stride + first) * element, count,
                  wli_state_row(&c_n, row) + (size_t)first * array_element);
    }
}

void wli_store_out(const wli_run *run, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_rows *rows = &sequence->rows;
    const wli_view out = wli_out_view(run, item->direction);
    int64_t first, count, active = wli_rows_of_part(rows, item->part, run->graph.parts);
    outputs_of(item, wli_item_cell(run, item), &first, &count);
    for (int64_t s = item->first_step; s < item->end_step; s++) {
        active = wli_rows_active(rows, item->part, run->graph.parts, s, active);
        for (int64_t i = 0, r = item->part; i < active; i++, r += run->graph.parts)
            store(sequence, wli_view_at_step(output, rows, item->direction, s, r) + (size_t)first * sequence->element,
                  count, wli_view_at_step(&out, rows, item->direction, s, r) + (size_t)first * sequence->array_element);
    }
}

void wli_round_h(const wli_run *run, const wli_item *item, int64_t rows, void *const *h) {
    int64_t first, count;
    outputs_of(item, wli_item_cell(run, item), &first, &count);
    for (int64_t i = 0; i < rows; i++) wli_bf16_round_all((float *)h[i] + first, (size_t)count);
}
