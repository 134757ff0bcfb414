/* In each precision every schedule, thread count, chunk and split of the batch gives the same bits as one thread does
 * in one go; so does every order that the graph of the items allows, which is what the schedules rely on: the nodes
 * that are ready are run at random. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "random.h"
#include "reference/compare.h"
#include "reference/forward.h"
#include "schedule/item.h"

enum { PROBLEMS = 60 / FEWER, LARGEST_T = 23, LARGEST_B = 11, MOST_LAYERS = 4, LARGEST_H = 37, LARGEST_I = 25 };
enum { OUT = LARGEST_T * LARGEST_B * 2 * LARGEST_H, STATE = 2 * MOST_LAYERS * LARGEST_B * LARGEST_H };

static uint64_t stream;

/* Results of one run, in doubles' worth of memory for either dtype. */
typedef struct results {
    double out[OUT], h_n[STATE], c_n[STATE];
} results;

static double x[LARGEST_T * LARGEST_B * LARGEST_I], h_0[STATE], c_0[STATE];
static int64_t lengths[LARGEST_B], batch_sizes[LARGEST_T];
static results serial, other, expected;

static wli_model *draw_model(void) {
    static const wlstm_dtype dtypes[] = { WLSTM_F32, WLSTM_F32, WLSTM_F32, WLSTM_F64, WLSTM_BF16 };
    wli_model_spec spec = { .dtype = dtypes[random_between(&stream, 0, 4)],
                            .num_layers = random_between(&stream, 1, MOST_LAYERS),
                            .input_size = random_between(&stream, 1, LARGEST_I),
                            .hidden_size = random_between(&stream, 2, LARGEST_H),
                            .bias = true,
                            .bidirectional = random_between(&stream, 0, 2) == 0,
                            .batch_first = random_between(&stream, 0, 3) == 0 };
    if (random_between(&stream, 0, 4) == 0) spec.proj_size = random_between(&stream, 1, spec.hidden_size - 1);
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    assert_int_equal(wli_model_reset(&model, (uint64_t)random_between(&stream, 0, 1000)), WLSTM_OK);
    return model;
}

/* One that this build has kernels of. */
static wlstm_precision draw_precision(wlstm_dtype dtype) {
    const wlstm_precision drawn = (wlstm_precision)random_between(&stream, WLSTM_PRECISION_FULL, WLSTM_PRECISION_INT8);
    return dtype != WLSTM_F64 && wli_native_get(wli_product_of(dtype, drawn)) ? drawn : WLSTM_PRECISION_FULL;
}

static void draw_values(wlstm_dtype dtype, double *values, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        const double value = (double)random_between(&stream, -1000, 1000) * 1e-3;
        wli_put(dtype, values, (size_t)k, value);
    }
}

/* Of rows up to T long, the longest first in a packed call: `lengths` or `batch_sizes` of the call. */
static void draw_lengths(wli_call *call) {
    const int64_t T = call->seq_len, B = call->batch;
    const int kind = (int)random_between(&stream, 0, 2);
    for (int64_t b = 0; b < B; b++) lengths[b] = random_between(&stream, 1, T);
    for (int64_t t = 0; t < T; t++)
        batch_sizes[t] =
            t == 0 ? B : random_between(&stream, random_flag(&stream) ? batch_sizes[t - 1] : 1, batch_sizes[t - 1]);
    if (kind == 1) call->lengths = lengths;
    if (kind == 2) call->batch_sizes = batch_sizes;
}

static bool is_done(const wli_graph *graph, const int64_t *done, const wli_node *node) {
    return done[wli_graph_chain(graph, node)] > node->chunk;
}

static bool is_ready(const wli_graph *graph, const int64_t *done, const wli_node *node) {
    wli_node needed[WLI_MOST_NEEDED];
    bool ready = true;
    for (int i = wli_graph_needed(graph, node, needed); i-- > 0;) ready = ready && is_done(graph, done, &needed[i]);
    return ready;
}

/* Both orders name every node once, after those that it needs. */
static void check_order(const wli_graph *graph, wli_order order) {
    int64_t done[2 * MOST_LAYERS * LARGEST_B] = { 0 }, nodes = 0;
    wli_node node;
    for (bool more = wli_graph_first(graph, &node); more; more = wli_graph_next(graph, order, &node)) {
        assert_true(is_ready(graph, done, &node));
        assert_int_equal(done[wli_graph_chain(graph, &node)]++, node.chunk);
        nodes++;
    }
    for (int64_t part = 0; part < graph->parts; part++)
        nodes -= wli_graph_chunks(graph, part) * graph->layers * graph->directions;
    assert_int_equal(nodes, 0);
}

/* The next node of each chain is a candidate; one of those that are ready is drawn, and any worker. */
static wlstm_status run_at_random(const wli_run *run, void *context) {
    const wli_graph *graph = &run->graph;
    int64_t done[2 * MOST_LAYERS * LARGEST_B] = { 0 };
    (void)context;
    check_order(graph, WLI_BY_CHUNK);
    check_order(graph, WLI_BY_FRONT);
    for (;;) {
        wli_node ready[2 * MOST_LAYERS * LARGEST_B];
        int64_t count = 0;
        for (int64_t chain = 0; chain < wli_graph_chains(graph); chain++) {
            const int64_t cell = chain / graph->parts;
            const wli_node node = { .layer = cell / graph->directions,
                                    .direction = (int)(cell % graph->directions),
                                    .part = chain % graph->parts,
                                    .chunk = done[chain] };
            if (node.chunk < wli_graph_chunks(graph, node.part) && is_ready(graph, done, &node)) ready[count++] = node;
        }
        if (count == 0) break;
        const wli_node *drawn = &ready[random_between(&stream, 0, count - 1)];
        wli_worker *worker =
            &run->sequence->workers[random_between(&stream, 0, run->sequence->spec.choice.threads - 1)];
        assert_int_equal(wli_node_run(run, worker, drawn, NULL), WLSTM_OK);
        done[wli_graph_chain(graph, drawn)]++;
    }
    return WLSTM_OK;
}

static void run(const wli_sequence_spec *spec, wli_call call, bool at_random, results *to) {
    wli_sequence *sequence;
    assert_int_equal(wli_sequence_make(spec, &sequence), WLSTM_OK);
    memset(to, 0, sizeof *to);
    call.out = to->out, call.h_n = to->h_n, call.c_n = to->c_n;
    assert_int_equal(at_random ? wli_sequence_run_by(sequence, &call, run_at_random, NULL)
                               : wli_sequence_run(sequence, &call),
                     WLSTM_OK);
    wli_sequence_destroy(sequence);
}

/* The serial run in one chunk agrees with the reference. */
static void check_against_reference(const wli_model *model, wlstm_precision precision, wli_call call) {
    size_t bytes;
    assert_true(wli_reference_of(model)->workspace(model, call.seq_len, call.batch, &bytes));
    void *workspace = malloc(bytes);
    assert_non_null(workspace);
    memset(&expected, 0, sizeof expected);
    call.out = expected.out, call.h_n = expected.h_n, call.c_n = expected.c_n;
    wli_reference_of(model)->forward(model, precision, &call, NULL, workspace);
    free(workspace);
    const int64_t out = call.seq_len * call.batch * model->num_directions * model->cells[0].state_size;
    for (int64_t k = 0; k < out; k++) {
        const double got = tensor_at(model->dtype, serial.out, k), wanted = tensor_at(model->dtype, expected.out, k);
        if (!wli_close_enough(model->dtype, precision, got, wanted))
            fail_msg("out[%d] in precision %d: %.9g expected, got %.9g", (int)k, (int)precision, wanted, got);
    }
}

static void check_schedules(wli_sequence_spec spec, const wli_call *call, const char *name) {
    static const int thread_counts[] = { 1, 2, 3, 5, 8 };
    static const int64_t chunks[] = { 1, 2, 3, 7, LARGEST_T };
    enum { AT_RANDOM = WLI_GANG + 1 };
    for (int schedule = WLI_SERIAL; schedule <= AT_RANDOM; schedule++)
        for (int k = 0; k < 5; k++) {
            spec.choice.schedule = schedule == AT_RANDOM ? WLI_WAVEFRONT : schedule;
            spec.choice.threads = thread_counts[random_between(&stream, 0, 4)];
            spec.choice.chunk_steps = chunks[k];
            spec.choice.parts = random_between(&stream, 1, random_between(&stream, 1, spec.max_batch));
            spec.choice.gang_layers = random_between(&stream, 0, spec.model->num_layers);
            spec.choice.gang_directions = random_between(&stream, 0, spec.model->num_directions);
            spec.choice.gate_rows = random_between(&stream, spec.max_batch, 3 * spec.max_batch);
            run(&spec, *call, schedule == AT_RANDOM, &other);
            if (memcmp(&other, &serial, sizeof serial) != 0)
                fail_msg("%s: schedule %d, %d threads, chunk %d, %d parts, gangs %d layers x %d directions: other bits "
                         "than one thread's",
                         name, schedule, (int)spec.choice.threads, (int)spec.choice.chunk_steps, (int)spec.choice.parts,
                         (int)spec.choice.gang_layers, (int)spec.choice.gang_directions);
        }
}

static void all_schedules_give_the_same_bits(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; k++) {
        wli_model *model = draw_model();
        const int64_t T = random_between(&stream, 1, LARGEST_T), B = random_between(&stream, 1, LARGEST_B);
        const wlstm_precision precision = draw_precision(model->dtype);
        const int64_t num_cells = model->num_layers * model->num_directions;
        const bool with_states = random_between(&stream, 0, 1);
        wli_cell_kernels cells[2 * MOST_LAYERS];
        char name[128];
        snprintf(name, sizeof name, "precision %d, T %d, B %d, I %d, H %d, L %d, P %d, D %d", (int)precision, (int)T,
                 (int)B, (int)model->cells[0].input_size, (int)model->cells[0].hidden_size, (int)model->num_layers,
                 (int)model->cells[0].proj_size, model->num_directions);
        const wli_native *native = wli_native_get(wli_product_of(model->dtype, precision));
        const wlstm_dtype real = wli_dtype_real(model->dtype);
        wli_rows_source source;
        assert_int_equal(wli_rows_source_make(model, native, wli_model_values(model), &source), WLSTM_OK);
        for (int64_t i = 0; i < num_cells; i++)
            assert_int_equal(
                wli_cell_kernels_make(&(wli_cell_spec){ .weights = &model->cells[i],
                                                        .dtype = real,
                                                        .shelf = &model->derived,
                                                        .place = i,
                                                        .source = real != model->dtype ? &source : NULL,
                                                        .first_parameter = i * wli_model_cell_parameters(model),
                                                        .bias = model->bias,
                                                        .native = native,
                                                        .project = &wli_multiply_native,
                                                        .step = &wli_multiply_native,
                                                        .project_rows = T * B,
                                                        .step_rows = B },
                                      &cells[i]),
                WLSTM_OK);
        wli_rows_source_free(&source);
        draw_values(model->dtype, x, LARGEST_T * LARGEST_B * LARGEST_I);
        draw_values(model->dtype, h_0, STATE);
        draw_values(model->dtype, c_0, STATE);
        wli_call call = {
            .seq_len = T, .batch = B, .x = x, .h_0 = with_states ? h_0 : NULL, .c_0 = with_states ? c_0 : NULL
        };
        draw_lengths(&call);
        wli_sequence_spec spec = {
            .model = model,
            .cells = cells,
            .max_seq_len = T,
            .max_batch = B,
            .choice = { .schedule = WLI_SERIAL, .threads = 1, .parts = 1, .gate_rows = T * B, .chunk_steps = T }
        };
        run(&spec, call, false, &serial);
        check_against_reference(model, precision, call);
        check_schedules(spec, &call, name);
        wli_model_release(model);
    }
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = { cmocka_unit_test(all_schedules_give_the_same_bits) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
