#include "train/weights.h"

#include <string.h>

void wli_weights_notice(wlstm_trainer *trainer) {
    const size_t bytes = (size_t)trainer->count * trainer->element;
    if (trainer->handed_out && trainer->packed_version == trainer->version &&
        memcmp(trainer->parameters, trainer->packed_values, bytes) != 0)
        wli_trainer_changed(trainer);
}

/* W [rows, columns] as the panels of A W^T, this thread's share of them, and their biases where there is room for some. */
static void pack(const wli_hand *hand, const wli_train_weight *weight, const wli_train_cell *of_biases) {
    const wlstm_trainer *trainer = hand->trainer;
    wli_pack_args args = { .weight = wli_elements(trainer, trainer->parameters, weight->offset),
                           .rows = weight->rows,
                           .depth = weight->columns,
                           .columns = wli_padded(trainer, weight->rows),
                           .panels = weight->panels };
    if (of_biases) {
        const bool biases = of_biases->bias_ih >= 0;
        args.bias_ih = biases ? wli_elements(trainer, trainer->parameters, of_biases->bias_ih) : NULL;
        args.bias_hh = biases ? wli_elements(trainer, trainer->parameters, of_biases->bias_hh) : NULL;
        args.bias = of_biases->bias;
    }
    trainer->native->pack(&args, wli_panels_of(hand, weight->rows, hand->me, hand->threads));
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

void wli_weights_pack(const wli_hand *hand, bool back) {
    wlstm_trainer *trainer = hand->trainer;
    if ((back ? trainer->back_version : trainer->packed_version) == trainer->version) return;
    const int D = trainer->model->num_directions;
    for (int64_t i = hand->first_layer * D; i < hand->end_layer * D; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        const wli_train_weight *weights[] = { &cell->ih, &cell->hh, &cell->hr };
        for (int n = 0; n < (cell->P ? 3 : 2); n++) {
            if (back)
                pack_back(hand, weights[n]);
            else
                pack(hand, weights[n], n == 0 ? cell : NULL);
        }
    }
    if (!back && trainer->handed_out) {
        const int64_t from = trainer->cells[hand->first_layer * D].ih.offset;
        const int64_t to = hand->end_layer < trainer->model->num_layers ? trainer->cells[hand->end_layer * D].ih.offset
                                                                        : trainer->count;
        const wli_span own = wli_span_of(to - from, hand->me, hand->threads);
        memcpy(wli_elements(trainer, trainer->packed_values, from + own.first),
               wli_elements(trainer, trainer->parameters, from + own.first),
               (size_t)(own.end - own.first) * trainer->element);
    }
    wli_meet_crew(hand);
}

void wli_weights_packed(wlstm_trainer *trainer, bool back) {
    *(back ? &trainer->back_version : &trainer->packed_version) = trainer->version;
}
