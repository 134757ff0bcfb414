/* Inside an OpenMP program that uses all cores already, one lstm serves every thread: each makes a plan of its own for one
 * thread, and the plans share the packed weights. Called from inside a parallel region, plans run on the calling thread alone,
 * so the program's threads stay as many as it asked for. `deterministic` gives each cell of the simulation the same bits,
 * whatever thread computes it and in whatever batch. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <omp.h>
#include <wavelstm.h>

/* A simulation: in each of CELLS an lstm closes a model, from the STEPS last states of FIELDS fields there. */
enum { CELLS = 400, BLOCK = 16, STEPS = 8, FIELDS = 10, HIDDEN_SIZE = 24 };

static float x[CELLS / BLOCK][STEPS][BLOCK][FIELDS];
static float out[CELLS / BLOCK][STEPS][BLOCK][HIDDEN_SIZE], serial[CELLS / BLOCK][STEPS][BLOCK][HIDDEN_SIZE];

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error()); /* of the calling thread */
    exit(1);
}

static wlstm_plan *create_plan(wlstm_lstm *lstm) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = STEPS;
    options.max_batch = BLOCK;
    options.num_threads = 1;
    options.deterministic = 1;
    wlstm_plan *plan;
    check(wlstm_plan_create(lstm, &options, &plan));
    return plan;
}

int main(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = FIELDS;
    config.hidden_size = HIDDEN_SIZE;
    wlstm_lstm *lstm;
    check(wlstm_lstm_create(&config, &lstm));

    for (size_t i = 0; i < sizeof x / sizeof(float); ++i) (&x[0][0][0][0])[i] = sinf((float)i);

    int threads = 0;
#pragma omp parallel num_threads(4) reduction(+ : threads)
    {
        wlstm_plan *plan = create_plan(lstm); /* once, before the time loop; safe on all threads at once */
        threads = 1;
#pragma omp for schedule(dynamic)
        for (int i = 0; i < CELLS / BLOCK; ++i)
            check(wlstm_plan_execute(plan, STEPS, BLOCK, NULL, x[i], NULL, NULL, out[i], NULL, NULL));
        wlstm_plan_free(plan);
    }

    wlstm_plan *plan = create_plan(lstm);
    wlstm_lstm_free(lstm); /* plans stay usable */
    for (int i = 0; i < CELLS / BLOCK; ++i)
        check(wlstm_plan_execute(plan, STEPS, BLOCK, NULL, x[i], NULL, NULL, serial[i], NULL, NULL));
    wlstm_plan_free(plan);

    const int same = memcmp(out, serial, sizeof out) == 0;
    printf("%d cells on %d threads: %s as on one\n", CELLS, threads, same ? "the same bits" : "not the same");
    return same ? 0 : 1;
}
