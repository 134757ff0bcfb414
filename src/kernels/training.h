/* What training adds to the native kernels (native.h): the cell forward and backward, and what turns, spreads and adds
 * rows for its products. One table per instruction set and number type. Elements are of that type, and gates lie in
 * PyTorch's order: i, f, g, o of H units each. */
#ifndef WLI_TRAINING_H
#define WLI_TRAINING_H

#include <stdbool.h>
#include <stdint.h>

/* Units [first, end) of a step; first is a multiple of the lanes, and so is end, or it is H. */
typedef struct wli_units {
    int64_t hidden_size, first, end;
} wli_units;

/* The cell forward: gates become their activations, c and h follow from them. */
typedef struct wli_forward_cell {
    wli_units units;
    int64_t rows;
    void *gates; /* [rows, 4H], ldg apart: sums in, activations out */
    int64_t ldg;
    const void *c_prev; /* [rows, H], ldc_prev apart */
    int64_t ldc_prev;
    void *c; /* [rows, H], ldc apart, written */
    int64_t ldc;
    void *const *h; /* [rows] pointers to [H], written: o tanh(c) */
} wli_forward_cell;

/* The cell backward: the gates' activations become the gradients of their sums. */
typedef struct wli_backward_cell {
    wli_units units;
    int64_t rows;
    void *gates; /* [rows, 4H], ldg apart: activations in, dG out */
    int64_t ldg;
    void *c; /* [rows, H], ldc apart; o tanh(c) out where it is `kept` */
    int64_t ldc;
    const void *c_prev; /* [rows, H], ldc_prev apart */
    int64_t ldc_prev;
    const void *const *dy; /* [rows] pointers to [H]; NULL is zeros. The gradient of h is dy + dh */
    const void *dh;        /* [rows, H], ldh apart */
    int64_t ldh;
    void *dc; /* [rows, H], lddc apart: the gradient of c in, of c_prev out */
    int64_t lddc;
    bool kept;
} wli_backward_cell;

typedef struct wli_training {
    const char *isa;
    int lanes;
    void (*forward)(const wli_forward_cell *cell);
    void (*backward)(const wli_backward_cell *cell);
    /* to [columns, ldt] = the transpose of elements [first, first + columns) of `count` rows. */
    void (*turn)(const void *const *rows, int64_t count, int64_t first, int64_t columns, void *to, int64_t ldt);
    /* rows [count] pointers to [width] -> as k = first ... of panels (layout.h) of `depth` k and `width` columns, which
     * zeros fill up to whole vectors. */
    void (*spread)(const void *const *rows, int64_t count, int64_t width, int64_t first, int64_t depth, void *panels);
    /* to [rows][columns], ldt apart, = from, ldf apart; where it `adds`, += . */
    void (*add)(int64_t rows, int64_t columns, const void *from, int64_t ldf, void *to, int64_t ldt, bool adds);
    /* to [columns] = the sum, from zero, of elements [first, first + columns) of `count` rows; where it `adds`, += . */
    void (*sum)(const void *const *rows, int64_t count, int64_t first, int64_t columns, void *to, bool adds);
} wli_training;

#endif
