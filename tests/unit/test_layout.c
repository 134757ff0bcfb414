/* Gate columns: every one of the 4H gate units has exactly one column, the rest is padding. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kernels/layout.h"

enum { MAX_HIDDEN = 200, GATES = 4 };

static const int lane_counts[] = { 2, 4, 8, 16 };
enum { NUM_LANE_COUNTS = sizeof lane_counts / sizeof lane_counts[0] };

static void check_columns(int64_t H, int lanes) {
    const wli_gate_layout layout = wli_gate_layout_make(H, lanes);
    int columns_of_row[GATES * MAX_HIDDEN] = { 0 };
    assert_int_equal(layout.lanes, lanes);
    assert_int_equal(layout.hidden_size, H);
    assert_int_equal(layout.columns % lanes, 0);
    assert_int_equal(layout.padded_hidden, (H + lanes - 1) / lanes * lanes);
    /* No more padding than rounds 4H up to whole vectors, or what full panels need when the tail would fill one. */
    const int64_t dense = (GATES * H + lanes - 1) / lanes * lanes;
    assert_true(layout.columns == dense || (layout.tail == 0 && layout.columns == GATES * layout.padded_hidden));
    for (int64_t column = 0; column < layout.columns; column++) {
        const int64_t row = wli_gate_layout_row(&layout, column);
        assert_in_range(row + 1, 0, GATES * H);
        if (row >= 0) columns_of_row[row]++;
    }
    for (int64_t row = 0; row < GATES * H; row++) assert_int_equal(columns_of_row[row], 1);
}

static void every_gate_unit_has_one_column(void **state) {
    (void)state;
    for (int64_t H = 1; H <= MAX_HIDDEN; H++)
        for (int n = 0; n < NUM_LANE_COUNTS; n++) check_columns(H, lane_counts[n]);
}

/* A unit's four gates are where the kernels load them: a vector apart in a panel, `tail` columns apart in the tail. */
static void the_gates_of_a_unit_are_evenly_apart(void **state) {
    (void)state;
    for (int64_t H = 1; H <= MAX_HIDDEN; H++)
        for (int n = 0; n < NUM_LANE_COUNTS; n++) {
            const int lanes = lane_counts[n];
            const wli_gate_layout layout = wli_gate_layout_make(H, lanes);
            for (int64_t unit = 0; unit < H; unit++) {
                const int64_t panel = unit / lanes, start = panel * WLI_PANEL_VECTORS * lanes + unit % lanes;
                for (int64_t gate = 0; gate < GATES; gate++) {
                    const int64_t column = start + gate * (panel < layout.panels ? lanes : layout.tail);
                    assert_int_equal(wli_gate_layout_row(&layout, column), gate * H + unit);
                }
            }
        }
}

/* layout.h's drawing. */
static void hidden_size_20_with_8_lanes(void **state) {
    (void)state;
    const wli_gate_layout layout = wli_gate_layout_make(20, 8);
    const struct {
        int64_t column, gate, unit;
    } cells[] = { { 0, 0, 0 },   { 7, 0, 7 },   { 8, 1, 0 },   { 31, 3, 7 },  { 32, 0, 8 }, { 63, 3, 15 },
                  { 64, 0, 16 }, { 67, 0, 19 }, { 68, 1, 16 }, { 72, 2, 16 }, { 79, 3, 19 } };
    assert_int_equal(layout.panels, 2);
    assert_int_equal(layout.tail, 4);
    assert_int_equal(layout.columns, 80);
    assert_int_equal(layout.padded_hidden, 24);
    for (size_t k = 0; k < sizeof cells / sizeof cells[0]; k++)
        assert_int_equal(wli_gate_layout_row(&layout, cells[k].column), cells[k].gate * 20 + cells[k].unit);
}

/* Rows of G begin on cache lines, an odd number of them apart. */
static void gate_strides(void **state) {
    (void)state;
    for (size_t element = 4; element <= 8; element += 4)
        for (int64_t columns = 1; columns <= 4096; columns++) {
            const int64_t line = 64 / (int64_t)element, stride = wli_gate_stride(columns, element);
            assert_int_equal(stride % line, 0);
            assert_int_equal(stride / line % 2, 1);
            assert_in_range(stride, columns, columns + 2 * line);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_gate_unit_has_one_column),
        cmocka_unit_test(the_gates_of_a_unit_are_evenly_apart),
        cmocka_unit_test(hidden_size_20_with_8_lanes),
        cmocka_unit_test(gate_strides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
