/* The order of the 4H gate columns in every G [rows][columns] and in the packed weights that make it.
 *
 * Units are taken `lanes` at a time, their four gates side by side, so that one panel of four vectors holds all that the
 * cell's arithmetic needs for its units. The r = H % lanes units left over are packed densely, 4r columns rounded up to
 * whole vectors, unless that takes four vectors anyway. H = 20, 8 lanes:
 *
 *     panel 0                     panel 1                     panel 2 (tail, r = 4, two vectors)
 *     |i0..7|f0..7|g0..7|o0..7|   |i8..15|f8..15|g8..|o8..|   |i16..19 f16..19|g16..19 o16..19|
 *
 * Packed weights [panel][k][vectors of the panel][lanes]: one k of one panel is contiguous, panels follow each other. */
#ifndef WLI_LAYOUT_H
#define WLI_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

enum { WLI_PANEL_VECTORS = 4 };

/* Bytes behind the packed weights that exist and were written, as kernels prefetch past the end: a prefetch of a page that is not
 * there costs a walk through the page tables each time. */
enum { WLI_PANELS_PADDING = 38 * 64 };

typedef struct wli_gate_layout {
    int lanes;
    int64_t hidden_size;
    int64_t panels;        /* of four vectors; the last one may be padded */
    int64_t tail;          /* units in the dense tail, 0 without one */
    int64_t columns;       /* of G, a multiple of lanes */
    int64_t padded_hidden; /* the row length of c: H rounded up to whole vectors */
} wli_gate_layout;

static inline wli_gate_layout wli_gate_layout_make(int64_t hidden_size, int lanes) {
    int64_t left = hidden_size % lanes, tail_vectors = (4 * left + lanes - 1) / lanes;
    wli_gate_layout layout = { .lanes = lanes, .hidden_size = hidden_size, .panels = hidden_size / lanes };
    if (tail_vectors == WLI_PANEL_VECTORS)
        layout.panels++, tail_vectors = 0;
    else
        layout.tail = left;
    layout.columns = (layout.panels * WLI_PANEL_VECTORS + tail_vectors) * lanes;
    layout.padded_hidden = (hidden_size + lanes - 1) / lanes * lanes;
    return layout;
}

/* Panels [first, end) of a layout, a dense tail being the last: the part of a cell's units that one thread owns. */
typedef struct wli_panel_range {
    int64_t first, end;
} wli_panel_range;

static inline wli_panel_range wli_all_panels(int64_t columns, int lanes) {
    return (wli_panel_range){ 0, (columns + WLI_PANEL_VECTORS * lanes - 1) / (WLI_PANEL_VECTORS * lanes) };
}

/* Elements from one row of G to the next: an odd number of cache lines, as rows a power of two apart would share few sets of the
 * L1. */
static inline int64_t wli_gate_stride(int64_t columns, size_t element) {
    const int64_t line = 64 / (int64_t)element;
    return ((columns + line - 1) / line | 1) * line;
}

/* The row of PyTorch's [4H, .] weight that column `column` of G holds, -1 for padding. */
static inline int64_t wli_gate_layout_row(const wli_gate_layout *layout, int64_t column) {
    int64_t panel_columns = WLI_PANEL_VECTORS * (int64_t)layout->lanes, tail_start = layout->panels * panel_columns;
    int64_t gate, unit;
    if (column < tail_start) {
        gate = column % panel_columns / layout->lanes;
        unit = column / panel_columns * layout->lanes + column % layout->lanes;
    } else {
        gate = (column - tail_start) / layout->tail;
        unit = layout->panels * layout->lanes + (column - tail_start) % layout->tail;
    }
    return gate < 4 && unit < layout->hidden_size ? gate * layout->hidden_size + unit : -1;
}

#endif
