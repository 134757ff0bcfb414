/* One item of work: steps of one (layer, direction), for one part of the batch and a share of the units; private to
 * src/schedule. */
#ifndef WLI_ITEM_H
#define WLI_ITEM_H

#include "schedule/state.h"

/* Slices [first, end), of so many, of the units: what one of `members` threads computes, who meet at the barrier after
 * each step. */
typedef struct wli_share {
    int64_t first, end, slices;
    int members;
    wli_barrier *barrier; /* NULL: nobody else is there */
} wli_share;

/* Steps [first_step, end_step). */
typedef struct wli_item {
    int64_t layer;
    int direction;
    int64_t first_step, end_step, part;
    wli_share share;
} wli_item;

/* Project, then step by step. After an error, its own or another item's, it does no more than meet. */
wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item);

/* A node's item, or a share of it; NULL is the whole. */
wlstm_status wli_node_run(const wli_run *run, wli_worker *worker, const wli_node *node, const wli_share *share);

/* What layer `layer` reads: x, or the output of both directions of the layer below. */
wli_view wli_input_view(const wli_run *run, int64_t layer, int64_t first_step);
/* The direction's half of out. */
wli_view wli_out_view(const wli_run *run, int direction);
/* Where a (layer, direction) writes h in the chunk that begins at first_step: out, what becomes it, or what the layer
 * above reads. */
wli_view wli_output_view(const wli_run *run, int64_t layer, int direction, int64_t first_step);

/* c [B, c_stride] = c_0 [B, H] in the order of work: the item's rows and units; the padding is zero already. */
void wli_load_c(const wli_run *run, const wli_item *item);
/* h_n, c_n of the item's rows whose last step it holds, and of its share. */
void wli_store_states(const wli_run *run, const wli_item *item, const wli_view *output);

/* Where arrays are narrower than what cells compute in: out of the item's rows and steps from where the last layer
 * wrote them, and h of a step's rows as the arrays would have it; of its share. */
void wli_store_out(const wli_run *run, const wli_item *item, const wli_view *output);
void wli_round_h(const wli_run *run, const wli_item *item, int64_t rows, void *const *h);

static inline const wli_cell_kernels *wli_item_cell(const wli_run *run, const wli_item *item) {
    const wli_sequence_spec *spec = &run->sequence->spec;
    return &spec->cells[item->layer * spec->model->num_directions + item->direction];
}

/* Its c [B, c_stride]. */
static inline char *wli_item_c(const wli_run *run, const wli_item *item) {
    return run->sequence->c[item->layer * run->sequence->spec.model->num_directions + item->direction];
}

/* Its share of all panels of a weight: the one place where units are cut. */
static inline wli_panel_range wli_item_share(const wli_item *item, wli_panel_range all) {
    return wli_slices_of(all, item->share.first, item->share.end, item->share.slices);
}

#endif
