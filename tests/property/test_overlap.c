/* Arrays anywhere in one block of memory: where two overlap, one of which is written to, the call is refused, names both and writes
 * nothing, unless the two may be one and are; else the results are those of arrays apart from each other, and nothing beside them is
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "random.h"

enum { PROBLEMS = 150, PLACEMENTS = 40 };

static uint64_t stream;

/* The arrays of a call, the first WRITTEN of them written to; of no bytes where a call has none. */
enum { OUT, H_N, C_N, WRITTEN, X = WRITTEN, H_0, C_0, LENGTHS, ARRAYS };
typedef struct array {
    const char *name;
    size_t bytes, begin; /* in the block */
} array;

typedef struct call {
    problem p;
    wlstm_plan *plan;        /* NULL: wlstm_forward, or the cell's */
    wlstm_cell *cell;        /* NULL: the problem's lstm */
    int64_t batch_sizes[12]; /* of a packed call, which has them in the place of lengths; else 0 */
    array arrays[ARRAYS];
    int may_be_one[WRITTEN];
} call;

static void add(call *c, int which, const char *name, int64_t count, size_t element) {
    c->arrays[which] = (array){ .name = name, .bytes = (size_t)count * element };
}

/* The rows' lengths, longest first, as batch_sizes. */
static void pack(call *c) {
    const problem *p = &c->p;
    int64_t rows = 0;
    p->lengths[0] = p->seq_len;
    for (int64_t b = 1; b < p->batch; ++b) p->lengths[b] = random_between(&stream, 1, p->lengths[b - 1]);
    for (int64_t b = 0; b < p->batch; ++b) {
        rows += p->lengths[b];
        for (int64_t t = 0; t < p->lengths[b]; ++t) ++c->batch_sizes[t];
    }
    add(c, OUT, "out", rows * problem_out_width(p), dtype_size(p->config.dtype));
    add(c, X, "x", rows * p->config.input_size, dtype_size(p->config.dtype));
    add(c, LENGTHS, "batch_sizes", p->seq_len, sizeof(int64_t));
}

static void add_arrays(call *c) {
    const problem *p = &c->p;
    const size_t element = dtype_size(p->config.dtype);
    add(c, OUT, "out", problem_out_count(p), element);
    add(c, X, "x", problem_x_count(p), element);
    add(c, H_0, "h_0", p->with_states ? problem_h_count(p) : 0, element);
    add(c, C_0, "c_0", p->with_states ? problem_c_count(p) : 0, element);
    add(c, H_N, "h_n", random_flag(&stream) ? problem_h_count(p) : 0, element);
    add(c, C_N, "c_n", random_flag(&stream) ? problem_c_count(p) : 0, element);
    add(c, LENGTHS, "lengths", p->with_lengths ? p->batch : 0, sizeof(int64_t));
    c->may_be_one[OUT] = problem_blocks(p) == 1 ? H_0 : -1;
    c->may_be_one[H_N] = H_0, c->may_be_one[C_N] = C_0;
    if (p->with_lengths && random_flag(&stream)) pack(c);
}

/* One layer and direction half of the time, as there out may be h_0; then also as a cell. */
static call draw_call(void) {
    call c = { .p = problem_draw(&stream) };
    problem *p = &c.p;
    const int kind = (int)random_between(&stream, 0, 3);
    if (kind < 2) p->config.num_layers = 1, p->config.bidirectional = 0;
    if (kind == 0) p->config.proj_size = 0, p->seq_len = 1, p->with_lengths = false;
    problem_build(p, &stream);
    add_arrays(&c);
    if (kind == 0) {
        wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
        config.input_size = p->config.input_size, config.hidden_size = p->config.hidden_size;
        config.bias = p->config.bias, config.dtype = p->config.dtype;
        assert_int_equal(wlstm_cell_create(&config, &c.cell), WLSTM_OK);
        c.arrays[OUT].name = "h_out", c.arrays[C_N].name = "c_out";
        c.arrays[H_0].name = "h", c.arrays[C_0].name = "c";
        c.arrays[H_N].bytes = 0, c.arrays[C_N].bytes = (size_t)problem_c_count(p) * dtype_size(config.dtype);
    } else if (kind == 2) { /* by any backend that can */
        wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
        options.max_seq_len = p->seq_len, options.max_batch = p->batch, options.num_threads = 2;
        options.backend = (wlstm_backend)random_between(&stream, WLSTM_BACKEND_AUTO, TEST_BACKENDS - 1);
        (void)test_plan_create(p->lstm, &options, &c.plan);
    }
    return c;
}

static void free_call(call *c) {
    wlstm_plan_free(c->plan);
    wlstm_cell_free(c->cell);
    problem_free(&c->p);
}

static void *at(const array *a, char *block) {
    return a->bytes ? block + a->begin : NULL;
}

static wlstm_status run(const call *c, void *const arrays[ARRAYS]) {
    const int64_t T = c->p.seq_len, B = c->p.batch;
    void *const *a = arrays;
    if (c->cell) return wlstm_cell_forward(c->cell, B, a[X], a[H_0], a[C_0], a[OUT], a[C_N]);
    if (c->batch_sizes[0] && c->plan)
        return wlstm_plan_execute_packed(c->plan, T, a[LENGTHS], a[X], a[H_0], a[C_0], a[OUT], a[H_N], a[C_N]);
    if (c->batch_sizes[0])
        return wlstm_forward_packed(c->p.lstm, T, a[LENGTHS], a[X], a[H_0], a[C_0], a[OUT], a[H_N], a[C_N]);
    if (c->plan) return wlstm_plan_execute(c->plan, T, B, a[LENGTHS], a[X], a[H_0], a[C_0], a[OUT], a[H_N], a[C_N]);
    return wlstm_forward(c->p.lstm, T, B, a[LENGTHS], a[X], a[H_0], a[C_0], a[OUT], a[H_N], a[C_N]);
}

/* Anywhere, or where another array begins or ends. */
static void place(call *c, size_t block_bytes) {
    for (int i = 0; i < ARRAYS; ++i) {
        array *a = &c->arrays[i];
        const array *other = &c->arrays[random_between(&stream, 0, ARRAYS - 1)];
        const int where = (int)random_between(&stream, 0, 3);
        const size_t begin = where == 0   ? other->begin
                             : where == 1 ? (other->begin + other->bytes + 7) / 8 * 8
                                          : 8 * (size_t)random_between(&stream, 0, (int64_t)(block_bytes / 8));
        a->begin = begin + a->bytes <= block_bytes ? begin : 0;
    }
}

/* Whether two arrays overlap that must not; which they are. */
static bool refused(const call *c, int *written, int *other) {
    for (*written = 0; *written < WRITTEN; ++*written)
        for (*other = *written + 1; *other < ARRAYS; ++*other) {
            const array *a = &c->arrays[*written], *b = &c->arrays[*other];
            const size_t begin = a->begin > b->begin ? a->begin : b->begin;
            const size_t a_end = a->begin + a->bytes, b_end = b->begin + b->bytes;
            if (begin < (a_end < b_end ? a_end : b_end) &&
                !(c->may_be_one[*written] == *other && a->begin == b->begin && a->bytes && b->bytes))
                return true;
        }
    return false;
}

static bool check_placement(call *c, char *block, size_t block_bytes, char *before) {
    void *arrays[ARRAYS], *apart[ARRAYS];
    int written, other;
    random_fill(c->p.config.dtype, block, (int64_t)(block_bytes / dtype_size(c->p.config.dtype)),
                random_bits(stream, 1), 0);
    stream = random_bits(stream, 0);
    if (c->p.with_lengths)
        memcpy(block + c->arrays[LENGTHS].begin, c->batch_sizes[0] ? c->batch_sizes : c->p.lengths,
               c->arrays[LENGTHS].bytes);
    memcpy(before, block, block_bytes);
    for (int i = 0; i < ARRAYS; ++i) arrays[i] = at(&c->arrays[i], block);
    const bool refuse = refused(c, &written, &other);
    const wlstm_status status = run(c, arrays);
    if (refuse) {
        char expected[200];
        const char *a = c->arrays[written].name, *b = c->arrays[other].name;
        const bool may_be_one = c->may_be_one[written] == other;
        snprintf(expected, sizeof expected, "%s: %s%san array of its own expected, got one that overlaps %s", a,
                 may_be_one ? b : "", may_be_one ? " itself or " : "", b);
        assert_int_equal(status, WLSTM_ERROR_INVALID_ARGUMENT);
        assert_string_equal(wlstm_last_error(), expected);
    } else {
        assert_int_equal(status, WLSTM_OK);
        for (int i = 0; i < ARRAYS; ++i) {
            apart[i] = c->arrays[i].bytes ? malloc(c->arrays[i].bytes) : NULL;
            if (apart[i]) memcpy(apart[i], before + c->arrays[i].begin, c->arrays[i].bytes);
        }
        assert_int_equal(run(c, apart), WLSTM_OK);
        for (int i = 0; i < WRITTEN; ++i)
            if (apart[i]) memcpy(before + c->arrays[i].begin, apart[i], c->arrays[i].bytes);
        for (int i = 0; i < ARRAYS; ++i) free(apart[i]);
    }
    assert_memory_equal(block, before, block_bytes);
    return refuse;
}

static void arrays_anywhere(void **state) {
    (void)state;
    int count = 0, count_refused = 0;
    for (int n = 0; n < PROBLEMS; ++n) {
        call c = draw_call();
        size_t block_bytes = 64;
        for (int i = 0; i < ARRAYS; ++i) block_bytes += (c.arrays[i].bytes + 7) / 8 * 8;
        block_bytes *= (size_t)random_between(&stream, 1, 4);
        char *block = malloc(block_bytes), *before = malloc(block_bytes);
        assert_true(block && before);
        for (int k = 0; k < PLACEMENTS; ++k, ++count) {
            place(&c, block_bytes);
            count_refused += check_placement(&c, block, block_bytes, before);
        }
        free(block);
        free(before);
        free_call(&c);
    }
    /* Both were asked often. */
    assert_in_range(count_refused, count / 10, count - count / 10);
}

int main(void) {
    stream = random_test_stream();
    const struct CMUnitTest tests[] = { cmocka_unit_test(arrays_anywhere) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
