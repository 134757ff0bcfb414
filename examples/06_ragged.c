/* Sequences of different lengths in one batch, padded to the longest, through a bidirectional lstm:
 *
 *     packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
 *     out, (h, c) = lstm(packed)
 *     out, _ = pad_packed_sequence(out, total_length=SEQ_LEN)
 *
 * Here the lengths are an argument. The padding is never read, and costs nothing. Each row must come out as if it were alone. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SEQ_LEN = 9, BATCH = 4, INPUT_SIZE = 5, HIDDEN_SIZE = 12, DIRECTIONS = 2 };

static const int64_t lengths[BATCH] = { 6, 9, 1, 4 }; /* in any order */
static float x[SEQ_LEN][BATCH][INPUT_SIZE];
static float out[SEQ_LEN][BATCH][DIRECTIONS * HIDDEN_SIZE]; /* forward direction first */
static float h_n[DIRECTIONS][BATCH][HIDDEN_SIZE];           /* each row's at its own last step, or first in reverse */

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

/* The largest difference of row b from the same sequence run alone; past its end out must be zero. */
static float difference_from_alone(wlstm_lstm *lstm, int b) {
    static float row[SEQ_LEN][INPUT_SIZE], row_out[SEQ_LEN][DIRECTIONS * HIDDEN_SIZE], row_h[DIRECTIONS][HIDDEN_SIZE];
    float largest = 0.0f;
    for (int t = 0; t < lengths[b]; ++t) {
        for (int i = 0; i < INPUT_SIZE; ++i) row[t][i] = x[t][b][i];
    }
    check(wlstm_forward(lstm, lengths[b], 1, NULL, row, NULL, NULL, row_out, row_h, NULL));
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int i = 0; i < DIRECTIONS * HIDDEN_SIZE; ++i)
            largest = fmaxf(largest, fabsf(out[t][b][i] - (t < lengths[b] ? row_out[t][i] : 0.0f)));
    }
    for (int d = 0; d < DIRECTIONS; ++d) {
        for (int i = 0; i < HIDDEN_SIZE; ++i) largest = fmaxf(largest, fabsf(h_n[d][b][i] - row_h[d][i]));
    }
    return largest;
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    config.bidirectional = 1;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm));

    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            /* NaN as padding: one of them read would show. */
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = t < lengths[b] ? sinf((float)(t * 31 + b * 17 + i)) : NAN;
        }
    }
    check(wlstm_forward(lstm, SEQ_LEN, BATCH, lengths, x, NULL, NULL, out, h_n, NULL));

    int same = 1;
    for (int b = 0; b < BATCH; ++b) {
        const float difference = difference_from_alone(lstm, b);
        printf("row %d, %d steps: %s as alone\n", b, (int)lengths[b], difference < 1e-5f ? "the same" : "not the same");
        same &= difference < 1e-5f; /* NaN is not */
    }
    wlstm_lstm_free(lstm);
    return same ? 0 : 1;
}
