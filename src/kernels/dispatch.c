/* Which instruction set's table serves this machine. */
#include "kernels/dispatch.h"
#include "base/environment.h"
#include "base/processor_caches.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

typedef enum instructions { baseline, avx2, avx2_vnni, avx512vl, avx512, avx512_vnni, avx512_bf16 } instructions;

#define TABLE(isa, product, its) extern const wli_native wli_native_##isa##_##product;
#include "kernels/compiled_tables.h"
#undef TABLE

typedef struct compiled_table {
    const wli_native *native;
    wli_product product;
    instructions isa;
} compiled_table;

#define TABLE(isa, product, its) { &wli_native_##isa##_##product, its, isa },
static const compiled_table compiled_tables[] = {
#include "kernels/compiled_tables.h"
};
#undef TABLE

wli_product wli_product_of(wlstm_dtype dtype, wlstm_precision precision) {
    if (dtype == WLSTM_F64) return WLI_PRODUCT_F64;
    return precision == WLSTM_PRECISION_BF16   ? WLI_PRODUCT_BF16
           : precision == WLSTM_PRECISION_INT8 ? WLI_PRODUCT_S8
                                               : WLI_PRODUCT_F32;
}

const char *const wli_product_names[WLI_PRODUCTS] = { "f32", "f64", "bf16", "s8" };

size_t wli_product_bytes(wli_product product) {
    static const size_t bytes[] = {
        [WLI_PRODUCT_F32] = 4, [WLI_PRODUCT_F64] = 8, [WLI_PRODUCT_BF16] = 2, [WLI_PRODUCT_S8] = 1
    };
    return bytes[product];
}

#if defined(__x86_64__)
/* AVX-VNNI, whose name not every compiler's __builtin_cpu_supports knows. */
static bool has_avxvnni(void) {
    unsigned a = 0, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}
#endif

/* Whether the processor has it and WLSTM_ISA allows it. */
static bool runs(instructions isa) {
#if defined(__x86_64__)
    const wli_isa cap = wli_environment_get()->isa_cap;
    switch (isa) {
    case avx2:
        return cap >= WLI_ISA_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case avx2_vnni:
        return cap >= WLI_ISA_AVX2_VNNI && runs(avx2) && has_avxvnni();
    case avx512vl: /* AVX-512 on the vectors of AVX2 */
        return runs(avx512) && __builtin_cpu_supports("avx512vl");
    case avx512:
        return cap >= WLI_ISA_AVX512 && __builtin_cpu_supports("avx512f");
    case avx512_vnni:
        return cap >= WLI_ISA_AVX512_VNNI && runs(avx512) && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vnni");
    case avx512_bf16:
        return cap >= WLI_ISA_AVX512_BF16 && runs(avx512) && __builtin_cpu_supports("avx512bf16");
    case baseline:
        break;
    }
#endif
    return isa == baseline;
}

/* As wli_native_at; NULL past the last. */
static const compiled_table *table_at(wli_product product, int index) {
    int lanes = 0;
    for (size_t n = sizeof compiled_tables / sizeof compiled_tables[0]; n-- > 0;) {
        const compiled_table *table = &compiled_tables[n];
        if (table->product != product || table->native->lanes == lanes || !runs(table->isa)) continue;
        if (index-- == 0) return table;
        lanes = table->native->lanes;
    }
    return NULL;
}

const wli_native *wli_native_at(wli_product product, int index) {
    const compiled_table *table = table_at(product, index);
    return table ? table->native : NULL;
}

bool wli_native_rounds_alike(wli_product product, int index) {
    const compiled_table *table = table_at(product, index);
    return index == 0 || (table && table->isa == avx512vl);
}

const wli_native *wli_native_get(wli_product product) {
    return wli_native_at(product, 0);
}

bool wli_wide_core(void) {
    return wli_cache_sizes()[0] >= 48 << 10;
}
