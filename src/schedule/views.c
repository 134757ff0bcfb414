/* Where the rows are that a layer reads and writes. */
#include "schedule/item.h"

int64_t wli_output_stride(const wli_sequence *sequence, int64_t width) {
    return wli_gate_stride(width, sequence->element);
}

wli_view wli_input_view(const wli_run *run, int64_t layer, int64_t first_step) {
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

wli_view wli_output_view(const wli_run *run, int64_t layer, int direction, int64_t first_step) {
    const wli_sequence *sequence = run->sequence;
    const wli_model *model = sequence->spec.model;
    const int64_t element = (int64_t)sequence->element, R = wli_model_cell(model, layer, direction)->state_size;
    wli_view view;
    if (layer + 1 < model->num_layers)
        view = wli_input_view(run, layer + 1, first_step);
    else {
        wli_strides strides = wli_call_strides(model, run->call, model->num_directions * R);
        view = (wli_view){ run->call->out, 0, strides.time * element, strides.row * element, sequence->rows.order };
    }
    view.base += direction * R * element;
    return view;
}
