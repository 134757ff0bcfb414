/* How fast the kernels of a product multiply, beside those of f32. */
#ifndef MACHINE_PRODUCT_SPEED_H
#define MACHINE_PRODUCT_SPEED_H

#include "kernels/dispatch.h"

/* Multiply-adds of one thread on data in the L1 to those of f32 in the same time, the best of several rounds; 1 where
 * this build has no kernels of the product. */
double product_speed_measure(wli_product product);

#endif
