/* The backward pass: the equations of reference/cell_backward.h, from the last step to the first. For each cell
 *
 *     step by step:    dG from the tape, dh and dc;  dh of the step before = dG W_hh (+ what comes from above)
 *     chunk by chunk:  dX = dG W_ih, which is what comes from above for the layer below; dW_ih += dG^T X and the like
 *
 * dG takes the place of the gates on the tape. */
#include "train/chain.h"
#include "train/crews.h"
#include "train/dropout.h"
#include "train/passes.h"
#include "train/weights.h"

#include <string.h>

/* A chunk of steps [from, to) on its way back, all of it in the tape's window. */
typedef struct chunk {
    const wli_backward_call *call;
    int64_t number, from, to; /* the window's last is number 0 */
} chunk;

/* Where the gradients of the input of a layer are, of the chunk's pairs. */
static void *gradients_of_input(const wli_hand *hand, const chunk *at, int64_t layer) {
    const int64_t crew = layer == hand->end_layer ? hand->crew + 1 : hand->crew;
    return hand->trainer->shared.crews[crew].windows[hand->crews > 1 ? at->number % 2 : 0];
}

/* The gradient of h of (t, r) from above: d_out's row, or that of the input of the layer above. */
static const void *from_above(const wli_chain *chain, const chunk *at, int64_t t, int64_t r) {
    const wlstm_trainer *trainer = chain->hand->trainer;
    const wli_tape *tape = chain->hand->tape;
    const int64_t width = wli_output_width(trainer, chain->layer), R = chain->cell->R;
    const char *row =
        chain->layer + 1 == trainer->model->num_layers
            ? wli_callers_row(trainer, tape, at->call->d_out, width, t, r)
            : wli_elements(trainer, gradients_of_input(chain->hand, at, chain->layer + 1),
                           (tape->first[t] - tape->first[at->from] + r) * wli_gate_stride(width, trainer->element));
    return row + (size_t)(chain->direction * R) * trainer->element;
}

/* Rows of the part's dh and dc, which lie as far apart as there are parts. */
static char *state_rows(const wli_chain *chain, const void *base, int64_t stride) {
    return wli_elements(chain->hand->trainer, base, chain->part * stride);
}

/* A state's row of `width` from the caller's gradients, or zeros where he has none; and back where he wants them. */
static void load_row(const wlstm_trainer *trainer, const void *given, int64_t at, int64_t width, void *to) {
    if (given)
        memcpy(to, wli_elements(trainer, given, at), (size_t)width * trainer->element);
    else
        memset(to, 0, (size_t)width * trainer->element);
}

static void store_row(const wlstm_trainer *trainer, const void *from, int64_t width, void *wanted, int64_t at) {
    if (wanted) memcpy(wli_elements(trainer, wanted, at), from, (size_t)width * trainer->element);
}

/* dh [part's rows] = d_h_n or zeros, dc likewise; or where it `stores` d_h_0 = dh, d_c_0 = dc. Shared by the gang. */
static void move_states(const wli_chain *chain, const wli_backward_call *call, bool stores) {
    const wli_hand *hand = chain->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const wli_train_cell *cell = chain->cell;
    const int64_t B = tape->call.batch;
    for (int64_t r = wli_chain_row(chain, hand->share); r < B; r += tape->parts * hand->shares) {
        void *dh = wli_elements(trainer, cell->dh, r * cell->h_stride);
        void *dc = wli_elements(trainer, cell->dc, r * cell->c_stride);
        const int64_t row = tape->rows.order[r];
        const int64_t h_at = cell->h_offset * B + row * cell->R, c_at = cell->c_offset * B + row * cell->H;
        if (stores) {
            store_row(trainer, dh, cell->R, call->d_h_0, h_at);
            store_row(trainer, dc, cell->H, call->d_c_0, c_at);
        } else {
            load_row(trainer, call->d_h_n, h_at, cell->R, dh);
            load_row(trainer, call->d_c_n, c_at, cell->H, dc);
        }
    }
    if (!stores) wli_meet_gang(hand);
}

/* C [rows, W's columns] = bias + B W, or C += B W where bias is NULL, of the worker's rows b [rows][W's rows]. In chains no
 * longer than those of the gradients of W: one over 4H gates would err by more than they do. */
static void multiply_back(const wli_hand *hand, int64_t rows, const wli_train_weight *weight, const void *bias, void *c,
                          int64_t ldc, wli_panel_range range) {
    wli_team_multiply(hand, &(wli_gemm_args){ .rows = rows,
                                              .depth = weight->rows,
                                              .columns = weight->columns,
                                              .a = hand->worker->b,
                                              .panels = weight->back,
                                              .bias = bias,
                                              .c = c,
                                              .ldc = ldc,
                                              .range = range,
                                              .chain = WLI_BLOCK_PAIRS });
}

/* With projection: the whole gradient of h onto the tape, and by W_hr that of m = o tanh(c) [rows, H], which it
 * returns. */
static const void *unproject(const wli_chain *chain, int64_t place, int64_t rows, const void *const *dy) {
    const wli_hand *hand = chain->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_train_cell *cell = chain->cell;
    const int64_t apart = hand->tape->parts;
    for (int64_t i = hand->share; i < rows; i += hand->shares) {
        void *whole = wli_elements(trainer, chain->kept->dh, (place + i) * cell->h_stride);
        trainer->kernels->add(1, cell->P, wli_elements(trainer, cell->dh, wli_chain_row(chain, i) * cell->h_stride), 0,
                              whole, 0, false);
        if (dy) trainer->kernels->add(1, cell->P, dy[i], 0, whole, 0, true);
    }
    for (int64_t i = 0; i < rows; i++)
        hand->worker->b[i] = wli_elements(trainer, chain->kept->dh, (place + i) * cell->h_stride);
    wli_meet_gang(hand);
    void *dm = wli_elements(trainer, trainer->shared.crews[hand->crew].unprojected,
                            (chain->direction * trainer->max_batch + chain->part) * cell->c_stride);
    multiply_back(hand, rows, &cell->hr, trainer->shared.zeros, dm, apart * cell->c_stride,
                  wli_panels_of(hand, cell->H, hand->share, hand->shares));
    wli_meet_gang(hand);
    return dm;
}

/* One step of the part's `rows` rows that lie from `place` on. */
static void run_step(const wli_chain *chain, const chunk *at, int64_t step, int64_t place, int64_t rows) {
    const wli_hand *hand = chain->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const wli_train_cell *cell = chain->cell;
    const bool top = chain->layer + 1 == trainer->model->num_layers;
    const void **dy = top && !at->call->d_out ? NULL : hand->worker->a;
    for (int64_t i = 0; i < rows && dy; i++) {
        const int64_t r = wli_chain_row(chain, i);
        dy[i] = from_above(chain, at, wli_chain_time(chain, step, r), r);
    }
    char *gates = wli_elements(trainer, chain->kept->gates, place * cell->gate_stride);
    char *dh = state_rows(chain, cell->dh, cell->h_stride);
    wli_backward_cell step_cell = { .units = wli_units_of(hand, cell->H),
                                    .rows = rows,
                                    .gates = gates,
                                    .ldg = cell->gate_stride,
                                    .c = wli_elements(trainer, chain->kept->c, place * cell->c_stride),
                                    .ldc = cell->c_stride,
                                    .dy = (const void *const *)dy,
                                    .dh = dh,
                                    .ldh = tape->parts * cell->h_stride,
                                    .dc = state_rows(chain, cell->dc, cell->c_stride),
                                    .lddc = tape->parts * cell->c_stride,
                                    .kept = cell->P > 0 };
    step_cell.c_prev = wli_chain_c_before(chain, step, &step_cell.ldc_prev);
    if (cell->P > 0) {
        step_cell.dh = unproject(chain, place, rows, (const void *const *)dy);
        step_cell.ldh = tape->parts * cell->c_stride;
        step_cell.dy = NULL;
    }
    trainer->kernels->backward(&step_cell);
    wli_meet_gang(hand);
    if (step > 0 || at->call->d_h_0) {
        for (int64_t i = 0; i < rows; i++)
            hand->worker->b[i] = gates + (size_t)(i * cell->gate_stride) * trainer->element;
        multiply_back(hand, rows, &cell->hh, trainer->shared.zeros, dh, tape->parts * cell->h_stride,
                      wli_panels_of(hand, cell->R, hand->share, hand->shares));
    }
    wli_meet_gang(hand);
}

static void run_chain(const wli_chain *chain, const chunk *at) {
    const wli_tape *tape = chain->hand->tape;
    if (chain->to == tape->call.seq_len) move_states(chain, at->call, false);
    for (int64_t s = chain->to - 1; s >= chain->from; s--) {
        int64_t rows;
        const int64_t place = wli_tape_part(tape, chain->part, s, &rows);
        if (rows > 0) run_step(chain, at, s, place, rows);
    }
    if (chain->from == 0) move_states(chain, at->call, true);
}

/* Rows [first, end) of a chunk's gradients of the layer's input, times and rows counted as `first` of the tape counts
 * them, and a range of its panels. */
typedef struct piece {
    int64_t layer, first, end;
    wli_panel_range range;
} piece;

/* The pair (t, r) that is number n, from the time of the pair before on. */
static void find_pair(const wli_tape *tape, int64_t n, int64_t *t, int64_t *r) {
    while (tape->first[*t + 1] <= n) ++*t;
    *r = n - tape->first[*t];
}

/* dX [pairs, I] = the sum over directions of dG W_ih: into the window, or a piece at a time on to d_x. */
static void multiply_piece(const wli_hand *hand, const wli_backward_call *call, const piece *part, int64_t t, void *to,
                           int64_t stride) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const int D = trainer->model->num_directions;
    const int64_t rows = part->end - part->first, I = wli_trainer_cell(trainer, part->layer, 0)->I;
    const wli_span columns = wli_columns_of(hand, part->range, I);
    for (int direction = 0; direction < D; direction++) {
        const wli_train_cell *cell = wli_trainer_cell(trainer, part->layer, direction);
        const wli_tape_cell *kept = &tape->cells[part->layer * D + direction];
        int64_t time = t, r;
        for (int64_t i = 0; i < rows; i++) {
            find_pair(tape, part->first + i, &time, &r);
            const int64_t step = direction ? tape->rows.lengths[r] - 1 - time : time;
            hand->worker->b[i] = wli_elements(trainer, kept->gates, wli_tape_place(tape, step, r) * cell->gate_stride);
        }
        multiply_back(hand, rows, &cell->ih, direction ? NULL : trainer->shared.zeros, to, stride, part->range);
    }
    for (int64_t i = 0, r; i < rows; i++) {
        find_pair(tape, part->first + i, &t, &r);
        char *row = wli_elements(trainer, to, i * stride);
        if (part->layer > 0)
            wli_drop_row(trainer, tape, part->layer - 1, t, r, columns.first, columns.end, row);
        else
            memcpy(wli_elements(trainer, wli_callers_row(trainer, tape, call->d_x, I, t, r), columns.first),
                   wli_elements(trainer, row, columns.first), (size_t)(columns.end - columns.first) * trainer->element);
    }
}

/* Of a chunk, rows shared by the crew, or the columns where there are few rows. */
static void back_to_input(const wli_hand *hand, const chunk *at, int64_t layer) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    if (layer == 0 && !at->call->d_x) return;
    const int64_t I = wli_trainer_cell(trainer, layer, 0)->I, stride = wli_gate_stride(I, trainer->element);
    const int64_t first = tape->first[at->from], pairs = tape->first[at->to] - first, enough = 32;
    const bool by_rows = pairs >= enough * hand->threads;
    const wli_span own = by_rows ? wli_span_of(pairs, hand->me, hand->threads) : (wli_span){ 0, pairs };
    piece part = { layer, 0, 0,
                   by_rows ? wli_panels_of(hand, I, 0, 1) : wli_panels_of(hand, I, hand->me, hand->threads) };
    void *const all = layer > 0 ? gradients_of_input(hand, at, layer) : NULL;
    int64_t t = at->from, r;
    if (part.range.first >= part.range.end) return;
    for (int64_t n = own.first; n < own.end; n += WLI_PIECE_ROWS) {
        part.first = first + n;
        part.end = first + (own.end - n < WLI_PIECE_ROWS ? own.end : n + WLI_PIECE_ROWS);
        find_pair(tape, part.first, &t, &r);
        void *rows = all ? wli_elements(trainer, all, n * stride) : hand->worker->piece;
        multiply_piece(hand, at->call, &part, t, rows, stride);
    }
}

/* d_x behind the rows' ends. */
static void end_rows(const wli_hand *hand, const wli_backward_call *call) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const int64_t I = wli_trainer_cell(trainer, 0, 0)->I;
    if (tape->packed) return;
    for (int64_t r = hand->me; r < tape->call.batch && call->d_x; r += hand->threads)
        for (int64_t t = tape->rows.lengths[r]; t < tape->call.seq_len; t++)
            memset(wli_callers_row(trainer, tape, call->d_x, I, t, r), 0, (size_t)I * trainer->element);
}

/* Blocks of pairs that begin before a step. */
static int64_t blocks_before(const wli_tape *tape, int64_t step) {
    return (tape->first[step] + WLI_BLOCK_PAIRS - 1) / WLI_BLOCK_PAIRS;
}

/* The steps of a chunk in a layer, then the gradients of its input. */
static void run_layer(const wli_hand *hand, const chunk *at, int64_t layer) {
    const wli_tape *tape = hand->tape;
    const int D = hand->trainer->model->num_directions;
    for (int64_t direction = hand->direction; hand->steps && direction < D; direction += hand->directions)
        for (int64_t part = hand->part; part < tape->parts; part += hand->parts) {
            const wli_chain chain = wli_chain_of(hand, layer, direction, part, at->from, at->to);
            run_chain(&chain, at);
        }
    wli_meet_crew(hand);
    back_to_input(hand, at, layer);
}

/* The gradients of a layer's parameters by a chunk. */
static void add_gradients(const wli_hand *hand, const chunk *at, int64_t layer, int *turn) {
    const wli_tape *tape = hand->tape;
    const int64_t first = blocks_before(tape, at->from), end = blocks_before(tape, at->to);
    for (int direction = 0; direction < hand->trainer->model->num_directions; direction++)
        wli_add_gradients(hand, layer, direction, first, end, at->call->adds, turn);
}

/* A chunk through the crew's layers. The crew below waits for the gradients of their input, so they come first; a crew
 * alone adds up a layer's while they are near. */
static void run_chunk(const wli_hand *hand, const chunk *at, int *turn) {
    wli_await_neighbours(hand, at->number);
    for (int64_t layer = hand->end_layer - 1; layer >= hand->first_layer; layer--) {
        run_layer(hand, at, layer);
        if (hand->crews == 1) add_gradients(hand, at, layer, turn);
        wli_meet_crew(hand);
        if (hand->crews == 1 && at->from == 0) wli_gradients_complete(hand, layer);
        wli_tell_complete(hand);
    }
    if (hand->crews == 1) return;
    wli_tell_neighbours(hand, at->number);
    for (int64_t layer = hand->end_layer - 1; layer >= hand->first_layer; layer--) {
        add_gradients(hand, at, layer, turn);
        wli_meet_crew(hand);
        if (at->from == 0) wli_gradients_complete(hand, layer);
        wli_tell_complete(hand);
    }
}

/* Steps of a chunk of a window. */
static int64_t chunk_steps(const wli_hand *hand) {
    const wli_tape *tape = hand->tape;
    const int64_t whole = wli_backward_chunk(hand->trainer, tape->call.seq_len, tape->call.batch);
    const int64_t beside = wli_chunk_for(hand, tape->window_steps);
    return whole < beside ? whole : beside;
}

void wli_backward_pass(wli_hand *hand, const void *arguments) {
    const wli_backward_call *call = arguments;
    const wli_tape *tape = hand->tape;
    const int64_t windows = wli_tape_windows(tape), steps = chunk_steps(hand);
    int turn = 0;
    wli_weights_pack(hand, true);
    for (int64_t window = windows - 1; window >= 0; window--) {
        const int64_t first = wli_window_first(tape, window), end = wli_window_first(tape, window + 1);
        if (window < windows - 1) wli_forward_again(hand, window);
        const int64_t chunks = (end - first + steps - 1) / steps;
        for (int64_t number = 0; number < chunks; number++) {
            const int64_t from = first + (chunks - 1 - number) * steps, to = from + steps < end ? from + steps : end;
            run_chunk(hand, &(chunk){ call, number, from, to }, &turn);
        }
        if (window == 0) break;
        for (int64_t layer = hand->first_layer; layer < hand->end_layer; layer++) wli_leave_pairs(hand, layer, 0);
        wli_meet_team(hand);
    }
    if (hand->crew == 0) end_rows(hand, call);
    wli_meet_team(hand);
    wli_tell_complete(hand);
}
