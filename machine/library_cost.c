#include "library_cost.h"

#include "base/allocator.h"
#include "base/one_thread.h"
#include "kernels/gemm.h"
#include <math.h>
#include <omp.h>

/* Rows and units of a product that is all arithmetic, and stays in an L2; of one that is hardly any. */
enum { MANY_ROWS = 128, MANY_UNITS = 128, FEW_UNITS = 8, ROUNDS = 12 };

/* The step of a cell of so many units, by one library. */
typedef struct product {
    wli_gemm_kind kind;
    int64_t rows, units;
    double seconds; /* INFINITY where it could not be made */
} product;

/* Seconds of one call, of so many that the clock's steps do not count. */
static double least_seconds(const wli_gemm *gemm, int64_t rows, const void *const *a, void *c, wli_tools *tools) {
    const wli_panel_range all = wli_all_panels(gemm->columns, gemm->native->lanes);
    const int calls = rows > 1 ? 4 : 400;
    double least = INFINITY;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = omp_get_wtime();
        for (int call = 0; call < calls; call++)
            if (wli_gemm_run(gemm, rows, a, c, all, tools) != WLSTM_OK) return INFINITY;
        least = fmin(least, (omp_get_wtime() - start) / calls);
    }
    return least;
}

static void run_product(product *p, const wli_gemm *gemm) {
    wli_tools tools = { .gathered.dense = NULL };
    const size_t row = (size_t)p->rows * sizeof(float);
    float *a = wli_calloc(row * (size_t)gemm->depth), *c = wli_calloc(row * (size_t)gemm->stride);
    const void *rows[MANY_ROWS];
    for (int64_t r = 0; r < p->rows && a; r++) rows[r] = a + r * gemm->depth; /* dense: nobody copies them */
    if (a && c && wli_gemm_equip(gemm, &tools) == WLSTM_OK) p->seconds = least_seconds(gemm, p->rows, rows, c, &tools);
    wli_tools_release(&tools);
    wli_free(a), wli_free(c);
}

static void measure_product(void *context) {
    product *p = context;
    const wli_model_spec shape = {
        .dtype = WLSTM_F32, .num_layers = 1, .input_size = 1, .hidden_size = p->units, .bias = true
    };
    wli_model *model;
    wli_gemm gemm;
    p->seconds = INFINITY;
    if (wli_model_create(&shape, &model) != WLSTM_OK) return;
    const wli_multiplier *multiplier = wli_multipliers[p->kind];
    const wli_native *native = wli_native_get(WLI_PRODUCT_F32);
    const wli_cell_spec cell = { .weights = &model->cells[0],
                                 .dtype = WLSTM_F32,
                                 .shelf = &model->derived,
                                 .native = native,
                                 .project = multiplier,
                                 .step = multiplier,
                                 .project_rows = p->rows,
                                 .step_rows = p->rows };
    const wli_gate_layout layout = wli_gate_layout_make(p->units, native->lanes);
    if (wli_gemm_make(&cell, &layout, WLI_WEIGHT_HH, multiplier->dense, &gemm) == WLSTM_OK) run_product(p, &gemm);
    wli_model_release(model);
}

static double seconds_of(wli_gemm_kind kind, int64_t rows, int64_t units) {
    product p = { .kind = kind, .rows = rows, .units = units };
    wli_as_one_thread(measure_product, &p);
    return p.seconds;
}

void library_cost_measure(wli_rates *rates) {
    for (wli_gemm_kind kind = WLI_GEMM_NATIVE + 1; kind < WLI_GEMM_KINDS; kind++) {
        if (!wli_multipliers[kind]->serves(WLI_PRODUCT_F32)) continue;
        const double many = seconds_of(kind, MANY_ROWS, MANY_UNITS), few = seconds_of(kind, 1, FEW_UNITS);
        if (isinf(many) || isinf(few)) continue;
        rates->libraries[kind].flops = 8.0 * MANY_ROWS * MANY_UNITS * MANY_UNITS / (many - fmin(few, many / 2));
        rates->libraries[kind].call = few;
    }
}
