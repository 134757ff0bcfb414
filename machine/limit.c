/* For each layer and direction
 *
 *     T * B * 8H * I / peak  +  T * max(B * (8HR + 2HP) / peak, bytes of weight_hh and weight_hr / bandwidth(these bytes))
 *
 * The projections of all steps are one matrix product, which can run at the FMA peak. A step has to wait for the one before
 * and reads the recurrent weights again, from wherever a working set of their size stays.
 *
 * Threads share all of it. In the graph of (layer, direction, step) the steps of one layer and direction are a chain, but
 * each step divides over batch rows and hidden units, so N threads can always be busy: the sum above, with the peak and the
 * bandwidth of N threads that each hold 1/N of the weights. That meetings take time and that the graph is narrow at its
 * ends counts as a loss against the limit, not as a part of it; so do the activations. */
#include "limit.h"

static double larger(double a, double b) {
    return a > b ? a : b;
}

double limit_forward_seconds(const wli_problem *problem, const wli_rates *rates) {
    const double T = (double)problem->seq_len, B = (double)problem->batch, H = (double)problem->hidden_size;
    const double P = (double)problem->proj_size, R = P > 0 ? P : H, D = problem->bidirectional ? 2 : 1;
    const wli_product product = wli_product_of(problem->dtype, problem->precision);
    const double peak = wli_rates_flops(rates, product);
    const double bytes = (4 * H * R + P * H) * (double)wli_product_bytes(product);
    const double step = larger(B * (8 * H * R + 2 * H * P) / peak, bytes / wli_rates_bandwidth(rates, bytes));
    const double inputs = (double)problem->input_size + ((double)problem->num_layers - 1) * D * R; /* I of all layers */
    return D * (T * B * 8 * H * inputs / peak + (double)problem->num_layers * T * step);
}

/* Without a next step to share them with, W_ih's bytes count as well. */
double limit_cell_seconds(const wli_problem *problem, const wli_rates *rates) {
    const double weights = 4 * (double)problem->hidden_size * (double)(problem->input_size + problem->hidden_size);
    const wli_product product = wli_product_of(problem->dtype, problem->precision);
    const double bytes = weights * (double)wli_product_bytes(product);
    return larger(2 * (double)problem->batch * weights / wli_rates_flops(rates, product),
                  bytes / wli_rates_bandwidth(rates, bytes));
}
