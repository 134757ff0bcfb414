/* Memory near who reads it: where a machine's memory is in several places, a page lies near the thread that first
 * writes to it. So each thread of a plan packs the slices of the weights that it will read, and zeroes the scratch that
 * it will use. */
#include "schedule/schedules.h"

#include <omp.h>
#include <string.h>

/* Less is done before threads have met. */
static const size_t few_bytes = (size_t)2 << 20;

/* work(sequence, team, me) for each thread of a team, which is the calling one where the plan has no other, or may not
 * have. */
static void run_by_threads(wli_sequence *sequence, size_t bytes,
                           void (*work)(wli_sequence *sequence, int64_t team, int64_t me)) {
    const int threads = (int)sequence->spec.choice.threads;
    if (threads == 1 || bytes < few_bytes || wli_runs_alone()) {
        work(sequence, 1, 0);
        return;
    }
#pragma omp parallel num_threads(threads)
    work(sequence, omp_get_num_threads(), omp_get_thread_num());
}

/* Zeros for the zero state, and no leftovers in the padding of rows: the workers' own, and of the rest a slice each. */
static void zero_share(wli_sequence *sequence, int64_t team, int64_t me) {
    const int64_t threads = sequence->spec.choice.threads;
    const size_t own = sequence->worker_bytes, shared = sequence->bytes - own * (size_t)threads;
    const size_t slice = shared / (size_t)team, first = slice * (size_t)me;
    char *memory = sequence->memory;
    memset(memory + first, 0, me == team - 1 ? shared - first : slice);
    for (int64_t i = me; i < threads; i += team) memset(memory + shared + own * (size_t)i, 0, own);
}

/* Of each cell that the thread's gang owns its share of the units, as in item.h; where gangs own the cell's parts, they
 * read the same, and have a slice of it each. Tasks may be any thread's: one share each. */
static void fill_share(wli_sequence *sequence, int64_t team, int64_t me) {
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t D = spec->model->num_directions, cells = spec->model->num_layers * D;
    const wli_grid grid = spec->choice.schedule == WLI_GANG ? wli_grid_of_spec(spec) : (wli_grid){ 1, 1, 1, team };
    const wli_seat seat = wli_grid_seat(&grid, team, me);
    for (int64_t i = 0; i < cells; i++)
        for (int64_t part = 0; part < grid.parts; part++) {
            const wli_cell_kernels *cell = &spec->cells[i];
            const wli_node node = { .layer = i / D, .direction = (int)(i % D), .part = part };
            if (wli_grid_owner(&grid, seat.gangs, &node) != seat.gang) continue;
            /* Of the member's slice the part's. */
            const int64_t slice = seat.member * grid.parts + part, slices = seat.members * grid.parts;
            wli_cell_fill(cell, wli_slices_of(cell->range, slice, slice + 1, slices),
                          wli_slices_of(cell->projection_range, slice, slice + 1, slices));
        }
}

static void fill_unfilled(void *context) {
    wli_sequence *sequence = context;
    const wli_sequence_spec *spec = &sequence->spec;
    const int64_t cells = spec->model->num_layers * spec->model->num_directions;
    size_t bytes = 0;
    for (int64_t i = 0; i < cells; i++) bytes += wli_cell_unfilled_bytes(&spec->cells[i]);
    if (bytes == 0) return;
    run_by_threads(sequence, bytes, fill_share);
    for (int64_t i = 0; i < cells; i++) wli_cell_filled(&spec->cells[i]);
}

void wli_zero_scratch(wli_sequence *sequence) {
    run_by_threads(sequence, sequence->bytes, zero_share);
}

void wli_fill_weights(wli_sequence *sequence) {
    wli_shelf_work(sequence->spec.cells[0].shelf, fill_unfilled, sequence);
}
