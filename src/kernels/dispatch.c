/* Which instruction set's table serves this machine. */
#include "kernels/dispatch.h"
#include "base/environment.h"
#include "base/processor_caches.h"

extern const wli_native wli_native_baseline_f32, wli_native_baseline_f64;
#if defined(__x86_64__)
extern const wli_native wli_native_avx2_f32, wli_native_avx2_f64;
extern const wli_native wli_native_avx512_f32, wli_native_avx512_f64;
extern const wli_native wli_native_avx512vl_f32, wli_native_avx512vl_f64;

static bool has_avx512(void) {
    return wli_environment_get()->isa_cap >= WLI_ISA_AVX512 && __builtin_cpu_supports("avx512f");
}

/* AVX-512 on the vectors of AVX2. */
static bool has_avx512vl(void) {
    return has_avx512() && __builtin_cpu_supports("avx512vl");
}
#endif

const wli_native *wli_native_at(wlstm_dtype dtype, int index) {
    const bool f64 = dtype == WLSTM_F64;
#if defined(__x86_64__)
    const bool has_avx2 = wli_environment_get()->isa_cap >= WLI_ISA_AVX2 && __builtin_cpu_supports("avx2") &&
                          __builtin_cpu_supports("fma");
    if (has_avx512() && index-- == 0) return f64 ? &wli_native_avx512_f64 : &wli_native_avx512_f32;
    if (has_avx512vl()) {
        if (index-- == 0) return f64 ? &wli_native_avx512vl_f64 : &wli_native_avx512vl_f32;
    } else if (has_avx2 && index-- == 0)
        return f64 ? &wli_native_avx2_f64 : &wli_native_avx2_f32;
#endif
    if (index != 0) return NULL;
    return f64 ? &wli_native_baseline_f64 : &wli_native_baseline_f32;
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
