/* How G += A W^T is computed: what arrays hold, what weights are packed as, what is multiplied, what sums are kept in.
 * The header of the product that is compiled, product_NAME.h, gives under the same names:
 *
 *     real            what arrays hold (x, h, c, G, biases), and what the cell computes with
 *     GROUP           elements of k that are taken at once: a tile's depth is in groups of them
 *     packed          GROUP weights of one column, as large as a real
 *     operand         GROUP elements of a row of A, as they are multiplied
 *     vec_sums        a vector of columns' sums
 *     PARTS           multiply-adds that a group takes
 *     BLOCK           groups of a row that are summed in one; sweeps cut the depth only between blocks
 *     WEIGHT_TAIL     elements behind the groups of each block of a packed column, and
 *     OPERAND_TAIL    of a row of operands, for sums_to
 *
 *     IN_PLACE        whether operands are the row of A itself; OPERANDS is then NULL, else what makes them of it
 *     pack_column     weights of a column, as PyTorch keeps them, as packed ones; zeros where a group passes the depth;
 *                     each block's tail
 *     stays_finite    whether a weight is finite as it is multiplied
 *     packed_lanes    LANES groups of a column, whose packed weights depend on no others: where there is one,
 *                     PACKS_LANES is defined, whole lines are packed by it, and pack_column gets what is left
 *     not_finite      of packed_lanes: not 0 in lanes where not all weights stay finite
 *     weight_lanes    one part of a group's weights, a column a lane
 *     operand_lanes   one part of an operand, the same in every lane
 *     multiply_add    sums + operands * weights
 *     sums_from       what sums begin as, of G
 *     sums_to         G with the sums in it: weights_end points to the tails of a vector's columns, whose elements are
 *                     `step` apart, row_end to the row's */
#ifndef WLI_PRODUCT_H
#define WLI_PRODUCT_H

#include "base/product.h"

#include WLI_PRODUCT_HEADER(product)

/* Groups of so many k. */
WLI_INLINE int64_t groups_of(int64_t depth) {
    return (depth + GROUP - 1) / GROUP;
}

/* What so many groups take of a packed column, and of a row of operands. All of them, or whole blocks. */
WLI_INLINE int64_t weights_in(int64_t groups) {
    return groups + (groups + BLOCK - 1) / BLOCK * WEIGHT_TAIL;
}

WLI_INLINE int64_t operands_in(int64_t groups) {
    return groups + (groups + BLOCK - 1) / BLOCK * OPERAND_TAIL;
}

_Static_assert(sizeof(packed) == sizeof(real), "a vector of columns' weights is a vector of columns' sums");

#endif
