/* Products whose weights, operands and sums are all of the arrays' type. */
#ifndef WLI_PRODUCT_PLAIN_H
#define WLI_PRODUCT_PLAIN_H

#include "kernels/lanes.h"
#include <math.h>

typedef real packed, operand;
typedef vec vec_sums;
enum { GROUP = 1, PARTS = 1, IN_PLACE = 1, BLOCK = 1, WEIGHT_TAIL = 0, OPERAND_TAIL = 0 };
#define OPERANDS NULL

WLI_INLINE bool stays_finite(real value) {
    return isfinite(value);
}

/* weights [depth] -> to, `step` apart */
WLI_INLINE void pack_column(const real *weights, int64_t depth, packed *to, int64_t step) {
    for (int64_t k = 0; k < depth; k++) to[k * step] = weights[k];
}

#define PACKS_LANES
WLI_INLINE vec packed_lanes(const real *weights) {
    return load(weights);
}

WLI_INLINE vec_int not_finite(vec weights) {
    const vec_int infinite = (vec_int)broadcast((real)INFINITY);
    return ((vec_int)weights & infinite) == infinite;
}

WLI_INLINE vec weight_lanes(const packed *from, int part) {
    (void)part;
    return load(from);
}

WLI_INLINE vec operand_lanes(const operand *from, int part) {
    (void)part;
    return broadcast(*from);
}

WLI_INLINE vec_sums multiply_add(vec_sums sums, vec operands, vec weights) {
    return sums + operands * weights;
}

WLI_INLINE vec_sums sums_from(vec g) {
    return g;
}

WLI_INLINE vec sums_to(vec g, vec_sums sums, const packed *weights_end, int64_t step, const operand *row_end) {
    (void)g, (void)weights_end, (void)step, (void)row_end;
    return sums;
}

#endif
