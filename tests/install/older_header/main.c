/* A program that was compiled with the first header, with rubbish in the padding of its structs, on today's shared library. */
#include <wavelstm.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first header has no function of this name. */
static const size_t wlstm_tensor_read = sizeof(wlstm_plan_options);

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

int main(int argc, char **argv) {
    static float x[5 * 3 * 4], out[5 * 3 * 7], again[5 * 3 * 7];
    wlstm_lstm_config config, told;
    wlstm_plan_options options;
    wlstm_load_options load;
    wlstm_lstm *lstm, *loaded;
    wlstm_plan *plan;
    if (argc < 2) return 2;
    for (int i = 0; i < 5 * 3 * 4; i++) x[i] = (float)i / 60;

    memset(&config, 0xff, sizeof config);
    config.struct_size = sizeof config, config.input_size = 4, config.hidden_size = 7, config.num_layers = 2;
    config.proj_size = 0, config.dropout = 0, config.bias = 1, config.batch_first = config.bidirectional = 0;
    config.dtype = WLSTM_F32;
    check(wlstm_lstm_create(&config, &lstm));
    memset(&told, 0xff, sizeof told);
    told.struct_size = sizeof told;
    check(wlstm_lstm_get_config(lstm, &told));

    memset(&options, 0xff, sizeof options);
    options.struct_size = wlstm_tensor_read, options.max_seq_len = 5, options.max_batch = 3, options.num_threads = 0;
    options.backend = WLSTM_BACKEND_AUTO, options.effort = WLSTM_EFFORT_DEFAULT, options.time_limit = 0;
    options.deterministic = 1;
    check(wlstm_plan_create(lstm, &options, &plan));
    check(wlstm_plan_execute(plan, 5, 3, NULL, x, NULL, NULL, out, NULL, NULL));

    check(wlstm_lstm_save(lstm, argv[1], "lstm."));
    memset(&load, 0xff, sizeof load);
    load.struct_size = sizeof load, load.prefix = "lstm.", load.batch_first = load.convert = 0, load.dtype = WLSTM_F32;
    check(wlstm_lstm_load(argv[1], &load, &loaded));
    check(wlstm_forward(loaded, 5, 3, NULL, x, NULL, NULL, again, NULL, NULL));
    const int same = memcmp(out, again, sizeof out) == 0 && told.hidden_size == 7 && told.num_layers == 2;
    puts(same ? "the same" : "other results");
    wlstm_plan_free(plan);
    wlstm_lstm_free(lstm);
    wlstm_lstm_free(loaded);
    return !same;
}
