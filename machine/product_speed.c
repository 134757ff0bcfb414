#include "product_speed.h"

#include <math.h>
#include <omp.h>

/* One panel whose weights, rows and sums stay in an L1 of 32 KiB, rows in whole tiles of any instruction set. */
enum { ROWS = 16 * 3, MOST_LANES = 16, DEPTH = 64, CALLS = 40, ROUNDS = 25 };
enum { COLUMNS = WLI_PANEL_VECTORS * MOST_LANES };

/* Seconds of C [ROWS, a panel] += A [ROWS, DEPTH] W^T for each column. */
static double column_seconds(const wli_native *native) {
    static _Alignas(64) float c[ROWS * COLUMNS], operands[ROWS][DEPTH + 16], weight[COLUMNS * DEPTH];
    static _Alignas(64) float panel[COLUMNS * (DEPTH + 2) + WLI_PANELS_PADDING / sizeof(float)];
    static float row[DEPTH];
    const void *a[ROWS];
    const int64_t columns = (int64_t)native->lanes * WLI_PANEL_VECTORS;
    for (int k = 0; k < DEPTH; k++) row[k] = (float)(k - DEPTH / 2) / DEPTH;
    for (int k = 0; k < COLUMNS * DEPTH; k++) weight[k] = row[k % DEPTH];
    for (int r = 0; r < ROWS; r++) {
        a[r] = row;
        if (native->operands) native->operands(row, DEPTH, operands[r]), a[r] = operands[r];
    }
    const wli_panel_range all = wli_all_panels(columns, native->lanes);
    native->pack(&(wli_pack_args){ weight, columns, DEPTH, NULL, columns, .panels = panel }, all);
    const wli_gemm_args args = {
        .rows = ROWS, .depth = DEPTH, .columns = columns, .a = a, .panels = panel, .c = c, .ldc = columns, .range = all
    };
    double least = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        for (int call = 0; call < CALLS; call++) native->gemm(&args);
        least = fmin(least, omp_get_wtime() - start);
    }
    return least / (double)columns;
}

double product_speed_measure(wli_product product) {
    return column_seconds(wli_native_get(WLI_PRODUCT_F32)) / column_seconds(wli_native_get(product));
}
