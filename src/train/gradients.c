/* The gradients of a cell's parameters: sums over blocks of pairs (step, row). */
#include "train/passes.h"

#include <string.h>

/* One block of a cell: the pairs' rows of dG, and the panels of the rows that they meet. */
typedef struct wli_block {
    const wli_hand *hand;
    const wli_train_cell *cell;
    const wli_tape_cell *kept;
    int64_t layer;
    int direction;
    int64_t first, pairs; /* numbers of pairs */
    void *x, *h, *m;      /* panels of depth `pairs` */
    bool adds;
} wli_block;

/* Rows of pairs [first, end) of a block, by which rows they are. */
typedef enum wli_rows_of { ROWS_OF_GATES, ROWS_OF_INPUT, ROWS_OF_H_PREV, ROWS_OF_M, ROWS_OF_DH } wli_rows_of;

/* What a later window left of pair `number`. */
static char *left_at(const wli_block *block, wli_rows_of which, int64_t number) {
    const wlstm_trainer *trainer = block->hand->trainer;
    const wli_train_cell *cell = block->cell;
    const int64_t row = number % WLI_BLOCK_PAIRS;
    switch (which) {
    case ROWS_OF_GATES:
        return wli_elements(trainer, cell->left.gates, row * cell->gate_stride);
    case ROWS_OF_INPUT:
        return wli_elements(trainer, cell->left.x, row * wli_gate_stride(cell->I, trainer->element));
    case ROWS_OF_H_PREV:
        return wli_elements(trainer, cell->left.h, row * cell->h_stride);
    case ROWS_OF_M:
        return wli_elements(trainer, cell->left.m, row * cell->c_stride);
    default:
        return wli_elements(trainer, cell->left.dh, row * cell->h_stride);
    }
}

static const void *row_at(const wli_block *block, wli_rows_of which, int64_t step, int64_t r) {
    const wlstm_trainer *trainer = block->hand->trainer;
    const wli_tape *tape = block->hand->tape;
    const wli_train_cell *cell = block->cell;
    if (step >= wli_window_first(tape, tape->window + 1)) return left_at(block, which, tape->first[step] + r);
    switch (which) {
    case ROWS_OF_GATES:
        return wli_elements(trainer, block->kept->gates, wli_tape_place(tape, step, r) * cell->gate_stride);
    case ROWS_OF_INPUT:
        return wli_tape_input(trainer, tape, block->layer, wli_rows_time(&tape->rows, block->direction, step, r), r);
    case ROWS_OF_H_PREV:
        if (step == wli_window_first(tape, tape->window))
            return wli_tape_state_row(trainer, tape, block->kept->h_0, cell->h_stride, tape->window, r);
        return wli_tape_output(trainer, tape, block->layer, block->direction,
                               wli_rows_time(&tape->rows, block->direction, step - 1, r), r);
    case ROWS_OF_M:
        return wli_elements(trainer, block->kept->c, wli_tape_place(tape, step, r) * cell->c_stride);
    default:
        return wli_elements(trainer, block->kept->dh, wli_tape_place(tape, step, r) * cell->h_stride);
    }
}

static void point_to(const wli_block *block, wli_rows_of which, int64_t first, int64_t end, const void **rows) {
    const wli_tape *tape = block->hand->tape;
    int64_t low = 0, high = tape->call.seq_len;
    while (low + 1 < high) { /* the step of pair `first` */
        const int64_t middle = (low + high) / 2;
        if (tape->first[middle] <= block->first + first)
            low = middle;
        else
            high = middle;
    }
    for (int64_t n = first, step = low; n < end; n++) {
        while (tape->first[step + 1] <= block->first + n) step++;
        rows[n - first] = row_at(block, which, step, block->first + n - tape->first[step]);
    }
}

/* This thread's share of the pairs as rows of panels. */
static void spread(const wli_block *block, wli_rows_of which, int64_t width, void *panels) {
    const wli_hand *hand = block->hand;
    const wli_span own = wli_span_of(block->pairs, hand->me, hand->threads);
    point_to(block, which, own.first, own.end, hand->worker->b);
    hand->trainer->kernels->spread(hand->worker->b, own.end - own.first, width, own.first, block->pairs, panels);
}

/* dW [group's rows, width] += A [rows, pairs] * panels, from zero for each block: straight into its place where nothing
 * is there yet and its rows are whole vectors. */
static void multiply(const wli_block *block, const void *const *a, int64_t rows, const void *panels, int64_t width,
                     int64_t offset) {
    const wli_hand *hand = block->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const int64_t ldc = WLI_GROUP_COLUMNS + wli_gate_stride(1, trainer->element);
    for (int64_t column = 0; column < width; column += WLI_GROUP_COLUMNS) {
        const int64_t columns = width - column < WLI_GROUP_COLUMNS ? width - column : WLI_GROUP_COLUMNS;
        void *const place = wli_elements(trainer, trainer->gradients, offset + column);
        const bool straight = !block->adds && width % trainer->kernels->lanes == 0;
        wli_team_multiply(hand, &(wli_gemm_args){ .rows = rows,
                                                  .depth = block->pairs,
                                                  .columns = columns,
                                                  .a = a,
                                                  .panels = wli_elements(trainer, panels, column * block->pairs),
                                                  .bias = trainer->shared.zeros,
                                                  .c = straight ? place : hand->worker->product,
                                                  .ldc = straight ? width : ldc,
                                                  .range = wli_panels_of(hand, columns, 0, 1) });
        if (!straight) trainer->kernels->add(rows, columns, hand->worker->product, ldc, place, width, block->adds);
    }
}

/* Rows [first, end) of the gradients of a weight, or of two whose rows meet the same dG, and of the biases. `which` are
 * the rows whose columns these are. */
static void add_rows(const wli_block *block, wli_rows_of which, int64_t first, int64_t end) {
    const wli_hand *hand = block->hand;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_train_cell *cell = block->cell;
    const int64_t stride = wli_gate_stride(WLI_BLOCK_PAIRS, trainer->element);
    const void **pairs = hand->worker->b, *rows[WLI_GROUP_ROWS];
    point_to(block, which, 0, block->pairs, pairs);
    for (int64_t i = 0; i < WLI_GROUP_ROWS; i++) rows[i] = wli_elements(trainer, hand->worker->turned, i * stride);
    for (int64_t row = first; row < end; row += WLI_GROUP_ROWS) {
        const int64_t count = end - row < WLI_GROUP_ROWS ? end - row : WLI_GROUP_ROWS;
        trainer->kernels->turn(pairs, block->pairs, row, count, hand->worker->turned, stride);
        if (which == ROWS_OF_DH) {
            multiply(block, rows, count, block->m, cell->H, cell->hr.offset + row * cell->H);
            continue;
        }
        multiply(block, rows, count, block->x, cell->I, cell->ih.offset + row * cell->I);
        multiply(block, rows, count, block->h, cell->R, cell->hh.offset + row * cell->R);
        if (cell->bias_ih < 0) continue;
        char *ih = wli_elements(trainer, trainer->gradients, cell->bias_ih + row);
        char *hh = wli_elements(trainer, trainer->gradients, cell->bias_hh + row);
        trainer->kernels->sum(pairs, block->pairs, row, count, ih, block->adds);
        trainer->kernels->sum(pairs, block->pairs, row, count, hh, block->adds);
    }
}

void wli_add_gradients(const wli_hand *hand, int64_t layer, int direction, int64_t first, int64_t end, bool adds,
                       int *turn) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const wli_train_cell *cell = wli_trainer_cell(trainer, layer, direction);
    const int64_t last = (tape->pairs + WLI_BLOCK_PAIRS - 1) / WLI_BLOCK_PAIRS - 1;
    for (int64_t n = end - 1; n >= first; n--) {
        const int64_t from = n * WLI_BLOCK_PAIRS, left = tape->pairs - from;
        wli_block block = { .hand = hand,
                            .cell = cell,
                            .kept = &tape->cells[layer * trainer->model->num_directions + direction],
                            .layer = layer,
                            .direction = direction,
                            .first = from,
                            .pairs = left < WLI_BLOCK_PAIRS ? left : WLI_BLOCK_PAIRS,
                            .adds = adds || n < last };
        block.x = trainer->shared.crews[hand->crew].blocks[(*turn)++ % 2];
        block.h = wli_elements(trainer, block.x, WLI_BLOCK_PAIRS * wli_padded(trainer, cell->I));
        block.m = wli_elements(trainer, block.h, WLI_BLOCK_PAIRS * wli_padded(trainer, cell->R));
        spread(&block, ROWS_OF_INPUT, cell->I, block.x);
        spread(&block, ROWS_OF_H_PREV, cell->R, block.h);
        if (cell->P > 0) spread(&block, ROWS_OF_M, cell->H, block.m);
        wli_meet_crew(hand);
        const wli_span gates = wli_span_of(4 * cell->H, hand->me, hand->threads);
        const wli_span outputs = wli_span_of(cell->P, hand->me, hand->threads);
        add_rows(&block, ROWS_OF_GATES, gates.first, gates.end);
        if (outputs.first < outputs.end) add_rows(&block, ROWS_OF_DH, outputs.first, outputs.end);
    }
}

void wli_leave_pairs(const wli_hand *hand, int64_t layer, int direction) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_tape *tape = hand->tape;
    const wli_train_cell *cell = wli_trainer_cell(trainer, layer, direction);
    const int64_t first = tape->first[wli_window_first(tape, tape->window)];
    const int64_t end_of_window = tape->first[wli_window_first(tape, tape->window + 1)];
    const int64_t end_of_block = (first + WLI_BLOCK_PAIRS - 1) / WLI_BLOCK_PAIRS * WLI_BLOCK_PAIRS;
    const int64_t pairs = (end_of_block < end_of_window ? end_of_block : end_of_window) - first;
    const wli_block block = { .hand = hand,
                              .cell = cell,
                              .kept = &tape->cells[layer * trainer->model->num_directions + direction],
                              .layer = layer,
                              .direction = direction,
                              .first = first,
                              .pairs = pairs };
    const int64_t widths[] = { 4 * cell->H, cell->I, cell->R, cell->H, cell->P };
    const wli_span own = wli_span_of(pairs, hand->me, hand->threads);
    for (int which = ROWS_OF_GATES; which <= (cell->P ? ROWS_OF_DH : ROWS_OF_H_PREV); which++) {
        point_to(&block, (wli_rows_of)which, own.first, own.end, hand->worker->b);
        for (int64_t n = own.first; n < own.end; n++)
            memcpy(left_at(&block, (wli_rows_of)which, first + n), hand->worker->b[n - own.first],
                   (size_t)widths[which] * trainer->element);
    }
}
