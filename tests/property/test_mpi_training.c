/* Gradients of rows over ranks are one process's within rounding, and deterministic ones the same bits as an addition in order:
 * ragged, with dropout, ranks without rows, accumulated, by several threads. */
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "ranks.h"
#include "train/trainer.h"
#include "training.h"
#include "wavelstm_mpi.h"

enum { PROBLEMS = 30, SEED = 9 };

/* Rows [first, end) of whole [outer, batch, width], or [batch, inner, width] as outer 1; NULL stays NULL. */
static void *rows_of(const problem *p, const void *whole, int64_t outer, int64_t width, int64_t first, int64_t end) {
    const size_t row = (size_t)width * dtype_size(p->config.dtype), bytes = (size_t)(end - first) * row;
    if (!whole) return NULL;
    char *rows = test_allocate(p->config.dtype, outer * (end - first) * width + 1);
    for (int64_t i = 0; i < outer; i++)
        memcpy(rows + (size_t)i * bytes, (const char *)whole + (size_t)(i * p->batch + first) * row, bytes);
    return rows;
}

static void *steps_of(const problem *p, const void *whole, int64_t width, int64_t first, int64_t end) {
    return p->config.batch_first ? rows_of(p, whole, 1, p->seq_len * width, first, end)
                                 : rows_of(p, whole, p->seq_len, width, first, end);
}

/* A rank's part of the problem, and of the gradients that are given. */
static problem part_of(const problem *p, int64_t first, int64_t end) {
    problem part = *p;
    const int64_t blocks = problem_blocks(p);
    part.batch = end - first;
    part.x = steps_of(p, p->x, p->config.input_size, first, end);
    part.h_0 = rows_of(p, p->h_0, blocks, problem_width(p), first, end);
    part.c_0 = rows_of(p, p->c_0, blocks, p->config.hidden_size, first, end);
    part.lengths = p->lengths ? p->lengths + first : NULL;
    return part;
}

static wlstm_status forward(const problem *p, wlstm_trainer *trainer, int64_t first, outcome *o) {
    *o = outcome_create(p);
    return wlstm_trainer_forward(trainer, p->seq_len, p->batch, p->lengths, p->x, p->h_0, p->c_0, o->out, NULL, NULL, 1,
                                 SEED, first, NULL);
}

/* The ranks' own gradients, added in order, into `sum`. */
static void add_in_order(const ranks *r, wlstm_dtype dtype, const void *own, int64_t count, void *sum) {
    const size_t bytes = (size_t)count * dtype_size(dtype);
    char *all = malloc(bytes * (size_t)r->count);
    require(all, "memory");
    MPI_Allgather(own, (int)bytes, MPI_BYTE, all, (int)bytes, MPI_BYTE, MPI_COMM_WORLD);
    memcpy(sum, all, bytes);
    for (int rank = 1; rank < r->count; rank++)
        for (int64_t i = 0; i < count; i++)
            if (dtype == WLSTM_F64)
                ((double *)sum)[i] += ((double *)(void *)(all + (size_t)rank * bytes))[i];
            else
                ((float *)sum)[i] += ((float *)(void *)(all + (size_t)rank * bytes))[i];
    free(all);
}

static void one_problem(ranks *r) {
    problem p = problem_draw_for_training(&r->stream);
    p.batch = random_between(&r->stream, 1, 4 * r->count);
    if (random_flag(&r->stream)) p.config.dropout = 0.5;
    problem_build(&p, &r->stream);
    const int threads = (int)random_between(&r->stream, 1, 3), accumulate = random_flag(&r->stream);
    gradients loss = gradients_create(&p, &r->stream), whole = gradients_like(&p, &loss), mine = whole;
    const int64_t blocks = problem_blocks(&p), count = loss.parameters;
    outcome o;

    wlstm_trainer *alone = problem_trainer(&p, 0, 1, WLSTM_SCHEDULE_AUTO);
    require(forward(&p, alone, 0, &o) == WLSTM_OK, "%s", wlstm_last_error());
    require(problem_back(alone, NULL, &whole) == WLSTM_OK, "%s", p.name);
    outcome_free(&o);
    wlstm_trainer_free(alone);

    /* The last rank has none where there are few. */
    const int64_t each = (p.batch + r->count - 1) / r->count, begin = r->rank * each;
    const int64_t first = begin < p.batch ? begin : p.batch, end = first + each < p.batch ? first + each : p.batch;
    problem part = part_of(&p, first, end);
    mine.d_out = steps_of(&p, loss.d_out, problem_out_width(&p), first, end);
    mine.d_h_n = rows_of(&p, loss.d_h_n, blocks, problem_width(&p), first, end);
    mine.d_c_n = rows_of(&p, loss.d_c_n, blocks, p.config.hidden_size, first, end);
    wlstm_trainer *trainer = problem_trainer(&p, 0, threads, WLSTM_SCHEDULE_GANGS);
    const size_t bytes = (size_t)count * trainer->element;
    void *flat, *own = malloc(bytes), *expected = malloc(bytes);
    require(own && expected, "memory");
    wlstm_trainer_gradients(trainer, &flat, NULL);
    for (int way = 0; way < 3; way++) { /* alone; summed; in order */
        outcome own_out;
        require(forward(&part, trainer, first, &own_out) == WLSTM_OK, "%s", wlstm_last_error());
        memset(flat, 0, bytes);
        const wlstm_status status =
            way == 0 ? wlstm_trainer_backward(trainer, NULL, mine.d_out, mine.d_h_n, mine.d_c_n, NULL, NULL, NULL, 0)
                     : wlstm_mpi_trainer_backward(MPI_COMM_WORLD, trainer, NULL, mine.d_out, mine.d_h_n, mine.d_c_n,
                                                  NULL, NULL, NULL, accumulate, way == 2);
        require(status == WLSTM_OK, "%s: %s", p.name, wlstm_mpi_last_error());
        if (way == 0) memcpy(own, flat, bytes);
        if (way == 0) add_in_order(r, p.config.dtype, own, count, expected);
        gradients sums = whole;
        sums.d_parameters = flat;
        if (way == 1) require(gradients_agree(&p, "sums", &sums, &whole, false), "%s on %d ranks", p.name, r->count);
        if (way == 2) require(memcmp(flat, expected, bytes) == 0, "%s: in order on %d ranks", p.name, r->count);
        outcome_free(&own_out);
    }
    free(own), free(expected), test_release(part.x), test_release(part.h_0), test_release(part.c_0);
    test_release((void *)(uintptr_t)mine.d_out), test_release((void *)(uintptr_t)mine.d_h_n),
        test_release((void *)(uintptr_t)mine.d_c_n);
    wlstm_trainer_free(trainer);
    gradients_free(&whole, false), gradients_free(&loss, true);
    problem_free(&p);
}

/* What was there goes into the sum: once, of each rank. */
static void accumulated_gradients_are_summed(const ranks *r) {
    enum { T = 3, B = 2, I = 3, H = 4 };
    const float x[T * B * I] = { 1, 2, 3 };
    float out[T * B * H];
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm;
    wlstm_trainer *trainer;
    void *flat;
    int64_t count;
    config.input_size = I, config.hidden_size = H, options.max_seq_len = T, options.max_batch = B;
    require(wlstm_lstm_create(&config, &lstm) == WLSTM_OK, "%s", wlstm_last_error());
    require(wlstm_trainer_create(lstm, &options, &trainer) == WLSTM_OK, "%s", wlstm_last_error());
    wlstm_trainer_gradients(trainer, &flat, &count);
    for (int64_t i = 0; i < count; i++) ((float *)flat)[i] = (float)(r->rank + 1);
    wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL);
    require(wlstm_mpi_trainer_backward(MPI_COMM_WORLD, trainer, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1, 0) ==
                WLSTM_OK,
            "%s", wlstm_mpi_last_error());
    const double sum = r->count * (r->count + 1) / 2.0;
    for (int64_t i = 0; i < count; i++)
        require((double)((float *)flat)[i] == sum, "%g expected, got %g", sum, (double)((float *)flat)[i]);
    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
}

int main(int argc, char **argv) {
    ranks r = ranks_begin(&argc, &argv);
    for (int i = 0; i < PROBLEMS; i++) one_problem(&r);
    accumulated_gradients_are_summed(&r);
    MPI_Finalize();
    return 0;
}
