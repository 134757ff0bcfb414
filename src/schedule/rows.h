/* The batch rows of a call in the order they are worked on: longest first, so that the rows of a part that still run
 * are always its first ones and finished rows cost nothing. */
#ifndef WLI_ROWS_H
#define WLI_ROWS_H

#include "model/call.h"

typedef struct wli_rows {
    int64_t *order;   /* [B] the caller's row that is worked on as row r */
    int64_t *lengths; /* [B] its length, descending; once dealt, within a part */
    int64_t batch;
} wli_rows;

/* Fills order and lengths, which hold the batch, for a call; equal lengths keep the caller's order. */
void wli_rows_sort(wli_rows *rows, const wli_call *call);

/* Sorted rows are dealt to `parts` parts as cards are, row r to part r % parts; where their lengths differ, every
 * second round goes backwards, so that all parts have nearly the same number of steps. */
void wli_rows_deal(wli_rows *rows, int64_t parts);

/* How many rows of a part are longer than `step`, no more than the `active` of an earlier step; wli_rows_of_part is
 * the first. */
static inline int64_t wli_rows_active(const wli_rows *rows, int64_t part, int64_t parts, int64_t step, int64_t active) {
    while (active > 0 && rows->lengths[part + (active - 1) * parts] <= step) active--;
    return active;
}

static inline int64_t wli_rows_of_part(const wli_rows *rows, int64_t part, int64_t parts) {
    return rows->batch > part ? (rows->batch - part + parts - 1) / parts : 0;
}

/* The time at which row r of a direction does its step s: the reverse direction starts at the row's own end. */
static inline int64_t wli_rows_time(const wli_rows *rows, int direction, int64_t step, int64_t r) {
    return direction ? rows->lengths[r] - 1 - step : step;
}

/* A tensor whose row at (t, r) can be anywhere: strides in bytes, rows in the caller's order or in the order of
 * work. */
typedef struct wli_view {
    char *base; /* of time first_time */
    int64_t first_time, time, row;
    const int64_t *order;          /* NULL: rows are in the order of work */
    const wli_packed_rows *packed; /* NULL: rows are by the strides */
    bool by_step;                  /* what counts is not the time but a row's step */
} wli_view;

static inline char *wli_view_at(const wli_view *view, int64_t t, int64_t r) {
    const int64_t row = view->order ? view->order[r] : r;
    if (view->packed) return view->base + wli_packed_rows_at(view->packed, t, row) * view->row;
    return view->base + (t - view->first_time) * view->time + row * view->row;
}

/* As a direction does its step s of row r. */
static inline char *wli_view_at_step(const wli_view *view, const wli_rows *rows, int direction, int64_t step,
                                     int64_t r) {
    return wli_view_at(view, view->by_step ? step : wli_rows_time(rows, direction, step, r), r);
}

#endif
