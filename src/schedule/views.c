/* Where the rows are that a layer reads and writes. */
#include "schedule/item.h"

int64_t wli_output_stride(const wli_sequence *sequence, int64_t width) {
    return wli_gate_stride(width, sequence->element);
}

/* Of x or out, rows of `width` elements. */
static wli_view callers_view(const wli_run *run, const void *array, int64_t width) {
    const wli_sequence *sequence = run->sequence;
    const int64_t element = (int64_t)sequence->array_element;
    const wli_strides strides = wli_call_strides(sequence->spec.model, run->call, width);
    return (wli_view){ .base = (char *)(uintptr_t)array,
                       .time = strides.time * element,
                       .row = strides.row * element,
                       .order = sequence->rows.order,
                       .packed = run->call->batch_sizes ? &sequence->packed : NULL };
}

wli_view wli_input_view(const wli_run *run, int64_t layer, int64_t first_step) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t element = (int64_t)sequence->element, B = run->call->batch;
    const int64_t width = wli_model_cell(model, layer, 0)->input_size;
    if (layer == 0) return callers_view(run, run->call->x, width);
    const int64_t row = wli_output_stride(sequence, width) * element;
    wli_view view = { .time = B * row, .row = row };
    if (model->num_directions == 2)
        view.base = sequence->between[(layer - 1) % 2];
    else
        view.base = sequence->between[2 * (layer - 1) + first_step / run->graph.chunk_steps % 2],
        view.first_time = first_step;
    return view;
}

wli_view wli_out_view(const wli_run *run, int direction) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t R = wli_model_cell(model, model->num_layers - 1, direction)->state_size;
    wli_view view = callers_view(run, run->call->out, model->num_directions * R);
    view.base += direction * R * (int64_t)sequence->array_element;
    return view;
}

wli_view wli_output_view(const wli_run *run, int64_t layer, int direction, int64_t first_step) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t element = (int64_t)sequence->element, R = wli_model_cell(model, layer, direction)->state_size;
    if (layer + 1 < model->num_layers) {
        wli_view view = wli_input_view(run, layer + 1, first_step);
        view.base += direction * R * element;
        return view;
    }
    if (!sequence->narrows) return wli_out_view(run, direction);
    const int64_t row = wli_output_stride(sequence, R) * element;
    return (wli_view){ .base = sequence->staged[direction][first_step / run->graph.chunk_steps % 2],
                       .first_time = first_step,
                       .time = run->call->batch * row,
                       .row = row,
                       .by_step = true };
}
