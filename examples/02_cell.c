/* One nn.LSTMCell(100, 20), batch 3, 10 steps; the loop over time is the caller's own:
 *
 *     cell = nn.LSTMCell(100, 20)
 *     h, c = torch.zeros(3, 20), torch.zeros(3, 20)
 *     for x_t in x:                       # x [10, 3, 100]
 *         h, c = cell(x_t, (h, c))
 *
 * At the end an nn.LSTM of one layer with the cell's parameters runs the sequence at once: the results must be the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SEQ_LEN = 10, BATCH = 3, INPUT_SIZE = 100, HIDDEN_SIZE = 20 };

static float x[SEQ_LEN][BATCH][INPUT_SIZE];
static float h[BATCH][HIDDEN_SIZE], c[BATCH][HIDDEN_SIZE]; /* zeros to begin with */

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

/* The largest difference between the cell's last states and those of the same maths as one layer. */
static float one_layer_difference(const wlstm_cell *cell) {
    static float out[SEQ_LEN][BATCH][HIDDEN_SIZE], h_n[BATCH][HIDDEN_SIZE], c_n[BATCH][HIDDEN_SIZE];
    float largest = 0.0f;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create_from_cells(&cell, 1, &lstm)); /* copies the parameters */
    check(wlstm_forward(lstm, SEQ_LEN, BATCH, NULL, x, NULL, NULL, out, h_n, c_n));
    wlstm_lstm_free(lstm);
    for (int b = 0; b < BATCH; ++b) {
        for (int i = 0; i < HIDDEN_SIZE; ++i) {
            largest = fmaxf(largest, fmaxf(fabsf(h_n[b][i] - h[b][i]), fabsf(c_n[b][i] - c[b][i])));
        }
    }
    return largest;
}

int main(void) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    wlstm_cell *cell;
    check(wlstm_cell_create(&config, &cell));

    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }

    for (int t = 0; t < SEQ_LEN; ++t) {
        check(wlstm_cell_forward(cell, BATCH, x[t], h, c, h, c)); /* the new states take the old ones' place */
        printf("step %2d: h[0][0] = %9.6f, c[0][0] = %9.6f\n", t, (double)h[0][0], (double)c[0][0]);
    }
    printf("h [%d, %d]\nc [%d, %d]\n", BATCH, HIDDEN_SIZE, BATCH, HIDDEN_SIZE);

    const float difference = one_layer_difference(cell);
    wlstm_cell_free(cell);
    const int same = difference < 1e-5f;
    printf("as one layer: %s\n", same ? "the same" : "different");
    return same ? 0 : 1;
}
