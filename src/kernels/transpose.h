/* A square of LANES vectors, transposed in registers. real comes first: product.h. */
#ifndef WLI_TRANSPOSE_H
#define WLI_TRANSPOSE_H

#include "kernels/lanes.h"

/* Of each two vectors so far apart: lane i of the second and lane i + distance of the first change places, for each i
 * without that bit. */
WLI_INLINE void exchange(vec square[LANES], int distance) {
    const vec_int lanes = numbers_of_lanes(), bit = lanes & (lane_int)distance;
    const vec_int low = lanes + bit * (lane_int)((LANES - distance) / distance), high = low + (lane_int)distance;
    UNROLL for (int i = 0; i < LANES; i++) {
        if (i & distance) continue;
        const vec a = square[i], b = square[i + distance];
        square[i] = shuffled(a, b, low), square[i + distance] = shuffled(a, b, high);
    }
}

WLI_INLINE void transpose(vec square[LANES]) {
    exchange(square, 1);
    if (LANES > 2) exchange(square, 2);
    if (LANES > 4) exchange(square, 4);
    if (LANES > 8) exchange(square, 8);
}

#endif
