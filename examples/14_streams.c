/* A voice detector for many callers: each speaks in frames, one every 32 ms, and has a state of its own; one lstm of 128 features and
 * 128 units serves them all. At every tick whoever has a frame gets a step, all of them in one batch, while callers come and go. The
 * states lie inside the streams. What one caller gets is what it would get alone, whoever else is there: one is checked at the end. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wavelstm.h>

enum { CALLERS = 1000, TICKS = 50, FEATURES = 128, UNITS = 128, SHORTEST_CALL = 10 };

typedef struct caller {
    int64_t stream; /* 0: nobody is on this line */
    int line, frames, frames_left;
} caller;

static caller callers[CALLERS];
static int64_t ids[CALLERS];
static float x[CALLERS][FEATURES], h[CALLERS][UNITS];
/* The first call on line 0, which is a short one. */
static float first_x[SHORTEST_CALL][FEATURES], first_h[SHORTEST_CALL][UNITS], alone[SHORTEST_CALL][UNITS];

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

/* What a spectrogram of the caller's voice would be. */
static void next_frame(caller *who, float *frame) {
    for (int i = 0; i < FEATURES; ++i) frame[i] = sinf((float)(who->line * 37 + who->frames * 11 + i));
    who->frames++;
    who->frames_left--;
}

/* The linear layer over relu(h) that such a detector ends in, its weights made up here. */
static int is_speech(const float *state) {
    float score = 0.0f;
    for (int i = 0; i < UNITS; ++i) score += (i % 2 ? 1.0f : -1.0f) * fmaxf(state[i], 0.0f);
    return score > 0.0f;
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = FEATURES;
    config.hidden_size = UNITS;
    wlstm_lstm *lstm; /* a program loads a trained one: 04_load.c */
    check(wlstm_lstm_create(&config, &lstm));

    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = CALLERS;
    wlstm_streams *streams;
    check(wlstm_streams_create(lstm, &options, &streams));

    int64_t opened = 0, steps = 0, speech = 0;
    int kept = 0; /* frames of the first call on line 0 */
    for (int tick = 0; tick < TICKS; ++tick) {
        int64_t count = 0;
        for (int line = 0; line < CALLERS; ++line) {
            caller *who = &callers[line];
            if (who->stream == 0 && (tick + line) % 7 == 0) { /* a call begins */
                *who = (caller){ .line = line, .frames_left = SHORTEST_CALL + line % 40 };
                check(wlstm_streams_open(streams, &who->stream));
                opened++;
            }
            if (who->stream == 0 || (tick * 5 + line) % 3 == 0) continue; /* nothing came from this line in time */
            next_frame(who, x[count]);
            ids[count++] = who->stream;
        }
        check(wlstm_streams_step(streams, count, ids, &x[0][0], &h[0][0]));
        steps += count;
        for (int64_t row = 0; row < count; ++row) speech += is_speech(h[row]);

        if (count > 0 && ids[0] == callers[0].stream && callers[0].frames == kept + 1) {
            memcpy(first_x[kept], x[0], sizeof x[0]);
            memcpy(first_h[kept++], h[0], sizeof h[0]);
        }
        for (int line = 0; line < CALLERS; ++line) {
            caller *who = &callers[line];
            if (who->stream == 0 || who->frames_left > 0) continue;
            check(wlstm_streams_close(streams, who->stream)); /* its id is nobody's from here on */
            who->stream = 0;
        }
    }
    wlstm_streams_free(streams);
    printf("%lld calls, %lld frames, %lld of them speech\n", (long long)opened, (long long)steps, (long long)speech);

    wlstm_plan_options alone_options = WLSTM_PLAN_OPTIONS_INIT;
    alone_options.max_seq_len = SHORTEST_CALL;
    alone_options.max_batch = 1;
    alone_options.backend = WLSTM_BACKEND_NATIVE;
    alone_options.deterministic = 1;
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &alone_options, &plan));
    check(wlstm_plan_execute(plan, SHORTEST_CALL, 1, NULL, first_x, NULL, NULL, alone, NULL, NULL));
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    const int same = kept == SHORTEST_CALL && memcmp(first_h, alone, sizeof alone) == 0;
    printf("the %d frames of one call: %s as if alone\n", kept, same ? "the same bits" : "not the same");
    return same ? 0 : 1;
}
