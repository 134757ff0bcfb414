/* nn.LSTM(100, 20, num_layers=4) on x [10, 3, 100], as in PyTorch:
 *
 *     lstm = nn.LSTM(input_size=100, hidden_size=20, num_layers=4)
 *     x = torch.randn(10, 3, 100)
 *     out, (h, c) = lstm(x)
 *
 * At the end the same sequence is fed one step at a time, the states carried along: the results must be the same. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SEQ_LEN = 10, BATCH = 3, INPUT_SIZE = 100, HIDDEN_SIZE = 20, NUM_LAYERS = 4 };

static float x[SEQ_LEN][BATCH][INPUT_SIZE];
static float out[SEQ_LEN][BATCH][HIDDEN_SIZE];
static float h_n[NUM_LAYERS][BATCH][HIDDEN_SIZE];
static float c_n[NUM_LAYERS][BATCH][HIDDEN_SIZE];

/* Every function that can fail returns a status; wlstm_last_error() says what was wrong. */
static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

/* The largest difference between what a step-by-step run gives and `out`. */
static float step_by_step_difference(wlstm_lstm *lstm) {
    static float h[NUM_LAYERS][BATCH][HIDDEN_SIZE], c[NUM_LAYERS][BATCH][HIDDEN_SIZE]; /* zeros to begin with */
    float step_out[BATCH][HIDDEN_SIZE], largest = 0.0f;
    for (int t = 0; t < SEQ_LEN; ++t) {
        /* one step; the new states take the old ones' place */
        check(wlstm_forward(lstm, 1, BATCH, NULL, x[t], h, c, step_out, h, c));
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < HIDDEN_SIZE; ++i) largest = fmaxf(largest, fabsf(step_out[b][i] - out[t][b][i]));
        }
    }
    return largest;
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT; /* PyTorch's defaults */
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    config.num_layers = NUM_LAYERS;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm)); /* random parameters; wlstm_lstm_load takes trained ones from a file */

    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }

    /* No lengths: every row is SEQ_LEN long. No h_0 and c_0: they are zeros. */
    check(wlstm_forward(lstm, SEQ_LEN, BATCH, NULL, x, NULL, NULL, out, h_n, c_n));

    printf("out [%d, %d, %d]\n", SEQ_LEN, BATCH, HIDDEN_SIZE);
    printf("h   [%d, %d, %d]\n", NUM_LAYERS, BATCH, HIDDEN_SIZE);
    printf("c   [%d, %d, %d]\n", NUM_LAYERS, BATCH, HIDDEN_SIZE);
    printf("last step, first row: out %.6f, h of the last layer %.6f\n", (double)out[SEQ_LEN - 1][0][0],
           (double)h_n[NUM_LAYERS - 1][0][0]);

    const float difference = step_by_step_difference(lstm);
    wlstm_lstm_free(lstm);
    const int same = difference < 1e-5f;
    printf("one step at a time: %s\n", same ? "the same" : "different");
    return same ? 0 : 1;
}
