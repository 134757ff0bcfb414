/* What the cost model and the limit know of a machine: multiply-adds a second, bytes a second by working-set size,
 * what threads pay to meet, what the cell costs, how fast other libraries' gemms are. */
#ifndef WLI_RATES_H
#define WLI_RATES_H

#include "base/number_types.h"
#include "kernels/multiplier.h"

/* Working sets of 32 KiB to 256 MiB, doubling. */
enum { WLI_RATE_SIZES = 14, WLI_RATE_SMALLEST = 32 << 10 };

typedef struct wli_rates {
    int threads;
    /* Of each product (kernels/product.h), a second, all threads together; a multiply-add is two. */
    double flops[WLI_PRODUCTS];
    /* Bytes a second, all together, each reading its share of the set again and again. */
    double bandwidths[WLI_RATE_SIZES];
    /* Seconds: a parallel region; a gang's barrier of two threads; a wavefront's task. */
    double region, barrier, task;
    /* Seconds of one thread for the cell's arithmetic (four gates, c and h) on one vector, however wide its vectors
     * are. */
    double cell[WLI_COMPUTING];
    /* What another library's gemm of f32 reaches on one thread: operations a second of many rows, and the seconds of a
     * call that has hardly any. Of NATIVE nothing. */
    struct wli_library_rates {
        double flops, call;
    } libraries[WLI_GEMM_KINDS];
} wli_rates;

double wli_rates_flops(const wli_rates *rates, wli_product product);
double wli_rates_cell(const wli_rates *rates, wlstm_dtype dtype);

/* Between the sizes by interpolation over log(bytes), outside them the nearest one's. */
double wli_rates_bandwidth(const wli_rates *rates, double bytes);

/* Round figures of 2020s servers, by the instruction set in use and the sizes of this machine's caches: for who
 * never tuned. */
wli_rates wli_rates_guess(int threads);

#endif
