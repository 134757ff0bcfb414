/* double as the kernels' real: the names of its instructions, the constants of 2^t and of the cell. */
#ifndef WLI_REAL_F64_H
#define WLI_REAL_F64_H

#include "base/real_f64.h"
#include "kernels/isa.h"
#include <stdint.h>

typedef int64_t lane_int;

#define WLI_X86_REAL(name) WLI_X86(name##_pd)
#define WLI_X86_REALS WLI_X86_VECTOR(d)
#define WLI_MASK (__mmask8)

enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1023 };

/* Of exp2.h. q(r)/r: minimax for the relative error of 2^r - 1 (Remez exchange), 1.8e-17, with steps 1.2e-16. The steps:
 * the bits of 2^(j/STEPS), rounded, less those of 1 and those that j itself adds to the exponent's; what the rounded ones
 * lack, relative to them. */
#ifdef WLI_LOOKS_UP
enum { STEP_BITS = 3 };
static const real exp2_series[] = { 0.69314718055994531071,    0.24022650695910932685,   0.055504108664816270663,
                                    0.0096181290899846499372,  0.0013333558173614651259, 0.00015404433791738606187,
                                    0.000015252733672399303053 };
static const lane_int exp2_steps[] = { 0,
                                       -155339362315909,
                                       -273786814220523,
                                       -352003352548825,
                                       -386347768529971,
                                       -372849295843109,
                                       -307177783110739,
                                       -184611166772089 };
static const real exp2_lacks[] = { 0,
                                   -2.7939114859515731e-17,
                                   3.3484623336251524e-17,
                                   1.9572585293112037e-17,
                                   -6.8358086576619225e-17,
                                   5.1548301170786786e-17,
                                   4.8751605262270616e-17,
                                   1.7901269076045133e-17 };
#else
enum { STEP_BITS = 0 };
static const real exp2_series[] = { 0.6931471805599453112,      0.24022650695910097888,   0.055504108664821236534,
                                    0.0096181291076070656693,   0.0013333558146531632859, 0.00015403530441480679921,
                                    0.000015252733701214656492, 1.321544272423112757e-6,  1.0178121299165704425e-7,
                                    7.0725617019303205134e-9,   4.4455372281544427333e-10 };
#endif

/* Of activations.h. */
enum { TANH_BOUND = 57, GATE_BOUND = 1076, GATE_LOWERED = 112 };

#endif
