/* wlstm_streams: sequences that share one lstm and come a step at a time. Each stream's h [L, R] and c [L, H] lie in one
 * row of memory, which the kernels are pointed to. */
#include "api/module.h"
#include "api/stream_ids.h"
#include "base/status.h"
#include "base/struct_size.h"
#include "kernels/layout.h"
#include <inttypes.h>
#include <string.h>

/* The most rows of a batch where nobody says, as many as read the weights for next to nothing each; the most steps of a
 * run, and streams times these are what a plan may have. */
enum { DEFAULT_BATCH = 512, MOST_STEPS = 1 << 16 };
_Static_assert(WLI_STREAMS_MOST *MOST_STEPS <= WLI_LARGEST_ROWS, "every plan's rows");

/* Plans for up to 1, 8, 64, ... rows, and max_batch: few rows are best cut otherwise than many. */
enum { RUNG_RATIO = 8, MOST_RUNGS = 9 };
typedef struct rung {
    int64_t rows;
    wlstm_plan *step, *run; /* of one time step; of several */
} rung;

struct wlstm_streams {
    wli_model *model;
    wli_stream_ids ids;
    size_t stride; /* bytes from one stream's state to the next */
    char *states;  /* [max_streams, stride] */
    char **called; /* [max_streams] the states of a call's streams */
    rung rungs[MOST_RUNGS];
    int num_rungs;
    void *memory;
};

static wlstm_status check_number(const char *name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: %" PRId64 " to %" PRId64 " expected, got %" PRId64, name, least,
                    most, value);
}

static void lay_out(wlstm_streams *streams, int64_t most, wli_arena *arena) {
    wli_stream_ids_lay_out(&streams->ids, most, arena);
    streams->called = wli_arena_take(arena, most, 1, sizeof(char *));
    streams->states = wli_arena_take(arena, most, (int64_t)streams->stride, 1);
}

static wlstm_status make_room(wlstm_streams *streams, int64_t most) {
    const wli_model *model = streams->model;
    wli_arena arena = { NULL, 0, false };
    streams->stride = (size_t)wli_gate_stride((int64_t)(model->h_bytes + model->c_bytes), 1);
    lay_out(streams, most, &arena);
    if (arena.overflow || !(streams->memory = wli_alloc(arena.used)))
        return wli_out_of_memory("streams", arena.overflow ? SIZE_MAX : arena.used);
    arena = (wli_arena){ streams->memory, 0, false };
    lay_out(streams, most, &arena);
    wli_stream_ids_clear(&streams->ids);
    return WLSTM_OK;
}

/* The same bits whatever the rows and threads: native and deterministic. Not by a search, which would take seconds a
 * plan. */
static wlstm_status make_rung(wlstm_streams *streams, const wlstm_plan_options *options) {
    rung *made = &streams->rungs[streams->num_rungs++];
    wlstm_plan_options own = *options;
    made->rows = own.max_batch;
    wlstm_status status = wli_plan_make(streams->model, &own, &made->step);
    own.max_seq_len = MOST_STEPS;
    return status == WLSTM_OK ? wli_plan_make(streams->model, &own, &made->run) : status;
}

static wlstm_status make_rungs(wlstm_streams *streams, const wlstm_streams_options *options,
                               wlstm_precision precision) {
    const int64_t wanted = options->max_batch ? options->max_batch : DEFAULT_BATCH;
    const int64_t most = wanted < options->max_streams ? wanted : options->max_streams;
    wlstm_plan_options plan = WLSTM_PLAN_OPTIONS_INIT;
    plan.max_seq_len = 1, plan.num_threads = options->num_threads, plan.precision = precision;
    plan.backend = WLSTM_BACKEND_NATIVE, plan.deterministic = 1, plan.effort = WLSTM_EFFORT_ESTIMATE;
    wlstm_status status = WLSTM_OK;
    for (int64_t rows = 1; status == WLSTM_OK && plan.max_batch < most; rows *= RUNG_RATIO) {
        plan.max_batch = rows < most ? rows : most;
        status = make_rung(streams, &plan);
    }
    return status;
}

static wlstm_status check_create(const wlstm_lstm *lstm, const wlstm_streams_options *options) {
    if (lstm->module.model->num_directions == 2)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "lstm: one direction expected, got a bidirectional one, whose "
                                                      "reverse direction begins at the end of a whole sequence");
    const wlstm_status status = check_number("max_streams", options->max_streams, 1, WLI_STREAMS_MOST);
    return status == WLSTM_OK ? check_number("max_batch", options->max_batch, 0, WLI_STREAMS_MOST) : status;
}

wlstm_status wlstm_streams_create(wlstm_lstm *lstm, const wlstm_streams_options *options, wlstm_streams **out) {
    if (!out) return wli_null_argument("streams");
    *out = NULL;
    if (!lstm) return wli_null_argument("lstm");
    wlstm_streams_options own = WLSTM_STREAMS_OPTIONS_INIT;
    wlstm_status status = wli_struct_read(&wli_streams_options_kind, options, &own);
    if (status == WLSTM_OK) status = check_create(lstm, &own);
    if (status != WLSTM_OK) return status;
    wlstm_streams *streams = wli_calloc(sizeof *streams);
    if (!streams) return wli_out_of_memory("streams", sizeof *streams);
    wli_model_retain(lstm->module.model);
    streams->model = lstm->module.model;
    status = make_room(streams, own.max_streams);
    if (status == WLSTM_OK) status = make_rungs(streams, &own, own.precision ? own.precision : lstm->module.precision);
    if (status == WLSTM_OK)
        *out = streams;
    else
        wlstm_streams_free(streams);
    return status;
}

void wlstm_streams_free(wlstm_streams *streams) {
    if (!streams) return;
    for (int i = 0; i < streams->num_rungs; i++) {
        wlstm_plan_free(streams->rungs[i].step);
        wlstm_plan_free(streams->rungs[i].run);
    }
    wli_model_release(streams->model);
    wli_free(streams->memory);
    wli_free(streams);
}

static char *state_of(const wlstm_streams *streams, int64_t slot) {
    return streams->states + (size_t)slot * streams->stride;
}

/* The state of any number's stream, NULL where it is none. */
static char *find(const wlstm_streams *streams, int64_t id) {
    int64_t slot;
    if (!streams) {
        wli_null_argument("streams");
        return NULL;
    }
    return wli_stream_ids_find(&streams->ids, id, &slot) == WLSTM_OK ? state_of(streams, slot) : NULL;
}

/* h [L, R] and c [L, H], NULL is zeros. */
static void set(const wlstm_streams *streams, char *state, const void *h, const void *c) {
    const size_t h_bytes = streams->model->h_bytes, c_bytes = streams->model->c_bytes;
    if (h)
        memcpy(state, h, h_bytes);
    else
        memset(state, 0, h_bytes);
    if (c)
        memcpy(state + h_bytes, c, c_bytes);
    else
        memset(state + h_bytes, 0, c_bytes);
}

wlstm_status wlstm_streams_open(wlstm_streams *streams, int64_t *id) {
    int64_t slot;
    if (!id) return wli_null_argument("id");
    *id = 0;
    if (!streams) return wli_null_argument("streams");
    const wlstm_status status = wli_stream_ids_open(&streams->ids, id, &slot);
    if (status == WLSTM_OK) set(streams, state_of(streams, slot), NULL, NULL);
    return status;
}

wlstm_status wlstm_streams_close(wlstm_streams *streams, int64_t id) {
    int64_t slot;
    if (!streams) return wli_null_argument("streams");
    const wlstm_status status = wli_stream_ids_find(&streams->ids, id, &slot);
    if (status == WLSTM_OK) wli_stream_ids_close(&streams->ids, slot);
    return status;
}

wlstm_status wlstm_streams_reset(wlstm_streams *streams, int64_t id) {
    return wlstm_streams_set_state(streams, id, NULL, NULL);
}

wlstm_status wlstm_streams_get_state(const wlstm_streams *streams, int64_t id, void *h, void *c) {
    const char *state = find(streams, id);
    if (!state) return WLSTM_ERROR_INVALID_ARGUMENT;
    if (h) memcpy(h, state, streams->model->h_bytes);
    if (c) memcpy(c, state + streams->model->h_bytes, streams->model->c_bytes);
    return WLSTM_OK;
}

wlstm_status wlstm_streams_set_state(wlstm_streams *streams, int64_t id, const void *h, const void *c) {
    char *state = find(streams, id);
    if (!state) return WLSTM_ERROR_INVALID_ARGUMENT;
    set(streams, state, h, c);
    return WLSTM_OK;
}

/* The smallest that has room for the rows. */
static wlstm_plan *plan_for(const wlstm_streams *streams, int64_t seq_len, int64_t rows) {
    const rung *fits = streams->rungs;
    while (fits->rows < rows) fits++;
    return seq_len == 1 ? fits->step : fits->run;
}

/* A checked call of listed streams, in batches of about equal size. */
static wlstm_status run_batches(wlstm_streams *streams, const wli_call *whole) {
    const wli_model *model = streams->model;
    const int64_t max_batch = streams->rungs[streams->num_rungs - 1].rows, count = whole->batch;
    const int64_t batches = count <= max_batch ? 1 : (count + max_batch - 1) / max_batch;
    const size_t steps = model->batch_first ? (size_t)whole->seq_len : 1; /* of a row, before the next row's */
    wlstm_status status = WLSTM_OK;
    for (int64_t i = 0; i < count; i++) streams->called[i] = state_of(streams, streams->ids.slots[i]);
    for (int64_t n = 1, first = 0, end; first < count && status == WLSTM_OK; n++, first = end) {
        end = n == batches ? count : count * n / batches;
        wli_call call = *whole;
        call.batch = end - first, call.pitch = count;
        call.lengths = whole->lengths ? whole->lengths + first : NULL;
        call.x = (const char *)whole->x + (size_t)first * steps * model->x_bytes;
        call.out = (char *)whole->out + (size_t)first * steps * model->out_bytes;
        call.streams = streams->called + first;
        status = wli_plan_run(plan_for(streams, call.seq_len, call.batch), &call);
    }
    return status;
}

wlstm_status wlstm_streams_step(wlstm_streams *streams, int64_t count, const int64_t *ids, const void *x, void *out) {
    return wlstm_streams_run(streams, count, ids, 1, NULL, x, out);
}

wlstm_status wlstm_streams_run(wlstm_streams *streams, int64_t count, const int64_t *ids, int64_t seq_len,
                               const int64_t *lengths, const void *x, void *out) {
    if (!streams) return wli_null_argument("streams");
    if (count < 0) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "count: at least 0 expected, got %" PRId64, count);
    if (count > 0 && !ids) return wli_null_argument("ids");
    wlstm_status status = check_number("seq_len", seq_len, 1, MOST_STEPS);
    if (status == WLSTM_OK) status = wli_stream_ids_list(&streams->ids, count, ids);
    const wli_call call = { .seq_len = seq_len, .batch = count, .lengths = lengths, .x = x, .out = out };
    if (status == WLSTM_OK) status = wli_call_check(streams->model, &call, INT64_MAX, INT64_MAX);
    return status == WLSTM_OK ? run_batches(streams, &call) : status;
}
