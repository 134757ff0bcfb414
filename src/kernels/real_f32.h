/* float as the kernels' real: the names of its instructions, the constants of 2^t and of the cell. */
#ifndef WLI_REAL_F32_H
#define WLI_REAL_F32_H

#include "base/real_f32.h"
#include "kernels/isa.h"
#include <stdint.h>

typedef int32_t lane_int;

#define WLI_X86_REAL(name) WLI_X86(name##_ps)
#define WLI_X86_REALS WLI_X86_VECTOR()
#if WLI_VECTOR_BYTES == 64
#define WLI_MASK (__mmask16)
#else
#define WLI_MASK (__mmask8)
#endif

enum { MANTISSA_BITS = 23, EXPONENT_BIAS = 127 };

/* Of exp2.h. q(r)/r: minimax for the relative error of 2^r - 1 (Remez exchange), 4.4e-7, with steps 1.1e-7. The steps:
 * the bits of 2^(j/STEPS), rounded, less those of 1 and those that j itself adds to the exponent's; what the rounded ones
 * lack, relative to them. */
#ifdef WLI_LOOKS_UP
enum { STEP_BITS = 4 };
static const real exp2_series[] = { 0.69314718103667f, 0.240233551474f, 0.0555041087786f };
static const lane_int exp2_steps[] = { 0,       -152893, -289342, -408621, -509968, -592590, -655657, -698305,
                                       -719629, -718684, -694486, -646004, -572163, -471841, -343865, -187011 };
static const real exp2_lacks[] = { 0,
                                   4.62854708e-8f,
                                   -1.19921571e-8f,
                                   4.72978236e-8f,
                                   3.19341809e-8f,
                                   3.62105731e-8f,
                                   -3.09907208e-8f,
                                   -7.47521317e-9f,
                                   1.71142713e-8f,
                                   -3.04768342e-8f,
                                   5.23333425e-9f,
                                   6.10759162e-9f,
                                   -1.47196054e-8f,
                                   -5.25879512e-9f,
                                   -6.12825982e-9f,
                                   5.14060921e-9f };
#else
enum { STEP_BITS = 0 };
static const real exp2_series[] = { 0.693147143506f, 0.240223513431f, 0.0555050021343f, 0.00966624542579f,
                                    0.00133335387322f };
#endif

/* Of activations.h. */
enum { TANH_BOUND = 28, GATE_BOUND = 151, GATE_LOWERED = 52 };

#endif
