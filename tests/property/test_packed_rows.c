/* Packed rows: results and gradients are, bit for bit, those of the same rows with padding and lengths, and nothing
 * behind the last row is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "random.h"
#include "training.h"

enum { PROBLEMS = 40 / FEWER, SEED = 42, LONGEST = 40 };

static uint64_t stream;

/* A padded problem whose rows are longest first, and its batch_sizes [T]; in every third many equal lengths. */
static problem draw(int round, bool trains, int64_t *batch_sizes) {
    problem p = trains ? problem_draw_for_training(&stream) : problem_draw(&stream);
    p.with_lengths = true;
    p.seq_len = random_between(&stream, 1, LONGEST);
    if (random_flag(&stream)) p.config.dropout = 0.5;
    problem_build(&p, &stream);
    p.lengths[0] = p.seq_len;
    for (int64_t b = 1; b < p.batch; ++b)
        p.lengths[b] =
            round % 3 == 0 && random_flag(&stream) ? p.lengths[b - 1] : random_between(&stream, 1, p.lengths[b - 1]);
    for (int64_t t = 0; t < p.seq_len; ++t) {
        batch_sizes[t] = 0;
        while (batch_sizes[t] < p.batch && p.lengths[batch_sizes[t]] > t) ++batch_sizes[t];
    }
    return p;
}

/* Copies the rows [T, B, width] (or batch_first) that are none of padding to packed ones, one after the other, or back;
 * says how many bytes they are. */
static size_t move_rows(const problem *p, const int64_t *batch_sizes, int64_t width, char *padded, char *packed,
                        bool back) {
    const size_t line = (size_t)width * dtype_size(p->config.dtype);
    size_t at = 0;
    for (int64_t t = 0; t < p->seq_len; ++t)
        for (int64_t b = 0; b < batch_sizes[t]; ++b, at += line) {
            char *row = padded + (size_t)(p->config.batch_first ? b * p->seq_len + t : t * p->batch + b) * line;
            memcpy(back ? row : packed + at, back ? packed + at : row, line);
        }
    return at;
}

/* A packed copy of padded rows; NULL stays NULL. */
static void *packed_of(const problem *p, const int64_t *batch_sizes, int64_t width, void *padded) {
    if (!padded) return NULL;
    void *packed = test_allocate(p->config.dtype, p->seq_len * p->batch * width);
    move_rows(p, batch_sizes, width, padded, packed, false);
    return packed;
}

/* Packed rows as padded ones, zeros behind them; what lies behind the packed ones is as `before` has it. */
static void unpack(const problem *p, const int64_t *batch_sizes, int64_t width, void **rows, const void *before) {
    const size_t all = (size_t)(p->seq_len * p->batch * width) * dtype_size(p->config.dtype);
    char *padded = test_allocate(p->config.dtype, p->seq_len * p->batch * width), *packed = *rows;
    memset(padded, 0, all);
    const size_t used = move_rows(p, batch_sizes, width, padded, packed, true);
    assert_memory_equal(packed + used, (const char *)before + used, all - used);
    test_release(packed);
    *rows = padded;
}

static wlstm_status execute_packed(const problem *p, wlstm_plan *plan, const int64_t *batch_sizes, const void *x,
                                   outcome *o) {
    if (!plan) return wlstm_forward_packed(p->lstm, p->seq_len, batch_sizes, x, p->h_0, p->c_0, o->out, o->h_n, o->c_n);
    return wlstm_plan_execute_packed(plan, p->seq_len, batch_sizes, x, p->h_0, p->c_0, o->out, o->h_n, o->c_n);
}

/* By one plan, or without. */
static void check(const problem *p, const char *what, wlstm_plan *plan, const int64_t *batch_sizes) {
    void *x = packed_of(p, batch_sizes, p->config.input_size, p->x);
    outcome padded, packed = outcome_create(p), before = outcome_create(p);
    assert_int_equal(plan ? problem_execute(p, plan, &padded) : problem_forward(p, &padded), WLSTM_OK);
    assert_int_equal(execute_packed(p, plan, batch_sizes, x, &packed), WLSTM_OK);
    unpack(p, batch_sizes, problem_out_width(p), &packed.out, before.out);
    assert_true(outcomes_agree(p, what, &packed, &padded, true));
    outcome_free(&padded), outcome_free(&packed), outcome_free(&before);
    test_release(x);
}

static void forward_gives_the_bits_of_padded_rows(void **state) {
    (void)state;
    for (int round = 0; round < PROBLEMS; ++round) {
        int64_t batch_sizes[LONGEST];
        problem p = draw(round, false, batch_sizes);
        check(&p, "wlstm_forward_packed", NULL, batch_sizes);
        problem_free(&p);
    }
}

/* Every backend, and of the native one every schedule and precision. */
static void plans_give_the_bits_of_padded_rows(void **state) {
    (void)state;
    for (int round = 0; round < PROBLEMS; ++round) {
        int64_t batch_sizes[LONGEST];
        problem p = draw(round, false, batch_sizes);
        for (int backend = WLSTM_BACKEND_AUTO; backend < TEST_BACKENDS; ++backend)
            for (int schedule = WLSTM_SCHEDULE_AUTO; schedule <= WLSTM_SCHEDULE_GANGS; ++schedule) {
                wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
                wlstm_plan *plan;
                options.max_seq_len = p.seq_len + random_between(&stream, 0, 2);
                options.max_batch = p.batch + random_between(&stream, 0, 2);
                options.backend = (wlstm_backend)backend, options.schedule = (wlstm_schedule)schedule;
                options.num_threads = (int)random_between(&stream, 1, 3);
                options.chunk_steps = random_between(&stream, 0, 9);
                if (backend != WLSTM_BACKEND_ONEDNN && p.config.dtype == WLSTM_F32)
                    options.precision =
                        (wlstm_precision)random_between(&stream, WLSTM_PRECISION_FULL, WLSTM_PRECISION_INT8);
                const wlstm_status status = test_plan_create(p.lstm, &options, &plan);
                if (status == WLSTM_ERROR_UNSUPPORTED && backend >= WLSTM_BACKEND_ONEDNN) continue;
                assert_int_equal(status, WLSTM_OK);
                check(&p, wlstm_plan_describe(plan), plan, batch_sizes);
                wlstm_plan_free(plan);
            }
        problem_free(&p);
    }
}

/* A pass forward and back, which copies batch_sizes. */
static void train_packed(const problem *p, wlstm_trainer *trainer, const int64_t *batch_sizes, const gradients *loss,
                         outcome *o, gradients *g) {
    const int64_t I = p->config.input_size, width = problem_out_width(p);
    int64_t sizes[LONGEST];
    void *x = packed_of(p, batch_sizes, I, p->x), *d_out = packed_of(p, batch_sizes, width, loss->d_out);
    outcome before = outcome_create(p);
    gradients untouched = gradients_like(p, loss);
    *o = outcome_create(p), *g = gradients_like(p, loss);
    memcpy(sizes, batch_sizes, (size_t)p->seq_len * sizeof *sizes);
    assert_int_equal(wlstm_trainer_forward_packed(trainer, p->seq_len, sizes, x, p->h_0, p->c_0, o->out, o->h_n, o->c_n,
                                                  1, SEED, 5, NULL),
                     WLSTM_OK);
    memset(sizes, 0xff, sizeof sizes);
    gradients packed = *g;
    packed.d_out = d_out;
    assert_int_equal(problem_back(trainer, NULL, &packed), WLSTM_OK);
    unpack(p, batch_sizes, width, &o->out, before.out);
    unpack(p, batch_sizes, I, &g->d_x, untouched.d_x);
    gradients_free(&untouched, false), outcome_free(&before);
    test_release(x), test_release(d_out);
}

static void training_gives_the_bits_of_padded_rows(void **state) {
    (void)state;
    for (int round = 0; round < PROBLEMS; ++round) {
        int64_t batch_sizes[LONGEST];
        problem p = draw(round, true, batch_sizes);
        const int64_t steps = p.config.bidirectional ? 0 : random_between(&stream, 0, p.seq_len);
        wlstm_trainer *trainer = problem_trainer(&p, steps, (int)random_between(&stream, 1, 3),
                                                 round % 2 ? WLSTM_SCHEDULE_GANGS : WLSTM_SCHEDULE_SERIAL);
        gradients padded = gradients_create(&p, &stream), packed;
        outcome of_padded, of_packed;
        assert_int_equal(problem_train(&p, trainer, SEED, NULL, &of_padded), WLSTM_OK);
        assert_int_equal(problem_back(trainer, NULL, &padded), WLSTM_OK);
        train_packed(&p, trainer, batch_sizes, &padded, &of_packed, &packed);
        assert_true(outcomes_agree(&p, "packed", &of_packed, &of_padded, true));
        assert_true(gradients_agree(&p, "packed", &packed, &padded, true));
        outcome_free(&of_padded), outcome_free(&of_packed);
        gradients_free(&packed, false), gradients_free(&padded, true);
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_gives_the_bits_of_padded_rows),
        cmocka_unit_test(plans_give_the_bits_of_padded_rows),
        cmocka_unit_test(training_gives_the_bits_of_padded_rows),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
