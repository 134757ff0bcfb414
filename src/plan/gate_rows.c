#include "plan/gate_rows.h"

#include "base/processor_caches.h"

/* Whether layers that each could stay in the last cache push each other out of it, so that every chunk fetches them
 * from memory. */
static bool layers_compete(const wli_setting *setting) {
    const wli_model *model = setting->model;
    const double cache = 0.5 * (double)wli_cache_sizes()[2]; /* programs beside this one have their part */
    double all = 0, largest = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        const double bytes = 4 * (double)cell->hidden_size * (double)(cell->input_size + cell->state_size) *
                             (double)wli_product_bytes(wli_setting_product(setting));
        all += bytes;
        if (bytes > largest) largest = bytes;
    }
    return largest < cache && all >= cache;
}

/* G of a chunk should stay in the L2 beside the panel in use, yet have rows enough that the weights' way from
 * further out is shared by many. A core that does two multiply-adds of 64 bytes a cycle does more of them while a
 * byte comes from memory, and needs more rows; on others prefetches hide the memory with fewer. */
int64_t wli_choose_gate_rows(const wli_setting *setting, int64_t part_rows) {
    const wli_model *model = setting->model;
    const bool from_memory = layers_compete(setting);
    const int64_t gate_bytes = from_memory ? 4 << 20 : 256 << 10, fewest_rows = 48;
    const int64_t enough_rows = wli_wide_core() ? 384 : 128;
    int64_t rows = gate_bytes / (4 * wli_model_widest_hidden(model) * (int64_t)wli_real_size(model->dtype));
    if (rows < fewest_rows) rows = fewest_rows;
    if (from_memory && rows > enough_rows) rows = enough_rows;
    return rows < part_rows ? part_rows : rows;
}
