/* What a streams object is expected to be: streams that are each run alone, by wlstm_forward, one row and one step a
 * call, but where a call rounds c at its end: there a call of as many steps. */
#ifndef TEST_SUPPORT_STREAM_MODEL_H
#define TEST_SUPPORT_STREAM_MODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <wavelstm.h>

typedef struct stream_model {
    wlstm_lstm *lstm;
    wlstm_dtype dtype;
    bool batch_first;
    int64_t x_width, out_width, h_count, c_count; /* of a row; of a stream */
    int64_t most, open;
    int64_t *ids; /* [most] of the open streams, in any order */
    char **h, **c;
    wlstm_streams *streams;
    uint64_t *random;
    void *x, *out, *alone, *expected; /* room for a call, and for one stream's x and out */
} stream_model;

enum { STREAM_STEPS = 6 }; /* the most of a run */

/* Of a new streams object of the lstm, whose most streams the options say. Asserts that there is one. */
stream_model stream_model_make(wlstm_lstm *lstm, const wlstm_streams_options *options, uint64_t *random);
void stream_model_free(stream_model *m);

/* Each does one thing to both and asserts that they agree, bit for bit. open and close may be refused where they should
 * be; a step is of up to `count` of the open streams, in random order; a run of up to STREAM_STEPS steps each. */
void stream_model_open(stream_model *m);
void stream_model_close(stream_model *m);
void stream_model_reset(stream_model *m);
void stream_model_set(stream_model *m);
void stream_model_get(stream_model *m);
void stream_model_step(stream_model *m, int64_t count);
void stream_model_run(stream_model *m, int64_t count);

/* One of them at random, steps and runs of up to `most_rows`. */
void stream_model_any(stream_model *m, int64_t most_rows);

#endif
