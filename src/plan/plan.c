#include "plan/plan.h"

#include "allocator.h"
#include "environment.h"
#include "kernels/reference.h"
#include "plan/choice.h"
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
    int threads;
    wli_choice choice;
    wlstm_backend backend;
    void *reference_workspace; /* REFERENCE only */
    int64_t num_cells;
    wli_cell_kernels *cells; /* the others */
    wli_sequence *sequence;
    size_t weight_bytes, scratch_bytes;
    char description[544];
};

static wlstm_status check_options(const wlstm_plan_options *options) {
    if (options->struct_size != sizeof *options)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "options->struct_size: %zu expected (WLSTM_PLAN_OPTIONS_INIT), got %zu", sizeof *options,
                        options->struct_size);
    if (options->max_seq_len < 1 || options->max_batch < 1)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: at least 1 expected, got %" PRId64,
                        options->max_seq_len < 1 ? "max_seq_len" : "max_batch",
                        options->max_seq_len < 1 ? options->max_seq_len : options->max_batch);
    if (options->max_seq_len > WLI_LARGEST_ROWS / options->max_batch)
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
    /* A oneDNN gemm's memory objects serve one thread. */
    plan->choice = wli_choose(model, plan->max_seq_len, plan->max_batch, kind == WLI_GEMM_ONEDNN ? 1 : plan->threads);
    const wli_choice *choice = &plan->choice;
    wli_sequence_spec spec = { .model = model,
                               .max_seq_len = plan->max_seq_len,
                               .max_batch = plan->max_batch,
                               .schedule = choice->schedule,
                               .threads = choice->threads,
                               .parts = choice->parts,
                               .gang_layers = choice->gang_layers,
                               .gang_directions = choice->gang_directions,
                               .gate_rows = choice->gate_rows,
                               .chunk_steps = choice->chunk_steps };
    if (!(plan->cells = wli_calloc((size_t)num_cells * sizeof *plan->cells)))
        return wli_out_of_memory("cells", (size_t)num_cells * sizeof *plan->cells);
    plan->num_cells = num_cells;
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
    static const char *const schedules[] = { "1 thread", "batch parts and directions", "wavefront", "gangs" };
    char name[WLI_PROBLEM_NAME_BYTES], backend[64], schedule[160], version[WLI_ONEDNN_VERSION_BYTES];
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
    if (plan->choice.threads > 1 && plan->choice.schedule == WLI_GANG) {
        const int64_t layers = plan->choice.gang_layers, directions = plan->choice.gang_directions;
        snprintf(schedule, sizeof schedule,
                 "%d threads as gangs, layers %" PRId64 " x directions %" PRId64 " x parts %" PRId64 " x units %" PRId64
                 ", chunk %" PRId64,
                 plan->choice.threads, layers, directions, plan->choice.parts,
                 plan->choice.threads / (layers * directions * plan->choice.parts), plan->choice.chunk_steps);
    } else if (plan->choice.threads > 1)
        snprintf(schedule, sizeof schedule, "%d threads as %s, chunk %" PRId64, plan->choice.threads,
                 schedules[plan->choice.schedule], plan->choice.chunk_steps);
    else
        snprintf(schedule, sizeof schedule, "%s", schedules[WLI_SERIAL]);
    snprintf(plan->description, sizeof plan->description, "%s: %s, %s, weights %.1f MB, scratch %.1f MB", name, backend,
             schedule, (double)plan->weight_bytes / 1e6, (double)plan->scratch_bytes / 1e6);
}

/* Why a backend cannot serve the model with these options, or NULL. */
static const char *obstacle(wlstm_backend backend, const wli_model *model, const wlstm_plan_options *options) {
    if (backend != WLSTM_BACKEND_ONEDNN) return NULL;
    char version[WLI_ONEDNN_VERSION_BYTES];
    wli_onednn_version(version);
    if (!version[0]) return "one that was built in expected, got onednn (built with WLSTM_ONEDNN=OFF)";
    if (model->dtype != WLSTM_F32) return "one that computes f64 expected, got onednn (f32 only)";
    return options->deterministic ? "native or reference expected with deterministic, got onednn" : NULL;
}

/* AUTO takes the native kernels, which measured faster than oneDNN's matmul on every shape tried. The
 * environment speaks for a whole process, so that where its backend cannot serve it does not count. */
static wlstm_status choose_backend(const wli_model *model, const wlstm_plan_options *options, wlstm_backend *backend) {
    *backend = options->backend;
    const char *reason = obstacle(*backend, model, options);
    if (reason) return wli_fail(WLSTM_ERROR_UNSUPPORTED, "backend: %s", reason);
    if (*backend == WLSTM_BACKEND_AUTO) *backend = wli_environment_get()->backend;
    if (*backend == WLSTM_BACKEND_AUTO || obstacle(*backend, model, options)) *backend = WLSTM_BACKEND_NATIVE;
    return WLSTM_OK;
}

wlstm_status wli_plan_make(wli_model *model, const wlstm_plan_options *options, wlstm_plan **out) {
    wlstm_backend backend;
    *out = NULL;
    wlstm_status status = check_options(options);
    if (status == WLSTM_OK) status = choose_backend(model, options, &backend);
    if (status != WLSTM_OK) return status;
    wlstm_plan *plan = wli_calloc(sizeof *plan);
    if (!plan) return wli_out_of_memory("plan", sizeof *plan);
    wli_model_retain(model);
    plan->model = model;
    plan->max_seq_len = options->max_seq_len, plan->max_batch = options->max_batch;
    plan->threads = options->num_threads                 ? options->num_threads
                    : wli_environment_get()->num_threads ? wli_environment_get()->num_threads
                                                         : omp_get_max_threads();
    /* More than the cores that this process may use would wait for each other. */
    if (plan->threads > omp_get_num_procs()) plan->threads = omp_get_num_procs();
    plan->backend = backend;
    status = backend == WLSTM_BACKEND_REFERENCE ? make_reference(plan) : make_kernels(plan);
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
    const int64_t T = plan->max_seq_len > options->max_seq_len ? plan->max_seq_len : options->max_seq_len;
    const int64_t B = plan->max_batch > options->max_batch ? plan->max_batch : options->max_batch;
    const int64_t rows = plan->max_seq_len * plan->max_batch, wanted = options->max_seq_len * options->max_batch;
    const int64_t limit = 2 * (rows > wanted ? rows : wanted);
    if (T <= (limit < WLI_LARGEST_ROWS ? limit : WLI_LARGEST_ROWS) / B)
        options->max_seq_len = T, options->max_batch = B;
}

wlstm_status wli_plan_run(wlstm_plan *plan, const wli_call *call) {
    if (call->batch == 0) return WLSTM_OK;
    if (plan->backend == WLSTM_BACKEND_REFERENCE) {
        (plan->model->dtype == WLSTM_F64 ? wli_reference_forward_f64
                                         : wli_reference_forward_f32)(plan->model, call, plan->reference_workspace);
        return WLSTM_OK;
    }
    if (plan->backend != WLSTM_BACKEND_ONEDNN) return wli_sequence_run(plan->sequence, call);
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
