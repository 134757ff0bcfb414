/* c_0 into the layers' own c before the first step, c and h into c_n and h_n after the last. */
#include "schedule/item.h"

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

void wli_load_c(const wli_run *run, const wli_item *item) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const size_t element = sequence->element;
    const wli_state_rows c_0 = wli_call_c(sequence->spec.model, run->call, cell->weights, run->call->c_0);
    int64_t first, count;
    units_of(item, cell, &first, &count);
    for (int64_t r = item->part; r < run->call->batch; r += run->graph.parts) {
        char *c = wli_item_c(run, item) + (size_t)(r * cell->c_stride + first) * element;
        if (wli_state_given(&c_0))
            memcpy(c, wli_state_row(&c_0, sequence->rows.order[r]) + (size_t)first * element, (size_t)count * element);
        else
            memset(c, 0, (size_t)count * element);
    }
}

void wli_store_states(const wli_run *run, const wli_item *item, const wli_view *output) {
    const wli_sequence *sequence = run->sequence;
    const wli_cell_kernels *cell = wli_item_cell(run, item);
    const size_t element = sequence->element;
    const wli_state_rows h_n = wli_call_h(sequence->spec.model, run->call, cell->weights, run->call->h_n);
    const wli_state_rows c_n = wli_call_c(sequence->spec.model, run->call, cell->weights, run->call->c_n);
    const bool wants_h = wli_state_given(&h_n), wants_c = wli_state_given(&c_n);
    int64_t first, count, h_first, h_count;
    units_of(item, cell, &first, &count);
    outputs_of(item, cell, &h_first, &h_count);
    for (int64_t r = item->part; r < run->call->batch && (wants_h || wants_c); r += run->graph.parts) {
        const int64_t length = sequence->rows.lengths[r], row = sequence->rows.order[r];
        if (length <= item->first_step || length > item->end_step) continue;
        const char *h = wli_view_at(output, wli_rows_time(&sequence->rows, item->direction, length - 1, r), r);
        if (wants_h)
            memcpy(wli_state_row(&h_n, row) + (size_t)h_first * element, h + (size_t)h_first * element,
                   (size_t)h_count * element);
        if (wants_c)
            memcpy(wli_state_row(&c_n, row) + (size_t)first * element,
                   wli_item_c(run, item) + (size_t)(r * cell->c_stride + first) * element, (size_t)count * element);
    }
}
