/* wlstm_trainer: the public functions over src/train. */
#include "api/module.h"
#include "base/environment.h"
#include "base/precision.h"
#include "base/status.h"
#include "base/struct_size.h"
#include "train/decision.h"
#include "train/dropout.h"
#include "train/optimizer.h"
#include "train/passes.h"
#include "train/trainer_file.h"
#include "train/weights.h"
#include <inttypes.h>
#include <omp.h>
#include <string.h>

static wlstm_status check_lstm(const wli_model *model) {
    if (model->dtype == WLSTM_BF16)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED,
                        "lstm: f32 or f64 parameters expected, which training updates, got bf16; create or load one of "
                        "WLSTM_F32");
    return wli_model_check_values(model);
}

static wlstm_status check_options(const wli_model *model, const wlstm_trainer_options *options) {
    wlstm_status status = wli_check_room(options->max_seq_len, options->max_batch, options->num_threads);
    if (status == WLSTM_OK) status = wli_check_schedule(options->schedule);
    if (status != WLSTM_OK) return status;
    if (options->effort < WLSTM_EFFORT_DEFAULT || options->effort > WLSTM_EFFORT_PATIENT)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "effort: a wlstm_effort expected, got %d", (int)options->effort);
    if (options->recompute_steps < 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "recompute_steps: 0 (all is kept) or more expected, got %" PRId64,
                        options->recompute_steps);
    if (options->recompute_steps > 0 && model->num_directions == 2)
        return wli_fail(
            WLSTM_ERROR_UNSUPPORTED,
            "recompute_steps: 0 expected with two directions, whose layers wait for both ends, got %" PRId64,
            options->recompute_steps);
    status = wli_precision_check(model->dtype, options->precision);
    if (status != WLSTM_OK || options->precision <= WLSTM_PRECISION_FULL) return status;
    return wli_fail(WLSTM_ERROR_UNSUPPORTED, "precision: full expected, which training multiplies in, got %s",
                    wli_precision_names[options->precision]);
}

wlstm_status wlstm_trainer_create(const wlstm_lstm *lstm, const wlstm_trainer_options *options,
                                  wlstm_trainer **trainer) {
    if (!trainer) return wli_null_argument("trainer");
    *trainer = NULL;
    if (!lstm) return wli_null_argument("lstm");
    wlstm_trainer_options own = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_status status = wli_struct_read(&wli_trainer_options_kind, options, &own);
    if (status == WLSTM_OK) status = check_lstm(lstm->module.model);
    if (status == WLSTM_OK) status = check_options(lstm->module.model, &own);
    if (status != WLSTM_OK) return status;
    const int threads = own.num_threads ? own.num_threads : wli_default_threads();
    status = wli_trainer_make(lstm->module.model, own.max_seq_len, own.max_batch, own.recompute_steps,
                              threads < omp_get_num_procs() ? threads : omp_get_num_procs(),
                              own.schedule ? own.schedule : wli_environment_get()->schedule, trainer);
    if (status == WLSTM_OK) wli_trainer_decide(*trainer, own.effort ? own.effort : wli_environment_get()->effort);
    return status;
}

wlstm_status wlstm_trainer_parameters(wlstm_trainer *trainer, void **values, int64_t *count) {
    if (!trainer) return wli_null_argument("trainer");
    if (values && !trainer->handed_out) {
        memcpy(trainer->packed_values, trainer->parameters, (size_t)trainer->count * trainer->element);
        trainer->handed_out = true;
    }
    if (values) *values = trainer->parameters;
    if (count) *count = trainer->count;
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_gradients(wlstm_trainer *trainer, void **values, int64_t *count) {
    if (!trainer) return wli_null_argument("trainer");
    if (values) *values = trainer->gradients;
    if (count) *count = trainer->count;
    return WLSTM_OK;
}

/* Where a parameter is in the flat arrays. */
static wlstm_status find_parameter(const wlstm_trainer *trainer, const char *name, const void *values, int64_t count,
                                   char **place) {
    *place = NULL;
    if (!trainer) return wli_null_argument("trainer");
    int64_t index;
    const wlstm_status status = wli_model_find(trainer->model, name, values, count, &index);
    if (status != WLSTM_OK) return status;
    *place = trainer->parameters;
    for (int64_t i = 0; i < index; i++) *place += trainer->model->parameters[i].count * trainer->element;
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_set_parameter(wlstm_trainer *trainer, const char *name, const void *values, int64_t count) {
    char *place;
    const wlstm_status status = find_parameter(trainer, name, values, count, &place);
    if (status != WLSTM_OK) return status;
    memcpy(place, values, (size_t)count * trainer->element);
    wli_trainer_changed(trainer);
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_get_parameter(const wlstm_trainer *trainer, const char *name, void *values, int64_t count) {
    char *place;
    const wlstm_status status = find_parameter(trainer, name, values, count, &place);
    if (status == WLSTM_OK) memcpy(values, place, (size_t)count * trainer->element);
    return status;
}

wlstm_status wlstm_trainer_copy_to(const wlstm_trainer *trainer, wlstm_lstm *lstm) {
    if (!trainer || !lstm) return wli_null_argument(trainer ? "lstm" : "trainer");
    const wli_model *from = trainer->model, *to = lstm->module.model;
    bool alike = from->dtype == to->dtype && from->num_parameters == to->num_parameters;
    for (int64_t i = 0; i < from->num_parameters && alike; i++)
        alike = strcmp(from->parameters[i].name, to->parameters[i].name) == 0 &&
                memcmp(from->parameters[i].shape, to->parameters[i].shape, sizeof from->parameters[i].shape) == 0;
    if (!alike)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "lstm: the trainer's parameters' names, shapes and dtype expected, got others");
    wlstm_status status = wli_model_check_values(to);
    if (status != WLSTM_OK) return status;
    wli_plan_pool_clear(&lstm->module.pool);
    if ((status = wli_model_make_private(&lstm->module.model)) != WLSTM_OK) return status;
    const char *values = trainer->parameters;
    for (int64_t i = 0; i < from->num_parameters; i++) {
        const size_t bytes = from->parameters[i].count * trainer->element;
        memcpy(lstm->module.model->parameters[i].values, values, bytes);
        values += bytes;
    }
    return WLSTM_OK;
}

/* That T, at least 1, and B, which the caller calls that, are within the trainer's maxima. */
static wlstm_status check_sizes(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch, const char *name) {
    if (seq_len < 1 || seq_len > trainer->max_seq_len)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "seq_len: 1 to the trainer's max_seq_len of %" PRId64 " expected, got %" PRId64,
                        trainer->max_seq_len, seq_len);
    if (batch < 0 || batch > trainer->max_batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "%s: 0 to the trainer's max_batch of %" PRId64 " expected, got %" PRId64, name,
                        trainer->max_batch, batch);
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_tape_bytes(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch, size_t *bytes) {
    if (!trainer || !bytes) return wli_null_argument(trainer ? "bytes" : "trainer");
    const wlstm_status status = check_sizes(trainer, seq_len, batch, "batch");
    if (status != WLSTM_OK) return status;
    return wli_tape_bytes(trainer, seq_len, batch, bytes) ? WLSTM_OK : wli_out_of_memory("tape", SIZE_MAX);
}

/* A call whose T and B are within the trainer's maxima. */
static wlstm_status forward(wlstm_trainer *trainer, const wli_call *call, bool training, uint64_t seed,
                            int64_t first_row, void *tape) {
    wlstm_status status = wli_call_check(trainer->model, call, INT64_MAX, INT64_MAX);
    if (status == WLSTM_OK && (first_row < 0 || first_row > WLI_LARGEST_ROWS - call->batch))
        status = wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "first_row: 0 to 2^40 less the batch expected, got %" PRId64,
                          first_row);
    if (status != WLSTM_OK) return status;
    wli_weights_notice(trainer);
    wli_tape *kept = wli_tape_begin(trainer, tape ? tape : trainer->own_tape, call, training);
    kept->seed = seed, kept->first_row = first_row;
    if (call->batch > 0) {
        wli_team_run(trainer, kept, true, wli_forward_pass, NULL);
        wli_weights_packed(trainer, false);
    }
    kept->state = WLI_TAPE_KEPT;
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_forward(wlstm_trainer *trainer, int64_t seq_len, int64_t batch, const int64_t *lengths,
                                   const void *x, const void *h_0, const void *c_0, void *out, void *h_n, void *c_n,
                                   int training, uint64_t seed, int64_t first_row, void *tape) {
    if (!trainer) return wli_null_argument("trainer");
    const wli_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n, NULL, 0, NULL };
    const wlstm_status status = check_sizes(trainer, seq_len, batch, "batch");
    return status == WLSTM_OK ? forward(trainer, &call, training != 0, seed, first_row, tape) : status;
}

wlstm_status wlstm_trainer_forward_packed(wlstm_trainer *trainer, int64_t seq_len, const int64_t *batch_sizes,
                                          const void *x, const void *h_0, const void *c_0, void *out, void *h_n,
                                          void *c_n, int training, uint64_t seed, int64_t first_row, void *tape) {
    if (!trainer) return wli_null_argument("trainer");
    wli_call call = { seq_len, 0, NULL, x, h_0, c_0, out, h_n, c_n, NULL, 0, batch_sizes };
    wlstm_status status = check_sizes(trainer, seq_len, 0, "batch_sizes[0]");
    if (status == WLSTM_OK) status = wli_call_count_rows(&call);
    if (status == WLSTM_OK) status = check_sizes(trainer, seq_len, call.batch, "batch_sizes[0]");
    return status == WLSTM_OK ? forward(trainer, &call, training != 0, seed, first_row, tape) : status;
}

/* The tape in the memory, or the trainer's own; a sentence where no forward pass of this trainer left it there. */
static wlstm_status find_tape(const wlstm_trainer *trainer, const void *memory, wli_tape **tape) {
    *tape = wli_tape_in(memory ? (void *)(uintptr_t)memory : trainer->own_tape);
    if (wli_tape_is_of(trainer, *tape)) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tape: one of a forward pass of this trainer expected, got %s",
                    memory ? "another memory, or another trainer's tape" : "the trainer's own before the first");
}

wlstm_status wlstm_trainer_backward(wlstm_trainer *trainer, void *tape, const void *d_out, const void *d_h_n,
                                    const void *d_c_n, void *d_x, void *d_h_0, void *d_c_0, int accumulate) {
    if (!trainer) return wli_null_argument("trainer");
    wli_tape *kept;
    const wlstm_status status = find_tape(trainer, tape, &kept);
    if (status != WLSTM_OK) return status;
    if (kept->state != WLI_TAPE_KEPT)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tape: a forward pass before each backward pass expected, got "
                                                      "a tape that a backward pass has used up");
    if (kept->version != trainer->version)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "tape: one of the parameters as they are expected, got one of "
                                                      "before their last change; go back before the update");
    kept->state = WLI_TAPE_USED;
    const wli_backward_call call = { d_out, d_h_n, d_c_n, d_x, d_h_0, d_c_0, accumulate != 0 };
    if (kept->call.batch > 0) {
        wli_watch_begin(trainer);
        wli_team_run(trainer, kept, false, wli_backward_pass, &call);
        wli_weights_packed(trainer, true);
        return WLSTM_OK;
    }
    if (!accumulate) (void)wlstm_trainer_zero_gradients(trainer);
    wli_tell_all(trainer);
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_watch_gradients(wlstm_trainer *trainer, wlstm_gradients_function ready, void *context) {
    if (!trainer) return wli_null_argument("trainer");
    trainer->watch = ready, trainer->watch_context = context;
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_zero_gradients(wlstm_trainer *trainer) {
    if (!trainer) return wli_null_argument("trainer");
    memset(trainer->gradients, 0, (size_t)trainer->count * trainer->element);
    return WLSTM_OK;
}

/* Shares of the parameters, whole lines each. */
static wli_span parameters_of(const wli_hand *hand) {
    const int64_t line = 16, lines = (hand->trainer->count + line - 1) / line;
    const wli_span own = wli_span_of(lines, hand->me, hand->threads);
    return (wli_span){ own.first * line,
                       own.end * line < hand->trainer->count ? own.end * line : hand->trainer->count };
}

static void update_pass(wli_hand *hand, const void *optimizer) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_span own = parameters_of(hand);
    wli_optimizer_update(optimizer, trainer->model->dtype, trainer->updates, own.first, own.end, trainer->parameters,
                         trainer->gradients, trainer->moments);
}

wlstm_status wlstm_trainer_update(wlstm_trainer *trainer, const wlstm_optimizer *optimizer) {
    if (!trainer) return wli_null_argument("trainer");
    wlstm_optimizer given = WLSTM_OPTIMIZER_INIT;
    wlstm_status status = wli_struct_read(&wli_optimizer_struct_kind, optimizer, &given);
    if (status != WLSTM_OK) return status;
    const wli_optimizer own = { .kind = (wli_optimizer_kind)given.kind,
                                .nesterov = given.nesterov != 0,
                                .lr = given.lr,
                                .momentum = given.momentum,
                                .dampening = given.dampening,
                                .beta1 = given.beta1,
                                .beta2 = given.beta2,
                                .eps = given.eps,
                                .weight_decay = given.weight_decay };
    if ((status = wli_optimizer_check(&own)) != WLSTM_OK) return status;
    const int moments = wli_optimizer_moments(&own);
    if (trainer->num_moments > 0 && moments > 0 && moments != trainer->num_moments)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "kind: one with the moments of the updates before expected, %s, got %d; a new trainer has none",
                        trainer->num_moments == 2 ? "Adam or AdamW" : "SGD", (int)own.kind);
    if (moments > 0) trainer->num_moments = moments;
    trainer->updates++;
    wli_team_run(trainer, NULL, false, update_pass, &own);
    wli_trainer_changed(trainer);
    return WLSTM_OK;
}

static void norm_pass(wli_hand *hand, const void *arguments) {
    (void)arguments;
    const wlstm_trainer *trainer = hand->trainer;
    const wli_span own = wli_span_of(wli_norm_blocks(trainer->count), hand->me, hand->threads);
    wli_norm_squares(trainer->model->dtype, trainer->gradients, trainer->count, own.first, own.end, trainer->squares);
}

static void scale_pass(wli_hand *hand, const void *factor) {
    const wlstm_trainer *trainer = hand->trainer;
    const wli_span own = parameters_of(hand);
    wli_clip_scale(trainer->model->dtype, *(const double *)factor, own.first, own.end, trainer->gradients);
}

wlstm_status wlstm_trainer_clip_gradients(wlstm_trainer *trainer, double max_norm, double *total_norm) {
    if (!trainer) return wli_null_argument("trainer");
    if (!(max_norm >= 0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "max_norm: a number of at least 0 expected, got %g", max_norm);
    wli_team_run(trainer, NULL, false, norm_pass, NULL);
    const double norm = wli_norm_of(trainer->squares, wli_norm_blocks(trainer->count));
    const double factor = wli_clip_factor(norm, max_norm);
    if (total_norm) *total_norm = norm;
    if (factor != 1) wli_team_run(trainer, NULL, false, scale_pass, &factor);
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_dropout_mask(const wlstm_trainer *trainer, const void *tape, int64_t layer, void *mask) {
    if (!trainer || !mask) return wli_null_argument(trainer ? "mask" : "trainer");
    wli_tape *kept;
    const wlstm_status status = find_tape(trainer, tape, &kept);
    if (status != WLSTM_OK) return status;
    if (layer < 0 || layer > trainer->model->num_layers - 2)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "layer: one below another, 0 to %" PRId64 ", expected, got %" PRId64,
                        trainer->model->num_layers - 2, layer);
    wli_drop_mask(trainer, kept, layer, mask);
    return WLSTM_OK;
}

wlstm_status wlstm_trainer_memory(const wlstm_trainer *trainer, size_t *bytes, size_t *tape_bytes) {
    if (!trainer) return wli_null_argument("trainer");
    if (bytes) *bytes = trainer->bytes;
    if (tape_bytes) *tape_bytes = trainer->own_tape_bytes;
    return WLSTM_OK;
}

static wli_trainer_state state_of(const wlstm_trainer *trainer) {
    return (wli_trainer_state){ .model = trainer->model,
                                .parameters = trainer->parameters,
                                .moments = { trainer->moments[0], trainer->moments[1] },
                                .num_moments = trainer->num_moments,
                                .step = trainer->updates };
}

wlstm_status wlstm_trainer_save(const wlstm_trainer *trainer, const char *path) {
    if (!trainer) return wli_null_argument("trainer");
    const wli_trainer_state state = state_of(trainer);
    return wli_trainer_file_write(path, &state);
}

wlstm_status wlstm_trainer_load(wlstm_trainer *trainer, const char *path) {
    if (!trainer) return wli_null_argument("trainer");
    wli_trainer_state state = state_of(trainer);
    const wlstm_status status = wli_trainer_file_read(path, &state);
    if (status != WLSTM_OK) return status;
    trainer->num_moments = state.num_moments, trainer->updates = state.step;
    wli_trainer_changed(trainer);
    return WLSTM_OK;
}
