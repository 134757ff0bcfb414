/* f64: all is double. */
#include "kernels/real_f64.h"

#include "kernels/product_plain.h"
