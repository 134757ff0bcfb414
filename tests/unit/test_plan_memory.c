/* Bounds on what a plan takes beside the weights, the input and the output, by wlstm_plan_memory, and that this tells all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <wavelstm.h>

#include "api/module.h"
#include "plan/axes.h"

enum { MB = 1 << 20, MAX_THREADS = 2 };

/* What the library has of the allocator below; a block's size is in the word before it. */
static atomic_size_t live_bytes, live_blocks;
/* The same without what aligns huge pages, and the most of it. */
static atomic_size_t used_bytes, most_bytes;

static size_t used_of(size_t bytes) {
    return bytes >= 4 * MB ? bytes - 2 * MB : bytes;
}

static void *count_allocate(size_t bytes, void *context) {
    (void)context;
    max_align_t *block = malloc(sizeof *block + bytes);
    if (!block) return NULL;
    *(size_t *)block = bytes;
    live_bytes += bytes;
    used_bytes += used_of(bytes);
    size_t most = most_bytes;
    const size_t used = used_bytes;
    while (used > most && !atomic_compare_exchange_weak(&most_bytes, &most, used)) continue;
    live_blocks++;
    return block + 1;
}

static void count_deallocate(void *memory, void *context) {
    (void)context;
    max_align_t *block = (max_align_t *)memory - 1;
    live_bytes -= *(size_t *)block;
    used_bytes -= used_of(*(size_t *)block);
    live_blocks--;
    free(block);
}

typedef struct shape {
    int64_t seq_len, batch, input_size, hidden_size, num_layers, proj_size;
    int bidirectional;
} shape;

static wlstm_lstm *make_lstm(const shape *s, wlstm_dtype dtype) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = s->input_size, config.hidden_size = s->hidden_size, config.num_layers = s->num_layers;
    config.proj_size = s->proj_size, config.bidirectional = s->bidirectional, config.dtype = dtype;
    wlstm_lstm *lstm;
    assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
    return lstm;
}

/* false: this backend cannot serve it here. */
static bool make_plan(wlstm_lstm *lstm, const shape *s, wlstm_backend backend, int num_threads, wlstm_plan **plan) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = s->seq_len, options.max_batch = s->batch;
    options.backend = backend, options.num_threads = num_threads, options.effort = WLSTM_EFFORT_ESTIMATE;
    wlstm_status status = wlstm_plan_create(lstm, &options, plan);
    if (status != WLSTM_ERROR_UNSUPPORTED || backend != WLSTM_BACKEND_ONEDNN) assert_int_equal(status, WLSTM_OK);
    return status == WLSTM_OK;
}

/* The parameters as the caller has them. */
static size_t raw_bytes(const wlstm_lstm *lstm, wlstm_dtype dtype) {
    size_t elements = 0;
    for (int64_t i = 0; i < wlstm_lstm_num_parameters(lstm); i++) {
        const char *name;
        int ndim;
        int64_t sizes[2];
        assert_int_equal(wlstm_lstm_parameter_info(lstm, i, &name, &ndim, sizes), WLSTM_OK);
        elements += (size_t)(sizes[0] * sizes[1]);
    }
    return elements * (dtype == WLSTM_F64 ? sizeof(double) : sizeof(float));
}

/* Long input of a large batch: out is 183 MB. Neither may come again as scratch. */
static void scratch_of_a_long_sequence(void **state) {
    (void)state;
    const shape s = { 365, 512, 32, 256, 1, 0, 0 };
    wlstm_lstm *lstm = make_lstm(&s, WLSTM_F32);
    for (wlstm_backend backend = WLSTM_BACKEND_AUTO; backend <= WLSTM_BACKEND_NATIVE; backend++)
        for (int threads = 1; threads <= MAX_THREADS; threads++) {
            wlstm_plan *plan;
            size_t scratch_bytes;
            if (backend == WLSTM_BACKEND_REFERENCE || !make_plan(lstm, &s, backend, threads, &plan)) continue;
            assert_int_equal(wlstm_plan_memory(plan, NULL, &scratch_bytes), WLSTM_OK);
            assert_in_range(scratch_bytes, 1, 32 * MB);
            wlstm_plan_free(plan);
        }
    wlstm_lstm_free(lstm);
}

/* Whole vectors and a few units more, weights_ih wide and narrow, stacks, two directions, projection. */
static const shape shapes[] = {
    { 10, 1, 64, 64, 1, 0, 0 },     { 10, 1, 100, 100, 2, 0, 0 },   { 10, 4, 128, 128, 4, 0, 0 },
    { 10, 1, 80, 320, 2, 0, 1 },    { 10, 1, 700, 65, 1, 0, 0 },    { 10, 16, 177, 177, 1, 0, 0 },
    { 10, 8, 256, 512, 2, 128, 0 }, { 10, 3, 64, 1000, 1, 100, 1 }, { 10, 64, 1024, 1024, 1, 0, 0 },
    { 10, 1, 64, 65, 1, 0, 0 },
};

/* Padding to whole vectors, a row for the bias and what prefetches reach. oneDNN has formats of its own. */
static void packed_weights(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        for (wlstm_dtype dtype = WLSTM_F32; dtype <= WLSTM_F64; dtype++) {
            wlstm_lstm *lstm = make_lstm(&shapes[k], dtype);
            const size_t raw = raw_bytes(lstm, dtype);
            wlstm_plan *plan;
            size_t weight_bytes;
            assert_true(make_plan(lstm, &shapes[k], WLSTM_BACKEND_AUTO, 1, &plan));
            assert_int_equal(wlstm_plan_memory(plan, &weight_bytes, NULL), WLSTM_OK);
            assert_in_range(weight_bytes, 1, raw + raw / 10);
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
        }
}

/* What is told is what was allocated, but for each block's alignment and the plan's own structs. oneDNN allocates by itself. */
static void memory_tells_all(void **state) {
    (void)state;
    const size_t structs = 64 << 10, huge_page = 2 * MB;
    for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++)
        for (int threads = 1; threads <= MAX_THREADS; threads++) {
            wlstm_lstm *lstm = make_lstm(&shapes[k], WLSTM_F32);
            const size_t bytes = live_bytes, blocks = live_blocks;
            wlstm_plan *plan;
            size_t weight_bytes, scratch_bytes;
            assert_true(make_plan(lstm, &shapes[k], WLSTM_BACKEND_NATIVE, threads, &plan));
            assert_int_equal(wlstm_plan_memory(plan, &weight_bytes, &scratch_bytes), WLSTM_OK);
            const size_t told = weight_bytes + scratch_bytes;
            const size_t alignment = told < huge_page ? 128 : huge_page + 128;
            assert_in_range(live_bytes - bytes, told, told + structs + (live_blocks - blocks) * alignment);
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
        }
}

/* Gangs that share units have slices of the weights by oneDNN, each packed once, from a copy of its own rows alone. oneDNN pads a
 * slice to whole blocks. */
static void slices_are_packed_once(void **state) {
    (void)state;
    static const shape models[] = { { 10, 1, 256, 256, 1, 0, 0 },
                                    { 10, 1, 700, 1024, 2, 0, 0 },
                                    { 10, 1, 100, 600, 1, 320, 1 } };
    if (!wli_multiply_matmul.serves(WLI_PRODUCT_F32)) skip();
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++)
        for (int threads = 1; threads <= 8; threads *= 2) {
            wlstm_lstm *lstm = make_lstm(&models[m], WLSTM_F32);
            wli_candidate candidate = { .index = { [WLI_AXIS_SCHEDULE] = threads > 1 ? WLI_GANG : WLI_SERIAL } };
            candidate.index[WLI_AXIS_PROJECT] = candidate.index[WLI_AXIS_STEP] = WLI_GEMM_MATMUL;
            const wli_setting setting = { .model = lstm->module.model, .seq_len = 10, .batch = 1, .threads = threads };
            assert_true(wli_candidate_legal(&setting, &candidate));
            const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
            assert_int_equal(wli_choice_shares(&choice), threads);
            const size_t before = used_bytes, raw = raw_bytes(lstm, WLSTM_F32);
            size_t weight_bytes, scratch_bytes;
            wlstm_plan *plan;
            most_bytes = before;
            assert_int_equal(wli_plan_make_choice(lstm->module.model, &setting, &choice, &plan), WLSTM_OK);
            assert_int_equal(wlstm_plan_memory(plan, &weight_bytes, &scratch_bytes), WLSTM_OK);
            const size_t structs = (size_t)threads * (64 << 10), copy = raw / (size_t)threads;
            assert_in_range(weight_bytes, raw - raw / 100, raw + raw / 10);
            assert_in_range(most_bytes - before, weight_bytes, weight_bytes + scratch_bytes + copy + structs);
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
        }
}

/* What a plan of a schedule and thread count says of its scratch, for batch 1; 0 where the schedule does not fit the model. */
static size_t scratch_of(wlstm_lstm *lstm, wli_schedule schedule, int threads, int64_t seq_len) {
    const wli_setting setting = {
        .model = lstm->module.model, .seq_len = seq_len, .batch = 1, .threads = threads, .backend = WLSTM_BACKEND_NATIVE
    };
    const wli_candidate candidate = { .index = { [WLI_AXIS_SCHEDULE] = (uint8_t)schedule } };
    size_t scratch_bytes;
    wlstm_plan *plan;
    if (!wli_candidate_legal(&setting, &candidate)) return 0;
    const wli_choice choice = wli_candidate_resolve(&setting, &candidate);
    assert_int_equal(wli_plan_make_choice(lstm->module.model, &setting, &choice, &plan), WLSTM_OK);
    assert_int_equal(wlstm_plan_memory(plan, NULL, &scratch_bytes), WLSTM_OK);
    wlstm_plan_free(plan);
    return scratch_bytes;
}

/* One layer, or one direction: a thousand million steps take what a hundred thousand take, whoever shares the work. */
static void scratch_does_not_grow_with_seq_len(void **state) {
    (void)state;
    static const shape models[] = { { 1, 1, 5, 24, 1, 0, 1 },
                                    { 1, 1, 5, 24, 1, 7, 1 },
                                    { 1, 1, 5, 24, 1, 0, 0 },
                                    { 1, 1, 5, 24, 2, 0, 0 },
                                    { 1, 1, 5, 64, 5, 9, 0 } };
    static const int threads[] = { 1, 2, 3, 5 };
    for (size_t m = 0; m < sizeof models / sizeof models[0]; m++)
        for (int t = 0; t < 4; t++)
            for (wli_schedule schedule = WLI_SERIAL; schedule <= WLI_GANG; schedule++) {
                wlstm_lstm *lstm = make_lstm(&models[m], WLSTM_F32);
                const size_t few = scratch_of(lstm, schedule, threads[t], 10),
                             many = scratch_of(lstm, schedule, threads[t], 100000);
                assert_true(few <= many && (few > 0) == (many > 0));
                assert_int_equal(scratch_of(lstm, schedule, threads[t], 1000000000), many);
                wlstm_lstm_free(lstm);
            }
}

/* What a bidirectional stack keeps is its layers' outputs, and little beside them however deep it is. */
static void scratch_of_a_deep_bidirectional_stack(void **state) {
    (void)state;
    const shape s = { 1, 1, 2, 2, 60, 0, 1 };
    wlstm_lstm *lstm = make_lstm(&s, WLSTM_F32);
    for (wli_schedule schedule = WLI_SERIAL; schedule <= WLI_GANG; schedule++) {
        const int64_t few = 100000, many = 200000, row_bytes = 64; /* of 2R elements, a line each */
        const size_t growth = scratch_of(lstm, schedule, 2, many) - scratch_of(lstm, schedule, 2, few);
        assert_in_range(growth, 1, (many - few) * row_bytes * 2 * 11 / 10);
    }
    wlstm_lstm_free(lstm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scratch_of_a_long_sequence),
        cmocka_unit_test(scratch_does_not_grow_with_seq_len),
        cmocka_unit_test(scratch_of_a_deep_bidirectional_stack),
        cmocka_unit_test(packed_weights),
        cmocka_unit_test(memory_tells_all),
        cmocka_unit_test(slices_are_packed_once),
    };
    if (wlstm_set_allocator(count_allocate, count_deallocate, NULL) != WLSTM_OK) return EXIT_FAILURE;
    return cmocka_run_group_tests_name("plan memory", tests, NULL, NULL);
}
