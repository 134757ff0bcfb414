/* A stream: samples come when they come, one at a time or a few at once, and each is answered at once. The states are carried
 * from call to call, so the pieces give what the whole sequence would. A plan of one's own is made before the stream begins:
 * wlstm_plan_execute then allocates nothing and takes no lock, as a control loop needs it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SAMPLES = 60, LARGEST_PIECE = 4, INPUT_SIZE = 6, HIDDEN_SIZE = 32, NUM_LAYERS = 2 };

/* Batch 1, so an array is [seq_len, features] in memory. */
static float samples[SAMPLES][INPUT_SIZE], answers[SAMPLES][HIDDEN_SIZE], whole[SAMPLES][HIDDEN_SIZE];
static float h[NUM_LAYERS][HIDDEN_SIZE], c[NUM_LAYERS][HIDDEN_SIZE]; /* zeros: nothing seen yet */

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    config.num_layers = NUM_LAYERS;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm));

    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = LARGEST_PIECE; /* any shorter piece will do as well */
    options.max_batch = 1;
    options.num_threads = 1;
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &options, &plan));
    printf("%s\n", wlstm_plan_describe(plan));

    for (int t = 0; t < SAMPLES; ++t) {
        for (int i = 0; i < INPUT_SIZE; ++i) samples[t][i] = sinf((float)(t * 31 + i));
    }

    int pieces = 0;
    for (int t = 0, piece; t < SAMPLES; t += piece, ++pieces) {
        piece = 1 + pieces % LARGEST_PIECE; /* as many as have come */
        if (piece > SAMPLES - t) piece = SAMPLES - t;
        /* h_n and c_n take the place of h_0 and c_0. */
        check(wlstm_plan_execute(plan, piece, 1, NULL, samples[t], h, c, answers[t], h, c));
    }
    wlstm_plan_free(plan);

    check(wlstm_forward(lstm, SAMPLES, 1, NULL, samples, NULL, NULL, whole, NULL, NULL));
    wlstm_lstm_free(lstm);
    float largest = 0.0f;
    for (int t = 0; t < SAMPLES; ++t) {
        for (int i = 0; i < HIDDEN_SIZE; ++i) largest = fmaxf(largest, fabsf(answers[t][i] - whole[t][i]));
    }
    const int same = largest < 1e-5f;
    printf("%d samples in %d pieces: %s as the whole sequence\n", SAMPLES, pieces, same ? "the same" : "not the same");
    return same ? 0 : 1;
}
