#include <wavelstm.h>

#include "activations_table.h"

const activations_table *activations_tables[2][ACTIVATIONS_TABLES];
int num_activations_tables;

/* The tables of an instruction set. */
#define ADD_TABLES(isa)                                                                                                \
    do {                                                                                                               \
        extern const activations_table activations_##isa##_f32, activations_##isa##_f64;                               \
        activations_tables[WLSTM_F32][num_activations_tables] = &activations_##isa##_f32;                              \
        activations_tables[WLSTM_F64][num_activations_tables++] = &activations_##isa##_f64;                            \
    } while (0)

void activations_find_tables(void) {
    ADD_TABLES(wide);
    ADD_TABLES(baseline);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) ADD_TABLES(avx2);
    if (__builtin_cpu_supports("avx512vl")) ADD_TABLES(avx512vl);
    if (__builtin_cpu_supports("avx512f")) ADD_TABLES(avx512);
#endif
}
