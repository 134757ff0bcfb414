/* One step of a native table, on random rows. */
#ifndef TEST_SUPPORT_NATIVE_STEP_H
#define TEST_SUPPORT_NATIVE_STEP_H

#include "guarded.h"
#include "native_tables.h"

typedef struct step_case {
    wlstm_dtype dtype;
    const wli_native *native;
    wli_gate_layout layout;
    int64_t depth, ldg, ldc;
    const void *h_prev[ROWS];
    bool with_h_prev;
    void *weight, *panels, *gates,
        *c; /* weight [4H, depth] as it is and packed, gates [ROWS, 4H] in PyTorch's order, c [ROWS, H] */
} step_case;

typedef struct step_outcome {
    guarded gates, c, h[ROWS];
} step_outcome;

/* Random weights, rows of h_prev, gates and c; ldg and ldc at random dense or as plans have them. */
step_case make_step_case(wlstm_dtype dtype, const wli_native *native, int64_t H, int64_t depth, bool with_h_prev);
void free_step_case(step_case *s);

/* G and c of `rows` rows from `first` on before the step, and nothing in h. */
void start_step(const step_case *s, int64_t first, int64_t rows, step_outcome *o);

/* c and h after it. */
void run_step(const step_case *s, int64_t first, int64_t rows, bool backwards, step_outcome *o);
void free_step(step_outcome *o, int64_t rows);

/* h and c of the first `rows` rows of a are those of b from `first` on, bit for bit. */
void check_identical(const char *what, wlstm_dtype dtype, int64_t H, int64_t rows, const step_outcome *a, int64_t a_ldc,
                     const step_outcome *b, int64_t b_ldc, int64_t first);

#endif
