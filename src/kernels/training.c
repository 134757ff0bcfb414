/* The kernels of training, compiled once per instruction set and number type (src/CMakeLists.txt). The equations are
 * those of reference/cell.h and reference/cell_backward.h. */
#include "kernels/training.h"

#include "kernels/activations.h"
#include "kernels/layout.h"
#include "kernels/transpose.h"

/* Units [unit, unit + LANES) of a row, or the `left` that there are:
 *
 *     i, f, o = sigmoid        g = tanh        c = f c_prev + i g        h = o tanh(c) */
WLI_INLINE void forward_units(real *gates, int64_t H, const real *c_prev, real *c, real *h, int64_t left) {
    const power_kind kinds[4] = { of_sigmoid, of_sigmoid, of_tanh, of_sigmoid };
    vec x[4], cell, m;
    power e[4], of_c;
    UNROLL for (int gate = 0; gate < 4; gate++) x[gate] = load_up_to(gates + gate * H, left);
    exp2_parts(4, x, kinds, e);
    m = minus_one(e[2]);
    const vec i = 1 / one_plus(e[0], of_sigmoid), f = 1 / one_plus(e[1], of_sigmoid);
    const vec g = m / (2 + m), o = 1 / one_plus(e[3], of_sigmoid);
    cell = f * load_up_to(c_prev, left) + i * g;
    exp2_parts(1, &cell, &of_tanh, &of_c);
    m = minus_one(of_c);
    store_up_to(gates, i, left);
    store_up_to(gates + H, f, left);
    store_up_to(gates + 2 * H, g, left);
    store_up_to(gates + 3 * H, o, left);
    store_up_to(c, cell, left);
    store_up_to(h, o * (m / (2 + m)), left);
}

static void forward(const wli_forward_cell *cell) {
    const wli_units units = cell->units;
    for (int64_t r = 0; r < cell->rows; r++) {
        real *gates = (real *)cell->gates + r * cell->ldg, *c = (real *)cell->c + r * cell->ldc, *h = cell->h[r];
        const real *c_prev = (const real *)cell->c_prev + r * cell->ldc_prev;
        for (int64_t unit = units.first; unit < units.end; unit += LANES)
            forward_units(gates + unit, units.hidden_size, c_prev + unit, c + unit, h + unit, units.hidden_size - unit);
    }
}

/* Units of a row, as above:
 *
 *     do = dh tanh(c)                     dc += dh o (1 - tanh(c)^2)
 *     di = dc g      df = dc c_prev      dg = dc i      dc_prev = dc f
 *
 * and of the gates' sums: di i (1 - i), df f (1 - f), dg (1 - g^2), do o (1 - o). */
WLI_INLINE void backward_units(real *gates, int64_t H, real *c, const real *c_prev, const real *dy, const real *dh_rest,
                               real *dc_row, bool kept, int64_t left) {
    const vec i = load_up_to(gates, left), f = load_up_to(gates + H, left), g = load_up_to(gates + 2 * H, left);
    const vec o = load_up_to(gates + 3 * H, left), t = tanh_lanes(load_up_to(c, left));
    vec dh = load_up_to(dh_rest, left);
    if (dy) dh += load_up_to(dy, left);
    const vec dc = load_up_to(dc_row, left) + dh * o * (1 - t * t);
    store_up_to(gates, dc * g * (i * (1 - i)), left);
    store_up_to(gates + H, dc * load_up_to(c_prev, left) * (f * (1 - f)), left);
    store_up_to(gates + 2 * H, dc * i * (1 - g * g), left);
    store_up_to(gates + 3 * H, dh * t * (o * (1 - o)), left);
    store_up_to(dc_row, dc * f, left);
    if (kept) store_up_to(c, o * t, left);
}

static void backward(const wli_backward_cell *cell) {
    const wli_units units = cell->units;
    for (int64_t r = 0; r < cell->rows; r++) {
        real *gates = (real *)cell->gates + r * cell->ldg, *c = (real *)cell->c + r * cell->ldc;
        real *dc = (real *)cell->dc + r * cell->lddc;
        const real *c_prev = (const real *)cell->c_prev + r * cell->ldc_prev;
        const real *dh = (const real *)cell->dh + r * cell->ldh, *dy = cell->dy ? cell->dy[r] : NULL;
        for (int64_t unit = units.first; unit < units.end; unit += LANES)
            backward_units(gates + unit, units.hidden_size, c + unit, c_prev + unit, dy ? dy + unit : NULL, dh + unit,
                           dc + unit, cell->kept, units.hidden_size - unit);
    }
}

/* to [LANES, ldt] = the transpose of LANES rows of a vector each. */
WLI_INLINE void turn_square(const real *const *rows, real *to, int64_t ldt) {
    vec square[LANES];
    UNROLL for (int r = 0; r < LANES; r++) square[r] = load(rows[r]);
    transpose(square);
    UNROLL for (int c = 0; c < LANES; c++) store(to + c * ldt, square[c]);
}

/* LANES rows at a time, so that a line of each is read once, and the lines written are whole. */
static void turn(const void *const *rows, int64_t count, int64_t first, int64_t columns, void *to, int64_t ldt) {
    for (int64_t r = 0; r < count; r += LANES) {
        const int64_t some = count - r < LANES ? count - r : LANES;
        int64_t c = 0;
        for (; some == LANES && c + LANES <= columns; c += LANES) {
            const real *square[LANES];
            UNROLL for (int i = 0; i < LANES; i++) square[i] = (const real *)rows[r + i] + first + c;
            turn_square(square, (real *)to + c * ldt + r, ldt);
        }
        for (; c < columns; c++)
            for (int64_t i = 0; i < some; i++) ((real *)to)[c * ldt + r + i] = ((const real *)rows[r + i])[first + c];
    }
}

static void spread(const void *const *rows, int64_t count, int64_t width, int64_t first, int64_t depth, void *panels) {
    const int64_t whole = WLI_PANEL_VECTORS * LANES, padded = (width + LANES - 1) / LANES * LANES;
    for (int64_t column = 0; column < padded; column += whole) {
        const int64_t columns = padded - column < whole ? padded - column : whole;
        real *to = (real *)panels + column * depth + first * columns;
        for (int64_t k = 0; k < count; k++, to += columns) {
            const real *row = (const real *)rows[k] + column;
            if (columns == whole && width - column >= whole) {
                UNROLL for (int v = 0; v < WLI_PANEL_VECTORS; v++) store(to + v * LANES, load(row + v * LANES));
            } else {
                for (int64_t c = 0; c < columns; c += LANES) store(to + c, load_up_to(row + c, width - column - c));
            }
        }
    }
}

static void add(int64_t rows, int64_t columns, const void *from, int64_t ldf, void *to, int64_t ldt, bool adds) {
    for (int64_t r = 0; r < rows; r++) {
        const real *source = (const real *)from + r * ldf;
        real *target = (real *)to + r * ldt;
        for (int64_t c = 0; c < columns; c += LANES) {
            const int64_t left = columns - c;
            vec value = load_up_to(source + c, left);
            if (adds) value += load_up_to(target + c, left);
            store_up_to(target + c, value, left);
        }
    }
}

/* Vectors of columns whose sums hide each other's latencies. */
enum { SUMMED = 4 };

static void sum(const void *const *rows, int64_t count, int64_t first, int64_t columns, void *to, bool adds) {
    real *target = to;
    int64_t c = 0;
    for (; c + SUMMED * LANES <= columns; c += SUMMED * LANES) {
        vec sums[SUMMED] = { { 0 } };
        for (int64_t r = 0; r < count; r++) {
            UNROLL for (int v = 0; v < SUMMED; v++) sums[v] += load((const real *)rows[r] + first + c + v * LANES);
        }
        UNROLL for (int v = 0; v < SUMMED; v++) {
            real *own = target + c + v * LANES;
            store(own, adds ? load(own) + sums[v] : sums[v]);
        }
    }
    for (; c < columns; c += LANES) {
        vec sums = { 0 };
        for (int64_t r = 0; r < count; r++) sums += load_up_to((const real *)rows[r] + first + c, columns - c);
        if (adds) sums += load_up_to(target + c, columns - c);
        store_up_to(target + c, sums, columns - c);
    }
}

const wli_training WLI_TRAINING_TABLE = { .isa = WLI_ISA_NAME,
                                          .lanes = LANES,
                                          .forward = forward,
                                          .backward = backward,
                                          .turn = turn,
                                          .spread = spread,
                                          .add = add,
                                          .sum = sum };
