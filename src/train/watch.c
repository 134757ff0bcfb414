/* Who waits for the gradients of a cell is told of them while the pass goes on. */
#include "train/passes.h"

void wli_watch_begin(wlstm_trainer *trainer) {
    trainer->untold = trainer->model->num_layers;
    for (int64_t layer = 0; layer < trainer->model->num_layers; layer++)
        atomic_store(&wli_trainer_cell(trainer, layer, 0)->complete, false);
}

void wli_gradients_complete(const wli_hand *hand, int64_t layer) {
    atomic_bool *complete = &wli_trainer_cell(hand->trainer, layer, 0)->complete;
    if (hand->me == 0) atomic_store_explicit(complete, true, memory_order_release);
}

static void tell_of(const wlstm_trainer *trainer, int64_t layer) {
    const int64_t D = trainer->model->num_directions, cells = trainer->model->num_layers * D;
    for (int64_t i = layer * D; i < (layer + 1) * D; i++) {
        const int64_t first = trainer->cells[i].ih.offset;
        const int64_t end = i + 1 < cells ? trainer->cells[i + 1].ih.offset : trainer->count;
        trainer->watch(trainer->watch_context, trainer->model->dtype, wli_elements(trainer, trainer->gradients, first),
                       end - first);
    }
}

void wli_tell_complete(const wli_hand *hand) {
    wlstm_trainer *trainer = hand->trainer;
    if (!trainer->watch || hand->crew > 0 || hand->me > 0) return;
    for (int64_t layer; (layer = trainer->untold - 1) >= 0; trainer->untold = layer) {
        if (!atomic_load_explicit(&wli_trainer_cell(trainer, layer, 0)->complete, memory_order_acquire)) return;
        tell_of(trainer, layer);
    }
}

void wli_tell_all(const wlstm_trainer *trainer) {
    for (int64_t layer = trainer->model->num_layers - 1; layer >= 0 && trainer->watch; layer--) tell_of(trainer, layer);
}
