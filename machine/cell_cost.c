#include "cell_cost.h"

#include "kernels/dispatch.h"
#include "model/model.h"
#include <math.h>
#include <omp.h>

/* Rows in whole tiles of any instruction set, and so few units that all of it stays in an L1 of 32 KiB. */
enum { ROWS = 6, PANELS = 8, WIDEST = 64, CALLS = 200, ROUNDS = 20 };

/* G's rows are a cache line longer than their panels, and a vector may be read behind the last one; c and h need less. */
enum { BYTES = ROWS * (PANELS * WLI_PANEL_VECTORS * WIDEST + 64) + WIDEST };

/* A step without h before it multiplies nothing: what it takes is the cell's. */
double cell_cost_measure(wlstm_dtype dtype) {
    _Alignas(WIDEST) char gates[BYTES], c[BYTES] = { 0 }, h[BYTES];
    const wli_native *native = wli_native_get(wli_product_of(dtype, WLSTM_PRECISION_FULL));
    const wli_gate_layout layout = wli_gate_layout_make((int64_t)PANELS * native->lanes, native->lanes);
    const size_t element = wli_dtype_size(dtype);
    void *h_rows[ROWS];
    for (int r = 0; r < ROWS; r++) h_rows[r] = h + (size_t)(r * layout.padded_hidden) * element;
    /* Ordinary gates, of which c and h become ordinary numbers. */
    for (size_t i = 0; i < BYTES / element; i++) wli_put(dtype, gates, i, 0.25);
    const wli_step_args step = { .layout = &layout,
                                 .rows = ROWS,
                                 .panels = gates, /* none is read */
                                 .gates = gates,
                                 .ldg = wli_gate_stride(layout.columns, element),
                                 .c = c,
                                 .ldc = layout.padded_hidden,
                                 .h = h_rows,
                                 .steps = 1,
                                 .range = wli_all_panels(layout.columns, layout.lanes) };
    double least = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        for (int call = 0; call < CALLS; call++) native->step(&step);
        least = fmin(least, omp_get_wtime() - start);
    }
    return least / (CALLS * ROWS * PANELS);
}
