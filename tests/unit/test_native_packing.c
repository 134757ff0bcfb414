/* pack of every native table this machine runs against a packing by plain loops, byte for byte: weights of any bits,
 * however their columns are shared among those who pack, from memory that ends with the last row; and what does not
 * stay finite is noticed by who packs it. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"
#include "guarded.h"
#include "native_tables.h"
#include "random.h"
#include "reference/operand.h"

enum { PROBLEMS = 120, MOST_NATIVES = MAX_TABLES + 2 };

/* Memory that ends where a page begins that nobody may read, so that rows begin anywhere and none is read past its
 * end. */
typedef struct fenced {
    char *block;
    size_t bytes;
    void *values;
} fenced;

static fenced fenced_make(size_t bytes) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (bytes + page - 1) / page * page;
    char *block = mmap(NULL, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(block != MAP_FAILED);
    assert_int_equal(mprotect(block + whole, page, PROT_NONE), 0);
    return (fenced){ block, whole + page, block + whole - bytes };
}

static void fenced_free(fenced *f) {
    munmap(f->block, f->bytes);
}

/* A weight [rows, depth] and its biases: a layout's gates, or as it is. */
typedef struct matrix {
    wli_product product;
    wlstm_dtype dtype;
    size_t size; /* of a real, and of what is packed */
    const wli_native *native;
    wli_gate_layout layout;
    wli_pack_args args; /* but for what is written */
    fenced weight, ih, hh;
} matrix;

/* Of the gates of H units, or of H rows. */
static void draw(matrix *m, wli_product product, const wli_native *native, int64_t H, int64_t depth) {
    const int64_t lanes = native->lanes;
    const bool in_layout = random_flag(&stream), with_bias = random_flag(&stream);
    const int64_t rows = in_layout ? 4 * H : H;
    *m = (matrix){ .product = product, .dtype = product == WLI_PRODUCT_F64 ? WLSTM_F64 : WLSTM_F32, .native = native };
    m->size = dtype_size(m->dtype);
    m->layout = wli_gate_layout_make(H, native->lanes);
    m->weight = fenced_make((size_t)(rows * depth) * m->size);
    m->ih = fenced_make((size_t)rows * m->size), m->hh = fenced_make((size_t)rows * m->size);
    random_fill(m->dtype, m->weight.values, rows * depth, random_bits(stream, 0), (int)random_between(&stream, -9, 9));
    random_fill(m->dtype, m->ih.values, rows, random_bits(stream, 1), 0);
    random_fill(m->dtype, m->hh.values, rows, random_bits(stream, 2), 0);
    m->args = (wli_pack_args){ .weight = m->weight.values,
                               .rows = rows,
                               .depth = depth,
                               .columns = in_layout ? m->layout.columns : (rows + lanes - 1) / lanes * lanes,
                               .bias_ih = with_bias ? m->ih.values : NULL,
                               .bias_hh = with_bias ? m->hh.values : NULL };
    if (in_layout) m->args.layout = &m->layout;
}

static void release(matrix *m) {
    fenced_free(&m->weight), fenced_free(&m->ih), fenced_free(&m->hh);
}

static int64_t row_of(const matrix *m, int64_t column) {
    return m->args.layout ? wli_gate_layout_row(&m->layout, column) : column < m->args.rows ? column : -1;
}

static const void *row_at(const matrix *m, int64_t row) {
    return (const char *)m->args.weight + (size_t)(row * m->args.depth) * m->size;
}

/* ------------------------------------------------------------------------------------------------------ by plain loops */

/* Pairs of k, the first in the lower half. */
static void plain_bf16(const float *row, int64_t depth, uint32_t *to) {
    for (int64_t k = 0; k < depth; k++) {
        const float value = wli_bf16_round(row[k]);
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        to[k / 2] = k % 2 ? to[k / 2] | bits : bits >> 16;
    }
}

/* Group `group` of a block [count]: of 4 lanes' values those that are `lanes` apart, of fewer, which are its last, a
 * quarter of them. Adds up its integers. */
static uint32_t plain_group(const float *block, int64_t count, int64_t group, int lanes, wli_int8_scale scale,
                            int32_t *sum) {
    const int64_t first = group / lanes * lanes * 4, left = count - first;
    const int64_t apart = left < 4 * lanes ? (left + 3) / 4 : lanes;
    uint32_t bytes = 0;
    for (int n = 0; n < 4; n++) {
        const int64_t k = n * apart + group % lanes;
        const int32_t value = k < left ? wli_int8_round(block[first + k], scale) : 0;
        bytes |= (uint32_t)(uint8_t)value << 8 * n, *sum += value;
    }
    return bytes;
}

/* Behind each block's groups the scale, and where there are two tails what rows that are 128 too large add. */
static void plain_s8(const wli_native *native, const float *row, int64_t depth, uint32_t *to) {
    const wli_int8_scale scale = wli_int8_scale_of(row, depth);
    for (int64_t from = 0; from < depth; from += WLI_INT8_BLOCK) {
        const int64_t count = depth - from < WLI_INT8_BLOCK ? depth - from : WLI_INT8_BLOCK;
        int32_t sum = 0;
        for (int64_t group = 0; group < (count + 3) / 4; group++)
            *to++ = plain_group(row + from, count, group, native->lanes, scale, &sum);
        memcpy(to++, &scale.scale, sizeof scale.scale);
        if (native->tail == 2) *to++ = (uint32_t)sum * (uint32_t)-128;
    }
}

/* A row [depth] -> to [wli_packed_depth]. */
static void plain_column(const matrix *m, const void *row, void *to) {
    if (m->product == WLI_PRODUCT_BF16)
        plain_bf16(row, m->args.depth, to);
    else if (m->product == WLI_PRODUCT_S8)
        plain_s8(m->native, row, m->args.depth, to);
    else
        memcpy(to, row, (size_t)m->args.depth * m->size);
}

static bool plain_finite(const matrix *m, const void *row) {
    for (int64_t k = 0; k < m->args.depth; k++) {
        const double value = tensor_at(m->dtype, row, k);
        if (!isfinite(m->product == WLI_PRODUCT_BF16 ? (double)wli_bf16_round((float)value) : value)) return false;
    }
    return true;
}

static void plain_bias(const matrix *m, int64_t row, void *to) {
    const wli_pack_args *args = &m->args;
    if (row < 0 || !args->bias_ih) return;
    if (m->dtype == WLSTM_F64)
        *(double *)to = ((const double *)args->bias_ih)[row] + ((const double *)args->bias_hh)[row];
    else
        *(float *)to = ((const float *)args->bias_ih)[row] + ((const float *)args->bias_hh)[row];
}

/* panels and bias are zeros before; finite: of each panel. */
static void pack_plainly(const matrix *m, char *panels, char *bias, bool *finite) {
    const int64_t length = wli_packed_depth(m->native, m->args.depth), columns = m->args.columns;
    const int64_t panel = (int64_t)m->native->lanes * WLI_PANEL_VECTORS;
    char *packed = malloc((size_t)length * m->size);
    assert_non_null(packed);
    for (int64_t column = 0; column < columns; column++) {
        const int64_t row = row_of(m, column), first = column / panel * panel;
        const int64_t width = columns - first < panel ? columns - first : panel;
        plain_bias(m, row, bias + (size_t)column * m->size);
        if (row < 0) continue;
        plain_column(m, row_at(m, row), packed);
        if (!plain_finite(m, row_at(m, row))) finite[column / panel] = false;
        for (int64_t n = 0; n < length; n++)
            memcpy(panels + (size_t)(first * length + n * width + column - first) * m->size,
                   packed + (size_t)n * m->size, m->size);
    }
    free(packed);
}

/* -------------------------------------------------------------------------------------------------------- the kernels' */

/* Columns in two parts, the second packed first. */
static void check(matrix *m) {
    const wli_panel_range all = wli_all_panels(m->args.columns, m->native->lanes);
    const size_t panel_bytes = (size_t)(m->args.columns * wli_packed_depth(m->native, m->args.depth)) * m->size;
    const size_t bias_bytes = (size_t)m->args.columns * m->size;
    guarded panels = guarded_make(panel_bytes), bias = guarded_make(bias_bytes);
    char *expected_panels = calloc(panel_bytes, 1), *expected_bias = calloc(bias_bytes, 1);
    bool *finite = malloc((size_t)all.end);
    wli_panel_range parts[2];
    assert_true(expected_panels && expected_bias && finite);
    memset(finite, true, (size_t)all.end);
    pack_plainly(m, expected_panels, expected_bias, finite);
    m->args.panels = panels.values, m->args.bias = bias.values;
    cut(all, parts);
    for (int n = 2; n-- > 0;) {
        bool expected = true;
        for (int64_t p = parts[n].first; p < parts[n].end; p++) expected &= finite[p];
        assert_int_equal(m->native->pack(&m->args, parts[n]), expected);
    }
    if (memcmp(panels.values, expected_panels, panel_bytes) != 0)
        fail_msg("%s %s: depth %d, columns %d, %s: other bytes", m->native->isa, m->native->product, (int)m->args.depth,
                 (int)m->args.columns, m->args.layout ? "gates" : "rows as they are");
    assert_memory_equal(bias.values, expected_bias, bias_bytes);
    guarded_free(&panels), guarded_free(&bias);
    free(expected_panels), free(expected_bias), free(finite);
}

static int natives_of(wli_product product, const wli_native *natives[MOST_NATIVES]) {
    const int count = wli_native_all(product, natives, MAX_TABLES);
    return count + find_wide_tables_of(product, natives + count);
}

/* Checks matrices of every table, each changed first. */
static void check_all(int64_t most_depth, void (*change)(matrix *m)) {
    for (int product = 0; product < WLI_PRODUCTS; product++) {
        const wli_native *natives[MOST_NATIVES];
        const int count = natives_of((wli_product)product, natives);
        for (int n = 0; n < PROBLEMS * count; n++) {
            matrix m;
            draw(&m, (wli_product)product, natives[n % count],
                 random_between(&stream, 1, 5 * natives[n % count]->lanes), random_between(&stream, 1, most_depth));
            if (change) change(&m);
            check(&m);
            release(&m);
        }
    }
}

static void each_byte_has_its_place(void **state) {
    (void)state;
    check_all(20, NULL), check_all(300, NULL);
}

/* NaN, infinities, denormals and what is rounded. */
static void any_bits(matrix *m) {
    uint32_t *words = m->weight.values;
    for (int64_t k = 0; k < m->args.rows * m->args.depth * (int64_t)(m->size / sizeof *words); k++)
        words[k] = (uint32_t)random_bits(stream, k);
}

static void weights_may_be_any_bits(void **state) {
    (void)state;
    check_all(200, any_bits);
}

/* FLT_MAX is not finite once it is rounded to bf16. */
static void one_is_large(matrix *m) {
    static const float values[] = { INFINITY, -INFINITY, NAN, -0x1.fffffep127f };
    const int64_t at = random_between(&stream, 0, m->args.rows * m->args.depth - 1);
    const float value = values[random_between(&stream, 0, 3)];
    if (m->dtype == WLSTM_F64)
        ((double *)m->weight.values)[at] = (double)value;
    else
        ((float *)m->weight.values)[at] = value;
}

static void what_is_not_finite_is_noticed(void **state) {
    (void)state;
    check_all(150, one_is_large);
}

static void long_rows_have_several_blocks(void **state) {
    (void)state;
    const wli_native *natives[MOST_NATIVES];
    for (int n = natives_of(WLI_PRODUCT_S8, natives); n-- > 0;) {
        matrix m;
        draw(&m, WLI_PRODUCT_S8, natives[n], 1, random_between(&stream, WLI_INT8_BLOCK - 1, 2 * WLI_INT8_BLOCK + 70));
        check(&m);
        release(&m);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_has_its_place),
        cmocka_unit_test(weights_may_be_any_bits),
        cmocka_unit_test(what_is_not_finite_is_noticed),
        cmocka_unit_test(long_rows_have_several_blocks),
    };
    find_tables();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
