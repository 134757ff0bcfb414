/* Tuning at start-up. A program that will run one lstm for hours lets the library measure, once, which way is the fastest on this
 * machine for this problem: effort MEASURE, within a time limit. The result is the same within rounding; only the time differs. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <wavelstm.h>

enum { SEQ_LEN = 50, BATCH = 2, INPUT_SIZE = 64, HIDDEN_SIZE = 64, REPEATS = 20 };

static float x[SEQ_LEN][BATCH][INPUT_SIZE], out[2][SEQ_LEN][BATCH][HIDDEN_SIZE];

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

static wlstm_plan *create_plan(wlstm_lstm *lstm, wlstm_effort effort) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = SEQ_LEN;
    options.max_batch = BATCH;
    options.effort = effort;
    options.time_limit = 0.5; /* seconds that choosing may take */
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &options, &plan));
    return plan;
}

static double seconds(void) {
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The shortest time of a call, in microseconds. */
static double time_plan(wlstm_plan *plan, float (*result)[BATCH][HIDDEN_SIZE]) {
    double shortest = HUGE_VAL;
    for (int i = 0; i < REPEATS; ++i) {
        const double begin = seconds();
        check(wlstm_plan_execute(plan, SEQ_LEN, BATCH, NULL, x, NULL, NULL, result, NULL, NULL));
        shortest = fmin(shortest, seconds() - begin);
    }
    return 1e6 * shortest;
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = INPUT_SIZE;
    config.hidden_size = HIDDEN_SIZE;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm));
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < INPUT_SIZE; ++i) x[t][b][i] = sinf((float)(t * 31 + b * 17 + i));
        }
    }

    const wlstm_effort efforts[2] = { WLSTM_EFFORT_ESTIMATE, WLSTM_EFFORT_MEASURE };
    static const char *const names[2] = { "estimated", "measured" };
    for (int e = 0; e < 2; ++e) {
        const double begin = seconds();
        wlstm_plan *plan = create_plan(lstm, efforts[e]);
        printf("%-9s  chosen in %.3f s, ", names[e], seconds() - begin);
        printf("%7.1f microseconds a call\n           %s\n", time_plan(plan, out[e]), wlstm_plan_describe(plan));
        wlstm_plan_free(plan);
    }
    wlstm_lstm_free(lstm);

    float largest = 0.0f;
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int b = 0; b < BATCH; ++b) {
            for (int i = 0; i < HIDDEN_SIZE; ++i) largest = fmaxf(largest, fabsf(out[0][t][b][i] - out[1][t][b][i]));
        }
    }
    printf("largest difference %.1e\n", (double)largest);
    return largest < 1e-5f ? 0 : 1;
}
