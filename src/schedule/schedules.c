/* Who runs which item, and what it waits for. */
#include "schedule/state.h"

#include <omp.h>

/* One part alone. With one direction chunk by chunk, each through all layers while it is warm; with two, layer by layer. */
wlstm_status wli_run_part(const wli_run *run, wli_worker *worker, int64_t part) {
    const wli_model *model = run->sequence->spec.model;
    const int64_t T = run->call->seq_len, L = model->num_layers, S = run->chunk_steps;
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; model->num_directions == 2 && i < 2 * L && status == WLSTM_OK; i++)
        status = wli_item_run_chunks(run, worker, wli_item_whole(run, i / 2, (int)(i % 2), part));
    for (int64_t first = 0; model->num_directions == 1 && first < T; first += S)
        for (int64_t l = 0; l < L && status == WLSTM_OK; l++) {
            wli_item item = wli_item_whole(run, l, 0, part);
            item.first_step = first;
            item.end_step = first + S < T ? first + S : T;
            status = wli_item_run(run, worker, &item);
        }
    return status;
}

/* Parts of the batch, and with two directions both of a layer, side by side. Rows never meet; a layer begins when both directions
 * below it are done. */
void wli_run_parts(const wli_run *run, int threads) {
    const wli_model *model = run->sequence->spec.model;
    const int64_t P = run->parts;
#pragma omp parallel num_threads(threads)
    {
        wli_worker *worker = &run->sequence->workers[omp_get_thread_num()];
        if (model->num_directions == 1) {
#pragma omp for schedule(static, 1) nowait
            for (int64_t part = 0; part < P; part++) (void)wli_run_part(run, worker, part);
        } else {
            for (int64_t l = 0; l < model->num_layers; l++) {
                /* The same thread takes the same part in every layer: its rows are in its caches. */
#pragma omp for schedule(static, 1)
                for (int64_t i = 0; i < 2 * P; i++)
                    (void)wli_item_run_chunks(run, worker, wli_item_whole(run, l, (int)(i % 2), i / 2));
            }
        }
    }
}

/* The wavefront: a task for each (chunk, layer, part). It waits for the chunk before in its layer, for its input, which is the same
 * chunk of the layer below, and until the layer above has read what it will overwrite, two chunks ago:
 *
 *     layer 2            | 0 | 1 | 2 |
 *     layer 1        | 0 | 1 | 2 | 3 |
 *     layer 0    | 0 | 1 | 2 | 3 |
 *                 time ->                */
void wli_run_wavefront(const wli_run *run, int threads) {
    const int64_t T = run->call->seq_len, L = run->sequence->spec.model->num_layers, P = run->parts,
                  S = run->chunk_steps;
    const int64_t chunks = (T + S - 1) / S;
    char *tokens = run->sequence->tokens;
    (void)tokens; /* some compilers do not count a use in a depend clause */
#define TOKEN(layer, chunk) tokens[(((layer)*4 + (chunk) % 4) * P) + part]
#pragma omp parallel num_threads(threads)
#pragma omp single
    for (int64_t front = 0; front < chunks + L - 1; front++)
        for (int64_t l = front < chunks ? 0 : front - chunks + 1; l < L && l <= front; l++)
            for (int64_t part = 0; part < P; part++) {
                const int64_t chunk = front - l, below = l > 0 ? l - 1 : l, above = l + 1 < L ? l + 1 : l;
#pragma omp task depend(in                                                                                             \
                        : TOKEN(l, chunk + 3), TOKEN(below, chunk), TOKEN(above, chunk + 2)) depend(inout              \
                                                                                                    : TOKEN(l, chunk))
                {
                    wli_item item = wli_item_whole(run, l, 0, part);
                    item.first_step = chunk * S;
                    item.end_step = (chunk + 1) * S < T ? (chunk + 1) * S : T;
                    (void)wli_item_run(run, &run->sequence->workers[omp_get_thread_num()], &item);
                }
            }
#undef TOKEN
}

/* Each thread a slice of every layer's units, the slice's weights in its own cache for all time; all meet after each step. */
void wli_run_gang(const wli_run *run, int threads) {
    const wli_model *model = run->sequence->spec.model;
    const int64_t T = run->call->seq_len, D = model->num_directions, S = run->chunk_steps;
    atomic_store(&run->sequence->barrier.arrived, 0);
#pragma omp parallel num_threads(threads)
    {
        const int team = omp_get_num_threads(), me = omp_get_thread_num();
        for (int64_t n = 0; n < model->num_layers * D * ((T + S - 1) / S); n++) {
            const int64_t chunks = (T + S - 1) / S;
            /* One direction: chunk by chunk through the layers; two: a layer's whole time before the next. */
            const int64_t index = D == 1 ? n % model->num_layers : n / chunks;
            const int64_t chunk = D == 1 ? n / model->num_layers : n % chunks;
            wli_item item = wli_item_whole(run, index / D, (int)(index % D), 0);
            const int64_t panels = item.range.end;
            item.range = (wli_panel_range){ panels * me / team, panels * (me + 1) / team };
            item.first_step = chunk * S, item.end_step = (chunk + 1) * S < T ? (chunk + 1) * S : T;
            item.barrier = &run->sequence->barrier, item.threads = team;
            (void)wli_item_run(run, &run->sequence->workers[me], &item);
        }
    }
}
