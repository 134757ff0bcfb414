/* The gradients of torch.nn.LSTM, layer by layer from the last, row by row, of the steps in cell_backward.h. Compiled once
 * a number type. Each row's way forward is gone again just before its way back, so that one row's steps are kept at a
 * time. */
#include "reference/backward.h"

#include "base/allocator.h"
#include "base/status.h"
#include "reference/cell_backward.h"

typedef struct workspace {
    real *between;    /* outputs of all layers but the last, as the layers above read them: [T, B, D*R] each */
    real *h, *c, *m;  /* one row of one cell: [T+1, R] and [T+1, H], at 0 before its first step, and [T, H] */
    double *gates;    /* [T, 4H] */
    double *d_output; /* of the layer that is at work: [T, B, D*R] */
    double *d_input;  /* [T, B, I] */
    double *d_cell;   /* a cell's parameters, in the model's order */
    double *d_h, *d_c, *d_gates, *d_m; /* of one step: [R], [H], [4H], [H] */
} workspace;

/* One layer at work on its input. */
typedef struct layer {
    const wli_model *model;
    const wli_call *call;
    const wli_gradients *gradients;
    const workspace *w;
    int64_t index;
    const real *input; /* element (t, b) begins by the strides */
    wli_strides strides;
    int64_t input_width, output_width;
    const real *scales; /* of its output, [T, B, D*R] or NULL */
    int64_t output_at;  /* where its output begins in `between` and in a mask */
} layer;

static layer layer_of(const wli_model *model, const wli_call *call, const void *mask, const wli_gradients *gradients,
                      const workspace *w, int64_t index) {
    const int64_t B = call->batch, rows = call->seq_len * B;
    const wli_cell_weights *cell = wli_model_cell(model, index, 0);
    const int64_t I = cell->input_size, output_at = rows * cell->h_offset;
    const bool first = index == 0, last = index == model->num_layers - 1;
    return (layer){ .model = model,
                    .call = call,
                    .gradients = gradients,
                    .w = w,
                    .index = index,
                    .input = first ? call->x : w->between + output_at - rows * I,
                    .strides = first ? wli_call_strides(model, call, I) : (wli_strides){ B * I, I },
                    .input_width = I,
                    .output_width = model->num_directions * cell->state_size,
                    .scales = last ? NULL : wli_at(mask, output_at),
                    .output_at = output_at };
}

/* The time of step s, of so many that a row has. */
static int64_t time_of(int direction, int64_t length, int64_t s) {
    return direction == 1 ? length - 1 - s : s;
}

/* A row forward: w's h, c, m and gates. */
static void run_row(const layer *at, int direction, int64_t b) {
    const workspace *w = at->w;
    const wli_cell_weights *cell = wli_model_cell(at->model, at->index, direction);
    const int64_t H = cell->hidden_size, R = cell->state_size, B = at->call->batch;
    const int64_t length = wli_call_length(at->call, b);
    const real *h_0 = wli_at(at->call->h_0, cell->h_offset * B + b * R);
    const real *c_0 = wli_at(at->call->c_0, cell->c_offset * B + b * H);
    for (int64_t r = 0; r < R; r++) w->h[r] = h_0 ? h_0[r] : 0;
    for (int64_t j = 0; j < H; j++) w->c[j] = c_0 ? c_0[j] : 0;
    for (int64_t s = 0; s < length; s++) {
        const real *x = at->input + time_of(direction, length, s) * at->strides.time + b * at->strides.row;
        real *h = memcpy(w->h + (s + 1) * R, w->h + s * R, (size_t)R * sizeof(real));
        real *c = memcpy(w->c + (s + 1) * H, w->c + s * H, (size_t)H * sizeof(real));
        wli_cell_step(at->model->dtype, cell, WLSTM_PRECISION_FULL, x, h, c, w->gates + s * 4 * H, w->m + s * H, NULL);
    }
}

/* A row backward, after run_row: adds to d_input and d. */
static void run_row_backward(const layer *at, int direction, int64_t b, const wli_cell_gradients *d) {
    const workspace *w = at->w;
    const wli_cell_weights *cell = wli_model_cell(at->model, at->index, direction);
    const int64_t H = cell->hidden_size, R = cell->state_size, B = at->call->batch;
    const int64_t length = wli_call_length(at->call, b);
    const int64_t h_at = cell->h_offset * B + b * R, c_at = cell->c_offset * B + b * H;
    const real *d_h_n = wli_at(at->gradients->d_h_n, h_at), *d_c_n = wli_at(at->gradients->d_c_n, c_at);
    real *d_h_0 = wli_at(at->gradients->d_h_0, h_at), *d_c_0 = wli_at(at->gradients->d_c_0, c_at);
    for (int64_t r = 0; r < R; r++) w->d_h[r] = d_h_n ? (double)d_h_n[r] : 0.0;
    for (int64_t j = 0; j < H; j++) w->d_c[j] = d_c_n ? (double)d_c_n[j] : 0.0;
    for (int64_t s = length - 1; s >= 0; s--) {
        const int64_t t = time_of(direction, length, s), row = t * B + b;
        const double *d_out = w->d_output + row * at->output_width + direction * R;
        for (int64_t r = 0; r < R; r++) w->d_h[r] += d_out[r];
        wli_cell_step_backward(cell, at->input + t * at->strides.time + b * at->strides.row, w->h + s * R, w->c + s * H,
                               w->c + (s + 1) * H, w->gates + s * 4 * H, w->m + s * H, w->d_h, w->d_c,
                               w->d_input + row * at->input_width, d, w->d_gates, w->d_m);
    }
    for (int64_t r = 0; d_h_0 && r < R; r++) d_h_0[r] = (real)w->d_h[r];
    for (int64_t j = 0; d_c_0 && j < H; j++) d_c_0[j] = (real)w->d_c[j];
}

/* Its part of `between`, but for what is past a row's end, which nobody reads. */
static void run_layer(const layer *at) {
    const int64_t R = wli_model_cell(at->model, at->index, 0)->state_size;
    for (int64_t b = 0; b < at->call->batch; b++)
        for (int direction = 0; direction < at->model->num_directions; direction++) {
            const int64_t length = wli_call_length(at->call, b);
            run_row(at, direction, b);
            for (int64_t s = 0; s < length; s++) {
                const int64_t row = time_of(direction, length, s) * at->call->batch + b;
                const int64_t begin = row * at->output_width + direction * R;
                real *output = at->w->between + at->output_at + begin;
                for (int64_t r = 0; r < R; r++)
                    output[r] = at->w->h[(s + 1) * R + r] * (at->scales ? at->scales[begin + r] : 1);
            }
        }
}

/* d, and behind the last of them. */
static double *cut(const wli_cell_weights *cell, double *values, wli_cell_gradients *d) {
    const int64_t I = cell->input_size, H = cell->hidden_size, P = cell->proj_size, R = cell->state_size;
    d->W_ih = values, values += 4 * H * I;
    d->W_hh = values, values += 4 * H * R;
    d->b_ih = cell->bias_ih ? values : NULL, values += cell->bias_ih ? 4 * H : 0;
    d->b_hh = cell->bias_hh ? values : NULL, values += cell->bias_hh ? 4 * H : 0;
    d->W_hr = P ? values : NULL, values += P * H;
    return values;
}

/* d_output -> d_input and the gradients of the parameters, which may be NULL. */
static void run_layer_backward(const layer *at, real *d_parameters) {
    const workspace *w = at->w;
    memset(w->d_input, 0, (size_t)(at->call->seq_len * at->call->batch * at->input_width) * sizeof(double));
    for (int direction = 0; direction < at->model->num_directions; direction++) {
        wli_cell_gradients d;
        const double *end = cut(wli_model_cell(at->model, at->index, direction), w->d_cell, &d);
        memset(w->d_cell, 0, (size_t)(end - w->d_cell) * sizeof(double));
        for (int64_t b = 0; b < at->call->batch; b++) {
            run_row(at, direction, b);
            run_row_backward(at, direction, b, &d);
        }
        for (const double *value = w->d_cell; d_parameters && value < end; value++) *d_parameters++ = (real)*value;
    }
}

/* d_out [T, B, D*R], in the call's layout, as the last layer's d_output. */
static void read_d_out(const layer *at) {
    const wli_call *call = at->call;
    const wli_strides strides = wli_call_strides(at->model, call, at->output_width);
    double *d_output = at->w->d_output;
    for (int64_t t = 0; t < call->seq_len; t++)
        for (int64_t b = 0; b < call->batch; b++) {
            const real *d_out = wli_at(at->gradients->d_out, t * strides.time + b * strides.row);
            for (int64_t k = 0; k < at->output_width; k++) *d_output++ = d_out ? (double)d_out[k] : 0.0;
        }
}

/* The first layer's d_input as d_x [T, B, I], in the call's layout. */
static void write_d_x(const layer *at) {
    const wli_call *call = at->call;
    const double *d_input = at->w->d_input;
    for (int64_t t = 0; t < call->seq_len && at->gradients->d_x; t++)
        for (int64_t b = 0; b < call->batch; b++) {
            real *d_x = wli_at(at->gradients->d_x, t * at->strides.time + b * at->strides.row);
            for (int64_t k = 0; k < at->input_width; k++) d_x[k] = (real)*d_input++;
        }
}

static void run(const wli_model *model, const wli_call *call, const void *mask, const wli_gradients *gradients,
                const workspace *w) {
    const int64_t L = model->num_layers, each = model->num_parameters / L;
    int64_t parameters = 0;
    for (int64_t i = 0; i < model->num_parameters; i++) parameters += (int64_t)model->parameters[i].count;
    for (int64_t l = 0; l < L - 1; l++) {
        const layer at = layer_of(model, call, mask, gradients, w, l);
        run_layer(&at);
    }
    for (int64_t l = L - 1; l >= 0; l--) {
        const layer at = layer_of(model, call, mask, gradients, w, l);
        for (int64_t i = l * each; i < (l + 1) * each; i++) parameters -= (int64_t)model->parameters[i].count;
        if (l == L - 1) read_d_out(&at);
        for (int64_t k = 0; l < L - 1 && k < call->seq_len * call->batch * at.output_width; k++)
            w->d_output[k] = w->d_input[k] * (at.scales ? (double)at.scales[k] : 1.0);
        run_layer_backward(&at, wli_at(gradients->d_parameters, parameters));
        if (l == 0) write_d_x(&at);
    }
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

static workspace lay_out(const wli_model *model, const wli_call *call, wli_arena *arena) {
    const int64_t T = call->seq_len, rows = T * call->batch, D = model->num_directions, L = model->num_layers;
    const int64_t each = model->num_parameters / (D * L), between = wli_model_cell(model, L - 1, 0)->h_offset;
    int64_t H = 0, R = 0, I = 0, largest = 0;
    for (int64_t k = 0; k < D * L; k++) {
        int64_t parameters = 0;
        for (int64_t i = k * each; i < (k + 1) * each; i++) parameters += (int64_t)model->parameters[i].count;
        largest = larger(largest, parameters);
        H = larger(H, model->cells[k].hidden_size);
        R = larger(R, model->cells[k].state_size);
        I = larger(I, model->cells[k].input_size);
    }
    return (workspace){ .between = wli_arena_take(arena, rows, between, sizeof(real)),
                        .h = wli_arena_take(arena, T + 1, R, sizeof(real)),
                        .c = wli_arena_take(arena, T + 1, H, sizeof(real)),
                        .m = wli_arena_take(arena, T, H, sizeof(real)),
                        .gates = wli_arena_take(arena, T, 4 * H, sizeof(double)),
                        .d_output = wli_arena_take(arena, rows, D * R, sizeof(double)),
                        .d_input = wli_arena_take(arena, rows, I, sizeof(double)),
                        .d_cell = wli_arena_take(arena, largest, 1, sizeof(double)),
                        .d_h = wli_arena_take(arena, R, 1, sizeof(double)),
                        .d_c = wli_arena_take(arena, H, 1, sizeof(double)),
                        .d_gates = wli_arena_take(arena, 4, H, sizeof(double)),
                        .d_m = wli_arena_take(arena, H, 1, sizeof(double)) };
}

wlstm_status WLI_OF_PRODUCT(wli_reference_backward)(const wli_model *model, const wli_call *call, const void *mask,
                                                    const wli_gradients *gradients) {
    wli_arena arena = { 0 };
    lay_out(model, call, &arena);
    if (arena.overflow || !(arena.base = wli_alloc(arena.used)))
        return wli_out_of_memory("the reference's workspace", arena.used);
    void *block = arena.base;
    arena.used = 0;
    const workspace w = lay_out(model, call, &arena);
    run(model, call, mask, gradients, &w);
    wli_free(block);
    return WLSTM_OK;
}
