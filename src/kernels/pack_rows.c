/* A weight matrix in panels from rows that come a few at a time, so that it need not be in memory as it was. */
#include "base/allocator.h"
#include "base/status.h"
#include "io/convert.h"
#include "kernels/multiplier.h"

/* How a matrix is cut: into units of a cell, four rows each, a gate's one below the other's, or rows of a
 * projection. */
typedef struct cut {
    int64_t units, rows_of_unit, units_of_panel;
} cut;

static cut cut_of(const wli_pack_request *request) {
    const wli_gate_layout *layout = request->matrix.layout;
    const int64_t lanes = request->native->lanes;
    return layout ? (cut){ layout->hidden_size, WLI_PANEL_VECTORS, lanes }
                  : (cut){ request->matrix.rows, 1, WLI_PANEL_VECTORS * lanes };
}

/* Rows of a parameter to where `count` elements of the type that cells compute in have room. */
static wlstm_status read_rows(const wli_rows_source *source, int64_t parameter, int64_t first, int64_t rows,
                              size_t count, char *to) {
    const wlstm_dtype real = wli_dtype_real(source->dtype);
    /* What is narrower takes the end of the room, and widens from there. */
    char *from = to + count * (wli_dtype_size(real) - wli_dtype_size(source->dtype));
    const wlstm_status status = source->values.read(source->values.context, parameter, first, rows, from);
    if (status == WLSTM_OK && from != to) wli_convert((wli_number_type)source->dtype, from, real, to, count);
    return status;
}

/* Units [first, first + units) into the room: [rows of a unit][units, depth]. */
static wlstm_status read_block(const wli_pack_request *request, const cut *c, int64_t first, int64_t units) {
    char *room = request->source->room;
    const size_t count = (size_t)(units * request->matrix.depth);
    wlstm_status status = WLSTM_OK;
    for (int64_t n = 0; n < c->rows_of_unit && status == WLSTM_OK; n++)
        status = read_rows(request->source, request->weight_parameter, n * c->units + first, units, count,
                           room + (size_t)n * count * wli_dtype_size(request->dtype));
    return status;
}

/* The panels of units [first, first + units), the last ones or whole panels of them, which are laid out as if they
 * were all. */
static void pack_block(const wli_pack_request *request, const cut *c, int64_t first, int64_t units,
                       wli_packed *packed) {
    const wli_native *native = request->native;
    const int64_t depth = request->matrix.depth, lanes = native->lanes, panel = WLI_PANEL_VECTORS * lanes;
    const int64_t before = first / c->units_of_panel * panel * wli_packed_depth(native, depth);
    const wli_gate_layout layout = wli_gate_layout_make(units, native->lanes);
    const bool gates = request->matrix.layout;
    const wli_pack_args args = { .weight = request->source->room,
                                 .rows = units * c->rows_of_unit,
                                 .depth = depth,
                                 .layout = gates ? &layout : NULL,
                                 .columns = gates ? layout.columns : (units + lanes - 1) / lanes * lanes,
                                 .panels = (char *)packed->panels + (size_t)before * wli_dtype_size(request->dtype) };
    packed->finite &= native->pack(&args, wli_all_panels(args.columns, native->lanes));
}

static wlstm_status pack_weight(const wli_pack_request *request, wli_packed *packed) {
    const cut c = cut_of(request);
    const size_t row_bytes = (size_t)request->matrix.depth * wli_dtype_size(request->dtype);
    const int64_t panels = (int64_t)(request->source->room_bytes / row_bytes) / (c.rows_of_unit * c.units_of_panel);
    const int64_t most = panels * c.units_of_panel;
    wlstm_status status = WLSTM_OK;
    for (int64_t first = 0; first < c.units && status == WLSTM_OK; first += most) {
        const int64_t units = c.units - first < most ? c.units - first : most;
        status = read_block(request, &c, first, units);
        if (status == WLSTM_OK) pack_block(request, &c, first, units, packed);
    }
    return status;
}

/* The biases, or zeros, beside rows of no depth. */
static wlstm_status pack_bias(const wli_pack_request *request, wli_packed *packed) {
    const wli_rows_source *source = request->source;
    const int64_t rows = request->matrix.rows;
    char *ih = request->source->room, *hh = ih + (size_t)rows * wli_dtype_size(request->dtype);
    wli_pack_args args = request->matrix;
    args.weight = ih, args.depth = 0, args.panels = packed->panels, args.bias = packed->bias;
    if (request->bias_parameter) {
        wlstm_status status = read_rows(source, request->bias_parameter, 0, rows, (size_t)rows, ih);
        if (status == WLSTM_OK) status = read_rows(source, request->bias_parameter + 1, 0, rows, (size_t)rows, hh);
        if (status != WLSTM_OK) return status;
        args.bias_ih = ih, args.bias_hh = hh;
    }
    (void)request->native->pack(&args, wli_all_panels(args.columns, request->native->lanes));
    return WLSTM_OK;
}

wlstm_status wli_pack_rows(const wli_pack_request *request, wli_packed *packed) {
    const wlstm_status status = pack_weight(request, packed);
    return status == WLSTM_OK ? pack_bias(request, packed) : status;
}

/* Small beside weights for which it matters, or a panel or the biases of the largest. */
static bool room_bytes(const wli_model *model, const wli_native *native, size_t *bytes) {
    const int64_t element = (int64_t)wli_real_size(model->dtype), cells = model->num_layers * model->num_directions;
    *bytes = (size_t)1 << 20;
    for (int64_t i = 0; i < cells; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        const int64_t deeper = cell->input_size > cell->hidden_size ? cell->input_size : cell->hidden_size;
        size_t panel, biases;
        if (!wli_size_product(WLI_PANEL_VECTORS * native->lanes, deeper, element, &panel) ||
            !wli_size_product(8, cell->hidden_size, element, &biases))
            return false;
        if (panel > *bytes) *bytes = panel;
        if (biases > *bytes) *bytes = biases;
    }
    return true;
}

wlstm_status wli_rows_source_make(const wli_model *model, const wli_native *native, wli_values values,
                                  wli_rows_source *source) {
    *source = (wli_rows_source){ .values = values, .dtype = model->dtype };
    const bool fits = room_bytes(model, native, &source->room_bytes);
    if (fits && (source->room = wli_alloc(source->room_bytes))) return WLSTM_OK;
    return wli_out_of_memory("rows of weights", fits ? source->room_bytes : SIZE_MAX);
}

void wli_rows_source_free(wli_rows_source *source) {
    wli_free(source->room);
}
