#include "plan/plan.h"

#include "allocator.h"
#include "environment.h"
#include "kernels/reference.h"
#include "plan/problem.h"
#include "schedule/sequence.h"
#include "status.h"
#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

struct wlstm_plan {
    wli_model *model;
    int64_t max_seq_len, max_batch;
    wlstm_backend backend;
    bool deterministic, uses_onednn;
    void *reference_workspace; /* REFERENCE only */
    int64_t num_cells;
    wli_cell_kernels *cells; /* the others */
    wli_sequence *sequence;
    size_t weight_bytes, scratch_bytes;
    char description[320];
};

/* T*B and what it multiplies stay far from overflow. */
static const int64_t largest_rows = INT64_C(1) << 40;

/* G of a chunk should stay in the L2 beside the panel in use, yet have rows enough that the weights' way from further out is shared
 * by many. */
static int64_t choose_gate_rows(const wli_model *model, int64_t seq_len, int64_t batch) {
    const int64_t gate_bytes = 256 << 10, fewest_rows = 48;
    int64_t widest = 1;
    for (int64_t l = 0; l < model->num_layers; l++)
        if (wli_model_cell(model, l, 0)->hidden_size > widest) widest = wli_model_cell(model, l, 0)->hidden_size;
    int64_t rows = gate_bytes / (4 * widest * (int64_t)wli_dtype_size(model->dtype));
    if (rows < fewest_rows) rows = fewest_rows;
    rows = rows / batch * batch; /* whole steps */
    if (rows < batch) rows = batch;
    return rows < seq_len * batch ? rows : seq_len * batch;
}

static wlstm_status check_options(const wlstm_plan_options *options) {
    if (options->struct_size != sizeof *options)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "options->struct_size: %zu expected (WLSTM_PLAN_OPTIONS_INIT), got %zu", sizeof *options,
                        options->struct_size);
    if (options->max_seq_len < 1 || options->max_batch < 1)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at least 1 expected, got %" PRId64,
                        options->max_seq_len < 1 ? "max_seq_len" : "max_batch",
                        options->max_seq_len < 1 ? options->max_seq_len : options->max_batch);
    if (options->max_seq_len > largest_rows / options->max_batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "max_seq_len * max_batch: at most 2^40 expected, got %" PRId64 " * %" PRId64,
                        options->max_seq_len, options->max_batch);
    if (options->num_threads < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "num_threads: 0 (the default) or more expected, got %d",
                        options->num_threads);
    if (options->backend < WLSTM_BACKEND_AUTO || options->backend > WLSTM_BACKEND_NATIVE)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "backend: a wlstm_backend expected, got %d",
                        (int)options->backend);
    if (options->effort < WLSTM_EFFORT_DEFAULT || options->effort > WLSTM_EFFORT_PATIENT)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "effort: a wlstm_effort expected, got %d", (int)options->effort);
    if (!(options->time_limit >= 0.0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "time_limit: 0 (the default) or more seconds expected, got %g",
                        options->time_limit);
    return WLSTM_OK;
}

static wlstm_status make_reference(wlstm_plan *plan) {
    const wli_model *model = plan->model;
    size_t bytes;
    if (!(model->dtype == WLSTM_F64 ? wli_reference_workspace_f64
                                    : wli_reference_workspace_f32)(model, plan->max_seq_len, plan->max_batch, &bytes))
        return wli_out_of_memory("scratch", SIZE_MAX);
    if (!(plan->reference_workspace = wli_alloc(bytes))) return wli_out_of_memory("scratch", bytes);
    plan->scratch_bytes = bytes;
    return WLSTM_OK;
}

static wlstm_status make_kernels(wlstm_plan *plan) {
    wli_model *model = plan->model;
    const int64_t num_cells = model->num_layers * model->num_directions;
    const wli_gemm_kind kind = plan->backend == WLSTM_BACKEND_ONEDNN ? WLI_GEMM_ONEDNN : WLI_GEMM_NATIVE;
    const wli_native *native = wli_native_get(model->dtype);
    wli_sequence_spec spec = { model, NULL, plan->max_seq_len, plan->max_batch,
                               choose_gate_rows(model, plan->max_seq_len, plan->max_batch) };
    if (kind == WLI_GEMM_ONEDNN && model->dtype != WLSTM_F32)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "backend: one that computes f64 expected, got onednn (f32 only)");
    if (kind == WLI_GEMM_ONEDNN && plan->deterministic)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                        "backend: native or reference expected with deterministic, got onednn");
    if (!(plan->cells = wli_calloc((size_t)num_cells * sizeof *plan->cells)))
        return wli_out_of_memory("cells", (size_t)num_cells * sizeof *plan->cells);
    plan->num_cells = num_cells;
    plan->uses_onednn = kind == WLI_GEMM_ONEDNN;
    for (int64_t i = 0; i < num_cells; i++) {
        wlstm_status status =
            wli_cell_kernels_make(&plan->cells[i], model, i, kind, kind, native, spec.gate_rows, plan->max_batch);
        if (status != WLSTM_OK) return status;
        plan->weight_bytes += wli_cell_kernels_bytes(&plan->cells[i]);
    }
    spec.cells = plan->cells;
    wlstm_status status = wli_sequence_make(&spec, &plan->sequence);
    if (status == WLSTM_OK) plan->scratch_bytes = wli_sequence_bytes(plan->sequence);
    return status;
}

static void describe(wlstm_plan *plan) {
    const wli_model *model = plan->model;
    const wli_cell_weights *cell = &model->cells[0];
    char name[WLI_PROBLEM_NAME_BYTES], backend[64], version[WLI_ONEDNN_VERSION_BYTES];
    wli_problem problem = { plan->max_seq_len,          plan->max_batch,   cell->input_size,
                            cell->hidden_size,          model->num_layers, cell->proj_size,
                            model->num_directions == 2, model->bias,       model->dtype };
    wli_problem_format(&problem, name);
    wli_onednn_version(version);
    const wli_native *native = wli_native_get(model->dtype);
    if (plan->backend == WLSTM_BACKEND_REFERENCE)
        snprintf(backend, sizeof backend, "reference");
    else if (plan->backend == WLSTM_BACKEND_ONEDNN)
        snprintf(backend, sizeof backend, "project and step onednn %s, cell %s", version, native->isa);
    else
        snprintf(backend, sizeof backend, "project and step native %s", native->isa);
    snprintf(plan->description, sizeof plan->description, "%s: %s, 1 thread, weights %.1f MB, scratch %.1f MB", name,
             backend, (double)plan->weight_bytes / 1e6, (double)plan->scratch_bytes / 1e6);
}

/* AUTO takes the native kernels, which measured faster than oneDNN's matmul on every shape tried (docs/benchmarks.md). */
static wlstm_backend choose_backend(wlstm_backend asked, bool deterministic) {
    if (asked == WLSTM_BACKEND_AUTO && !deterministic) asked = wli_environment_get()->backend;
    return asked == WLSTM_BACKEND_AUTO ? WLSTM_BACKEND_NATIVE : asked;
}

wlstm_status wli_plan_make(wli_model *model, const wlstm_plan_options *options, wlstm_plan **out) {
    *out = NULL;
    wlstm_status status = check_options(options);
    if (status != WLSTM_OK) return status;
    wlstm_plan *plan = wli_calloc(sizeof *plan);
    if (!plan) return wli_out_of_memory("plan", sizeof *plan);
    wli_model_retain(model);
    plan->model = model;
    plan->max_seq_len = options->max_seq_len, plan->max_batch = options->max_batch;
    plan->deterministic = options->deterministic != 0;
    plan->backend = choose_backend(options->backend, plan->deterministic);
    status = plan->backend == WLSTM_BACKEND_REFERENCE ? make_reference(plan) : make_kernels(plan);
    if (status != WLSTM_OK) {
        wlstm_plan_free(plan);
        return status;
    }
    describe(plan);
    wli_verbose(1, plan->description);
    *out = plan;
    return WLSTM_OK;
}

void wlstm_plan_free(wlstm_plan *plan) {
    if (!plan) return;
    wli_sequence_destroy(plan->sequence);
    for (int64_t i = 0; i < plan->num_cells; i++) wli_cell_kernels_release(&plan->cells[i]);
    wli_free(plan->cells);
    wli_free(plan->reference_workspace);
    wli_model_release(plan->model);
    wli_free(plan);
}

bool wli_plan_fits(const wlstm_plan *plan, int64_t seq_len, int64_t batch) {
    return seq_len <= plan->max_seq_len && batch <= plan->max_batch;
}

void wli_plan_widen(const wlstm_plan *plan, wlstm_plan_options *options) {
    if (plan->max_seq_len > options->max_seq_len) options->max_seq_len = plan->max_seq_len;
    if (plan->max_batch > options->max_batch) options->max_batch = plan->max_batch;
}

wlstm_status wli_plan_run(wlstm_plan *plan, const wli_call *call) {
    if (call->batch == 0) return WLSTM_OK;
    if (plan->backend == WLSTM_BACKEND_REFERENCE) {
        (plan->model->dtype == WLSTM_F64 ? wli_reference_forward_f64
                                         : wli_reference_forward_f32)(plan->model, call, plan->reference_workspace);
        return WLSTM_OK;
    }
    if (!plan->uses_onednn) return wli_sequence_run(plan->sequence, call);
    /* Outside a parallel region oneDNN would fork for each small GEMM. */
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    wlstm_status status = wli_sequence_run(plan->sequence, call);
    omp_set_num_threads(threads);
    return status;
}

wlstm_status wlstm_plan_execute(wlstm_plan *plan, int64_t seq_len, int64_t batch, const int64_t *lengths, const void *x,
                                const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!plan) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "plan: a plan expected, got NULL");
    const wli_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n };
    wlstm_status status = wli_call_check(&call, plan->max_seq_len, plan->max_batch);
    return status == WLSTM_OK ? wli_plan_run(plan, &call) : status;
}

const char *wlstm_plan_describe(const wlstm_plan *plan) {
    return plan ? plan->description : "";
}

wlstm_status wlstm_plan_memory(const wlstm_plan *plan, size_t *weight_bytes, size_t *scratch_bytes) {
    if (!plan) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "plan: a plan expected, got NULL");
    if (weight_bytes) *weight_bytes = plan->weight_bytes;
    if (scratch_bytes) *scratch_bytes = plan->scratch_bytes;
    return WLSTM_OK;
}
