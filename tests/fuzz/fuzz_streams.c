/* A model, a streams object and what is done to it out of the bytes: what comes of each stream is what comes of it
 * alone, bit for bit. */
#include "draw.h"
#include "target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stream_model.h"

enum { MOST_STREAMS = 40, MOST_DEEDS = 60 };

static void do_any(stream_model *m, int64_t what, int64_t most_rows) {
    if (what < 6)
        stream_model_open(m);
    else if (what == 6)
        stream_model_close(m);
    else if (what == 7)
        stream_model_reset(m);
    else if (what == 8)
        stream_model_set(m);
    else if (what == 9)
        stream_model_get(m);
    else if (what < 13)
        stream_model_run(m, most_rows);
    else
        stream_model_step(m, most_rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    fuzz_source source = { bytes, count };
    setenv("WLSTM_CACHE", "off", 0);
    problem p = draw_problem(&source);
    p.config.bidirectional = 0, p.with_states = p.with_lengths = false;
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = fuzz_between(&source, 1, MOST_STREAMS);
    options.max_batch = fuzz_between(&source, 0, options.max_streams);
    options.num_threads = (int)fuzz_between(&source, 1, 4);
    options.precision = draw_precision(&source, &p);
    const bool compact = fuzz_between(&source, 0, 3) == 3;
    uint64_t random = (uint64_t)fuzz_between(&source, 0, 0xffff);
    problem_build(&p, &random);
    REQUIRE(wlstm_lstm_set_precision(p.lstm, options.precision) == WLSTM_OK);
    if (compact) REQUIRE(wlstm_lstm_compact(p.lstm) == WLSTM_OK);
    stream_model m = stream_model_make(p.lstm, &options, &random);
    for (int k = 0; k < MOST_DEEDS && source.left > 0; k++) {
        const int64_t what = fuzz_between(&source, 0, 15);
        do_any(&m, what, what >= 10 ? fuzz_between(&source, 0, options.max_streams) : 0);
    }
    stream_model_get(&m);
    stream_model_free(&m);
    problem_free(&p);
    return 0;
}
