#include "plan/scratch.h"

#include "kernels/layout.h"

static double larger(double a, double b) {
    return a > b ? a : b;
}

/* Of a row that lies in whole cache lines. */
static double row_bytes(double width, double element) {
    return (double)wli_gate_stride((int64_t)width, (size_t)element) * element;
}

double wli_scratch_bytes(const wli_setting *setting, const wli_choice *choice) {
    const wli_model *model = setting->model;
    const double T = (double)setting->seq_len, B = (double)setting->batch, parts = (double)choice->parts;
    const double L = (double)model->num_layers, D = (double)model->num_directions;
    const double element = (double)wli_real_size(model->dtype), pointer = sizeof(void *);
    const bool narrows = wli_dtype_real(model->dtype) != model->dtype;
    const double rows = (double)((setting->batch + choice->parts - 1) / choice->parts);
    const double gate_rows = (double)choice->gate_rows;
    double gates = 0, depth = 0, projected = 0, shared = 0, widened = 0; /* bytes of rows */
    for (int64_t l = 0; l < model->num_layers; l++) {
        const wli_cell_weights *cell = wli_model_cell(model, l, 0);
        const double H = (double)cell->hidden_size, R = (double)cell->state_size, P = (double)cell->proj_size;
        const wli_gate_layout layout = wli_gate_layout_make(cell->hidden_size, choice->native->lanes);
        gates = larger(gates, row_bytes((double)layout.columns, element));
        depth = larger(depth, row_bytes(larger((double)cell->input_size, H), element));
        projected = larger(projected, P > 0 ? row_bytes(P, element) + H * element : 0);
        shared += D * B * (double)layout.padded_hidden * element; /* c */
        if (narrows) widened = larger(widened, row_bytes(larger(l == 0 ? (double)cell->input_size : 0, R), element));
        if (narrows && l + 1 == model->num_layers) shared += 2 * D * gate_rows * parts * row_bytes(R, element);
        /* Outputs on their way up: of two chunks a layer, or of two layers' whole sequences. */
        if (l + 1 < model->num_layers && D < 2) shared += 2 * gate_rows * parts * row_bytes(R, element);
        if (l + 1 < model->num_layers && D > 1 && l < 2) shared += T * B * row_bytes(2 * R, element);
    }
    if (choice->schedule == WLI_WAVEFRONT && D > 1 && L > 1) shared += 2 * D * parts * T; /* tokens */
    const double worker = gate_rows * (gates + pointer) + rows * (projected + 3 * pointer) +
                          larger(gate_rows, rows) * (depth + widened + pointer);
    return shared + (double)choice->threads * worker;
}

bool wli_scratch_in_proportion(const wli_setting *setting, const wli_choice *choice, const wli_choice *by_default) {
    const double times = 4, room_of_a_thread = 32 << 20;
    const double beyond = wli_scratch_bytes(setting, choice) - room_of_a_thread * (double)choice->threads;
    return beyond <= 0 || beyond <= times * wli_scratch_bytes(setting, by_default);
}
