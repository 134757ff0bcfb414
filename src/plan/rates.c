#include "plan/rates.h"

#include "base/processor_caches.h"
#include <math.h>
#include <string.h>

double wli_rates_flops(const wli_rates *rates, wli_product product) {
    return rates->flops[product];
}

double wli_rates_cell(const wli_rates *rates, wlstm_dtype dtype) {
    return rates->cell[wli_dtype_real(dtype)];
}

double wli_rates_bandwidth(const wli_rates *rates, double bytes) {
    const double position = log2(bytes / WLI_RATE_SMALLEST);
    if (!(position > 0)) return rates->bandwidths[0];
    if (position >= WLI_RATE_SIZES - 1) return rates->bandwidths[WLI_RATE_SIZES - 1];
    const int below = (int)position;
    const double above = position - below;
    return rates->bandwidths[below] * (1 - above) + rates->bandwidths[below + 1] * above;
}

/* Multiply-adds of the product to one of f32, by the instructions that its kernels have. */
static double guess_speed(wli_product product) {
    const char *isa = wli_native_isa(product);
    if (strstr(isa, "amx")) return 8;
    if (product == WLI_PRODUCT_BF16) return strstr(isa, "bf16") ? 2 : 0.9;
    return strstr(isa, "vnni") ? 4 : 1.3;
}

wli_rates wli_rates_guess(int threads) {
    const double l2_bandwidth = 100e9, l3_bandwidth = 60e9, memory_bandwidth = 25e9;
    const double n = threads, memory_threads = threads < 4 ? n : 4; /* more wait for the same memory */
    const int64_t *caches = wli_cache_sizes();
    const int vector_bytes = 4 * wli_native_get(WLI_PRODUCT_F32)->lanes;
    const double peak = vector_bytes < 32 ? 20e9 : 90e9 * vector_bytes / 32;
    wli_rates rates = { .threads = threads,
                        .flops[WLI_PRODUCT_F32] = n * peak,
                        .region = 1e-6,
                        .barrier = 0.15e-6,
                        .task = 0.8e-6,
                        .cell[WLSTM_F32] = 18e-9,
                        .cell[WLSTM_F64] = 18e-9 };
    rates.flops[WLI_PRODUCT_F64] = rates.flops[WLI_PRODUCT_F32] / 2;
    rates.flops[WLI_PRODUCT_BF16] = rates.flops[WLI_PRODUCT_F32] * guess_speed(WLI_PRODUCT_BF16);
    rates.flops[WLI_PRODUCT_S8] = rates.flops[WLI_PRODUCT_F32] * guess_speed(WLI_PRODUCT_S8);
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++)
        if (kind != WLI_GEMM_NATIVE && wli_multipliers[kind]->serves(WLI_PRODUCT_F32))
            rates.libraries[kind] = (struct wli_library_rates){ .flops = peak, .call = 1.5e-6 };
    for (int s = 0; s < WLI_RATE_SIZES; s++) {
        const double bytes = (double)((int64_t)WLI_RATE_SMALLEST << s);
        rates.bandwidths[s] = bytes < 0.8 * n * (double)caches[1] ? n * l2_bandwidth
                              : bytes < 0.8 * (double)caches[2]   ? n * l3_bandwidth
                                                                  : memory_threads * memory_bandwidth;
    }
    return rates;
}
