/* Which instruction set's table serves this machine. */
#include "kernels/dispatch.h"
#include "base/environment.h"
#include "base/processor_caches.h"

/* The tables of an instruction set, by what the arrays hold. */
#define TABLES(isa)                                                                                                    \
    extern const wli_native wli_native_##isa##_f32, wli_native_##isa##_f64;                                            \
    static const wli_native *const isa[] = {                                                                           \
        [WLSTM_F32] = &wli_native_##isa##_f32, [WLSTM_F64] = &wli_native_##isa##_f64                                   \
    };
TABLES(baseline)
#if defined(__x86_64__)
TABLES(avx2)
TABLES(avx512)
TABLES(avx512vl)

static bool has_avx512(void) {
    return wli_environment_get()->isa_cap >= WLI_ISA_AVX512 && __builtin_cpu_supports("avx512f");
}

/* AVX-512 on the vectors of AVX2. */
static bool has_avx512vl(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vl");
}
#endif

const wli_native *wli_native_at(wlstm_dtype dtype, int index) {
#if defined(__x86_64__)
    const bool has_avx2 = wli_environment_get()->isa_cap >= WLI_ISA_AVX2 && __builtin_cpu_supports("avx2") &&
                          __builtin_cpu_supports("fma");
    if (has_avx512() && index-- == 0) return avx512[dtype];
    if (has_avx512vl()) {
        if (index-- == 0) return avx512vl[dtype];
    } else if (has_avx2 && index-- == 0)
        return avx2[dtype];
#endif
    return index == 0 ? baseline[dtype] : NULL;
}

bool wli_native_rounds_alike(int index) {
#if defined(__x86_64__)
    if (index == 1 && has_avx512vl()) return true;
#endif
    return index == 0;
}

const wli_native *wli_native_get(wlstm_dtype dtype) {
    return wli_native_at(dtype, 0);
}

bool wli_wide_core(void) {
    return wli_cache_sizes()[0] >= 48 << 10;
}
