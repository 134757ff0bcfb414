/* The library's own kernels, one table per instruction set and product (product.h). All tensors are row-major; rows come as
 * pointers, so that batch_first, ragged batches and reversed time need no copies. Elements are the product's reals, but those of
 * packed weights. */
#ifndef WLI_NATIVE_H
#define WLI_NATIVE_H

#include "kernels/layout.h"
#include <stdbool.h>

/* A weight matrix to pack in the order that the kernels read (layout.h). */
typedef struct wli_pack_args {
    const void *weight; /* [rows, depth] as PyTorch keeps it */
    int64_t rows, depth;
    const wli_gate_layout *layout; /* which row each column takes; NULL: column j is row j, past the rows zero */
    int64_t columns;
    void *panels;                  /* [panel][wli_packed_depth][columns of the panel], written */
    const void *bias_ih, *bias_hh; /* [rows]; NULL are zeros */
    void *bias;                    /* [columns], written: b_ih + b_hh in the columns' order, padding zeros; or NULL */
} wli_pack_args;

/* C [rows, columns] = bias + A [rows, depth] W^T, or C += A W^T where bias is NULL. W is packed (layout.h). */
typedef struct wli_gemm_args {
    int64_t rows, depth, columns;
    const void *const *a; /* [rows] pointers to [depth] */
    const void *panels;
    const void *bias; /* [columns] */
    void *c;
    int64_t ldc; /* elements from one row of C to the next */
    wli_panel_range range;
    /* With 32 registers 7 and 8 rows take a panel two vectors at a time, each of its weights once, rather than as two low tiles
     * that read all of it each. */
    bool halves;
    /* The most of k that is summed in one chain, from zero or the bias, before it is added to C: a longer one loses digits.
     * By reals as they are alone (product_plain.h); 0: all. */
    int64_t chain;
} wli_gemm_args;

/* One step: gates G += h_prev W_hh^T, then c and h from them. A step that stands alone brings its input along: its G starts
 * from bias + x W_ih^T, without a way through memory. */
typedef struct wli_step_args {
    const wli_gemm_args *input; /* rows, depth, a, panels and bias are read; NULL: G holds the projection */
    const wli_gate_layout *layout;
    int64_t rows, depth;       /* depth is R, the width of h */
    const void *const *h_prev; /* [rows] pointers to [R]; NULL is zeros, and skips the product */
    const void *panels;        /* W_hh packed */
    void *gates;               /* G [rows, columns] and one vector that may be read behind it; replaced by anything */
    int64_t ldg;               /* elements from one row of G to the next */
    void *c;                   /* [rows, padded_hidden], replaced */
    int64_t ldc;               /* elements from one row of c to the next */
    void *const *h;            /* [rows] pointers to [H], written */
    /* As many at most, one after the other: h_prev is then the h before, and h moves on by h_step bytes, input->a by the rows,
     * or without it G by its rows. */
    int64_t steps, h_step;
    wli_panel_range range;
    bool
        backwards; /* from the last panel to the first, every second step the other way: what the last one left in a cache comes first */
    bool halves; /* as in wli_gemm_args; few tiles never do */
} wli_step_args;

/* What a step of few register tiles needs beside its rows. */
typedef struct wli_prepared_step {
    _Alignas(64) char kernels_own[1792];
    bool in_place; /* h may be h_prev: no row is read once one of its units is written */
} wli_prepared_step;

typedef struct wli_native {
    const char *isa, *product;
    int lanes;
    int group; /* elements of k in one element of packed weights, which is as large as a real */
    /* Behind each block of so many elements of a packed column, and the last, come `tail` more. */
    int block, tail;
    /* The range's panels and biases: many threads may pack some each. Says whether the weights are finite as they are
     * multiplied. */
    bool (*pack)(const wli_pack_args *args, wli_panel_range range);
    /* A row [depth] as the product's operands, in no more bytes than the row takes in whole lines; NULL: rows are
     * multiplied as they are. */
    void (*operands)(const void *row, int64_t depth, void *to);
    /* Rows of A, in all of these, are operands. Where these are not the rows themselves they lie equally far apart, a
     * step brings no input along, and of several steps each writes its h's operands over h_prev's. */
    void (*gemm)(const wli_gemm_args *args);
    /* The register tiles of a step of few whole ones, 0 if it is of others, so many that the way to them is short
     * beside them, or where h is made operands before the next step. */
    int64_t (*few_tiles)(const wli_gate_layout *layout, int64_t rows);
    /* The first of the steps, and all others where they are few tiles: how many were done. */
    int64_t (*step)(const wli_step_args *args);
    /* For one step again and again: whether it is few tiles, and then all that its rows do not change. */
    bool (*prepare)(const wli_step_args *args, wli_prepared_step *prepared);
    /* Such a step, its rows as in wli_step_args; h_prev may be h where it is `in_place`. */
    void (*step_prepared)(const wli_prepared_step *prepared, const void *const *x, const void *const *h_prev,
                          void *gates, void *c, void *const *h);
} wli_native;

/* The depth of packed weights. */
static inline int64_t wli_packed_depth(const wli_native *native, int64_t depth) {
    const int64_t groups = (depth + native->group - 1) / native->group;
    return groups + (groups + native->block - 1) / native->block * native->tail;
}

#endif
