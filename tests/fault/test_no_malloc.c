/* wlstm_plan_execute, wlstm_cell_forward and what is done to streams make no heap call at all: malloc and its family are defined here, over glibc's
 * own, and count.
 *
 * oneDNN's execute call builds its argument map on the heap (five calls in oneDNN 2.6), which no caller can prevent. So for
 * a plan that may use oneDNN only the calls that come from this program's own code, which holds the static library, must
 * be none; the others are printed. Under a sanitizer or another C library the test skips itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "problem.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WLSTM_TEST_SANITIZERS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WLSTM_TEST_SANITIZERS 1
#endif
#endif

enum { I = 20, H = 24, L = 3, T = 12, B = 9 };

static atomic_bool counting;
static atomic_long own_calls, foreign_calls;

#if defined(__GLIBC__) && !defined(WLSTM_TEST_SANITIZERS)
#define CAN_COUNT 1

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

extern const char __executable_start, etext; /* the linker's: where this program's code lies */

static void count_call(const void *caller) {
    if (!atomic_load(&counting)) return;
    const uintptr_t from = (uintptr_t)caller;
    const bool own = from >= (uintptr_t)&__executable_start && from < (uintptr_t)&etext;
    atomic_fetch_add(own ? &own_calls : &foreign_calls, 1);
}

/* Inlined, the return address would be the caller's caller. */
#define NOT_INLINED __attribute__((noinline))

NOT_INLINED void *malloc(size_t bytes) {
    count_call(__builtin_return_address(0));
    return __libc_malloc(bytes);
}

NOT_INLINED void *calloc(size_t count, size_t bytes) {
    count_call(__builtin_return_address(0));
    return __libc_calloc(count, bytes);
}

NOT_INLINED void *realloc(void *memory, size_t bytes) {
    count_call(__builtin_return_address(0));
    return __libc_realloc(memory, bytes);
}

NOT_INLINED void free(void *memory) {
    if (memory) count_call(__builtin_return_address(0));
    __libc_free(memory);
}

NOT_INLINED void *aligned_alloc(size_t alignment, size_t bytes) {
    count_call(__builtin_return_address(0));
    return __libc_memalign(alignment, bytes);
}

NOT_INLINED int posix_memalign(void **memory, size_t alignment, size_t bytes) {
    count_call(__builtin_return_address(0));
    *memory = __libc_memalign(alignment, bytes);
    return *memory ? 0 : ENOMEM;
}
#else
#define CAN_COUNT 0
#endif

static float x[T * B * I], out[T * B * 2 * H], h[2 * L * B * H], c[2 * L * B * H];
static const int64_t lengths[B] = { 12, 1, 3, 5, 2, 7, 12, 9, 4 },
                     batch_sizes[T] = { 9, 8, 7, 6, 5, 4, 4, 3, 3, 2, 2, 2 };

static void start_counting(void) {
    atomic_store(&own_calls, 0);
    atomic_store(&foreign_calls, 0);
    atomic_store(&counting, true);
}

static void stop_counting(void) {
    atomic_store(&counting, false);
}

static void the_counter_counts(void **state) {
    (void)state;
    if (!CAN_COUNT) skip();
    start_counting();
    void *volatile memory = malloc(10);
    free(memory);
    stop_counting();
    assert_int_equal(atomic_load(&own_calls), 2);
}

/* One execution of each kind first: OpenMP starts its threads in it. */
static long execute_all(wlstm_plan *plan) {
    long failures = 0;
    for (int counted = 0; counted < 2; ++counted) {
        if (counted) start_counting();
        for (int64_t t = T; t > 0; t -= 3) {
            failures += wlstm_plan_execute(plan, t, B, NULL, x, h, c, out, h, c) != WLSTM_OK;
            failures += wlstm_plan_execute(plan, t, 1, NULL, x, NULL, NULL, out, NULL, NULL) != WLSTM_OK;
        }
        failures += wlstm_plan_execute(plan, T, B, lengths, x, NULL, NULL, out, h, c) != WLSTM_OK;
        failures += wlstm_plan_execute_packed(plan, T, batch_sizes, x, NULL, NULL, out, h, c) != WLSTM_OK;
    }
    stop_counting();
    return failures;
}

static void executing_a_plan_makes_no_heap_call(void **state) {
    (void)state;
    if (!CAN_COUNT) skip();
    for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend) {
        for (int variant = 0; variant < 8; ++variant) {
            wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
            wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
            wlstm_lstm *lstm;
            wlstm_plan *plan;
            config.input_size = I, config.hidden_size = H, config.num_layers = L;
            config.proj_size = variant & 1 ? 10 : 0, config.bidirectional = (variant >> 1) & 1;
            options.max_seq_len = T, options.max_batch = B, options.backend = (wlstm_backend)backend;
            options.num_threads = variant & 4 ? 2 : 1;
            assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
            const wlstm_status status = test_plan_create(lstm, &options, &plan);
            if (status == WLSTM_OK) {
                assert_int_equal(execute_all(plan), 0);
                if (atomic_load(&own_calls) + atomic_load(&foreign_calls) > 0) {
                    printf("%s: heap calls of the library %ld, of others %ld\n", wlstm_plan_describe(plan),
                           atomic_load(&own_calls), atomic_load(&foreign_calls));
                }
                assert_int_equal(atomic_load(&own_calls), 0);
                if (backend == WLSTM_BACKEND_REFERENCE || backend == WLSTM_BACKEND_NATIVE) {
                    assert_int_equal(atomic_load(&foreign_calls), 0);
                }
            } else {
                assert_int_equal(status, WLSTM_ERROR_UNSUPPORTED);
            }
            wlstm_plan_free(plan);
            wlstm_lstm_free(lstm);
        }
    }
}

static void a_step_of_a_cell_makes_no_heap_call(void **state) {
    (void)state;
    if (!CAN_COUNT) skip();
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell;
    config.input_size = I, config.hidden_size = H;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    long failures = wlstm_cell_forward(cell, B, x, NULL, NULL, h, c) != WLSTM_OK;
    start_counting();
    for (int64_t batch = 1; batch <= B; ++batch) {
        failures += wlstm_cell_forward(cell, batch, x, h, c, h, c) != WLSTM_OK;
    }
    stop_counting();
    printf("cell: heap calls of the library %ld, of others %ld\n", atomic_load(&own_calls),
           atomic_load(&foreign_calls));
    assert_int_equal(failures, 0);
    assert_int_equal(atomic_load(&own_calls), 0);
    wlstm_cell_free(cell);
}

/* Twice, as OpenMP starts its threads in the first step. */
static long use_streams(wlstm_streams *streams) {
    long failures = 0;
    for (int counted = 0; counted < 2; ++counted) {
        int64_t ids[B];
        if (counted) start_counting();
        for (int i = 0; i < B; ++i) failures += wlstm_streams_open(streams, &ids[i]) != WLSTM_OK;
        for (int64_t count = 1; count <= B; ++count)
            failures += wlstm_streams_step(streams, count, ids, x, out) != WLSTM_OK;
        failures += wlstm_streams_set_state(streams, ids[0], h, c) != WLSTM_OK;
        for (int i = 0; i < B; ++i) failures += wlstm_streams_close(streams, ids[i]) != WLSTM_OK;
    }
    stop_counting();
    return failures;
}

static void streams_make_no_heap_call(void **state) {
    (void)state;
    if (!CAN_COUNT) skip();
    for (int threads = 1; threads <= 2; ++threads) {
        wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
        wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
        wlstm_lstm *lstm;
        wlstm_streams *streams;
        config.input_size = I, config.hidden_size = H, config.num_layers = L;
        options.max_streams = B, options.num_threads = threads;
        assert_int_equal(wlstm_lstm_create(&config, &lstm), WLSTM_OK);
        assert_int_equal(wlstm_streams_create(lstm, &options, &streams), WLSTM_OK);
        assert_int_equal(use_streams(streams), 0);
        assert_int_equal(atomic_load(&own_calls), 0);
        assert_int_equal(atomic_load(&foreign_calls), 0);
        wlstm_streams_free(streams);
        wlstm_lstm_free(lstm);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_counter_counts),
        cmocka_unit_test(executing_a_plan_makes_no_heap_call),
        cmocka_unit_test(a_step_of_a_cell_makes_no_heap_call),
        cmocka_unit_test(streams_make_no_heap_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
