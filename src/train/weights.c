#include "train/weights.h"

#include <string.h>

void wli_weights_notice(wlstm_trainer *trainer) {
    const size_t bytes = (size_t)trainer->count * trainer->element;
    if (trainer->handed_out && trainer->packed_version == trainer->version &&
        memcmp(trainer->parameters, trainer->packed_values, bytes) != 0)
        wli_trainer_changed(trainer);
}

/* The index-th of so many shares of W [rows, columns] as the panels of A W^T: a panel's columns are rows of W. */
static void pack(const wli_hand *hand, const wli_train_weight *weight) {
    const wlstm_trainer *trainer = hand->trainer;
    const int64_t panel = (int64_t)WLI_PANEL_VECTORS * trainer->kernels->lanes;
    const wli_panel_range own = wli_panels_of(hand, weight->rows, hand->me, hand->threads);
    for (int64_t p = own.first; p < own.end; p++) {
        const void *rows[WLI_PANEL_VECTORS * 16];
        const int64_t first = p * panel, left = weight->rows - first, count = left < panel ? left : panel;
        for (int64_t i = 0; i < count; i++)
            rows[i] = wli_elements(trainer, trainer->parameters, weight->offset + (first + i) * weight->columns);
        trainer->kernels->turn(rows, count, 0, weight->columns,
                               wli_elements(trainer, weight->panels, first * weight->columns),
                               wli_padded(trainer, count));
    }
}

/* As the panels of A W: rows as they lie. */
static void pack_back(const wli_hand *hand, const wli_train_weight *weight) {
    enum { TOGETHER = 64 };
    const wlstm_trainer *trainer = hand->trainer;
    const wli_span own = wli_span_of(weight->rows, hand->me, hand->threads);
    for (int64_t k = own.first; k < own.end; k += TOGETHER) {
        const void *rows[TOGETHER];
        const int64_t count = own.end - k < TOGETHER ? own.end - k : TOGETHER;
        for (int64_t i = 0; i < count; i++)
            rows[i] = wli_elements(trainer, trainer->parameters, weight->offset + (k + i) * weight->columns);
        trainer->kernels->spread(rows, count, weight->columns, k, weight->rows, weight->back);
    }
}

static void add_biases(const wlstm_trainer *trainer, const wli_train_cell *cell) {
    const void *ih = wli_elements(trainer, trainer->parameters, cell->bias_ih);
    const void *hh = wli_elements(trainer, trainer->parameters, cell->bias_hh);
    trainer->kernels->add(1, 4 * cell->H, ih, 0, cell->bias, 0, false);
    trainer->kernels->add(1, 4 * cell->H, hh, 0, cell->bias, 0, true);
}

void wli_weights_pack(const wli_hand *hand, bool back) {
    wlstm_trainer *trainer = hand->trainer;
    if ((back ? trainer->back_version : trainer->packed_version) == trainer->version) return;
    for (int64_t i = 0; i < trainer->model->num_layers * trainer->model->num_directions; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        void (*const pack_one)(const wli_hand *, const wli_train_weight *) = back ? pack_back : pack;
        pack_one(hand, &cell->ih);
        pack_one(hand, &cell->hh);
        if (cell->P) pack_one(hand, &cell->hr);
        if (!back && hand->me == 0 && cell->bias_ih >= 0) add_biases(trainer, cell);
    }
    if (!back && trainer->handed_out) {
        const wli_span own = wli_span_of(trainer->count, hand->me, hand->threads);
        memcpy(wli_elements(trainer, trainer->packed_values, own.first),
               wli_elements(trainer, trainer->parameters, own.first), (size_t)(own.end - own.first) * trainer->element);
    }
    wli_meet_all(hand);
}

void wli_weights_packed(wlstm_trainer *trainer, bool back) {
    *(back ? &trainer->back_version : &trainer->packed_version) = trainer->version;
}
