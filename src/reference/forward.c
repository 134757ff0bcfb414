/* torch.nn.LSTM layer by layer, of the steps in cell.h. Compiled once a number type that cells compute in; where arrays
 * hold another, bf16, h is rounded to it at each step. */
#include "reference/forward.h"

#include "base/allocator.h"
#include "reference/cell.h"

/* The largest H, the largest of H and I, and the largest D*R among the layers that hand their output to another. */
static void widest(const wli_model *model, int64_t *hidden, int64_t *depth, int64_t *output) {
    *hidden = *depth = *output = 0;
    for (int64_t l = 0; l < model->num_layers; l++) {
        const wli_cell_weights *cell = wli_model_cell(model, l, 0);
        int64_t width = model->num_directions * cell->state_size;
        if (cell->hidden_size > *hidden) *hidden = cell->hidden_size;
        if (cell->hidden_size > *depth) *depth = cell->hidden_size;
        if (cell->input_size > *depth) *depth = cell->input_size;
        if (width > *output && l + 1 < model->num_layers) *output = width;
    }
}

/* One row's gates [4H], o*tanh(c) [H], h and c in doubles, x and a row of a weight as deep as the deepest, what is
 * behind a packed call's rows [B+1], then the outputs [T, B, D*R] of two layers, or where there is but one h_0 [B, R]. */
static bool workspace_bytes(const wli_model *model, int64_t seq_len, int64_t batch, size_t *bytes) {
    int64_t hidden, depth, output;
    size_t row, deep, behind, rows, layers;
    widest(model, &hidden, &depth, &output);
    const bool one = model->num_layers == 1;
    return wli_size_product(one ? 1 : seq_len, batch, one ? 1 : 2, &rows) && rows <= INT64_MAX &&
           wli_size_product((int64_t)rows, one ? model->cells[0].state_size : output,
                            (int64_t)wli_dtype_size(model->dtype), &layers) &&
           wli_size_product(batch + 1, sizeof(int64_t), 1, &behind) &&
           wli_size_product(7, hidden, sizeof(double), &row) && wli_size_product(2, depth, sizeof(double), &deep) &&
           !__builtin_add_overflow(row, behind, &row) && !__builtin_add_overflow(layers, row, bytes) &&
           !__builtin_add_overflow(*bytes, deep, bytes);
}

/* Elements [n] of an array, NULL as zeros, and back, where NULL is not wanted. */
static void take(wlstm_dtype dtype, const void *from, int64_t n, real *to) {
    for (int64_t k = 0; k < n; k++) to[k] = from ? (real)wli_get(dtype, from, (size_t)k) : 0;
}

static void put(wlstm_dtype dtype, void *to, int64_t n, const real *from) {
    for (int64_t k = 0; k < n && to; k++) wli_put(dtype, to, (size_t)k, (double)from[k]);
}

/* Rows of x or out, or of what a layer hands to the next. */
typedef struct sequence {
    char *base;
    int64_t element; /* bytes */
    wli_strides strides;
    const wli_packed_rows *packed; /* NULL: rows are by the strides */
} sequence;

static char *row_at(const sequence *rows, int64_t t, int64_t b) {
    const int64_t at = rows->packed ? wli_packed_rows_at(rows->packed, t, b) * rows->strides.row
                                    : t * rows->strides.time + b * rows->strides.row;
    return rows->base + at * rows->element;
}

/* One row's states and what a step works with, cut out of the workspace. */
typedef struct row_work {
    double *gates;
    real *m, *h, *c, *x, *w;
} row_work;

/* Row b of one layer and direction over its own length, h into its part of out, from element `at` on; h_0, h_n [R] and
 * c_0, c_n [H] may be NULL. */
typedef struct row_run {
    const sequence *x, *out;
    int64_t b, at, length;
    const char *h_0, *c_0;
    char *h_n, *c_n;
    bool reverse;
} row_run;

static void run_row(wlstm_dtype dtype, const wli_cell_weights *cell, wlstm_precision precision, const row_run *run,
                    const row_work *work) {
    const int64_t I = cell->input_size, H = cell->hidden_size, R = cell->state_size;
    take(dtype, run->h_0, R, work->h);
    take(dtype, run->c_0, H, work->c);
    for (int64_t s = 0; s < run->length; s++) {
        const int64_t t = run->reverse ? run->length - 1 - s : s;
        char *out = row_at(run->out, t, run->b) + run->at * run->out->element;
        take(dtype, row_at(run->x, t, run->b), I, work->x);
        wli_cell_step(dtype, cell, precision, work->x, work->h, work->c, work->gates, work->m, work->w);
        put(dtype, out, R, work->h);
        take(dtype, out, R, work->h); /* as the array has it */
    }
    put(dtype, run->h_n, R, work->h);
    put(dtype, run->c_n, H, work->c);
}

/* A row of a cell's h or c; NULL where it is not given or not wanted. */
static char *row_of(const wli_state_rows rows, int64_t b) {
    return wli_state_given(&rows) ? wli_state_row(&rows, b) : NULL;
}

/* x [T, B, I] -> out [T, B, D*R] layer by layer; between layers h is kept as [T, B, D*R], times its part of the mask. */
static void forward(const wli_model *model, wlstm_precision precision, const wli_call *call, const void *mask,
                    void *workspace) {
    const int64_t B = call->batch, L = model->num_layers;
    const wlstm_dtype dtype = model->dtype;
    const int64_t element = (int64_t)wli_dtype_size(dtype);
    const int D = model->num_directions;
    int64_t H, depth, widest_output;
    widest(model, &H, &depth, &widest_output);
    double *room = workspace;
    const row_work work = { room,
                            (real *)(room + 4 * H),
                            (real *)(room + 5 * H),
                            (real *)(room + 6 * H),
                            (real *)(room + 7 * H),
                            (real *)(room + 7 * H + depth) };
    wli_packed_rows packed = { .behind = (int64_t *)(room + 7 * H + 2 * depth) };
    char *between = (char *)(packed.behind + B + 1);
    const wli_packed_rows *given = call->batch_sizes ? &packed : NULL;
    const void *h_0 = call->h_0;
    if (given) wli_packed_rows_begin(&packed, call);
    if (dtype == WLSTM_BF16 && precision != WLSTM_PRECISION_INT8) precision = WLSTM_PRECISION_BF16;
    if (h_0 &&
        h_0 == call->out) /* one layer and direction: out may take h_0's place, and a row's reach into the next one's */
        h_0 = memcpy(between, h_0, (size_t)(B * model->cells[0].state_size * element));
    sequence input = { (char *)(uintptr_t)call->x, element, wli_call_strides(model, call, model->cells[0].input_size),
                       given };

    for (int64_t l = 0; l < L; l++) {
        const int64_t R = wli_model_cell(model, l, 0)->state_size;
        const int64_t scales_at = call->seq_len * B * wli_model_cell(model, l, 0)->h_offset;
        bool last = l == L - 1;
        sequence output = {
            between + (l % 2) * call->seq_len * B * widest_output * element, element, { B * D * R, D * R }, NULL
        };
        if (last) output = (sequence){ call->out, element, wli_call_strides(model, call, D * R), given };
        for (int64_t b = 0; b < B; b++) {
            int64_t length = wli_call_length(call, b);
            for (int64_t t = length; t < call->seq_len && !output.packed; t++)
                memset(row_at(&output, t, b), 0, (size_t)(D * R * element));
            for (int d = 0; d < D; d++) {
                const wli_cell_weights *cell = wli_model_cell(model, l, d);
                const row_run run = { .x = &input,
                                      .out = &output,
                                      .b = b,
                                      .at = d * R,
                                      .h_0 = row_of(wli_call_h(model, call, cell, h_0), b),
                                      .c_0 = row_of(wli_call_c(model, call, cell, call->c_0), b),
                                      .h_n = row_of(wli_call_h(model, call, cell, call->h_n), b),
                                      .c_n = row_of(wli_call_c(model, call, cell, call->c_n), b),
                                      .length = length,
                                      .reverse = d == 1 };
                run_row(dtype, cell, precision, &run, &work);
            }
        }
        for (int64_t k = 0; mask && !last && k < call->seq_len * B * D * R; k++)
            wli_put(dtype, output.base, (size_t)k,
                    wli_get(dtype, output.base, (size_t)k) * wli_get(dtype, mask, (size_t)(scales_at + k)));
        input = output;
    }
}

const wli_reference WLI_OF_PRODUCT(wli_reference) = { workspace_bytes, forward };
