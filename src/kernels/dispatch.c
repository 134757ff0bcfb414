#define _GNU_SOURCE /* syscall */
/* Which instruction set's table serves this machine. */
#include "kernels/dispatch.h"
#include "base/environment.h"
#include "base/processor_caches.h"
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

typedef enum instructions {
    baseline,
    avx2,
    avx2_vnni,
    avx512vl,
    avx512,
    avx512_vnni,
    avx512_bf16,
    amx_bf16,
    amx_int8
} instructions;

#define TRAINING(isa, product, its)
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

#define TABLE(isa, product, its)
#undef TRAINING
#define TRAINING(isa, product, its) extern const wli_training wli_training_##isa##_##product;
#include "kernels/compiled_tables.h"
#undef TRAINING

typedef struct compiled_training {
    const wli_training *training;
    wli_product product;
    instructions isa;
} compiled_training;

#define TRAINING(isa, product, its) { &wli_training_##isa##_##product, its, isa },
static const compiled_training compiled_trainings[] = {
#include "kernels/compiled_tables.h"
};
#undef TRAINING
#undef TABLE

wli_product wli_product_of(wlstm_dtype dtype, wlstm_precision precision) {
    if (dtype == WLSTM_F64) return WLI_PRODUCT_F64;
    if (precision == WLSTM_PRECISION_INT8) return WLI_PRODUCT_S8;
    return precision == WLSTM_PRECISION_BF16 || dtype == WLSTM_BF16 ? WLI_PRODUCT_BF16 : WLI_PRODUCT_F32;
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

/* AMX's registers are large, and a process has them once it has asked for them. `multiplies`: cpuid's bit for what. */
static bool has_amx(unsigned int multiplies) {
#if defined(__linux__)
    enum { SUPPORTED = 0x1021, TILE_DATA = 18 };
    const unsigned int tiles = 1u << 24;
    unsigned int a, b, c, d;
    uint64_t supported = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & multiplies) && (d & tiles) &&
           syscall(SYS_arch_prctl, SUPPORTED, &supported) == 0 && (supported >> TILE_DATA & 1);
#else
    (void)multiplies;
    return false;
#endif
}
#endif

static bool ask_for_amx(void) {
#if defined(__linux__) && defined(__x86_64__)
    enum { REQUEST = 0x1023, TILE_DATA = 18 };
    return syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

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
    case amx_bf16:
        return cap >= WLI_ISA_AMX && runs(avx512_bf16) && has_amx(1u << 22);
    case amx_int8:
        return cap >= WLI_ISA_AMX && runs(avx512_vnni) && has_amx(1u << 25);
    case baseline:
        break;
    }
#endif
    return isa == baseline;
}

/* Intel's vdpbf16ps adds half as many products a cycle as multiply-adds do: shift and mask are faster there. */
static bool is_passed_over(const compiled_table *table) {
#if defined(__x86_64__)
    unsigned a, b = 0, c, d;
    return table->isa == avx512_bf16 && __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx;
#else
    (void)table;
    return false;
#endif
}

/* Whether a table is of the product and this machine runs it; where it `asks`, in this process. */
static bool serves(const compiled_table *table, wli_product product, bool asks) {
    return table->product == product && runs(table->isa) && (!asks || table->isa < amx_bf16 || ask_for_amx());
}

enum { NUM_TABLES = sizeof compiled_tables / sizeof compiled_tables[0] };

/* As wli_native_at; NULL past the last. */
static const compiled_table *table_at(wli_product product, int index, bool asks) {
    int lanes = 0;
    for (int n = NUM_TABLES - 1; n >= 0; n--) {
        const compiled_table *table = &compiled_tables[n];
        if (table->native->lanes == lanes || is_passed_over(table) || !serves(table, product, asks)) continue;
        if (index-- == 0) return table;
        lanes = table->native->lanes;
    }
    return NULL;
}

int wli_native_all(wli_product product, const wli_native **found, int most) {
    int count = 0;
    for (int n = 0; n < NUM_TABLES && count < most; n++)
        if (serves(&compiled_tables[n], product, true)) found[count++] = compiled_tables[n].native;
    return count;
}

const wli_native *wli_native_at(wli_product product, int index) {
    const compiled_table *table = table_at(product, index, true);
    return table ? table->native : NULL;
}

const char *wli_native_isa(wli_product product) {
    const compiled_table *table = table_at(product, 0, false);
    return table ? table->native->isa : NULL;
}

bool wli_native_rounds_alike(wli_product product, int index) {
    const compiled_table *table = table_at(product, index, false);
    return index == 0 || (table && table->isa == avx512vl);
}

const wli_native *wli_native_get(wli_product product) {
    return wli_native_at(product, 0);
}

const wli_training *wli_training_get(wli_product product) {
    const compiled_table *table = table_at(product, 0, true);
    for (size_t n = 0; table && n < sizeof compiled_trainings / sizeof compiled_trainings[0]; n++)
        if (compiled_trainings[n].product == product && compiled_trainings[n].isa == table->isa)
            return compiled_trainings[n].training;
    return NULL;
}

bool wli_wide_core(void) {
    return wli_cache_sizes()[0] >= 48 << 10;
}
