#include "native_tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compare.h"
#include "random.h"

const wli_native *tables[2][MAX_TABLES];
int num_tables;
uint64_t stream;

int find_wide_tables_of(wli_product product, const wli_native *found[]) {
    int count = 0;
    (void)product, (void)found;
#if defined(WIDE_TABLES)
    extern const wli_native wli_native_wide_f32, wli_native_wide_f64, wli_native_wide_s8;
    static const wli_native *const wide[WLI_PRODUCTS] = { [WLI_PRODUCT_F32] = &wli_native_wide_f32,
                                                          [WLI_PRODUCT_F64] = &wli_native_wide_f64,
                                                          [WLI_PRODUCT_S8] = &wli_native_wide_s8 };
    if (wide[product]) found[count++] = wide[product];
#if defined(__x86_64__)
    extern const wli_native wli_native_wide_avx2_f32, wli_native_wide_avx2_f64, wli_native_wide_avx2_s8;
    static const wli_native *const wide_avx2[WLI_PRODUCTS] = { [WLI_PRODUCT_F32] = &wli_native_wide_avx2_f32,
                                                               [WLI_PRODUCT_F64] = &wli_native_wide_avx2_f64,
                                                               [WLI_PRODUCT_S8] = &wli_native_wide_avx2_s8 };
    if (wide_avx2[product] && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        found[count++] = wide_avx2[product];
#endif
#endif
    return count;
}

void find_tables(void) {
    unsetenv("WLSTM_ISA"); /* all of them, whatever else is tested */
    stream = random_test_stream();
    for (int dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++) {
        const wli_product product = wli_product_of((wlstm_dtype)dtype, WLSTM_PRECISION_FULL);
        num_tables = wli_native_all(product, tables[dtype], MAX_TABLES - 2);
        num_tables += find_wide_tables_of(product, tables[dtype] + num_tables);
    }
    for (int t = 0; t < num_tables; t++)
        printf("%s, %d lanes of f32\n", tables[WLSTM_F32][t]->isa, tables[WLSTM_F32][t]->lanes);
}

int find_tables_of(wli_product product, const wli_native *found[MAX_TABLES]) {
    unsetenv("WLSTM_ISA");
    const int count = wli_native_all(product, found, MAX_TABLES);
    for (int t = 0; t < count; t++) printf("%s %s\n", found[t]->isa, found[t]->product);
    return count;
}

void *random_values(wlstm_dtype dtype, int64_t count, int exponent) {
    void *values = malloc((size_t)count * dtype_size(dtype));
    if (!values && count) abort();
    stream = random_bits(stream, 0);
    random_fill(dtype, values, count, stream, exponent);
    return values;
}

void make_rows(wlstm_dtype dtype, int64_t depth, const void *rows[ROWS]) {
    for (int r = 0; r < ROWS; r++) rows[r] = random_values(dtype, depth, 1);
}

void free_rows(const void *rows[ROWS]) {
    for (int r = 0; r < ROWS; r++) free((void *)(uintptr_t)rows[r]);
}

void *pack(wlstm_dtype dtype, const wli_native *native, const void *weight, int64_t rows, int64_t depth,
           const wli_gate_layout *layout, int64_t columns) {
    void *panels = malloc((size_t)(columns * depth) * dtype_size(dtype));
    if (!panels && depth) abort();
    native->pack(&(wli_pack_args){ weight, rows, depth, layout, columns, .panels = panels },
                 wli_all_panels(columns, native->lanes));
    return panels;
}

const wli_native *alike(wlstm_dtype dtype, const wli_native *native, int index) {
    const wli_product product = wli_product_of(dtype, WLSTM_PRECISION_FULL);
    const bool widest = native == wli_native_get(product);
    return widest && wli_native_rounds_alike(product, index + 1) ? wli_native_at(product, index + 1) : NULL;
}

void cut(wli_panel_range whole, wli_panel_range parts[2]) {
    const int64_t middle = random_between(&stream, whole.first, whole.end);
    parts[0] = (wli_panel_range){ whole.first, middle };
    parts[1] = (wli_panel_range){ middle, whole.end };
}

bounded_sum dot(wlstm_dtype dtype, double start, const void *a, const void *w, int64_t depth) {
    const bool f64 = dtype == WLSTM_F64;
    double sum = start, magnitude = fabs(start);
    for (int64_t k = 0; k < depth; k++) {
        double product = f64 ? ((const double *)a)[k] * ((const double *)w)[k]
                             : (double)((const float *)a)[k] * (double)((const float *)w)[k];
        sum += product;
        magnitude += fabs(product);
    }
    return (bounded_sum){ sum, 2 * ldexp((double)depth + 3, f64 ? -53 : -24) * magnitude };
}
