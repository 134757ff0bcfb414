/* Two unlike cells on top of each other, 100 to 30 to 20, both stepped bottom-up at each time:
 *
 *     lower, upper = nn.LSTMCell(100, 30), nn.LSTMCell(30, 20)
 *     for x_t in x:                       # x [10, 3, 100]
 *         h1, c1 = lower(x_t, (h1, c1))
 *         h2, c2 = upper(h1, (h2, c2))
 *
 * PyTorch's nn.LSTM has one hidden_size for all layers, so there this stays a loop. wlstm_lstm_create_from_cells makes one
 * lstm of such a stack, which runs the whole sequence at once: the results must be the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SEQ_LEN = 10, BATCH = 3, INPUT_SIZE = 100, LOWER = 30, UPPER = 20 };

static float x[SEQ_LEN][BATCH][INPUT_SIZE];
static float h1[BATCH][LOWER], c1[BATCH][LOWER], h2[BATCH][UPPER], c2[BATCH][UPPER]; /* zeros to begin with */
static float out[SEQ_LEN][BATCH][UPPER];                                             /* h2 at all times */

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

static wlstm_cell *create_cell(int input_size, int hidden_size) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = input_size;
    config.hidden_size = hidden_size;
    wlstm_cell *cell;
    check(wlstm_cell_create(&config, &cell));
    return cell;
}

/* The largest difference between the loop's `out` and that of the two cells as one lstm. */
static float one_lstm_difference(const wlstm_cell *lower, const wlstm_cell *upper) {
    static float stack_out[SEQ_LEN][BATCH][UPPER];
    const wlstm_cell *const cells[] = { lower, upper };
    float largest = 0.0f;
    wlstm_lstm *stack;
    check(wlstm_lstm_create_from_cells(cells, 2, &stack));
    check(wlstm_forward(stack, SEQ_LEN, BATCH, NULL, x, NULL, NULL, stack_out, NULL, NULL));
    wlstm_lstm_free(stack);
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < UPPER; ++i) largest = fmaxf(largest, fabsf(stack_out[t][b][i] - out[t][b][i]));
        }
    }
    return largest;
}

int main(void) {
    wlstm_cell *lower = create_cell(INPUT_SIZE, LOWER), *upper = create_cell(LOWER, UPPER);

    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }

    for (int t = 0; t < SEQ_LEN; ++t) {
        check(wlstm_cell_forward(lower, BATCH, x[t], h1, c1, h1, c1));
        check(wlstm_cell_forward(upper, BATCH, h1, h2, c2, h2, c2));
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < UPPER; ++i) out[t][b][i] = h2[b][i];
        }
    }
    printf("lower h [%d, %d], upper h [%d, %d], out [%d, %d, %d]\n", BATCH, LOWER, BATCH, UPPER, SEQ_LEN, BATCH, UPPER);
    printf("last step, first row: %.6f\n", (double)out[SEQ_LEN - 1][0][0]);

    const float difference = one_lstm_difference(lower, upper);
    wlstm_cell_free(lower);
    wlstm_cell_free(upper);
    const int same = difference < 1e-5f;
    printf("as one lstm: %s\n", same ? "the same" : "different");
    return same ? 0 : 1;
}
