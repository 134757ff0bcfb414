/* torch.nn.LSTM layer by layer, of the steps in cell.h. Compiled once a number type. */
#include "reference/forward.h"

#include "base/allocator.h"
#include "reference/cell.h"

/* The largest H, and the largest D*R among the layers that hand their output to another. */
static void widest(const wli_model *model, int64_t *hidden, int64_t *output) {
    *hidden = *output = 0;
    for (int64_t l = 0; l < model->num_layers; l++) {
        const wli_cell_weights *cell = wli_model_cell(model, l, 0);
        int64_t width = model->num_directions * cell->state_size;
        if (cell->hidden_size > *hidden) *hidden = cell->hidden_size;
        if (width > *output && l + 1 < model->num_layers) *output = width;
    }
}

/* One row's gates [4H], o*tanh(c) [H], h and c in doubles, then the outputs [T, B, D*R] of two layers, or where there is but one
 * h_0 [B, R]. */
static bool workspace_bytes(const wli_model *model, int64_t seq_len, int64_t batch, size_t *bytes) {
    int64_t hidden, output;
    size_t row, rows, layers;
    widest(model, &hidden, &output);
    const bool one = model->num_layers == 1;
    return wli_size_product(one ? 1 : seq_len, batch, one ? 1 : 2, &rows) && rows <= INT64_MAX &&
           wli_size_product((int64_t)rows, one ? model->cells[0].state_size : output, sizeof(real), &layers) &&
           wli_size_product(7, hidden, sizeof(double), &row) && !__builtin_add_overflow(layers, row, bytes);
}

/* One row of one layer and direction over its own length: x and out are its elements at time 0, one time step apart by the
 * strides; h_0, h_n [R] and c_0, c_n [H] may be NULL. */
static void run_row(const wli_cell_weights *cell, wlstm_precision precision, bool reverse, int64_t length,
                    const real *x, int64_t x_time, real *out, int64_t out_time, const real *h_0, const real *c_0,
                    real *h_n, real *c_n, double *workspace) {
    const size_t H = (size_t)cell->hidden_size, R = (size_t)cell->state_size;
    double *gates = workspace;
    real *m = (real *)(workspace + 4 * H), *h = (real *)(workspace + 5 * H), *c = (real *)(workspace + 6 * H);
    for (size_t j = 0; j < R; j++) h[j] = h_0 ? h_0[j] : 0;
    for (size_t j = 0; j < H; j++) c[j] = c_0 ? c_0[j] : 0;
    for (int64_t s = 0; s < length; s++) {
        int64_t t = reverse ? length - 1 - s : s;
        wli_cell_step(cell, precision, x + t * x_time, h, c, gates, m);
        memcpy(out + t * out_time, h, R * sizeof(real));
    }
    if (h_n) memcpy(h_n, h, R * sizeof(real));
    if (c_n) memcpy(c_n, c, H * sizeof(real));
}

/* A row of a cell's h or c; NULL where it is not given or not wanted. */
static real *row_of(const wli_state_rows rows, int64_t b) {
    return wli_state_given(&rows) ? (real *)(void *)wli_state_row(&rows, b) : NULL;
}

/* x [T, B, I] -> out [T, B, D*R] layer by layer; between layers h is kept as [T, B, D*R], times its part of the mask. */
static void forward(const wli_model *model, wlstm_precision precision, const wli_call *call, const void *mask,
                    void *workspace) {
    const int64_t B = call->batch, L = model->num_layers;
    const int D = model->num_directions;
    int64_t widest_hidden, widest_output;
    widest(model, &widest_hidden, &widest_output);
    real *between = (real *)((double *)workspace + 7 * widest_hidden);
    const real *input = call->x;
    const void *h_0 = call->h_0;
    if (h_0 &&
        h_0 == call->out) /* one layer and direction: out may take h_0's place, and a row's reach into the next one's */
        h_0 = memcpy(between, h_0, (size_t)(B * model->cells[0].state_size) * sizeof(real));
    wli_strides input_strides = wli_call_strides(model, call, model->cells[0].input_size);

    for (int64_t l = 0; l < L; l++) {
        const int64_t R = wli_model_cell(model, l, 0)->state_size;
        const real *scales = wli_at(mask, call->seq_len * B * wli_model_cell(model, l, 0)->h_offset);
        bool last = l == L - 1;
        real *output = last ? call->out : between + (l % 2) * call->seq_len * B * widest_output;
        wli_strides output_strides = last ? wli_call_strides(model, call, D * R) : (wli_strides){ B * D * R, D * R };
        for (int64_t b = 0; b < B; b++) {
            int64_t length = wli_call_length(call, b);
            for (int64_t t = length; t < call->seq_len; t++)
                memset(output + t * output_strides.time + b * output_strides.row, 0, (size_t)(D * R) * sizeof(real));
            for (int d = 0; d < D; d++) {
                const wli_cell_weights *cell = wli_model_cell(model, l, d);
                run_row(cell, precision, d == 1, length, input + b * input_strides.row, input_strides.time,
                        output + b * output_strides.row + d * R, output_strides.time,
                        row_of(wli_call_h(model, call, cell, h_0), b),
                        row_of(wli_call_c(model, call, cell, call->c_0), b),
                        row_of(wli_call_h(model, call, cell, call->h_n), b),
                        row_of(wli_call_c(model, call, cell, call->c_n), b), workspace);
            }
        }
        for (int64_t k = 0; mask && !last && k < call->seq_len * B * D * R; k++) output[k] *= scales[k];
        input = output, input_strides = output_strides;
    }
}

const wli_reference WLI_OF_PRODUCT(wli_reference) = { workspace_bytes, forward };
