/* Cells: a loop over wlstm_cell_forward is an lstm of one layer; an lstm made from cells is the chain of those cells. */
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

enum { PROBLEMS = 40, MAX_CELLS = 4 };

static uint64_t stream;

static wlstm_cell *random_cell(int64_t input_size, int64_t hidden_size, bool bias, wlstm_dtype dtype) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    wlstm_cell *cell;
    config.input_size = input_size, config.hidden_size = hidden_size, config.bias = bias, config.dtype = dtype;
    assert_int_equal(wlstm_cell_create(&config, &cell), WLSTM_OK);
    assert_int_equal(wlstm_cell_reset_parameters(cell, (uint64_t)random_between(&stream, 0, 1000000)), WLSTM_OK);
    return cell;
}

/* The cell's parameters into layer 0 of the lstm. */
static void copy_parameters(const wlstm_cell *cell, wlstm_lstm *lstm, wlstm_dtype dtype) {
    for (int64_t i = 0; i < wlstm_cell_num_parameters(cell); ++i) {
        const char *name;
        char layer_name[64];
        int ndim;
        int64_t shape[2];
        assert_int_equal(wlstm_cell_parameter_info(cell, i, &name, &ndim, shape), WLSTM_OK);
        const int64_t count = shape[0] * shape[1];
        void *values = test_allocate(dtype, count);
        snprintf(layer_name, sizeof layer_name, "%s_l0", name);
        assert_int_equal(wlstm_cell_get_parameter(cell, name, values, count), WLSTM_OK);
        assert_int_equal(wlstm_lstm_set_parameter(lstm, layer_name, values, count), WLSTM_OK);
        test_release(values);
    }
}

static problem one_layer_problem(void) {
    problem p = problem_draw(&stream);
    p.config.num_layers = 1, p.config.proj_size = 0, p.config.bidirectional = 0, p.config.batch_first = 0;
    p.with_lengths = false;
    problem_build(&p, &stream);
    return p;
}

/* h, c = cell(x[t], (h, c)) for all t; in place, or from one buffer to another and back. */
static outcome loop(const problem *p, wlstm_cell *cell, bool in_place) {
    const size_t size = dtype_size(p->config.dtype);
    const size_t x_step = (size_t)(p->batch * p->config.input_size) * size, h_step = (size_t)problem_h_count(p) * size;
    outcome now = outcome_create(p), next = outcome_create(p);
    const void *h = p->h_0, *c = p->c_0;
    for (size_t t = 0; t < (size_t)p->seq_len; ++t) {
        const outcome *to = in_place || t % 2 ? &now : &next;
        assert_int_equal(wlstm_cell_forward(cell, p->batch, (const char *)p->x + t * x_step, h, c, to->h_n, to->c_n),
                         WLSTM_OK);
        h = to->h_n, c = to->c_n;
        memcpy((char *)now.out + t * h_step, h, h_step);
    }
    if (h != now.h_n) memcpy(now.h_n, h, h_step);
    if (c != now.c_n) memcpy(now.c_n, c, h_step);
    outcome_free(&next);
    return now;
}

static void a_loop_over_a_cell_is_one_layer(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = one_layer_problem();
        wlstm_cell *cell = random_cell(p.config.input_size, p.config.hidden_size, p.config.bias, p.config.dtype);
        copy_parameters(cell, p.lstm, p.config.dtype);
        outcome layer, looped = loop(&p, cell, false), in_place = loop(&p, cell, true);
        assert_int_equal(problem_forward(&p, &layer), WLSTM_OK);
        assert_true(outcomes_agree(&p, "cell by cell", &looped, &layer, false));
        assert_true(outcomes_agree(&p, "cell by cell, in place", &in_place, &layer, false));
        outcome_free(&layer);
        outcome_free(&looped);
        outcome_free(&in_place);
        wlstm_cell_free(cell);
        problem_free(&p);
    }
}

static const void *rows_of(const void *tensor, int64_t first, int64_t width, wlstm_dtype dtype) {
    return tensor ? (const char *)tensor + (size_t)(first * width) * dtype_size(dtype) : NULL;
}

/* Step after step a batch cut in two at random: one cell serves batches of changing size, and h and c not given. */
static void parts_of_a_batch_are_the_batch(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream);
        p.config.num_layers = 1, p.config.proj_size = 0, p.config.bidirectional = 0, p.config.batch_first = 0;
        p.config.hidden_size = random_between(&stream, 1, 5) * (INT64_C(1) << random_between(&stream, 0, 4));
        p.seq_len = 1, p.batch = random_between(&stream, 2, 12), p.with_states = p.with_lengths = false;
        problem_build(&p, &stream);
        const int64_t I = p.config.input_size, H = p.config.hidden_size;
        const wlstm_dtype dtype = p.config.dtype;
        wlstm_cell *cell = random_cell(I, H, p.config.bias, dtype);
        outcome whole[2] = { outcome_create(&p), outcome_create(&p) }, parts = outcome_create(&p);
        const void *h = NULL, *c = NULL;
        for (int step = 0; step < 8; ++step) {
            const outcome *to = &whole[step % 2];
            const int64_t cut = random_between(&stream, 1, p.batch - 1);
            assert_int_equal(wlstm_cell_forward(cell, p.batch, p.x, h, c, to->h_n, to->c_n), WLSTM_OK);
            for (int64_t first = 0, rows; first < p.batch; first += rows) {
                rows = first ? p.batch - cut : cut;
                assert_int_equal(wlstm_cell_forward(cell, rows, rows_of(p.x, first, I, dtype),
                                                    rows_of(h, first, H, dtype), rows_of(c, first, H, dtype),
                                                    (void *)(uintptr_t)rows_of(parts.h_n, first, H, dtype),
                                                    (void *)(uintptr_t)rows_of(parts.c_n, first, H, dtype)),
                                 WLSTM_OK);
            }
            assert_true(tensors_close("h of the parts", dtype, parts.h_n, to->h_n, p.batch * H));
            assert_true(tensors_close("c of the parts", dtype, parts.c_n, to->c_n, p.batch * H));
            h = random_between(&stream, 0, 3) ? to->h_n : NULL, c = random_between(&stream, 0, 3) ? to->c_n : NULL;
        }
        outcome_free(&whole[0]);
        outcome_free(&whole[1]);
        outcome_free(&parts);
        wlstm_cell_free(cell);
        problem_free(&p);
    }
}

static void an_empty_batch_is_left_alone(void **state) {
    (void)state;
    float x[5] = { 0 }, h[3] = { 1, 2, 3 }, c[3] = { 4, 5, 6 };
    wlstm_cell *cell = random_cell(5, 3, true, WLSTM_F32);
    assert_int_equal(wlstm_cell_forward(cell, 0, x, h, c, h, c), WLSTM_OK);
    assert_true(h[0] == 1 && h[1] == 2 && h[2] == 3 && c[0] == 4 && c[1] == 5 && c[2] == 6);
    wlstm_cell_free(cell);
}

/* One cell of a chain with its states, [B, H] each. */
typedef struct link {
    wlstm_cell *cell;
    int64_t hidden_size;
    void *h, *c;
} link;

/* All cells bottom-up at each step, states in place; out [T, B, H of the last cell]. */
static void run_chain(link *links, int64_t cells, const problem *p, void *out) {
    const size_t size = dtype_size(p->config.dtype);
    const size_t out_step = (size_t)(p->batch * links[cells - 1].hidden_size) * size;
    for (size_t t = 0; t < (size_t)p->seq_len; ++t) {
        const void *below = (const char *)p->x + t * (size_t)(p->batch * p->config.input_size) * size;
        for (int64_t k = 0; k < cells; ++k) {
            link *l = &links[k];
            assert_int_equal(wlstm_cell_forward(l->cell, p->batch, below, l->h, l->c, l->h, l->c), WLSTM_OK);
            below = l->h;
        }
        memcpy((char *)out + t * out_step, below, out_step);
    }
}

static bool check_block(const char *what, int64_t layer, wlstm_dtype dtype, const void *stacked, int64_t offset,
                        const void *chained, int64_t count) {
    char label[64];
    snprintf(label, sizeof label, "%s of layer %lld", what, (long long)layer);
    return tensors_close(label, dtype, (const char *)stacked + (size_t)offset * dtype_size(dtype), chained, count);
}

static void a_stack_of_cells_is_their_chain(void **state) {
    (void)state;
    for (int k = 0; k < PROBLEMS; ++k) {
        problem p = problem_draw(&stream); /* its sizes and x; not its lstm */
        p.config.proj_size = 0, p.config.bidirectional = 0, p.config.batch_first = 0, p.with_lengths = false;
        problem_build(&p, &stream);
        const wlstm_dtype dtype = p.config.dtype;
        const int64_t cells = random_between(&stream, 1, MAX_CELLS);
        const bool with_states = random_flag(&stream);
        link links[MAX_CELLS];
        const wlstm_cell *stacked_cells[MAX_CELLS];
        int64_t input_size = p.config.input_size, units = 0;
        for (int64_t l = 0; l < cells; ++l) {
            const int64_t hidden_size = random_between(&stream, 1, 40);
            links[l] =
                (link){ random_cell(input_size, hidden_size, p.config.bias, dtype), hidden_size,
                        test_allocate(dtype, p.batch * hidden_size), test_allocate(dtype, p.batch * hidden_size) };
            stacked_cells[l] = links[l].cell;
            input_size = hidden_size, units += hidden_size;
        }
        wlstm_lstm *stack;
        assert_int_equal(wlstm_lstm_create_from_cells(stacked_cells, cells, &stack), WLSTM_OK);

        const size_t size = dtype_size(dtype);
        void *h_n = test_allocate(dtype, p.batch * units), *c_n = test_allocate(dtype, p.batch * units);
        memset(h_n, 0, (size_t)(p.batch * units) * size);
        memset(c_n, 0, (size_t)(p.batch * units) * size);
        if (with_states) {
            random_fill(dtype, h_n, p.batch * units, 11, 0);
            random_fill(dtype, c_n, p.batch * units, 12, 0);
        }
        int64_t offset = 0;
        for (int64_t l = 0; l < cells; offset += p.batch * links[l++].hidden_size) {
            const size_t bytes = (size_t)(p.batch * links[l].hidden_size) * size;
            memcpy(links[l].h, (char *)h_n + (size_t)offset * size, bytes);
            memcpy(links[l].c, (char *)c_n + (size_t)offset * size, bytes);
        }
        const int64_t out_count = p.seq_len * p.batch * links[cells - 1].hidden_size;
        void *out = test_allocate(dtype, out_count), *chained = test_allocate(dtype, out_count);
        run_chain(links, cells, &p, chained);
        assert_int_equal(wlstm_forward(stack, p.seq_len, p.batch, NULL, p.x, with_states ? h_n : NULL,
                                       with_states ? c_n : NULL, out, h_n, c_n),
                         WLSTM_OK);
        assert_true(tensors_close("out of the stack", dtype, out, chained, out_count));
        offset = 0;
        for (int64_t l = 0; l < cells; ++l) {
            const int64_t count = p.batch * links[l].hidden_size;
            assert_true(check_block("h_n", l, dtype, h_n, offset, links[l].h, count));
            assert_true(check_block("c_n", l, dtype, c_n, offset, links[l].c, count));
            offset += count;
            wlstm_cell_free(links[l].cell);
            test_release(links[l].h);
            test_release(links[l].c);
        }
        wlstm_lstm_free(stack);
        test_release(h_n);
        test_release(c_n);
        test_release(out);
        test_release(chained);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_over_a_cell_is_one_layer),
        cmocka_unit_test(parts_of_a_batch_are_the_batch),
        cmocka_unit_test(an_empty_batch_is_left_alone),
        cmocka_unit_test(a_stack_of_cells_is_their_chain),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
