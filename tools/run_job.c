#include "run_job.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/text.h"
#include "io/safetensors.h"
#include "run_arrays.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------------- model */

wlstm_status run_inspect(const run_arguments *given, run *this_run, char dtype_name[16]) {
    size_t capacity = strlen(given->prefix) + 48;
    char *name = wli_alloc(capacity);
    if (name == NULL) return wli_out_of_memory("prefix", capacity);
    wli_safetensors *file;
    wlstm_status status = wli_safetensors_open(given->model, &file);
    if (status == WLSTM_OK) {
        snprintf(name, capacity, "%sweight_ih_l0", given->prefix);
        const wli_st_tensor *weight = wli_safetensors_find(file, name);
        if (weight == NULL) {
            snprintf(name, capacity, "%sweight_ih", given->prefix);
            weight = wli_safetensors_find(file, name);
            this_run->cell = weight != NULL;
        }
        const wli_st_tensor *above = this_run->cell ? NULL : weight;
        for (int64_t layer = 1; above != NULL; layer++) {
            this_run->unlike = this_run->unlike || above->shape[0] != weight->shape[0];
            snprintf(name, capacity, "%sweight_ih_l%" PRId64, given->prefix, layer);
            above = wli_safetensors_find(file, name);
        }
        snprintf(dtype_name, 16, "%s", weight == NULL ? "" : weight->dtype_name);
        wli_safetensors_close(file);
    }
    wli_free(name);
    return status;
}

wlstm_load_options run_load_options(const run_arguments *given) {
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = given->prefix;
    options.batch_first = given->batch_first;
    options.convert = given->convert;
    options.dtype = given->dtype;
    options.compact = given->compact;
    options.precision = given->precision;
    return options;
}

void run_note_dtype(const run *this_run, const char *dtype_name) {
    if (strcmp(dtype_name, wli_numbers[this_run->config.dtype].safetensors) != 0)
        fprintf(stderr, "wlstm-run: note: model: %s parameters converted to %s\n", dtype_name,
                run_dtype_name(this_run->config.dtype));
}

/* ------------------------------------------------------------------------------------------------------ arrays */

// x [T, B, I], [B, T, I] if batch_first, or unbatched [T, I]; out is as wide as h of all directions.
static wlstm_status load_input(const run_arguments *given, run *this_run) {
    const wlstm_lstm_config *config = &this_run->config;
    wli_npy *x = &this_run->x;
    wlstm_status status = run_read_floats("input", given->input, config->dtype, x);
    if (status != WLSTM_OK) return status;
    char shape[WLI_SHAPE_TEXT];
    if (x->ndim != 2 && x->ndim != 3)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "input: 2-D or 3-D expected, got %d-D %s", x->ndim,
                        wli_shape_text(x->ndim, x->shape, shape));
    this_run->batched = x->ndim == 3;
    int time = this_run->batched && given->batch_first ? 1 : 0;
    this_run->seq_len = x->shape[time];
    this_run->batch = this_run->batched ? x->shape[1 - time] : 1;
    if (x->shape[x->ndim - 1] != config->input_size)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "input: input_size %lld expected, got %lld (shape %s)",
                        (long long)config->input_size, (long long)x->shape[x->ndim - 1],
                        wli_shape_text(x->ndim, x->shape, shape));
    if (this_run->seq_len == 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "input: seq_len of at least 1 expected, got 0 (shape %s)",
                        wli_shape_text(x->ndim, x->shape, shape));
    int64_t h_size = config->proj_size > 0 ? config->proj_size : config->hidden_size;
    int64_t directions = config->bidirectional ? 2 : 1;
    this_run->out_ndim = x->ndim;
    memcpy(this_run->out_shape, x->shape, sizeof this_run->out_shape);
    this_run->out_shape[x->ndim - 1] = directions * h_size;
    // h [D*L, B, R], c [D*L, B, H]; no D*L for an nn.LSTMCell, no B if unbatched
    int ndim = 0;
    if (!this_run->cell) this_run->h_shape[ndim++] = directions * config->num_layers;
    if (this_run->batched) this_run->h_shape[ndim++] = this_run->batch;
    memcpy(this_run->c_shape, this_run->h_shape, sizeof this_run->c_shape);
    this_run->h_shape[ndim] = h_size;
    this_run->c_shape[ndim++] = config->hidden_size;
    this_run->state_ndim = ndim;
    return WLSTM_OK;
}

static wlstm_status load_state(const run_arguments *given, run *this_run) {
    if (given->h0 == NULL) return WLSTM_OK;
    const char *because = this_run->batched ? "the input is batched" : "the input is unbatched";
    wlstm_status status = run_read_floats("h0", given->h0, this_run->config.dtype, &this_run->h_0);
    if (status == WLSTM_OK)
        status = run_check_shape("h0", &this_run->h_0, this_run->state_ndim, this_run->h_shape, because);
    if (status == WLSTM_OK) status = run_read_floats("c0", given->c0, this_run->config.dtype, &this_run->c_0);
    if (status == WLSTM_OK)
        status = run_check_shape("c0", &this_run->c_0, this_run->state_ndim, this_run->c_shape, because);
    return status;
}

static wlstm_status load_lengths(const run_arguments *given, run *this_run) {
    if (given->lengths == NULL) return WLSTM_OK;
    if (!this_run->batched)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "lengths: a batched (3-D) input expected, got a 2-D one");
    wlstm_status status = run_read_integers("lengths", given->lengths, &this_run->lengths);
    if (status != WLSTM_OK) return status;
    status = run_check_shape("lengths", &this_run->lengths, 1, &this_run->batch, "one for each row of the batch");
    const int64_t *lengths = this_run->lengths.values;
    for (int64_t b = 0; b < this_run->batch && status == WLSTM_OK; b++)
        if (lengths[b] < 1 || lengths[b] > this_run->seq_len)
            status = wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "lengths: 1 to %lld expected, got %lld at [%lld]",
                              (long long)this_run->seq_len, (long long)lengths[b], (long long)b);
    return status;
}

// Of unlike layers h and c are no arrays of three dimensions.
static wlstm_status check_states(const run_arguments *given, const run *this_run) {
    const char *asked = given->h0 != NULL ? "h0" : given->hn != NULL ? "hn" : given->cn != NULL ? "cn" : NULL;
    if (asked == NULL && given->compare) asked = "compare";
    if (asked == NULL || !this_run->unlike) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                    "%s: layers of one hidden_size expected, got some of others, whose h and c have no common shape "
                    "(leave it out, or call wlstm_forward)",
                    asked);
}

wlstm_status run_load_arrays(const run_arguments *given, run *this_run) {
    wlstm_status status = check_states(given, this_run);
    if (status == WLSTM_OK) status = load_input(given, this_run);
    if (status == WLSTM_OK) status = load_state(given, this_run);
    return status == WLSTM_OK ? load_lengths(given, this_run) : status;
}

// Elements of an array that is in memory.
static size_t count(int ndim, const int64_t *shape) {
    size_t elements = 1;
    for (int d = 0; d < ndim; d++) elements *= (size_t)shape[d];
    return elements;
}

wlstm_status run_allocate_results(const run_arguments *given, run *this_run) {
    const wlstm_dtype dtype = this_run->config.dtype;
    wlstm_status status = run_allocate("output", dtype, this_run->out_ndim, this_run->out_shape, &this_run->out);
    if (status == WLSTM_OK && (given->hn != NULL || given->compare))
        status = run_allocate("hn", dtype, this_run->state_ndim, this_run->h_shape, &this_run->h_n);
    if (status == WLSTM_OK && (given->cn != NULL || given->compare))
        status = run_allocate("cn", dtype, this_run->state_ndim, this_run->c_shape, &this_run->c_n);
    return status;
}

run_call run_call_of(const run *this_run) {
    return (run_call){ this_run->config.dtype,
                       // an empty batch has empty results, whatever seq_len its file claims
                       this_run->batch > 0 ? this_run->seq_len : 1,
                       this_run->batch,
                       this_run->lengths.values,
                       this_run->x.values,
                       this_run->h_0.values,
                       this_run->c_0.values,
                       { this_run->out, this_run->h_n, this_run->c_n },
                       { count(this_run->out_ndim, this_run->out_shape), count(this_run->state_ndim, this_run->h_shape),
                         count(this_run->state_ndim, this_run->c_shape) } };
}

/* ----------------------------------------------------------------------------------------------------- results */

static wlstm_status report(const run_arguments *given, const run *this_run) {
    char input[WLI_SHAPE_TEXT], output[WLI_SHAPE_TEXT];
    printf("%s: %s %s, input %s, output %s; %s\n", given->model, this_run->cell ? "nn.LSTMCell" : "nn.LSTM",
           run_dtype_name(this_run->config.dtype), wli_shape_text(this_run->x.ndim, this_run->x.shape, input),
           wli_shape_text(this_run->out_ndim, this_run->out_shape, output), this_run->how);
    if (given->compare) run_print_comparison(&this_run->comparison);
    if (fflush(stdout) == 0) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_FILE, "standard output: cannot write: %s", strerror(errno));
}

wlstm_status run_try_results(const run_arguments *given) {
    const char *const paths[] = { given->output, given->hn, given->cn };
    wlstm_status status = WLSTM_OK;
    for (int k = 0; k < 3 && status == WLSTM_OK; k++) {
        wli_output *output = NULL;
        if (paths[k] != NULL) status = wli_output_create(paths[k], &output);
        wli_output_discard(output);
    }
    return status;
}

// All results are on the disk before the first takes its name.
wlstm_status run_store(const run_arguments *given, const run *this_run) {
    wlstm_dtype dtype = this_run->config.dtype;
    int ndim = this_run->state_ndim;
    wli_output *staged[3] = { NULL, NULL, NULL };
    wlstm_status status =
        wli_npy_stage(given->output, dtype, this_run->out_ndim, this_run->out_shape, this_run->out, &staged[0]);
    if (status == WLSTM_OK && given->hn != NULL)
        status = wli_npy_stage(given->hn, dtype, ndim, this_run->h_shape, this_run->h_n, &staged[1]);
    if (status == WLSTM_OK && given->cn != NULL)
        status = wli_npy_stage(given->cn, dtype, ndim, this_run->c_shape, this_run->c_n, &staged[2]);
    if (status == WLSTM_OK) status = report(given, this_run);
    for (int k = 0; k < 3; k++) {
        if (staged[k] != NULL && status == WLSTM_OK)
            status = wli_output_commit(staged[k]);
        else
            wli_output_discard(staged[k]);
    }
    return status;
}

void run_free(run *this_run) {
    wlstm_plan_free(this_run->plan);
    wlstm_lstm_free(this_run->lstm);
    wli_npy_free(&this_run->x);
    wli_npy_free(&this_run->h_0);
    wli_npy_free(&this_run->c_0);
    wli_npy_free(&this_run->lengths);
    wli_free(this_run->out);
    wli_free(this_run->h_n);
    wli_free(this_run->c_n);
}
