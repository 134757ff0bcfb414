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

/* One row's gates [4H], o*tanh(c) [H], h and c in doubles, what is behind a packed call's rows [B+1], then the outputs
 * [T, B, D*R] of two layers, or where there is but one h_0 [B, R]. */
static bool workspace_bytes(const wli_model *model, int64_t seq_len, int64_t batch, size_t *bytes) {
    int64_t hidden, output;
    size_t row, rows, layers, behind;
    widest(model, &hidden, &output);
    const bool one = model->num_layers == 1;
    return wli_size_product(one ? 1 : seq_len, batch, one ? 1 : 2, &rows) && rows <= INT64_MAX &&
           wli_size_product((int64_t)rows, one ? model->cells[0].state_size : output, sizeof(real), &layers) &&
           wli_size_product(batch + 1, sizeof(int64_t), 1, &behind) &&
           wli_size_product(7, hidden, sizeof(double), &row) && !__builtin_add_overflow(row, behind, &row) &&
           !__builtin_add_overflow(layers, row, bytes);
}

/* Rows of x or out, or of what a layer hands to the next. */
typedef struct sequence {
    real *base;
    wli_strides strides;
    const wli_packed_rows *packed; /* NULL: rows are by the strides */
} sequence;

static real *row_at(const sequence *rows, int64_t t, int64_t b) {
    if (rows->packed) return rows->base + wli_packed_rows_at(rows->packed, t, b) * rows->strides.row;
    return rows->base + t * rows->strides.time + b * rows->strides.row;
}

/* Row b of one layer and direction over its own length, h into its part of out, from `at` on; h_0, h_n [R] and
 * c_0, c_n [H] may be NULL. */
static void run_row(const wli_cell_weights *cell, wlstm_precision precision, bool reverse, int64_t length, int64_t b,
                    const sequence *x, const sequence *out, int64_t at, const real *h_0, const real *c_0, real *h_n,
                    real *c_n, double *workspace) {
    const size_t H = (size_t)cell->hidden_size, R = (size_t)cell->state_size;
    double *gates = workspace;
    real *m = (real *)(workspace + 4 * H), *h = (real *)(workspace + 5 * H), *c = (real *)(workspace + 6 * H);
    for (size_t j = 0; j < R; j++) h[j] = h_0 ? h_0[j] : 0;
    for (size_t j = 0; j < H; j++) c[j] = c_0 ? c_0[j] : 0;
    for (int64_t s = 0; s < length; s++) {
        int64_t t = reverse ? length - 1 - s : s;
        wli_cell_step(cell, precision, row_at(x, t, b), h, c, gates, m);
        memcpy(row_at(out, t, b) + at, h, R * sizeof(real));
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
    wli_packed_rows packed = { .behind = (int64_t *)((double *)workspace + 7 * widest_hidden) };
    real *between = (real *)(packed.behind + B + 1);
    const wli_packed_rows *given = call->batch_sizes ? &packed : NULL;
    const void *h_0 = call->h_0;
    if (given) wli_packed_rows_begin(&packed, call);
    if (h_0 &&
        h_0 == call->out) /* one layer and direction: out may take h_0's place, and a row's reach into the next one's */
        h_0 = memcpy(between, h_0, (size_t)(B * model->cells[0].state_size) * sizeof(real));
    sequence input = { (real *)(uintptr_t)call->x, wli_call_strides(model, call, model->cells[0].input_size), given };

    for (int64_t l = 0; l < L; l++) {
        const int64_t R = wli_model_cell(model, l, 0)->state_size;
        const real *scales = wli_at(mask, call->seq_len * B * wli_model_cell(model, l, 0)->h_offset);
        bool last = l == L - 1;
        sequence output = { between + (l % 2) * call->seq_len * B * widest_output, { B * D * R, D * R }, NULL };
        if (last) output = (sequence){ call->out, wli_call_strides(model, call, D * R), given };
        for (int64_t b = 0; b < B; b++) {
            int64_t length = wli_call_length(call, b);
            for (int64_t t = length; t < call->seq_len && !output.packed; t++)
                memset(row_at(&output, t, b), 0, (size_t)(D * R) * sizeof(real));
            for (int d = 0; d < D; d++) {
                const wli_cell_weights *cell = wli_model_cell(model, l, d);
                run_row(cell, precision, d == 1, length, b, &input, &output, d * R,
                        row_of(wli_call_h(model, call, cell, h_0), b),
                        row_of(wli_call_c(model, call, cell, call->c_0), b),
                        row_of(wli_call_h(model, call, cell, call->h_n), b),
                        row_of(wli_call_c(model, call, cell, call->c_n), b), workspace);
            }
        }
        for (int64_t k = 0; mask && !last && k < call->seq_len * B * D * R; k++) output.base[k] *= scales[k];
        input = output;
    }
}

const wli_reference WLI_OF_PRODUCT(wli_reference) = { workspace_bytes, forward };
