/* One step of a cell, or of a stack of them: what streaming callers do again and again, so nothing here but
 * pointers. */
#include "schedule/state.h"

#include <string.h>

/* Rows of a step that is few tiles; more take the way of every other step. */
enum { FEW_ROWS = 8 };

bool wli_is_single_step(const wli_sequence_spec *spec) {
    return spec->choice.threads == 1 && spec->choice.parts == 1 && spec->model->num_directions == 1 &&
           spec->cells[0].in_panels && wli_dtype_real(spec->model->dtype) == spec->model->dtype;
}

void wli_single_steps_make(wli_sequence *sequence) {
    const size_t element = sequence->element;
    for (int64_t l = 0; l < sequence->single_layers; l++) {
        const wli_cell_kernels *cell = &sequence->spec.cells[l];
        wli_single_step *single = &sequence->single_steps[l];
        single->x_bytes = (size_t)cell->weights->input_size * element;
        single->h_bytes = (size_t)cell->weights->state_size * element;
        single->c_bytes = (size_t)cell->weights->hidden_size * element;
        single->c_stride = (size_t)cell->c_stride * element;
        single->h_at = (size_t)cell->weights->h_offset * element;
        single->c_at = sequence->spec.model->h_bytes + (size_t)cell->weights->c_offset * element;
        single->gates = sequence->workers[0].gates, single->c = sequence->c[l];
        single->cell = cell;
        single->run = cell->hh.native->step_prepared;
    }
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

/* Few tiles work on the caller's c where its rows need no padding. */
static void prepare(wli_single_step *single, const wli_worker *worker, int64_t rows) {
    const int64_t H = single->cell->weights->hidden_size;
    wli_cell_step step = step_of(single, worker, rows, true);
    const bool dense = single->cell->layout.padded_hidden == H;
    if (dense) step.ldc = H;
    single->few = rows <= FEW_ROWS && wli_cell_prepare(single->cell, &step, &single->prepared);
    single->dense = single->few && dense, single->in_place = single->prepared.in_place;
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
static void point_to_rows(const wli_single_step *single, const wli_call *call, const char *h_0, const char *zeros,
                          const void **x, const void **h_prev, void **h) {
    for (int64_t r = 0; r < call->batch; r++) {
        x[r] = (const char *)call->x + (size_t)r * single->x_bytes;
        h_prev[r] = h_0 ? h_0 + (size_t)r * single->h_bytes : zeros;
        h[r] = (char *)call->out + (size_t)r * single->h_bytes;
    }
}

/* h_0 [B, R], or where out takes its place a copy. */
static const char *kept_h_0(const wli_sequence *sequence, const wli_single_step *single, const wli_call *call) {
    const bool taken = call->h_0 && call->h_0 == call->out;
    return taken ? memcpy(sequence->h_copy, call->h_0, (size_t)call->batch * single->h_bytes) : call->h_0;
}

static void run_tiles(const wli_sequence *sequence, const wli_single_step *single, const wli_call *call, char *c) {
    const void *x[FEW_ROWS], *h_prev[FEW_ROWS];
    void *h[FEW_ROWS];
    const char *h_0 = single->in_place ? call->h_0 : kept_h_0(sequence, single, call);
    point_to_rows(single, call, h_0, sequence->zeros, x, h_prev, h);
    const bool skips = !call->h_0 && single->cell->hh.packed->finite;
    single->run(&single->prepared, x, skips ? NULL : h_prev, single->gates, c, h);
}

/* Rows that the worker points to; h_prev counts where there is one. */
static wlstm_status run_panels(const wli_sequence *sequence, const wli_single_step *single, int64_t rows, bool h_prev) {
    wli_worker *worker = &sequence->workers[0];
    const wli_cell_step step = step_of(single, worker, rows, h_prev);
    int64_t done;
    const wlstm_status status = wli_cell_run_steps(single->cell, &worker->workspace, &step, &done);
    if (status != WLSTM_OK || !single->cell->weights->proj_size) return status;
    return wli_cell_project_hidden(single->cell, &worker->workspace, &step);
}

/* One cell: x [B, I], h_0, h_n and out [B, R], c_0 and c_n [B, H]. */
static wlstm_status run_rows(const wli_sequence *sequence, const wli_single_step *single, const wli_call *call) {
    wlstm_status status = WLSTM_OK;
    char *c = single->dense && call->c_n ? call->c_n : single->c;
    load_c(single, call, c);
    if (single->few) {
        run_tiles(sequence, single, call, c);
    } else {
        const wli_worker *worker = &sequence->workers[0];
        const char *h_0 = kept_h_0(sequence, single, call);
        point_to_rows(single, call, h_0, sequence->zeros, worker->x_rows, worker->h_prev_rows, worker->h_rows);
        status = run_panels(sequence, single, call->batch, h_0);
    }
    store_c(single, call, c);
    if (call->h_n) memcpy(call->h_n, call->out, (size_t)call->batch * single->h_bytes);
    return status;
}

/* The same of rows that have states of their own (wli_call): h is read where it is, a lone row's c too. Apart, as a
 * step of a few units would feel it. */
static __attribute__((noinline)) wlstm_status run_streams(const wli_sequence *sequence, const wli_single_step *single,
                                                          const wli_call *call) {
    const wli_worker *worker = &sequence->workers[0];
    const size_t c_bytes = single->c_bytes, stride = single->dense ? c_bytes : single->c_stride;
    const int64_t rows = call->batch;
    const bool in_place = single->dense && rows == 1;
    char *c = in_place ? call->streams[0] + single->c_at : single->c;
    wlstm_status status = WLSTM_OK;
    point_to_rows(single, call, NULL, sequence->zeros, worker->x_rows, worker->h_prev_rows, worker->h_rows);
    for (int64_t r = 0; r < rows; r++) {
        worker->h_prev_rows[r] = call->streams[r] + single->h_at;
        if (!in_place) memcpy(c + (size_t)r * stride, call->streams[r] + single->c_at, c_bytes);
    }
    if (single->few)
        single->run(&single->prepared, worker->x_rows, worker->h_prev_rows, single->gates, c, worker->h_rows);
    else
        status = run_panels(sequence, single, rows, true);
    for (int64_t r = 0; r < rows; r++) {
        memcpy(call->streams[r] + single->h_at, (const char *)call->out + (size_t)r * single->h_bytes, single->h_bytes);
        if (!in_place) memcpy(call->streams[r] + single->c_at, c + (size_t)r * stride, c_bytes);
    }
    return status;
}

static wlstm_status run_cell(const wli_sequence *sequence, wli_single_step *single, const wli_call *call) {
    if (single->rows != call->batch) prepare(single, &sequence->workers[0], call->batch);
    return call->streams ? run_streams(sequence, single, call) : run_rows(sequence, single, call);
}

static void *moved(const void *states, size_t bytes) {
    return states ? (char *)(uintptr_t)states + bytes : NULL;
}

/* Cell by cell: what one hands to the next is its block of h_n, or scratch where h_n is not wanted. */
static wlstm_status run_stack(wli_sequence *sequence, const wli_call *call) {
    const size_t B = (size_t)call->batch;
    const int64_t last = sequence->single_layers - 1;
    wlstm_status status = WLSTM_OK;
    wli_call cell = *call;
    for (int64_t l = 0; l < last && status == WLSTM_OK; l++) {
        wli_single_step *single = &sequence->single_steps[l];
        const size_t h_bytes = B * single->h_bytes, c_bytes = B * single->c_bytes;
        void *h_n = cell.h_n;
        cell.out = h_n ? h_n : sequence->between[2 * l], cell.h_n = NULL;
        status = run_cell(sequence, single, &cell);
        cell.x = cell.out, cell.h_n = moved(h_n, h_bytes), cell.h_0 = moved(cell.h_0, h_bytes);
        cell.c_0 = moved(cell.c_0, c_bytes), cell.c_n = moved(cell.c_n, c_bytes);
    }
    cell.out = call->out;
    return status == WLSTM_OK ? run_cell(sequence, &sequence->single_steps[last], &cell) : status;
}

wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call) {
    return sequence->single_layers == 1 ? run_cell(sequence, sequence->single_steps, call) : run_stack(sequence, call);
}
