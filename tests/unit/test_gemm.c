/* A weight matrix by each kind of gemm: products, for row counts that change; and which rows of C lie close. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/step.h"
#include "random.h"

enum { PROBLEMS = 200 };

static uint64_t stream;

static bool built_in(wli_gemm_kind kind) {
    return wli_multipliers[kind]->serves(WLI_PRODUCT_F32);
}

static wlstm_status make_cell(wli_model *model, wli_gemm_kind project, wli_gemm_kind step, int64_t project_rows,
                              int64_t step_rows, wli_cell_kernels *cell) {
    const wli_cell_spec spec = { .weights = &model->cells[0],
                                 .dtype = WLSTM_F32,
                                 .shelf = &model->derived,
                                 .native = wli_native_get(WLI_PRODUCT_F32),
                                 .project = wli_multipliers[project],
                                 .step = wli_multipliers[step],
                                 .project_rows = project_rows,
                                 .step_rows = step_rows };
    const wlstm_status status = wli_cell_kernels_make(&spec, cell);
    if (status == WLSTM_OK) {
        wli_cell_fill(cell, cell->range, cell->projection_range);
        wli_cell_filled(cell);
    }
    return status;
}

static wli_model *draw_model(int64_t hidden_size, int64_t proj_size) {
    const wli_model_spec spec = { .dtype = WLSTM_F32,
                                  .num_layers = 1,
                                  .input_size = random_between(&stream, 1, 70),
                                  .hidden_size = hidden_size,
                                  .proj_size = proj_size,
                                  .bias = random_flag(&stream) };
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    for (int64_t i = 0; i < model->num_parameters; i++)
        random_fill(WLSTM_F32, model->parameters[i].values, (int64_t)model->parameters[i].count,
                    random_bits(stream++, 0), 0);
    return model;
}

/* C of `rows` rows as the equations have it, from what C holds. */
static void multiply(const wli_cell_kernels *cell, const wli_gemm *gemm, bool recurrent, int64_t rows, const float *a,
                     const float *c, double *expected) {
    const float *weight = recurrent ? cell->weights->weight_hh : cell->weights->weight_ih;
    const float *bias_ih = cell->weights->bias_ih, *bias_hh = cell->weights->bias_hh;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < gemm->columns; j++) {
            const int64_t row = wli_gate_layout_row(&cell->layout, j);
            double sum = recurrent ? (double)c[r * gemm->stride + j] : 0;
            if (row >= 0 && !recurrent && bias_ih) sum += (double)bias_ih[row] + (double)bias_hh[row];
            for (int64_t k = 0; k < gemm->depth && row >= 0; k++)
                sum += (double)a[r * gemm->depth + k] * (double)weight[row * gemm->depth + k];
            expected[r * gemm->columns + j] = sum;
        }
}

static void check_product(const wli_cell_kernels *cell, bool recurrent, int64_t rows) {
    const wli_gemm *gemm = recurrent ? &cell->hh : &cell->ih;
    const int64_t count = rows * gemm->stride;
    float *a = malloc((size_t)(rows * gemm->depth) * sizeof *a), *c = malloc((size_t)count * sizeof *c);
    float *before = malloc((size_t)count * sizeof *before);
    double *expected = malloc((size_t)(rows * gemm->columns) * sizeof *expected);
    const void **a_rows = malloc((size_t)rows * sizeof *a_rows);
    wli_tools tools = { .gathered = {
                            malloc((size_t)(rows * wli_gate_stride(gemm->depth, sizeof(float))) * sizeof(float)),
                            malloc((size_t)rows * sizeof(void *)) } };
    assert_true(a && c && before && expected && a_rows && tools.gathered.dense && tools.gathered.rows);
    assert_int_equal(wli_gemm_equip(gemm, &tools), WLSTM_OK);
    random_fill(WLSTM_F32, a, rows * gemm->depth, random_bits(stream++, 0), 0);
    random_fill(WLSTM_F32, c, count, random_bits(stream++, 0), 0);
    memcpy(before, c, (size_t)count * sizeof *c);
    for (int64_t r = 0; r < rows; r++) a_rows[r] = a + r * gemm->depth;
    multiply(cell, gemm, recurrent, rows, a, c, expected);
    assert_int_equal(wli_gemm_run(gemm, rows, a_rows, c, cell->range, &tools), WLSTM_OK);
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t j = 0; j < gemm->columns; j++)
            assert_true(fabs((double)c[r * gemm->stride + j] - expected[r * gemm->columns + j]) <=
                        1e-6 * (double)(gemm->depth + 4));
        for (int64_t j = gemm->columns; j < gemm->stride; j++) /* between the rows nothing is written */
            assert_memory_equal(&c[r * gemm->stride + j], &before[r * gemm->stride + j], sizeof(float));
    }
    free(a), free(c), free(before), free(expected), free(a_rows), free(tools.gathered.dense), free(tools.gathered.rows);
    wli_tools_release(&tools);
}

static void every_kind_multiplies(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        wli_model *model = draw_model(random_between(&stream, 1, 70), 0);
        const wli_gemm_kind project = (wli_gemm_kind)random_between(&stream, 0, WLI_GEMM_KINDS - 1);
        const wli_gemm_kind step = (wli_gemm_kind)random_between(&stream, 0, WLI_GEMM_KINDS - 1);
        const int64_t project_rows = random_between(&stream, 1, 40), step_rows = random_between(&stream, 1, 9);
        wli_cell_kernels cell;
        if (built_in(project) && built_in(step)) {
            assert_int_equal(make_cell(model, project, step, project_rows, step_rows, &cell), WLSTM_OK);
            for (int64_t rows = project_rows; rows > 0; rows /= 2) check_product(&cell, false, rows);
            /* Native steps add onto G in the kernel that finishes the cell. */
            for (int64_t rows = step_rows; rows > 0 && step != WLI_GEMM_NATIVE; rows--)
                check_product(&cell, true, rows);
        }
        wli_model_release(model);
    }
}

/* What a plan with the largest batch asks for, before there is no memory for its scratch. */
static void the_most_rows_fit(void **state) {
    (void)state;
    const int64_t most = INT64_C(1) << 40;
    wli_model *model = draw_model(5, 0);
    for (wli_gemm_kind kind = WLI_GEMM_NATIVE; kind < WLI_GEMM_KINDS; kind++) {
        wli_cell_kernels cell;
        if (!built_in(kind)) continue;
        assert_int_equal(make_cell(model, kind, kind, most, most, &cell), WLSTM_OK);
        check_product(&cell, false, 13);
    }
    wli_model_release(model);
}

/* The table is in the order of its kinds, and each has its backend's name first. */
static void each_kind_is_in_its_place(void **state) {
    (void)state;
    for (int kind = 0; kind < WLI_GEMM_KINDS; kind++) {
        const wli_multiplier *multiplier = wli_multipliers[kind];
        const char *backend = multiplier->backend == WLSTM_BACKEND_NATIVE ? "native" : "onednn";
        assert_int_equal(multiplier->kind, kind);
        assert_memory_equal(wli_gemm_names[kind], backend, strlen(backend));
        assert_true(!built_in((wli_gemm_kind)kind) || (multiplier->run && multiplier->pack && multiplier->discard));
        assert_true(!multiplier->equip == !multiplier->release);
    }
}

/* oneDNN's fast inner products write dense rows only; everybody else wants them an odd number of lines apart. */
static void rows_are_dense_for_inner_products(void **state) {
    (void)state;
    wli_model *model = draw_model(64, 32);
    for (int pair = 0; pair < WLI_GEMM_KINDS * WLI_GEMM_KINDS; pair++) {
        const wli_gemm_kind project = (wli_gemm_kind)(pair % WLI_GEMM_KINDS);
        const wli_gemm_kind step = (wli_gemm_kind)(pair / WLI_GEMM_KINDS);
        const bool dense = project == WLI_GEMM_INNER_PRODUCT || step == WLI_GEMM_INNER_PRODUCT;
        wli_cell_kernels cell;
        if (!built_in(project) || !built_in(step)) continue;
        assert_int_equal(make_cell(model, project, step, 8, 2, &cell), WLSTM_OK);
        assert_int_equal(cell.ih.stride, dense ? 256 : wli_gate_stride(256, sizeof(float)));
        assert_int_equal(cell.hh.stride, cell.ih.stride);
        assert_int_equal(cell.hr.stride, step == WLI_GEMM_INNER_PRODUCT ? 32 : wli_gate_stride(32, sizeof(float)));
    }
    wli_model_release(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_multiplies),
        cmocka_unit_test(the_most_rows_fit),
        cmocka_unit_test(each_kind_is_in_its_place),
        cmocka_unit_test(rows_are_dense_for_inner_products),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
