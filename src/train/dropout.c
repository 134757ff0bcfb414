#include "train/dropout.h"

#include "model/dropout_mask.h"
#include <string.h>

bool wli_drops(const wlstm_trainer *trainer, const wli_tape *tape) {
    return tape->training && trainer->model->dropout > 0;
}

void wli_drop_row(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, int64_t t, int64_t r,
                  int64_t first, int64_t end, void *values) {
    const wli_dropout dropout = { tape->seed, trainer->model->dropout };
    const wli_dropout_place at = { layer, t, tape->first_row + tape->rows.order[r] };
    if (wli_drops(trainer, tape)) wli_dropout_row(&dropout, at, trainer->model->dtype, first, end, values);
}

void wli_drop_outputs(const wli_hand *hand, int64_t layer, int64_t from, int64_t to) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    if (!wli_drops(trainer, tape)) return;
    const int64_t width = wli_output_width(trainer, layer), stride = wli_gate_stride(width, trainer->element);
    for (int64_t t = from; t < to; t++)
        for (int64_t r = hand->me; r < wli_tape_active(tape, t); r += hand->threads) {
            const int64_t at = wli_tape_between(tape, t, r) * stride;
            void *dropped = wli_elements(trainer, tape->inputs[layer], at);
            memcpy(dropped, wli_elements(trainer, tape->hidden[layer], at), (size_t)width * trainer->element);
            wli_drop_row(trainer, tape, layer, t, r, 0, width, dropped);
        }
}

void wli_drop_mask(const wlstm_trainer *trainer, const wli_tape *tape, int64_t layer, void *mask) {
    const int64_t width = wli_output_width(trainer, layer), B = tape->call.batch;
    for (int64_t t = 0; t < tape->call.seq_len; t++)
        for (int64_t r = 0; r < B; r++) {
            void *row = wli_elements(trainer, mask, (t * B + tape->rows.order[r]) * width);
            for (int64_t k = 0; k < width; k++) wli_put(trainer->model->dtype, row, (size_t)k, 1);
            wli_drop_row(trainer, tape, layer, t, r, 0, width, row);
        }
}
