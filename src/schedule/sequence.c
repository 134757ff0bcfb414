#include "schedule/sequence.h"

#include "base/allocator.h"
#include "base/status.h"
#include "schedule/schedules.h"
#include <string.h>

/* For all cells: a task is whoever's is free. */
static wlstm_status equip(const wli_sequence_spec *spec, wli_worker *worker) {
    const int64_t cells = spec->model->num_layers * spec->model->num_directions;
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < cells && status == WLSTM_OK; i++)
        status = wli_cell_equip(&spec->cells[i], &worker->workspace.tools);
    return status;
}

/* Each worker by a thread of its own: what a thread takes for itself when it starts is then taken before a plan asks
 * whether there is memory left. */
static wlstm_status equip_workers(wli_sequence *sequence) {
    const wli_choice *choice = &sequence->spec.choice;
    if (!wli_multipliers[choice->project]->equip && !wli_multipliers[choice->step]->equip) return WLSTM_OK;
    const bool alone = choice->threads == 1 || wli_runs_alone();
#pragma omp parallel for num_threads((int)choice->threads) schedule(static, 1) if (!alone)
    for (int64_t w = 0; w < choice->threads; w++)
        wli_failure_keep(&sequence->failure, equip(&sequence->spec, &sequence->workers[w]));
    return wli_failure_take(&sequence->failure);
}

wlstm_status wli_sequence_make(const wli_sequence_spec *spec, wli_sequence **out) {
    *out = NULL;
    const int64_t single_layers = wli_is_single_step(spec) ? spec->model->num_layers : 0;
    const size_t bytes = sizeof(wli_sequence) + (size_t)single_layers * sizeof(wli_single_step);
    wli_sequence *sequence = wli_calloc(bytes);
    if (!sequence) return wli_out_of_memory("sequence", bytes);
    sequence->single_layers = single_layers;
    wli_arena arena = { NULL, 0, false };
    sequence->spec = *spec;
    sequence->element = wli_real_size(spec->model->dtype);
    sequence->array_element = wli_dtype_size(spec->model->dtype);
    sequence->narrows = sequence->array_element < sequence->element;
    /* Who multiplies in bfloat16 rounds h itself. */
    sequence->rounds =
        sequence->narrows && strcmp(spec->cells[0].hh.native->product, wli_product_names[WLI_PRODUCT_S8]) == 0;
    wli_lay_out(sequence, &arena);
    sequence->bytes = arena.overflow ? SIZE_MAX : arena.used;
    if (arena.overflow || !(sequence->memory = wli_alloc(sequence->bytes))) {
        wlstm_status status = wli_out_of_memory("scratch", sequence->bytes);
        wli_sequence_destroy(sequence);
        return status;
    }
    wli_zero_scratch(sequence);
    arena = (wli_arena){ sequence->memory, 0, false };
    wli_lay_out(sequence, &arena);
    wli_single_steps_make(sequence);
    wlstm_status status = equip_workers(sequence);
    if (status != WLSTM_OK) {
        wli_sequence_destroy(sequence);
        return status;
    }
    wli_fill_weights(sequence); /* takes longest, and cannot fail */
    *out = sequence;
    return WLSTM_OK;
}

void wli_sequence_destroy(wli_sequence *sequence) {
    if (!sequence) return;
    for (int64_t w = 0; sequence->memory && w < sequence->spec.choice.threads; w++)
        wli_tools_release(&sequence->workers[w].workspace.tools);
    wli_free(sequence->memory);
    wli_free(sequence);
}

size_t wli_sequence_bytes(const wli_sequence *sequence) {
    return sequence->bytes;
}

/* out past each row's end is zero. */
static void zero_padding(const wli_sequence *sequence, const wli_call *call) {
    const wli_model *model = sequence->spec.model;
    const int64_t width = model->num_directions * wli_model_cell(model, model->num_layers - 1, 0)->state_size;
    const wli_strides strides = wli_call_strides(model, call, width);
    for (int64_t b = 0; b < call->batch; b++)
        for (int64_t t = call->lengths[b]; t < call->seq_len; t++)
            memset((char *)call->out + (size_t)(t * strides.time + b * strides.row) * sequence->array_element, 0,
                   (size_t)width * sequence->array_element);
}

wlstm_status wli_sequence_run_by(wli_sequence *sequence, const wli_call *call, wli_run_nodes *run_nodes,
                                 void *context) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t parts = wli_smaller(spec->choice.parts, call->batch), part_rows = (call->batch + parts - 1) / parts;
    const int64_t chunk_steps = wli_smaller(spec->choice.gate_rows / part_rows, spec->choice.chunk_steps);
    const wli_run run = { .sequence = sequence,
                          .call = call,
                          .graph = { .layers = spec->model->num_layers,
                                     .directions = spec->model->num_directions,
                                     .parts = parts,
                                     .chunk_steps = chunk_steps,
                                     .lengths = sequence->rows.lengths } };
    wli_rows_sort(&sequence->rows, call);
    wli_rows_deal(&sequence->rows, parts);
    if (call->batch_sizes) wli_packed_rows_begin(&sequence->packed, call);
    if (call->h_0 && call->h_0 == call->out) /* a cell's h_out may be h */
        memcpy(sequence->h_copy, call->h_0,
               (size_t)(call->batch * spec->cells[0].weights->state_size) * sequence->array_element);
    wlstm_status status = run_nodes(&run, context);
    if (call->lengths) zero_padding(sequence, call);
    return status;
}

/* By the spec's schedule. */
static wlstm_status run_schedule(const wli_run *run, void *context) {
    const wli_choice *choice = &run->sequence->spec.choice;
    (void)context;
    if (choice->threads == 1 || choice->schedule == WLI_SERIAL || wli_runs_alone()) return wli_run_serial(run);
    if (choice->schedule == WLI_WAVEFRONT) return wli_run_wavefront(run, (int)choice->threads);
    return wli_run_gangs(run, wli_grid_of(run));
}

wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call) {
    if (call->seq_len == 1 && sequence->single_layers) return wli_run_single_step(sequence, call);
    return wli_sequence_run_by(sequence, call, run_schedule, NULL);
}
