#include "plan/runner.h"

#include "base/allocator.h"
#include "base/status.h"

struct wli_runner {
    wli_sequence *sequence;
    wli_model *model;
    int64_t num_cells;
    wli_cell_kernels cells[];
};

static wlstm_status make_cells(wli_runner *runner, const wli_setting *setting, const wli_choice *choice) {
    wli_model *model = runner->model;
    const wlstm_dtype real = wli_dtype_real(model->dtype);
    wli_rows_source source = { .room = NULL };
    wlstm_status status = WLSTM_OK;
    if (real != model->dtype && !model->compact)
        status = wli_rows_source_make(model, choice->native, wli_model_values(model), &source);
    for (int64_t i = 0; i < runner->num_cells && status == WLSTM_OK; i++) {
        const wli_cell_spec spec = { .weights = &model->cells[i],
                                     .dtype = real,
                                     .shelf = &model->derived,
                                     .place = i,
                                     .source = source.room ? &source : NULL,
                                     .first_parameter = i * wli_model_cell_parameters(model),
                                     .bias = model->bias,
                                     .native = choice->native,
                                     .project = wli_multipliers[choice->project],
                                     .step = wli_multipliers[choice->step],
                                     .project_rows = choice->gate_rows,
                                     .step_rows = setting->batch,
                                     .shares = wli_choice_shares(choice) };
        status = wli_cell_kernels_make(&spec, &runner->cells[i]);
    }
    wli_rows_source_free(&source);
    return status;
}

/* Once more when all that the plan needs is there. */
static wlstm_status check_room(int64_t kind, int64_t threads) {
    const wli_multiplier *multiplier = wli_multipliers[kind];
    return multiplier->check_room ? multiplier->check_room(threads) : WLSTM_OK;
}

wlstm_status wli_runner_make(wli_model *model, const wli_setting *setting, const wli_choice *choice, wli_runner **out) {
    const int64_t num_cells = model->num_layers * model->num_directions;
    const size_t bytes = sizeof(wli_runner) + (size_t)num_cells * sizeof(wli_cell_kernels);
    wli_runner *runner = *out = wli_calloc(bytes);
    if (!runner) return wli_out_of_memory("plan", bytes);
    wli_model_retain(model);
    runner->model = model, runner->num_cells = num_cells;
    wlstm_status status = make_cells(runner, setting, choice);
    const wli_sequence_spec spec = { model, runner->cells, setting->seq_len, setting->batch, *choice };
    if (status == WLSTM_OK) status = wli_sequence_make(&spec, &runner->sequence);
    if (status == WLSTM_OK) status = check_room(choice->project, choice->threads);
    if (status == WLSTM_OK) status = check_room(choice->step, choice->threads);
    if (status != WLSTM_OK) {
        wli_runner_free(runner);
        *out = NULL;
    }
    return status;
}

void wli_runner_free(wli_runner *runner) {
    if (!runner) return;
    wli_sequence_destroy(runner->sequence);
    wli_model_release(runner->model);
    wli_free(runner);
}

wlstm_status wli_runner_run(wli_runner *runner, const wli_call *call) {
    return wli_sequence_run(runner->sequence, call);
}

void wli_runner_memory(const wli_runner *runner, size_t *weight_bytes, size_t *scratch_bytes) {
    *weight_bytes = 0, *scratch_bytes = wli_sequence_bytes(runner->sequence);
    for (int64_t i = 0; i < runner->num_cells; i++) *weight_bytes += wli_cell_kernels_bytes(&runner->cells[i]);
}
