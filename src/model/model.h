/* The parameters of an nn.LSTM, an nn.LSTMCell or a stack of cells: shapes, PyTorch's names, values. Plans share a model
 * by reference; its values never change while more than one holds it.
 *
 * "Cell" means one (layer, direction) throughout the library, what one nn.LSTMCell computes: an lstm has num_layers *
 * num_directions of them. Only the public wlstm_cell is nn.LSTMCell itself. */
#ifndef WLI_MODEL_H
#define WLI_MODEL_H

#include "base/number_types.h"
#include "base/shelf.h"

#include <stdatomic.h>
#include <stdbool.h>

/* Of I, H, P and L. Keeps sums of sizes and small multiples of one (4H, D*R) far from overflow; products of two go through
 * wli_size_product. */
#define WLI_LARGEST_SIZE (INT64_C(1) << 40)

/* One cell. R is proj_size, or hidden_size without projection. The values of a compact model are gone: NULL. */
typedef struct wli_cell_weights {
    int64_t input_size, hidden_size, proj_size, state_size; /* I, H, P, R */
    const void *weight_ih;                                  /* [4H, I] */
    const void *weight_hh;                                  /* [4H, R] */
    const void *bias_ih, *bias_hh;                          /* [4H], NULL without bias */
    const void *weight_hr;                                  /* [P, H], NULL without projection */
    int64_t h_offset, c_offset; /* where its [B, R] and [B, H] begin in h_0 and c_0, in units of B elements */
} wli_cell_weights;

typedef struct wli_parameter {
    char name[48];
    int ndim;
    int64_t shape[2];
    size_t count;
    double bound; /* initialised from U(-bound, bound) */
    void *values; /* NULL: of a compact model */
} wli_parameter;

typedef struct wli_model {
    atomic_int references;
    wlstm_dtype dtype;
    int64_t num_layers;
    int num_directions;
    bool bias, batch_first, is_cell;
    double dropout;
    size_t x_bytes, out_bytes, h_bytes, c_bytes; /* of one row of the batch: a step of x and of out; h_0, c_0 whole */
    wli_cell_weights *cells;                     /* [num_layers * num_directions], layer by layer, forward first */
    int64_t num_parameters;
    wli_parameter *parameters;
    wli_shelf derived; /* from the values, a place a cell: what plans share */
    /* A compact one has no values, and of what derives from them weights in panels (plan/compact.h) for this
     * precision, which is not DEFAULT, and vectors of so many lanes. */
    bool compact;
    wlstm_precision packed_precision;
    int packed_lanes;
} wli_model;

typedef struct wli_model_spec {
    wlstm_dtype dtype;
    int64_t num_layers, input_size, proj_size;
    int64_t hidden_size;         /* of every layer, */
    const int64_t *hidden_sizes; /* unless this is not NULL: [num_layers] */
    double dropout;
    bool bias, bidirectional, batch_first, is_cell;
    bool compact; /* without values */
} wli_model_spec;

/* Where the values come from that are packed, of a compact model while it is made and of bf16 arrays: rows
 * [first, first + rows) of a parameter, a bias's row being one element, in the model's dtype. */
typedef struct wli_values {
    wlstm_status (*read)(void *context, int64_t parameter, int64_t first, int64_t rows, void *to);
    void *context;
} wli_values;

/* Those of a model that has them. */
wli_values wli_model_values(wli_model *model);

/* Fills a compact model that has nothing yet, for a precision. */
typedef wlstm_status wli_model_fill(wli_model *compact, const wli_values *values, wlstm_precision precision);

/* A model with one reference and values not set. Checks the spec as PyTorch checks nn.LSTM's arguments. */
wlstm_status wli_model_create(const wli_model_spec *spec, wli_model **model);

void wli_model_retain(wli_model *model);

/* Drops a reference; the last one frees. NULL is allowed. */
void wli_model_release(wli_model *model);

/* Makes *model safe to change: itself if nobody shares it, else a copy that takes its place. What was derived is dropped. */
wlstm_status wli_model_make_private(wli_model **model);

/* Puts in the place of *model a compact one of the same values, filled. What was derived is dropped where nobody
 * shares it. Where this fails *model has its values still. */
wlstm_status wli_model_compact(wli_model **model, wli_model_fill *filler, wlstm_precision precision);

/* UNSUPPORTED of a compact one, for what needs the values. */
wlstm_status wli_model_check_values(const wli_model *model);

/* Whether the model has a precision that somebody names. Errors: as wli_precision_check, UNSUPPORTED (not that of a
 * compact one). */
wlstm_status wli_model_check_precision(const wli_model *model, wlstm_precision precision);

/* Parameter access behind the public functions of both lstm and cell. */
wlstm_status wli_model_info(const wli_model *model, int64_t index, const char **name, int *ndim, int64_t shape[2]);

/* Checks the arguments of a get or set, and finds the parameter. */
wlstm_status wli_model_find(const wli_model *model, const char *name, const void *values, int64_t count,
                            int64_t *index);
wlstm_status wli_model_set(wli_model **model, int64_t index, const void *values);
void wli_model_get(const wli_model *model, int64_t index, void *values);

/* U(-bound, bound), by base/random.h. */
wlstm_status wli_model_reset(wli_model **model, uint64_t seed);

/* The largest hidden_size of the layers. */
int64_t wli_model_widest_hidden(const wli_model *model);

/* Names, shapes and values out of a safetensors file; into one. `filler` is for one that is compact. */
wlstm_status wli_model_load(const char *path, const wlstm_load_options *options, bool as_cell, wli_model_fill *filler,
                            wli_model **model);
wlstm_status wli_model_save(const wli_model *model, const char *path, const char *prefix);

/* How many parameters each cell has, one cell's after the other's: weight_ih, weight_hh, with a bias bias_ih,
 * bias_hh, with projection weight_hr. */
static inline int64_t wli_model_cell_parameters(const wli_model *model) {
    return model->num_parameters / (model->num_layers * model->num_directions);
}

static inline const wli_cell_weights *wli_model_cell(const wli_model *model, int64_t layer, int direction) {
    return &model->cells[layer * model->num_directions + direction];
}

#endif
