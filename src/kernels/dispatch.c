/* Which instruction set's table serves this machine. */
#include "environment.h"
#include "kernels/native.h"

extern const wli_native wli_native_baseline_f32, wli_native_baseline_f64;
#if defined(__x86_64__)
extern const wli_native wli_native_avx2_f32, wli_native_avx2_f64;
extern const wli_native wli_native_avx512_f32, wli_native_avx512_f64;
#endif

const wli_native *wli_native_get(wlstm_dtype dtype) {
#if defined(__x86_64__)
    const wli_isa cap = wli_environment_get()->isa_cap;
    if (cap >= WLI_ISA_AVX512 && __builtin_cpu_supports("avx512f"))
        return dtype == WLSTM_F64 ? &wli_native_avx512_f64 : &wli_native_avx512_f32;
    if (cap >= WLI_ISA_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return dtype == WLSTM_F64 ? &wli_native_avx2_f64 : &wli_native_avx2_f32;
#endif
    return dtype == WLSTM_F64 ? &wli_native_baseline_f64 : &wli_native_baseline_f32;
}
