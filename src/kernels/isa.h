/* The instruction set that a kernel source is compiled for. WLI_VECTOR_BYTES: those of a vector. */
#ifndef WLI_ISA_H
#define WLI_ISA_H

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define WLI_INLINE static inline __attribute__((always_inline))

/* Before a loop over registers: its trip count is a constant after inlining. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

/* AVX-512's masks and picks come with vectors of 32 bytes as well; narrower ones are the baseline's, whatever a user's
 * flags allow. One instruction then looks lanes up in a table of 64 bytes. */
#if defined(__AVX512F__) && (WLI_VECTOR_BYTES == 64 || (WLI_VECTOR_BYTES == 32 && defined(__AVX512VL__)))
#define WLI_AVX512
#define WLI_LOOKS_UP
#endif

/* Where vectors are those of an x86 instruction set: its intrinsics by name, and the constraint of its registers. */
#if defined(__AVX512F__) && WLI_VECTOR_BYTES == 64
#define WLI_X86(name) _mm512_##name
#define WLI_X86_VECTOR(type) __m512##type
#define WLI_REGISTER "+v"
#elif defined(__AVX__) && WLI_VECTOR_BYTES == 32
#define WLI_X86(name) _mm256_##name
#define WLI_X86_VECTOR(type) __m256##type
#ifdef __AVX512VL__
#define WLI_REGISTER "+v"
#else
#define WLI_REGISTER "+x"
#endif
#elif defined(__SSE2__) && WLI_VECTOR_BYTES == 16
#define WLI_X86(name) _mm_##name
#define WLI_X86_VECTOR(type) __m128##type
#define WLI_REGISTER "+x"
#elif defined(__aarch64__) && WLI_VECTOR_BYTES == 16
#define WLI_REGISTER "+w"
#endif

#endif
