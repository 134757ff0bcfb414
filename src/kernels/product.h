/* How G += A W^T is computed: what arrays hold, what weights are packed as, what is multiplied, what sums are kept in.
 * The header of the product that is compiled, product_NAME.h, gives under the same names:
 *
 *     real            what arrays hold (x, h, c, G, biases), and what the cell computes with
 *     GROUP           elements of k that are taken at once: a tile's depth is in groups of them
 *     packed          GROUP weights of one column, as large as a real
 *     operand         GROUP elements of a row of A, as they are multiplied
 *     PARTS           multiply-adds that a group takes
 *
 *     IN_PLACE        whether operands are the row of A itself; OPERANDS is then NULL, else what makes them of it
 *     pack_column     weights of a column, as PyTorch keeps them, as packed ones; zeros where a group passes the depth
 *     stays_finite    whether a weight is finite as it is multiplied
 *     weight_lanes    one part of a group's weights, a column a lane
 *     operand_lanes   one part of an operand, the same in every lane
 *     multiply_add    sums + operands * weights
 *     sums_from       what sums begin as, of G: they may be of another type, in the place of a vec
 *     sums_to         G with the sums in it */
#ifndef WLI_PRODUCT_H
#define WLI_PRODUCT_H

#include "base/product.h"

#include WLI_PRODUCT_HEADER(product)

/* Groups of so many k. */
WLI_INLINE int64_t groups_of(int64_t depth) {
    return (depth + GROUP - 1) / GROUP;
}

_Static_assert(sizeof(packed) == sizeof(real), "a vector of columns' weights is a vector of columns' sums");

#endif
