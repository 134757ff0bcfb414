#include "train/team.h"

#include "schedule/sequence.h"
#include <omp.h>

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* The most of a row's step in one cell, and of a row's steps in all. */
static void work_of_a_row(const wlstm_trainer *trainer, int64_t *largest, int64_t *all) {
    *largest = *all = 0;
    for (int64_t i = 0; i < trainer->model->num_layers * trainer->model->num_directions; i++) {
        const wli_train_cell *cell = &trainer->cells[i];
        const int64_t step = 4 * cell->H * cell->R;
        *largest = step > *largest ? step : *largest;
        *all += step + 4 * cell->H * cell->I;
    }
}

/* Directions first, as they wait for nobody; then rows, while a part has enough for a few tiles; then units, while a
 * step of them is worth meeting for. */
static void take_place(wli_hand *hand, int64_t parts) {
    if (!hand->tape) return;
    const int64_t rows_of_part = 12, D = hand->trainer->model->num_directions, B = hand->tape->call.batch;
    int64_t step, all;
    work_of_a_row(hand->trainer, &step, &all);
    hand->directions = smaller(D, hand->threads);
    const int64_t left = hand->threads / hand->directions;
    const int64_t wanted = parts ? parts : B / rows_of_part;
    hand->parts = wanted < 1 ? 1 : smaller(wanted, left);
    const int64_t worth = (B + hand->parts - 1) / hand->parts * step / hand->trainer->step_work;
    hand->shares = smaller(left / hand->parts, worth < 1 ? 1 : worth);
    const int64_t gang = hand->me / hand->shares;
    hand->share = hand->me % hand->shares;
    hand->steps = gang < hand->directions * hand->parts;
    hand->direction = gang % hand->directions, hand->part = gang / hand->directions;
    hand->gang = &hand->trainer->shared.gangs[hand->steps ? gang : 0];
}

/* How many threads a pass is worth. */
static int threads_for(const wlstm_trainer *trainer, const wli_tape *tape) {
    int64_t step, all;
    work_of_a_row(trainer, &step, &all);
    const int64_t work = tape ? tape->pairs * all : trainer->count;
    const int64_t worth = work / trainer->pass_work;
    return wli_runs_alone() || worth <= 1 ? 1 : (int)smaller(trainer->threads, worth);
}

void wli_team_run(wlstm_trainer *trainer, wli_tape *tape, bool deals, wli_pass *pass, const void *arguments) {
    const int threads = threads_for(trainer, tape);
    if (threads == 1) {
        wli_hand hand = { .trainer = trainer, .tape = tape, .worker = trainer->workers, .threads = 1 };
        take_place(&hand, 1);
        if (deals) wli_tape_deal(tape, 1);
        pass(&hand, arguments);
        return;
    }
    atomic_store(&trainer->shared.all.arrived.value, 0);
    for (int i = 0; i < threads; i++) atomic_store(&trainer->shared.gangs[i].arrived.value, 0);
#pragma omp parallel num_threads(threads)
    {
        /* There may be fewer threads than asked for. */
        wli_hand hand = { .trainer = trainer, .tape = tape, .threads = omp_get_num_threads() };
        hand.me = omp_get_thread_num();
        hand.worker = &trainer->workers[hand.me];
        take_place(&hand, deals || !tape ? 0 : tape->parts);
        if (deals && hand.me == 0) wli_tape_deal(tape, hand.parts);
        wli_meet_all(&hand);
        pass(&hand, arguments);
    }
}

void wli_team_multiply(const wli_hand *hand, int64_t rows, const void *const *a, int64_t depth, const void *panels,
                       int64_t columns, const void *bias, void *c, int64_t ldc, wli_panel_range range) {
    const wlstm_trainer *trainer = hand->trainer;
    if (rows == 0 || range.first >= range.end) return;
    if (depth <= trainer->gathered_depth)
        a = wli_operand_rows(trainer->native, rows, depth, trainer->element, a, &hand->worker->gathered);
    trainer->native->gemm(&(wli_gemm_args){ .rows = rows,
                                            .depth = depth,
                                            .columns = wli_padded(trainer, columns),
                                            .a = a,
                                            .panels = panels,
                                            .bias = bias,
                                            .c = c,
                                            .ldc = ldc,
                                            .range = range,
                                            .halves = wli_wide_core() });
}
