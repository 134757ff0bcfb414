/* The forward pass that keeps the tape: the equations of reference/cell.h with
 *
 *     G [N, 4H] = x W_ih^T + b, a chunk at a time; per step  G += h W_hh^T,  gates, c and h from G;  h = m W_hr^T */
#include "train/chain.h"
#include "train/crews.h"
#include "train/dropout.h"
#include "train/passes.h"
#include "train/weights.h"

#include <string.h>

/* G of steps [from, to), the gang's share of its columns. */
static void project(const wli_chain *chain, int64_t from, int64_t to) {
    const wli_hand *hand = chain->hand;
    const wli_train_cell *cell = chain->cell;
    int64_t count = 0, rows;
    const int64_t first = wli_tape_part(hand->tape, chain->part, from, &rows);
    for (int64_t s = from; s < to; s++) {
        wli_tape_part(hand->tape, chain->part, s, &rows);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t r = wli_chain_row(chain, i);
            hand->worker->a[count++] =
                wli_tape_input(hand->trainer, hand->tape, chain->layer, wli_chain_time(chain, s, r), r);
        }
    }
    wli_team_multiply(hand,
                      &(wli_gemm_args){ .rows = count,
                                        .depth = cell->I,
                                        .columns = 4 * cell->H,
                                        .a = hand->worker->a,
                                        .panels = cell->ih.panels,
                                        .bias = cell->bias,
                                        .c = wli_elements(hand->trainer, chain->kept->gates, first * cell->gate_stride),
                                        .ldc = cell->gate_stride,
                                        .range = wli_panels_of(hand, 4 * cell->H, hand->share, hand->shares) });
}

/* h [rows][P] = m [rows, H] W_hr^T, the gang's share of its columns. */
static void project_hidden(const wli_chain *chain, int64_t rows, void *const *m, void *const *h) {
    const wli_hand *hand = chain->hand;
    const wli_train_cell *cell = chain->cell;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_panel_range range = wli_panels_of(hand, cell->P, hand->share, hand->shares);
    const wli_span own = wli_columns_of(hand, range, cell->P);
    char *c = wli_elements(trainer, trainer->shared.crews[hand->crew].projected,
                           (chain->direction * trainer->max_batch + chain->part) * cell->h_stride);
    const int64_t ldc = hand->tape->parts * cell->h_stride;
    wli_team_multiply(hand, &(wli_gemm_args){ .rows = rows,
                                              .depth = cell->H,
                                              .columns = cell->P,
                                              .a = (const void *const *)m,
                                              .panels = cell->hr.panels,
                                              .bias = trainer->shared.zeros,
                                              .c = c,
                                              .ldc = ldc,
                                              .range = range });
    for (int64_t i = 0; i < rows; i++)
        memcpy(wli_elements(trainer, h[i], own.first), wli_elements(trainer, c, i * ldc + own.first),
               (size_t)(own.end - own.first) * trainer->element);
}

/* One step of the part's `rows` rows that lie from `place` on. */
static void run_step(const wli_chain *chain, int64_t step, int64_t place, int64_t rows) {
    const wli_hand *hand = chain->hand;
    const wli_train_cell *cell = chain->cell;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const void **h_prev = hand->worker->a;
    void **h = hand->worker->h, *gates = wli_elements(trainer, chain->kept->gates, place * cell->gate_stride);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t r = wli_chain_row(chain, i);
        h[i] = wli_tape_output(trainer, tape, chain->layer, chain->direction, wli_chain_time(chain, step, r), r);
        h_prev[i] =
            step == wli_window_first(tape, tape->window)
                ? wli_tape_state_row(trainer, tape, chain->kept->h_0, cell->h_stride, tape->window, r)
                : wli_tape_output(trainer, tape, chain->layer, chain->direction, wli_chain_time(chain, step - 1, r), r);
    }
    wli_team_multiply(hand, &(wli_gemm_args){ .rows = rows,
                                              .depth = cell->R,
                                              .columns = 4 * cell->H,
                                              .a = h_prev,
                                              .panels = cell->hh.panels,
                                              .c = gates,
                                              .ldc = cell->gate_stride,
                                              .range = wli_panels_of(hand, 4 * cell->H, hand->share, hand->shares) });
    wli_meet_gang(hand);
    wli_forward_cell step_cell = { .units = wli_units_of(hand, cell->H),
                                   .rows = rows,
                                   .gates = gates,
                                   .ldg = cell->gate_stride,
                                   .c = wli_elements(trainer, chain->kept->c, place * cell->c_stride),
                                   .ldc = cell->c_stride,
                                   .h = h };
    step_cell.c_prev = wli_chain_c_before(chain, step, &step_cell.ldc_prev);
    if (cell->P == 0) {
        trainer->kernels->forward(&step_cell);
    } else {
        void **m = (void **)(uintptr_t)hand->worker->b;
        for (int64_t i = 0; i < rows; i++)
            m[i] = wli_elements(trainer, trainer->shared.crews[hand->crew].unprojected,
                                (chain->direction * trainer->max_batch + wli_chain_row(chain, i)) * cell->c_stride);
        step_cell.h = m;
        trainer->kernels->forward(&step_cell);
        wli_meet_gang(hand);
        project_hidden(chain, rows, m, h);
    }
    wli_meet_gang(hand);
}

/* h and c of the part's rows before the next window, and the caller's of those that end in this one, shared by the
 * gang. */
static void store_states(const wli_chain *chain) {
    const wli_hand *hand = chain->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const wli_train_cell *cell = chain->cell;
    const int64_t B = tape->call.batch;
    const size_t h_bytes = (size_t)cell->R * trainer->element, c_bytes = (size_t)cell->H * trainer->element;
    for (int64_t r = wli_chain_row(chain, hand->share); r < B; r += tape->parts * hand->shares) {
        const int64_t length = tape->rows.lengths[r], row = tape->rows.order[r];
        const int64_t last = (length < chain->to ? length : chain->to) - 1;
        if (last < chain->from) continue;
        const char *h =
            wli_tape_output(trainer, tape, chain->layer, chain->direction, wli_chain_time(chain, last, r), r);
        const char *c = wli_elements(trainer, chain->kept->c, wli_tape_place(tape, last, r) * cell->c_stride);
        if (length > chain->to) {
            const int64_t next = tape->window + 1;
            memcpy(wli_tape_state_row(trainer, tape, chain->kept->h_0, cell->h_stride, next, r), h, h_bytes);
            memcpy(wli_tape_state_row(trainer, tape, chain->kept->c_0, cell->c_stride, next, r), c, c_bytes);
            continue;
        }
        if (tape->call.h_n)
            memcpy(wli_elements(trainer, tape->call.h_n, cell->h_offset * B + row * cell->R), h, h_bytes);
        if (tape->call.c_n)
            memcpy(wli_elements(trainer, tape->call.c_n, cell->c_offset * B + row * cell->H), c, c_bytes);
    }
    wli_meet_gang(hand);
}

/* All steps, each chunk's inputs projected before them. */
static void run_chain(const wli_chain *chain) {
    const wli_tape *tape = chain->hand->tape;
    const int64_t T = chain->to, most = wli_projected_rows(chain->hand->trainer, chain->cell);
    int64_t end, rows;
    for (int64_t from = chain->from; from < T; from = end) {
        const int64_t first = wli_tape_part(tape, chain->part, from, &rows);
        if (rows == 0) break;
        for (end = from + 1; end < T; end++)
            if (wli_tape_part(tape, chain->part, end, &rows) + rows - first > most) break;
        project(chain, from, end);
        for (int64_t s = from; s < end; s++) {
            const int64_t place = wli_tape_part(tape, chain->part, s, &rows);
            if (rows > 0) run_step(chain, s, place, rows);
        }
    }
}

/* Zeros behind the rows' ends. */
static void end_rows(const wli_hand *hand) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const int64_t width = wli_output_width(trainer, trainer->model->num_layers - 1);
    if (tape->packed) return;
    for (int64_t r = hand->me; r < tape->call.batch; r += hand->threads)
        for (int64_t t = tape->rows.lengths[r]; t < tape->call.seq_len; t++)
            memset(wli_callers_row(trainer, tape, tape->call.out, width, t, r), 0, (size_t)width * trainer->element);
}

/* Steps [from, to) of a layer in the window; where that is run `again` the caller has its states already. */
static void run_layer(const wli_hand *hand, int64_t layer, int64_t from, int64_t to, bool again) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const int D = trainer->model->num_directions;
    const int64_t first = wli_window_first(tape, tape->window), end = wli_window_first(tape, tape->window + 1);
    for (int64_t direction = hand->direction; hand->steps && direction < D; direction += hand->directions)
        for (int64_t part = hand->part; part < tape->parts; part += hand->parts) {
            const wli_chain chain = wli_chain_of(hand, layer, direction, part, from, to);
            const wli_chain whole = wli_chain_of(hand, layer, direction, part, first, end);
            run_chain(&chain);
            if (!again && to == end) store_states(&whole);
        }
    if (layer + 1 == trainer->model->num_layers) return;
    /* The layer above reads rows of both directions, and of all parts where they were dropped. */
    const bool drops = wli_drops(trainer, tape);
    if (D == 2 || drops) wli_meet_crew(hand);
    wli_drop_outputs(hand, layer, from, to);
    if (drops) wli_meet_crew(hand);
}

/* A window through the crew's layers, while other crews run theirs. */
static void run_window(const wli_hand *hand, bool again) {
    const wli_tape *tape = hand->tape;
    const int64_t first = wli_window_first(tape, tape->window), end = wli_window_first(tape, tape->window + 1);
    const int64_t steps = wli_chunk_for(hand, end - first);
    for (int64_t number = 0, from = first; from < end; number++, from += steps) {
        wli_await_below(hand, number);
        for (int64_t layer = hand->first_layer; layer < hand->end_layer; layer++)
            run_layer(hand, layer, from, from + steps < end ? from + steps : end, again);
        wli_tell_above(hand, number);
    }
    wli_meet_team(hand);
}

/* Makes a window the one that the tape has, once the team has met. */
static void go_to_window(const wli_hand *hand, int64_t window) {
    if (hand->crew == 0 && hand->me == 0) {
        hand->tape->window = window;
        wli_crews_reset(hand->trainer);
    }
    wli_meet_team(hand);
}

void wli_forward_again(wli_hand *hand, int64_t window) {
    go_to_window(hand, window);
    run_window(hand, true);
}

void wli_forward_pass(wli_hand *hand, const void *arguments) {
    (void)arguments;
    wli_weights_pack(hand, false);
    for (int64_t window = 0; window < wli_tape_windows(hand->tape); window++) {
        go_to_window(hand, window);
        run_window(hand, false);
    }
    if (hand->end_layer == hand->trainer->model->num_layers) end_rows(hand);
}
