/* real: what the arrays of the number type hold that a source is compiled for (base/product.h). */
#ifndef WLI_REAL_H
#define WLI_REAL_H

#include "base/product.h"

#include WLI_PRODUCT_HEADER(real)

#endif
