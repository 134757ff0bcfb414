/* Who multiplies: packs a weight matrix as it likes it best, and then does C [rows, columns] = bias + A W^T, or C +=
 * A W^T. One row of the table each, in a file of its own, multiply_NAME.c; nobody else asks which it is. */
#ifndef WLI_MULTIPLIER_H
#define WLI_MULTIPLIER_H

#include "kernels/dispatch.h"
#include "kernels/operands.h"
#include "model/model.h"

typedef enum wli_gemm_kind { WLI_GEMM_NATIVE, WLI_GEMM_MATMUL, WLI_GEMM_INNER_PRODUCT, WLI_GEMM_KINDS } wli_gemm_kind;

/* What weights are packed from that are not in memory, or not of the type that cells compute in. */
typedef struct wli_rows_source {
    wli_values values;
    wlstm_dtype dtype; /* of the values; packed is what they are as wli_dtype_real */
    void *room;        /* for rows on their way: of any weight a panel's, of any bias two */
    size_t room_bytes;
} wli_rows_source;

/* With room for the weights of a model, as the native table has them packed. Errors: OUT_OF_MEMORY. */
wlstm_status wli_rows_source_make(const wli_model *model, const wli_native *native, wli_values values,
                                  wli_rows_source *source);
void wli_rows_source_free(wli_rows_source *source);

/* A weight matrix to pack. */
typedef struct wli_pack_request {
    wlstm_dtype dtype; /* that cells compute in */
    const wli_native *native;
    wli_pack_args matrix; /* but for what is written */
    bool has_bias;        /* without one products add onto C */
    /* In panels: where the rows come from in the place of matrix.weight, and which parameter it is, and bias_ih,
     * before bias_hh; 0 is none. */
    const wli_rows_source *source;
    int64_t weight_parameter, bias_parameter;
    int64_t max_rows; /* of A */
    int64_t stride;   /* elements from one row of C to the next */
    int64_t slices;   /* sliced: into how many, of whole panels each */
} wli_pack_request;

/* It packed, shared by all who multiply by it. */
typedef struct wli_packed {
    const struct wli_multiplier *multiplier;
    void *panels; /* in_panels: layout.h's */
    void *bias;   /* in_panels: [columns], in the panels' memory */
    void *own;    /* what the multiplier has in their place */
    size_t bytes;
    bool finite; /* every weight is: the product with a zero state can be left out */
    bool whole;  /* all is packed: asked by who has the shelf's turn */
} wli_packed;

/* What one thread multiplies with. */
typedef struct wli_tools {
    wli_gathered gathered;
    void *own[WLI_GEMM_KINDS]; /* each multiplier's, NULL where it needs none */
} wli_tools;

/* A packed matrix, as any thread multiplies by it. */
typedef struct wli_gemm {
    const struct wli_multiplier *multiplier;
    const wli_native *native;
    wli_packed *packed;
    const void *bias; /* in_panels: of the packed; NULL adds onto C */
    int64_t depth, columns;
    int64_t stride; /* elements from one row of C to the next */
    size_t element;
    bool halves; /* as in wli_gemm_args */
} wli_gemm;

enum { WLI_CODE_NAME_BYTES = 32 };

typedef struct wli_multiplier {
    wli_gemm_kind kind;
    wlstm_backend backend; /* by which callers name it */
    /* It packs layout.h's panels, by which a native step multiplies itself. */
    bool in_panels;
    /* The rows of C lie close; as a rule they are an odd number of lines apart. */
    bool dense;
    /* Each element of C is one chain of sums, however the work is cut. */
    bool deterministic;
    /* It starts threads of its own where it is not in a parallel region. */
    bool forks;
    /* It multiplies by the slices that it packed, and by no part of one. */
    bool sliced;

    /* Whether this build has it, for such products. */
    bool (*serves)(wli_product product);
    /* Whose code runs: "avx2", "2.6.3". */
    void (*name_code)(const wli_native *native, char text[WLI_CODE_NAME_BYTES]);
    /* What tells apart what it packs of one matrix for one layout. */
    void (*name_packed)(const wli_pack_request *request, char *text, size_t bytes);
    /* Makes room for it, and packs it where there is no `fill`. */
    wlstm_status (*pack)(const wli_pack_request *request, wli_packed *packed);
    /* Packs the range's columns, which many threads may do for some each. Says whether the weights are finite. */
    bool (*fill)(const wli_native *native, const wli_pack_args *matrix, wli_packed *packed, wli_panel_range range);
    void (*discard)(wli_packed *packed);
    /* As wli_gemm_run, of one row at least. */
    wlstm_status (*run)(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_panel_range range,
                        wli_tools *tools);
    /* Adds to a thread's own what it needs for the matrix; `release` takes all of it. NULL where there is nothing. */
    wlstm_status (*equip)(const wli_packed *packed, void **own);
    void (*release)(void *own);
    /* Whether there is memory left for what it takes while it runs on so many threads. */
    wlstm_status (*check_room)(int64_t threads);
} wli_multiplier;

extern const wli_multiplier wli_multiply_native, wli_multiply_matmul, wli_multiply_inner_product;

extern const wli_multiplier *const wli_multipliers[WLI_GEMM_KINDS];
extern const char *const wli_gemm_names[WLI_GEMM_KINDS];

/* Slices [first, end), of so many, of all panels: who shares a cell's units is given whole slices. */
static inline wli_panel_range wli_slices_of(wli_panel_range all, int64_t first, int64_t end, int64_t slices) {
    return (wli_panel_range){ all.end * first / slices, all.end * end / slices };
}

/* All of a matrix in panels, and its bias, from the request's source, whose errors they are. */
wlstm_status wli_pack_rows(const wli_pack_request *request, wli_packed *packed);

#endif
