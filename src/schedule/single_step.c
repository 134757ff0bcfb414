/* One step of one cell: what streaming callers do again and again, so nothing here but pointers. */
#include "schedule/state.h"

#include <string.h>

bool wli_is_single_step(const wli_sequence *sequence, const wli_call *call) {
    const wli_sequence_spec *spec = &sequence->spec;
    return call->seq_len == 1 && spec->threads == 1 && spec->parts == 1 && spec->model->num_layers == 1 &&
           spec->model->num_directions == 1 && spec->cells[0].ih.kind == WLI_GEMM_NATIVE &&
           spec->cells[0].hh.kind == WLI_GEMM_NATIVE;
}

/* x [B, I], h_0 and out [B, R], c [B, H]: dense rows whatever batch_first says. */
wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call) {
    const wli_cell_kernels *cell = &sequence->spec.cells[0];
    const wli_cell_weights *weights = cell->weights;
    wli_worker *worker = &sequence->workers[0];
    const int64_t B = call->batch, H = weights->hidden_size;
    const size_t element = sequence->element, x_bytes = (size_t)weights->input_size * element;
    const size_t h_bytes = (size_t)weights->state_size * element, c_bytes = (size_t)H * element;
    const size_t c_stride = (size_t)cell->c_stride * element;
    const char *h_0 = call->h_0;
    if (h_0 && h_0 == call->out) h_0 = memcpy(sequence->h_copy, h_0, (size_t)B * h_bytes);
    char *c = sequence->c[0];
    for (int64_t r = 0; r < B; r++) {
        worker->x_rows[r] = (const char *)call->x + (size_t)r * x_bytes;
        worker->h_prev_rows[r] = h_0 ? h_0 + (size_t)r * h_bytes : sequence->zeros;
        worker->h_rows[r] = (char *)call->out + (size_t)r * h_bytes;
        if (call->c_0)
            memcpy(c + (size_t)r * c_stride, (const char *)call->c_0 + (size_t)r * c_bytes, c_bytes);
        else
            memset(c + (size_t)r * c_stride, 0, c_bytes);
    }
    const wli_cell_step step = { .rows = B,
                                 .h_prev = worker->h_prev_rows,
                                 .h_prev_is_zero = !call->h_0,
                                 .x = worker->x_rows,
                                 .gates = worker->gates,
                                 .c = c,
                                 .ldc = cell->c_stride,
                                 .h = worker->h_rows,
                                 .steps = 1,
                                 .h_step = 0,
                                 .range = cell->range,
                                 .projection_range = cell->projection_range,
                                 .backwards = false };
    int64_t done;
    wlstm_status status = wli_cell_run_steps(cell, &worker->workspace, &step, &done);
    if (status == WLSTM_OK && weights->weight_hr) status = wli_cell_project_hidden(cell, &worker->workspace, &step);
    for (int64_t r = 0; r < B && call->c_n; r++)
        memcpy((char *)call->c_n + (size_t)r * c_bytes, c + (size_t)r * c_stride, c_bytes);
    if (call->h_n) memcpy(call->h_n, call->out, (size_t)B * h_bytes);
    return status;
}
