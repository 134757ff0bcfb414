/* One step of one cell: what streaming callers do again and again, so nothing here but pointers. */
#include "schedule/state.h"

#include <string.h>

/* Rows of a step that is one tile; more take the way of every other step. */
enum { TILE_ROWS = 8 };

void wli_single_step_make(wli_sequence *sequence) {
    const wli_sequence_spec *spec = &sequence->spec;
    const wli_cell_kernels *cell = &spec->cells[0];
    wli_single_step *single = &sequence->single;
    single->possible = spec->threads == 1 && spec->parts == 1 && spec->model->num_layers == 1 &&
                       spec->model->num_directions == 1 && cell->ih.kind == WLI_GEMM_NATIVE &&
                       cell->hh.kind == WLI_GEMM_NATIVE;
    if (!single->possible) return;
    const size_t element = sequence->element;
    single->x_bytes = (size_t)cell->weights->input_size * element;
    single->h_bytes = (size_t)cell->weights->state_size * element;
    single->c_bytes = (size_t)cell->weights->hidden_size * element;
    single->c_stride = (size_t)cell->c_stride * element;
    single->gates = sequence->workers[0].gates, single->c = sequence->c[0];
    single->cell = cell;
    single->run = cell->hh.native->step_prepared;
}

/* `worker` has room for the rows' pointers. */
static wli_cell_step step_of(const wli_single_step *single, const wli_worker *worker, int64_t rows, bool h_0) {
    return (wli_cell_step){ .rows = rows,
                            .h_prev = worker->h_prev_rows,
                            .h_prev_is_zero = !h_0,
                            .x = worker->x_rows,
                            .gates = single->gates,
                            .c = single->c,
                            .ldc = single->cell->c_stride,
                            .h = worker->h_rows,
                            .steps = 1,
                            .h_step = 0,
                            .range = single->cell->range,
                            .projection_range = single->cell->projection_range,
                            .backwards = false };
}

/* A tile whose rows of c have no padding works on the caller's. */
static void prepare(wli_sequence *sequence, int64_t rows) {
    wli_single_step *single = &sequence->single;
    const int64_t H = single->cell->weights->hidden_size;
    wli_cell_step step = step_of(single, &sequence->workers[0], rows, true);
    single->dense = rows <= TILE_ROWS && single->cell->layout.padded_hidden == H;
    if (single->dense) step.ldc = H;
    single->tile = rows <= TILE_ROWS && wli_cell_prepare(single->cell, &step, &single->prepared);
    single->dense = single->dense && single->tile;
    single->rows = rows;
}

/* c_0 [B, H], NULL is zeros, to where the step works on it. */
static void load_c(const wli_single_step *single, const wli_call *call, char *c) {
    const size_t c_bytes = single->c_bytes, stride = single->dense ? c_bytes : single->c_stride;
    for (int64_t r = 0; r < call->batch && c != call->c_0; r++)
        if (call->c_0)
            memcpy(c + (size_t)r * stride, (const char *)call->c_0 + (size_t)r * c_bytes, c_bytes);
        else
            memset(c + (size_t)r * stride, 0, c_bytes);
}

static void store_c(const wli_single_step *single, const wli_call *call, const char *c) {
    const size_t c_bytes = single->c_bytes, stride = single->dense ? c_bytes : single->c_stride;
    for (int64_t r = 0; r < call->batch && call->c_n && c != call->c_n; r++)
        memcpy((char *)call->c_n + (size_t)r * c_bytes, c + (size_t)r * stride, c_bytes);
}

/* Pointers to the rows x [I], h_0 [R] and out [R] of a call, dense whatever batch_first says. */
static void point_to_rows(const wli_sequence *sequence, const wli_call *call, const char *h_0, const void **x,
                          const void **h_prev, void **h) {
    const wli_single_step *single = &sequence->single;
    for (int64_t r = 0; r < call->batch; r++) {
        x[r] = (const char *)call->x + (size_t)r * single->x_bytes;
        h_prev[r] = h_0 ? h_0 + (size_t)r * single->h_bytes : sequence->zeros;
        h[r] = (char *)call->out + (size_t)r * single->h_bytes;
    }
}

/* One tile reads all of h before it writes any, so that out may be h_0. */
static void run_tile(const wli_sequence *sequence, const wli_call *call, char *c) {
    const wli_single_step *single = &sequence->single;
    const void *x[TILE_ROWS], *h_prev[TILE_ROWS];
    void *h[TILE_ROWS];
    point_to_rows(sequence, call, call->h_0, x, h_prev, h);
    const bool skips = !call->h_0 && single->cell->hh.packed->finite;
    single->run(&single->prepared, x, skips ? NULL : h_prev, single->gates, c, h);
}

static wlstm_status run_panels(const wli_sequence *sequence, const wli_call *call) {
    const wli_single_step *single = &sequence->single;
    wli_worker *worker = &sequence->workers[0];
    const char *h_0 = call->h_0;
    if (h_0 && h_0 == call->out) h_0 = memcpy(sequence->h_copy, h_0, (size_t)call->batch * single->h_bytes);
    point_to_rows(sequence, call, h_0, worker->x_rows, worker->h_prev_rows, worker->h_rows);
    const wli_cell_step step = step_of(single, worker, call->batch, h_0);
    int64_t done;
    wlstm_status status = wli_cell_run_steps(single->cell, &worker->workspace, &step, &done);
    if (status == WLSTM_OK && single->cell->weights->weight_hr)
        status = wli_cell_project_hidden(single->cell, &worker->workspace, &step);
    return status;
}

/* x [B, I], h_0 and out [B, R], c [B, H] */
wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call) {
    const wli_single_step *single = &sequence->single;
    wlstm_status status = WLSTM_OK;
    if (single->rows != call->batch) prepare(sequence, call->batch);
    char *c = single->dense && call->c_n ? call->c_n : single->c;
    load_c(single, call, c);
    if (single->tile)
        run_tile(sequence, call, c);
    else
        status = run_panels(sequence, call);
    store_c(single, call, c);
    if (call->h_n) memcpy(call->h_n, call->out, (size_t)call->batch * single->h_bytes);
    return status;
}
