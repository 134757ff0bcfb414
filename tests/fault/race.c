/* A deliberate race, for the check that ThreadSanitizer finds one: two threads run the nodes of a stack in turn, and nobody
 * waits. */
#include <omp.h>
#include <stdio.h>

#include "schedule/item.h"

enum { T = 6, H = 16, L = 4 };

static wlstm_status run_without_waiting(const wli_run *run, void *context) {
    (void)context;
#pragma omp parallel num_threads(2)
    {
        const int me = omp_get_thread_num();
        wli_node node;
        for (bool more = wli_graph_first(&run->graph, &node); more;
             more = wli_graph_next(&run->graph, WLI_BY_CHUNK, &node))
            if (node.layer % 2 == me) (void)wli_node_run(run, &run->sequence->workers[me], &node, NULL);
    }
    return WLSTM_OK;
}

int main(void) {
    static float x[T * H], out[T * H];
    const wli_model_spec shape = { .dtype = WLSTM_F32, .num_layers = L, .input_size = H, .hidden_size = H };
    const wli_call call = { .seq_len = T, .batch = 1, .x = x, .out = out };
    wli_cell_kernels cells[L];
    wli_sequence_spec spec = {
        .cells = cells, .max_seq_len = T, .max_batch = 1, .choice = { .schedule = WLI_WAVEFRONT }
    };
    wli_model *model;
    wli_sequence *sequence;
    spec.choice.threads = 2, spec.choice.parts = 1, spec.choice.gate_rows = T, spec.choice.chunk_steps = 1;
    wlstm_status status = wli_model_create(&shape, &model);
    if (status == WLSTM_OK) status = wli_model_reset(&model, 0);
    for (int64_t l = 0; l < L && status == WLSTM_OK; l++)
        status = wli_cell_kernels_make(&(wli_cell_spec){ .weights = &model->cells[l],
                                                         .shelf = &model->derived,
                                                         .place = l,
                                                         .native = wli_native_get(WLI_PRODUCT_F32),
                                                         .project = &wli_multiply_native,
                                                         .step = &wli_multiply_native,
                                                         .project_rows = T,
                                                         .step_rows = 1 },
                                       &cells[l]);
    spec.model = model;
    if (status == WLSTM_OK) status = wli_sequence_make(&spec, &sequence);
    if (status == WLSTM_OK) status = wli_sequence_run_by(sequence, &call, run_without_waiting, NULL);
    if (status != WLSTM_OK) return fprintf(stderr, "%s\n", wlstm_last_error()), 1;
    wli_sequence_destroy(sequence);
    wli_model_release(model);
    return 0;
}
