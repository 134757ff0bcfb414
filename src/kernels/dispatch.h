/* Which of the native kernels' tables this machine runs. Apart from native.h, which the kernels themselves include: the public header
 * may change without a compilation of them all. */
#ifndef WLI_DISPATCH_H
#define WLI_DISPATCH_H

#include "kernels/native.h"
#include "kernels/training.h"
#include "wavelstm.h"

/* What is multiplied (product.h). */
typedef enum wli_product {
    WLI_PRODUCT_F32,
    WLI_PRODUCT_F64,
    WLI_PRODUCT_BF16,
    WLI_PRODUCT_S8,
    WLI_PRODUCTS
} wli_product;

/* "f32", ... */
extern const char *const wli_product_names[WLI_PRODUCTS];

/* That of arrays of such numbers; the precision is one that they have. */
wli_product wli_product_of(wlstm_dtype dtype, wlstm_precision precision);

/* The bytes of a weight as it is packed. */
size_t wli_product_bytes(wli_product product);

/* The table for this machine, under the cap of WLSTM_ISA. */
const wli_native *wli_native_get(wli_product product);

/* What goes along with that table in training; NULL where there is none, as of the products of rounded numbers. */
const wli_training *wli_training_get(wli_product product);

/* The tables that it can use of any width, also where another one of a width goes before them; how many, `most` at
 * most. */
int wli_native_all(wli_product product, const wli_native **found, int most);

/* Its name, as wli_native_get's, but asks the system for nothing. */
const char *wli_native_isa(wli_product product);

/* Whether a core seems to do two multiply-adds of 64 bytes a cycle, for which caches and memory are then slow: those that do have
 * an L1 of 48 KiB. Thread-safe. */
bool wli_wide_core(void);

/* The tables that this machine can use, one of each width of vectors, the widest first: 0 is wli_native_get's, NULL
 * past the last. */
const wli_native *wli_native_at(wli_product product, int index);

/* Whether that table's results are those of table 0, bit for bit. */
bool wli_native_rounds_alike(wli_product product, int index);

#endif
