/* The reference is a hundred times slower than what is tried, so it computes the first steps of a few rows. The batch's other
 * rows are copies of these in turn, an odd number of them where there are fewer than the batch has, so that every row of a
 * candidate is compared, and rows mixed up within a tile are noticed. All of a timed run is compared with the run of the first
 * runner. */
#include "plan/trial.h"

#include "base/allocator.h"
#include "base/random.h"
#include "base/status.h"
#include "reference/compare.h"
#include "reference/forward.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

/* What one run reads and writes. */
typedef struct arrays {
    int64_t seq_len, batch;
    void *x, *out, *h_n, *c_n;
    size_t out_count;
} arrays;

struct wli_trials {
    wli_trials_request request;
    wli_model *model;
    wli_setting setting; /* B of it may be less than the problem's */
    int64_t patterns;
    arrays reference, checked, timed; /* [T_r, patterns], [T_r, B], [T', B] */
    void *first_out;                  /* of a timed run */
};

static const double reference_flops = 0.1e9; /* a tenth of a second */

static wlstm_status make_array(const wli_model *model, int64_t a, int64_t b, int64_t c, void **values, size_t *count) {
    size_t bytes = SIZE_MAX;
    *values = wli_size_product(a, b, c, count) && !__builtin_mul_overflow(*count, wli_dtype_size(model->dtype), &bytes)
                  ? wli_alloc(bytes)
                  : NULL;
    if (!*values) return wli_out_of_memory("arrays to measure with", bytes);
    memset(*values, 0, bytes);
    return WLSTM_OK;
}

static void arrays_free(arrays *a) {
    wli_free(a->x), wli_free(a->out), wli_free(a->h_n), wli_free(a->c_n);
}

static wlstm_status arrays_make(const wli_model *model, int64_t seq_len, int64_t batch, int64_t patterns, arrays *a) {
    const int64_t D = model->num_directions, I = model->cells[0].input_size;
    const wli_cell_weights *last = &model->cells[model->num_layers * D - 1];
    const int64_t h_width = last->h_offset + last->state_size, c_width = last->c_offset + last->hidden_size;
    size_t x_count, state_count;
    *a = (arrays){ .seq_len = seq_len, .batch = batch };
    wlstm_status status = make_array(model, seq_len, batch, I, &a->x, &x_count);
    if (status == WLSTM_OK) status = make_array(model, seq_len, batch, D * last->state_size, &a->out, &a->out_count);
    if (status == WLSTM_OK) status = make_array(model, h_width, batch, 1, &a->h_n, &state_count);
    if (status == WLSTM_OK) status = make_array(model, c_width, batch, 1, &a->c_n, &state_count);
    if (status != WLSTM_OK) return status;
    const wli_strides strides = wli_call_strides(model, &(wli_call){ .seq_len = seq_len, .batch = batch }, I);
    const size_t element = wli_dtype_size(model->dtype);
    for (int64_t t = 0; t < seq_len; t++)
        for (int64_t b = 0; b < batch; b++) {
            char *row = (char *)a->x + (size_t)(t * strides.time + b * strides.row) * element;
            if (b >= patterns)
                memcpy(row, (char *)a->x + (size_t)(t * strides.time + b % patterns * strides.row) * element,
                       (size_t)I * element);
            else
                for (int64_t k = 0; k < I; k++)
                    wli_put(model->dtype, row, (size_t)k, wli_random_real(1, (uint64_t)((t * patterns + b) * I + k)));
        }
    return WLSTM_OK;
}

static wli_call call_of(const arrays *a) {
    return (
        wli_call){ .seq_len = a->seq_len, .batch = a->batch, .x = a->x, .out = a->out, .h_n = a->h_n, .c_n = a->c_n };
}

static wlstm_status run(wli_runner *runner, const arrays *a) {
    const wli_call call = call_of(a);
    return wli_runner_run(runner, &call);
}

static wlstm_status different(const wli_trials *trials) {
    return wli_fail(WLSTM_ERROR_BACKEND,
                    "tuning: the reference's result expected at t%" PRId64 "b%" PRId64 ", got another",
                    trials->setting.seq_len, trials->setting.batch);
}

/* Whether every row of a [blocks][B, width] result is close to its pattern's. */
static bool agree(const wli_trials *trials, const void *got, const void *expected, int64_t blocks, int64_t width) {
    const int64_t B = trials->setting.batch, patterns = trials->patterns;
    const wlstm_dtype dtype = trials->model->dtype;
    const wlstm_precision precision = trials->setting.precision;
    for (int64_t o = 0; o < blocks; o++)
        for (int64_t b = 0; b < B; b++)
            for (int64_t k = 0; k < width; k++)
                if (!wli_close_enough(dtype, precision, wli_get(dtype, got, (size_t)((o * B + b) * width + k)),
                                      wli_get(dtype, expected, (size_t)((o * patterns + b % patterns) * width + k))))
                    return false;
    return true;
}

/* out is [T, B, .], or [B, T, .] with batch_first: then a row's steps are as one wide row. */
static bool agree_with_reference(const wli_trials *trials) {
    const wli_model *model = trials->model;
    const arrays *got = &trials->checked, *expected = &trials->reference;
    const int64_t cells = model->num_layers * model->num_directions, T = got->seq_len;
    const int64_t width = (int64_t)got->out_count / (T * got->batch);
    bool same = model->batch_first ? agree(trials, got->out, expected->out, 1, T * width)
                                   : agree(trials, got->out, expected->out, T, width);
    const size_t element = wli_dtype_size(model->dtype);
    for (int64_t i = 0; i < cells && same; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        const size_t h = (size_t)cell->h_offset * element, c = (size_t)cell->c_offset * element;
        const size_t B = (size_t)got->batch, patterns = (size_t)expected->batch;
        same = agree(trials, (char *)got->h_n + B * h, (char *)expected->h_n + patterns * h, 1, cell->state_size) &&
               agree(trials, (char *)got->c_n + B * c, (char *)expected->c_n + patterns * c, 1, cell->hidden_size);
    }
    return same;
}

/* The first runner is made and checked whatever time it takes. */
static wlstm_status go_on(const wli_trials *trials) {
    if (!trials->first_out || !trials->request.over(trials->request.context)) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_BACKEND, "tuning: was stopped, or its time is over");
}

/* A runner of the candidate, its first steps checked. */
static wlstm_status make_checked(wli_trials *trials, const wli_candidate *candidate, wli_runner **runner) {
    const wli_choice choice = wli_candidate_resolve(&trials->setting, candidate);
    wlstm_status status = wli_runner_make(trials->model, &trials->setting, &choice, runner);
    if (status == WLSTM_OK) status = go_on(trials);
    if (status == WLSTM_OK) status = run(*runner, &trials->checked);
    if (status == WLSTM_OK && !agree_with_reference(trials)) status = different(trials);
    if (status != WLSTM_OK) {
        wli_runner_free(*runner);
        *runner = NULL;
    }
    return status;
}

wlstm_status wli_trials_runner(wli_trials *trials, const wli_candidate *candidate, wli_runner **runner) {
    wlstm_status status = make_checked(trials, candidate, runner);
    if (status != WLSTM_OK) return status;
    status = go_on(trials);
    if (status == WLSTM_OK) status = run(*runner, &trials->timed);
    const wlstm_dtype dtype = trials->model->dtype;
    for (size_t i = 0; i < trials->timed.out_count && status == WLSTM_OK; i++)
        if (!wli_close_enough(dtype, trials->setting.precision, wli_get(dtype, trials->timed.out, i),
                              wli_get(dtype, trials->first_out, i)))
            status = different(trials);
    if (status != WLSTM_OK) {
        wli_runner_free(*runner);
        *runner = NULL;
    }
    return status;
}

/* OpenMP's clock may count in whole microseconds, in which a small problem takes no time. */
static double now(void) {
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

double wli_trials_time(wli_trials *trials, wli_runner *runner, double seconds) {
    const double until = now() + seconds;
    double least = INFINITY;
    for (double start = now(), end; start < until || isinf(least); start = end) {
        if (run(runner, &trials->timed) != WLSTM_OK) return -1;
        end = now();
        if (end - start < least) least = end - start;
    }
    return least;
}

static wlstm_status run_reference(wli_trials *trials, int64_t steps) {
    const wli_model *model = trials->model;
    const wli_reference *reference = wli_reference_of(model);
    arrays *a = &trials->reference;
    wlstm_status status = arrays_make(model, steps, trials->patterns, trials->patterns, a);
    if (status != WLSTM_OK) return status;
    size_t bytes = SIZE_MAX;
    void *workspace = reference->workspace(model, steps, a->batch, &bytes) ? wli_alloc(bytes) : NULL;
    if (!workspace) return wli_out_of_memory("the reference's workspace", bytes);
    const wli_call call = call_of(a);
    reference->forward(model, trials->setting.precision, &call, NULL, workspace);
    wli_free(workspace);
    return WLSTM_OK;
}

static double row_step_flops(const wli_model *model) {
    double flops = 0;
    for (int64_t i = 0; i < model->num_layers * model->num_directions; i++) {
        const wli_cell_weights *cell = &model->cells[i];
        flops += 8.0 * (double)cell->hidden_size * (double)(cell->input_size + cell->state_size) +
                 2.0 * (double)cell->hidden_size * (double)cell->proj_size;
    }
    return flops;
}

/* How many rows and steps of the reference can be paid for: two steps first, then rows, then steps. */
static int64_t choose_sample(wli_trials *trials) {
    const int64_t T = trials->setting.seq_len, B = trials->setting.batch, most_patterns = 7, most_steps = 32;
    const double rows = reference_flops / row_step_flops(trials->model);
    int64_t patterns = rows < 2 ? 1 : rows > 2e6 ? most_patterns : (int64_t)(rows / 2);
    if (patterns > most_patterns) patterns = most_patterns;
    patterns = patterns >= B ? B : patterns - (patterns + 1) % 2;
    trials->patterns = patterns;
    int64_t steps = rows / (double)patterns < 2 ? 2 : (int64_t)fmin(rows / (double)patterns, (double)most_steps);
    return steps < T ? steps : T;
}

/* Fewer rows where the problem's would take too long for so many steps, but many for each thread still. */
static void choose_rows(wli_trials *trials, int64_t steps) {
    enum { ROWS_A_THREAD = 64 };
    const wli_trials_request *request = &trials->request;
    wli_setting fewer = trials->setting;
    while ((fewer.batch = (fewer.batch + 1) / 2) >= (int64_t)fewer.threads * ROWS_A_THREAD) {
        const wli_choice choice = wli_candidate_resolve(&trials->setting, request->first);
        wli_setting sample = trials->setting;
        sample.seq_len = steps;
        if (wli_predict(&sample, &choice, request->machine) <= 2 * request->longest_run ||
            !wli_candidate_legal(&fewer, request->first))
            return;
        trials->setting.batch = fewer.batch;
    }
}

static wlstm_status fill(wli_trials *trials, wli_runner **runner) {
    const double longest_run = trials->request.longest_run;
    const int64_t T = trials->setting.seq_len, steps = choose_sample(trials);
    choose_rows(trials, steps);
    const int64_t B = trials->setting.batch;
    wlstm_status status = run_reference(trials, steps);
    if (status == WLSTM_OK) status = arrays_make(trials->model, steps, B, trials->patterns, &trials->checked);
    if (status == WLSTM_OK) status = make_checked(trials, trials->request.first, runner);
    if (status != WLSTM_OK) return status;
    const double start = now();
    status = run(*runner, &trials->checked);
    const double step_seconds = (now() - start) / (double)steps;
    int64_t timed_steps = T;
    if (step_seconds * (double)T > 2 * longest_run) {
        timed_steps = (int64_t)(longest_run / step_seconds);
        if (timed_steps < steps) timed_steps = steps;
    }
    if (status == WLSTM_OK) status = arrays_make(trials->model, timed_steps, B, trials->patterns, &trials->timed);
    if (status == WLSTM_OK) status = run(*runner, &trials->timed);
    size_t count;
    if (status == WLSTM_OK)
        status = make_array(trials->model, (int64_t)trials->timed.out_count, 1, 1, &trials->first_out, &count);
    if (status == WLSTM_OK) memcpy(trials->first_out, trials->timed.out, count * wli_dtype_size(trials->model->dtype));
    return status;
}

wlstm_status wli_trials_make(const wli_trials_request *request, wli_trials **out, wli_runner **first) {
    *out = NULL, *first = NULL;
    wli_trials *trials = wli_calloc(sizeof *trials);
    if (!trials) return wli_out_of_memory("trials", sizeof *trials);
    trials->request = *request;
    trials->model = request->model;
    trials->setting = *request->setting;
    trials->setting.model = request->model;
    wlstm_status status = fill(trials, first);
    if (status != WLSTM_OK) {
        wli_runner_free(*first);
        *first = NULL;
        wli_trials_free(trials);
        return status;
    }
    *out = trials;
    return WLSTM_OK;
}

void wli_trials_free(wli_trials *trials) {
    if (!trials) return;
    arrays_free(&trials->reference), arrays_free(&trials->checked), arrays_free(&trials->timed);
    wli_free(trials->first_out);
    wli_free(trials);
}

const wli_setting *wli_trials_setting(const wli_trials *trials) {
    return &trials->setting;
}

wli_setting wli_trials_timed(const wli_trials *trials) {
    wli_setting timed = trials->setting;
    timed.seq_len = trials->timed.seq_len;
    return timed;
}
