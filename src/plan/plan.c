#include "plan/plan.h"

#include "base/allocator.h"
#include "base/cpu_quota.h"
#include "base/environment.h"
#include "base/precision.h"
#include "base/status.h"
#include "plan/describe.h"
#include "plan/runner.h"
#include "reference/forward.h"
#include <inttypes.h>
#include <omp.h>
#include <string.h>

struct wlstm_plan {
    wli_model *model;
    int64_t max_seq_len, max_batch;
    int threads; /* OpenMP's count that it was made for; 0 where somebody named one */
    wli_choice choice;
    wlstm_backend backend;
    wlstm_precision precision;
    void *reference_workspace; /* REFERENCE only */
    wli_runner *runner;        /* the others */
    size_t weight_bytes, scratch_bytes;
    char description[WLI_DESCRIPTION_BYTES];
};

static wlstm_status check_options(const wli_model *model, const wlstm_plan_options *options) {
    wlstm_status status = wli_check_room(options->max_seq_len, options->max_batch, options->num_threads);
    if (status == WLSTM_OK) status = wli_check_schedule(options->schedule);
    if (status != WLSTM_OK) return status;
    if (options->backend < WLSTM_BACKEND_AUTO || options->backend > WLSTM_BACKEND_NATIVE)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "backend: a wlstm_backend expected, got %d",
                        (int)options->backend);
    if (options->effort < WLSTM_EFFORT_DEFAULT || options->effort > WLSTM_EFFORT_PATIENT)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "effort: a wlstm_effort expected, got %d", (int)options->effort);
    if (options->chunk_steps < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "chunk_steps: 0 (the library's choice) or more expected, got %" PRId64, options->chunk_steps);
    if (!(options->time_limit >= 0.0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "time_limit: 0 (the default) or more seconds expected, got %g",
                        options->time_limit);
    return wli_model_check_precision(model, options->precision);
}

static wlstm_status make_reference(wlstm_plan *plan) {
    const wli_model *model = plan->model;
    size_t bytes;
    if (!wli_reference_of(model)->workspace(model, plan->max_seq_len, plan->max_batch, &bytes))
        return wli_out_of_memory("scratch", SIZE_MAX);
    if (!(plan->reference_workspace = wli_alloc(bytes))) return wli_out_of_memory("scratch", bytes);
    plan->scratch_bytes = bytes;
    return WLSTM_OK;
}

static void describe(wlstm_plan *plan, const wli_setting *setting, const wli_decision *decision) {
    wli_problem problem;
    wli_problem_of(plan->model, plan->precision, plan->max_seq_len, plan->max_batch, &problem);
    wli_describe(&problem, setting, &plan->choice, plan->backend == WLSTM_BACKEND_REFERENCE, decision,
                 plan->weight_bytes, plan->scratch_bytes, plan->description);
}

/* Why a backend cannot serve the model with these options, or NULL. */
static const char *obstacle(wlstm_backend backend, const wli_model *model, wlstm_precision precision,
                            const wlstm_plan_options *options) {
    if (model->compact && (backend == WLSTM_BACKEND_REFERENCE || backend == WLSTM_BACKEND_ONEDNN))
        return backend == WLSTM_BACKEND_ONEDNN
                   ? "auto or native, for which a compact lstm has packed its weights, expected, got onednn"
                   : "auto or native, for which a compact lstm has packed its weights, expected, got reference";
    if (backend != WLSTM_BACKEND_ONEDNN) return NULL;
    if (!wli_multiply_inner_product.serves(WLI_PRODUCT_F32))
        return "one that was built in expected, got onednn (built with WLSTM_ONEDNN=OFF)";
    if (!wli_multiply_inner_product.serves(wli_product_of(model->dtype, precision)))
        return model->dtype == WLSTM_F64    ? "one that computes f64 expected, got onednn (f32 only)"
               : model->dtype == WLSTM_BF16 ? "one that has bf16 arrays expected, got onednn (f32 only)"
                                            : "one that rounds as precision says expected, got onednn";
    return options->deterministic ? "native or reference expected with deterministic, got onednn" : NULL;
}

/* AUTO stays where nobody names a backend: the choice says. The environment speaks for a whole process, so that where its backend
 * cannot serve it does not count. */
static wlstm_status choose_backend(const wli_model *model, wlstm_precision precision, const wlstm_plan_options *options,
                                   wlstm_backend *backend) {
    *backend = options->backend;
    const char *reason = obstacle(*backend, model, precision, options);
    if (reason) return wli_fail(WLSTM_ERROR_UNSUPPORTED, "backend: %s", reason);
    if (*backend == WLSTM_BACKEND_AUTO) *backend = wli_environment_get()->backend;
    if (obstacle(*backend, model, precision, options)) *backend = WLSTM_BACKEND_NATIVE;
    return WLSTM_OK;
}

/* A plan without what it runs. */
static wlstm_status make_empty(wli_model *model, const wli_setting *setting, wlstm_plan **out) {
    wlstm_plan *plan = *out = wli_calloc(sizeof *plan);
    if (!plan) return wli_out_of_memory("plan", sizeof *plan);
    wli_model_retain(model);
    plan->model = model;
    plan->max_seq_len = setting->seq_len, plan->max_batch = setting->batch;
    plan->backend = setting->backend;
    plan->precision = setting->precision;
    return WLSTM_OK;
}

wlstm_status wli_plan_make_choice(wli_model *model, const wli_setting *setting, const wli_choice *choice,
                                  wlstm_plan **plan) {
    wlstm_status status = make_empty(model, setting, plan);
    if (status == WLSTM_OK) status = wli_runner_make(model, setting, choice, &(*plan)->runner);
    if (status == WLSTM_OK) {
        (*plan)->choice = *choice;
        wli_runner_memory((*plan)->runner, &(*plan)->weight_bytes, &(*plan)->scratch_bytes);
    } else {
        wlstm_plan_free(*plan);
        *plan = NULL;
    }
    return status;
}

/* A choice that somebody measured may fail here and now, as for want of memory: then the model's. */
static wlstm_status make_decided(wli_model *model, const wli_setting *setting, const wlstm_plan_options *options,
                                 wlstm_plan **plan) {
    wlstm_effort effort = options->effort ? options->effort : wli_environment_get()->effort;
    wli_decision decision = wli_decide(model, setting, effort, options->time_limit);
    char error[WLI_ERROR_BYTES];
    wli_error_save(error);
    wlstm_status status = wli_plan_make_choice(model, setting, &decision.choice, plan);
    if (status != WLSTM_OK && decision.origin != WLI_FROM_MODEL) {
        wli_error_restore(error);
        decision = wli_decide_by_model(setting);
        status = wli_plan_make_choice(model, setting, &decision.choice, plan);
    }
    if (status == WLSTM_OK) describe(*plan, setting, &decision);
    return status;
}

static wlstm_status make_by_reference(wli_model *model, const wli_setting *setting, wlstm_plan **plan) {
    wlstm_status status = make_empty(model, setting, plan);
    if (status == WLSTM_OK) status = make_reference(*plan);
    if (status == WLSTM_OK)
        describe(*plan, setting, NULL);
    else {
        wlstm_plan_free(*plan);
        *plan = NULL;
    }
    return status;
}

int wli_default_threads(void) {
    const int set = wli_environment_get()->num_threads;
    return set ? set : omp_get_max_threads() < wli_cpu_quota() ? omp_get_max_threads() : wli_cpu_quota();
}

wlstm_status wli_plan_make(wli_model *model, const wlstm_plan_options *options, wlstm_plan **plan) {
    wli_setting setting = { .model = model, .seq_len = options->max_seq_len, .batch = options->max_batch };
    *plan = NULL;
    wlstm_status status = check_options(model, options);
    setting.precision =
        model->compact ? model->packed_precision : wli_precision_choose(model->dtype, options->precision);
    if (status == WLSTM_OK) status = choose_backend(model, setting.precision, options, &setting.backend);
    if (status != WLSTM_OK) return status;
    setting.deterministic = options->deterministic;
    setting.schedule = options->schedule ? options->schedule : wli_environment_get()->schedule;
    setting.chunk_steps = options->chunk_steps;
    const int threads = options->num_threads ? options->num_threads : wli_default_threads();
    /* More than the cores that this process may use would wait for each other. */
    setting.threads = threads < omp_get_num_procs() ? threads : omp_get_num_procs();
    status = setting.backend == WLSTM_BACKEND_REFERENCE ? make_by_reference(model, &setting, plan)
                                                        : make_decided(model, &setting, options, plan);
    if (status != WLSTM_OK) return status;
    (*plan)->threads = options->num_threads || wli_environment_get()->num_threads ? 0 : omp_get_max_threads();
    wli_verbose(1, (*plan)->description);
    return WLSTM_OK;
}

void wlstm_plan_free(wlstm_plan *plan) {
    if (!plan) return;
    wli_runner_free(plan->runner);
    wli_free(plan->reference_workspace);
    wli_model_release(plan->model);
    wli_free(plan);
}

int wli_plan_threads(const wlstm_plan *plan) {
    return plan->threads;
}

wli_fit wli_plan_fit(const wlstm_plan *plan, int64_t seq_len, int64_t batch) {
    if (plan->threads && plan->threads != omp_get_max_threads() && !wli_runs_alone()) return WLI_OTHER_THREADS;
    return seq_len <= plan->max_seq_len && batch <= plan->max_batch ? WLI_FITS : WLI_TOO_SMALL;
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
        wli_reference_of(plan->model)->forward(plan->model, plan->precision, call, NULL, plan->reference_workspace);
        return WLSTM_OK;
    }
    return wli_runner_run(plan->runner, call);
}

wlstm_status wlstm_plan_execute(wlstm_plan *plan, int64_t seq_len, int64_t batch, const int64_t *lengths, const void *x,
                                const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!plan) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "plan: a plan expected, got NULL");
    const wli_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n, NULL, 0, NULL };
    wlstm_status status = wli_call_check(plan->model, &call, plan->max_seq_len, plan->max_batch);
    return status == WLSTM_OK ? wli_plan_run(plan, &call) : status;
}

wlstm_status wlstm_plan_execute_packed(wlstm_plan *plan, int64_t seq_len, const int64_t *batch_sizes, const void *x,
                                       const void *h_0, const void *c_0, void *out, void *h_n, void *c_n) {
    if (!plan) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "plan: a plan expected, got NULL");
    wli_call call = { seq_len, 0, NULL, x, h_0, c_0, out, h_n, c_n, NULL, 0, batch_sizes };
    wlstm_status status = wli_call_check_packed(plan->model, &call, plan->max_seq_len, plan->max_batch);
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
