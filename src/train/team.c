#include "train/team.h"

#include "schedule/sequence.h"
#include "train/crews.h"
#include <omp.h>

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
wli_deal wli_deal_for(const wlstm_trainer *trainer, int64_t batch, int64_t threads, int64_t parts) {
    const int64_t rows_of_part = 12;
    int64_t step, all;
    work_of_a_row(trainer, &step, &all);
    wli_deal deal = { .directions = wli_smaller(trainer->model->num_directions, threads) };
    const int64_t left = threads / deal.directions;
    const int64_t wanted = parts ? parts : batch / rows_of_part;
    deal.parts = wanted < 1 ? 1 : wli_smaller(wanted, left);
    const int64_t worth = (batch + deal.parts - 1) / deal.parts * step / trainer->step_work;
    deal.shares = wli_smaller(left / deal.parts, worth < 1 ? 1 : worth);
    return deal;
}

int64_t wli_parts_for(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads) {
    const int64_t chosen = wli_tape_is_chosen(trainer, tape) ? trainer->choice.parts : 0;
    return wli_deal_for(trainer, tape->call.batch, threads, chosen).parts;
}

/* The place of the team's thread `me` of so many, in a crew and in a gang of it. */
static void take_place(wli_hand *hand, int64_t me, int64_t threads, int64_t crews, int64_t parts) {
    wlstm_trainer *trainer = hand->trainer;
    wli_span own = wli_span_of(threads, 0, crews);
    hand->in_team = threads, hand->crews = crews;
    for (hand->crew = 0; own.end <= me;) own = wli_span_of(threads, ++hand->crew, crews);
    hand->me = me - own.first, hand->threads = own.end - own.first;
    hand->worker = &trainer->workers[me];
    if (!hand->tape) return;
    const wli_span layers = wli_crew_layers(trainer, threads, hand->crew, crews);
    hand->first_layer = layers.first, hand->end_layer = layers.end;
    const wli_deal deal = wli_deal_for(trainer, hand->tape->call.batch, hand->threads, parts);
    hand->directions = deal.directions, hand->parts = deal.parts, hand->shares = deal.shares;
    const int64_t gang = hand->me / hand->shares;
    hand->share = hand->me % hand->shares;
    hand->steps = gang < hand->directions * hand->parts;
    hand->direction = gang % hand->directions, hand->part = gang / hand->directions;
    hand->gang = &trainer->shared.gangs[own.first + (hand->steps ? gang : 0)];
}

int wli_worth_threads(const wlstm_trainer *trainer, const wli_tape *tape) {
    int64_t step, all;
    work_of_a_row(trainer, &step, &all);
    const double work = tape ? (double)tape->pairs * (double)all : (double)trainer->count;
    const double worth = work / (double)trainer->pass_work;
    return worth <= 1 ? 1 : worth < trainer->threads ? (int)worth : trainer->threads;
}

int wli_team_threads(const wlstm_trainer *trainer, const wli_tape *tape) {
    return wli_runs_alone() ? 1 : wli_worth_threads(trainer, tape);
}

void wli_team_run(wlstm_trainer *trainer, wli_tape *tape, bool deals, wli_pass *pass, const void *arguments) {
    const int threads = wli_team_threads(trainer, tape);
    if (threads == 1) {
        wli_hand hand = { .trainer = trainer, .tape = tape };
        if (deals) wli_tape_deal(tape, 1);
        take_place(&hand, 0, 1, 1, tape ? tape->parts : 0);
        pass(&hand, arguments);
        return;
    }
    atomic_store(&trainer->shared.team.arrived.value, 0);
    for (int i = 0; i < threads; i++) atomic_store(&trainer->shared.gangs[i].arrived.value, 0);
    wli_crews_reset(trainer);
    const int64_t wanted = tape ? wli_crews_for(trainer, tape, threads) : 1;
#pragma omp parallel num_threads(threads)
    {
        /* There may be fewer threads than asked for. */
        const int64_t me = omp_get_thread_num(), there = omp_get_num_threads();
        wli_hand hand = { .trainer = trainer, .tape = tape };
        const int64_t crews = wli_smaller(wanted, there);
        const int64_t parts = !tape ? 0 : deals ? wli_parts_for(trainer, tape, there / crews) : tape->parts;
        take_place(&hand, me, there, crews, parts);
        if (deals && me == 0) wli_tape_deal(tape, parts);
        wli_meet_team(&hand);
        pass(&hand, arguments);
    }
}

void wli_team_rehearse(wlstm_trainer *trainer, wli_tape *tape, int64_t threads, int64_t crew, wli_pass *pass,
                       const void *arguments) {
    const int64_t crews = wli_crews_for(trainer, tape, threads);
    const wli_span crew_threads = wli_span_of(threads, crew, crews);
    const int64_t parts = wli_parts_for(trainer, tape, threads / crews);
    const wli_deal deal = wli_deal_for(trainer, tape->call.batch, crew_threads.end - crew_threads.first, parts);
    wli_hand hand = { .trainer = trainer, .tape = tape, .alone = true };
    /* The first gang has the most rows, its last member the most units. */
    take_place(&hand, crew_threads.first + deal.shares - 1, threads, crews, parts);
    wli_tape_deal(tape, parts);
    pass(&hand, arguments);
}

void wli_team_multiply(const wli_hand *hand, const wli_gemm_args *product) {
    const wlstm_trainer *trainer = hand->trainer;
    wli_gemm_args args = *product;
    if (args.rows == 0 || args.range.first >= args.range.end) return;
    if (args.depth <= trainer->gathered_depth)
        args.a =
            wli_operand_rows(trainer->native, args.rows, args.depth, trainer->element, args.a, &hand->worker->gathered);
    args.columns = wli_padded(trainer, args.columns);
    args.halves = wli_wide_core();
    trainer->native->gemm(&args);
}
