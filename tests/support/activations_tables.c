#include <wavelstm.h>

#include "activations_table.h"

extern const activations_table activations_baseline_f32, activations_baseline_f64, activations_wide_f32,
    activations_wide_f64;
#if defined(__x86_64__)
extern const activations_table activations_avx2_f32, activations_avx2_f64, activations_avx512_f32,
    activations_avx512_f64, activations_avx512vl_f32, activations_avx512vl_f64;
#endif

const activations_table *activations_tables[2][ACTIVATIONS_TABLES];
int num_activations_tables;

static void add_table(const activations_table *f32, const activations_table *f64) {
    activations_tables[WLSTM_F32][num_activations_tables] = f32;
    activations_tables[WLSTM_F64][num_activations_tables++] = f64;
}

void activations_find_tables(void) {
    add_table(&activations_wide_f32, &activations_wide_f64);
    add_table(&activations_baseline_f32, &activations_baseline_f64);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        add_table(&activations_avx2_f32, &activations_avx2_f64);
    if (__builtin_cpu_supports("avx512vl")) add_table(&activations_avx512vl_f32, &activations_avx512vl_f64);
    if (__builtin_cpu_supports("avx512f")) add_table(&activations_avx512_f32, &activations_avx512_f64);
#endif
}
