/* f32: all is float. */
#include "kernels/real_f32.h"

#include "kernels/product_plain.h"
