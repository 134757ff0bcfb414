/* oneDNN's own LSTM primitive, called as its users call it: weights in `any`, reordered once, the primitive reused;
 * layers of equal input size in one primitive. Built by bench/peers.py against oneDNN 2.x or 3.x and called through
 * ctypes and timed_loop.c.
 *
 * A layer whose input is not H wide needs a primitive to itself: the first one if I != H, and each one of a
 * bidirectional stack. The layers of one primitive are a `onednn_group`; a group writes the next one's input.
 *
 * "values" below are f32, or bf16 where the caller says so: x, out, h_n and the weights. bias and c_n are f32 always. */
#include <dnnl.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROUPS = 64, MAX_ARGUMENTS = 7 };

typedef struct onednn_group {
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arguments[MAX_ARGUMENTS];
    int count; /* of arguments; each owns its memory object */
    void *dst; /* values [T, B, D*H], NULL where it is the caller's out */
} onednn_group;

typedef struct onednn_lstm {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    int num_groups;
    onednn_group groups[MAX_GROUPS];
    int64_t seq_len, batch, hidden_size, directions;
    dnnl_data_type_t type; /* of the values */
    char error[200];
} onednn_lstm;

/* The two API generations differ in what a memory descriptor is and in how a primitive descriptor is made. */
#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t desc; /* a handle */
#define DESC(d) (d)
static dnnl_status_t desc_create(desc *d, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                                 dnnl_format_tag_t tag) {
    return dnnl_memory_desc_create_with_tag(d, ndims, dims, type, tag);
}
static void desc_destroy(desc *d) {
    if (*d) dnnl_memory_desc_destroy(*d);
}
#else
typedef dnnl_memory_desc_t desc; /* a struct */
#define DESC(d) (&(d))
static dnnl_status_t desc_create(desc *d, int ndims, const dnnl_dims_t dims, dnnl_data_type_t type,
                                 dnnl_format_tag_t tag) {
    return dnnl_memory_desc_init_by_tag(d, ndims, dims, type, tag);
}
static void desc_destroy(desc *d) {
    (void)d;
}
#endif

enum { SRC, WEIGHTS_LAYER, WEIGHTS_ITER, BIAS, DST, DST_ITER, DST_ITER_C, NUM_DESCS };

/* The first failure is kept: the innermost call says most. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        dnnl_status_t try_status = (call);                                                                             \
        if (try_status != dnnl_success) {                                                                              \
            if (!lstm->error[0])                                                                                       \
                snprintf(lstm->error, sizeof lstm->error, "%s: dnnl_status %d", #call, (int)try_status);               \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

static dnnl_status_t lstm_primitive_desc_create(dnnl_primitive_desc_t *pd, dnnl_engine_t engine,
                                                dnnl_rnn_direction_t direction, desc d[NUM_DESCS]) {
#if DNNL_VERSION_MAJOR >= 3
    return dnnl_lstm_forward_primitive_desc_create(pd, engine, dnnl_forward_inference, direction, d[SRC], NULL, NULL,
                                                   d[WEIGHTS_LAYER], d[WEIGHTS_ITER], NULL, NULL, d[BIAS], d[DST],
                                                   d[DST_ITER], d[DST_ITER_C], 0, NULL);
#else
    dnnl_rnn_desc_t rnn;
    dnnl_status_t status =
        dnnl_lstm_forward_desc_init(&rnn, dnnl_forward_inference, direction, &d[SRC], NULL, NULL, &d[WEIGHTS_LAYER],
                                    &d[WEIGHTS_ITER], &d[BIAS], &d[DST], &d[DST_ITER], &d[DST_ITER_C], 0);
    return status == dnnl_success ? dnnl_primitive_desc_create(pd, &rnn, NULL, engine, NULL) : status;
#endif
}

/* A memory of `values` for one argument of the group; the group owns it from here. */
static dnnl_status_t add_argument(onednn_lstm *lstm, onednn_group *group, int which, desc *d, void *values) {
    dnnl_memory_t memory = NULL;
    dnnl_status_t status = dnnl_memory_create(&memory, DESC(*d), lstm->engine, values);
    if (status == dnnl_success) group->arguments[group->count++] = (dnnl_exec_arg_t){ which, memory };
    return status;
}

/* As add_argument, with `values` (plain [L, D, 4, H, K]; dims in oneDNN's order L, D, K, 4, H) reordered into the
 * layout that the primitive chose, which is what a user does once at start. */
static dnnl_status_t add_weights(onednn_lstm *lstm, onednn_group *group, int which, const dnnl_dims_t dims,
                                 void *values, dnnl_primitive_desc_t pd, int index) {
    desc plain;
    memset(&plain, 0, sizeof plain);
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t reorder_pd = NULL;
    dnnl_primitive_t reorder = NULL;
    TRY(desc_create(&plain, 5, dims, lstm->type, dnnl_ldgoi));
    TRY(dnnl_memory_create(&from, DESC(plain), lstm->engine, values));
    TRY(dnnl_memory_create(&to, dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, index), lstm->engine,
                           DNNL_MEMORY_ALLOCATE));
    group->arguments[group->count++] = (dnnl_exec_arg_t){ which, to };
    TRY(dnnl_reorder_primitive_desc_create(&reorder_pd, DESC(plain), lstm->engine,
                                           dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, index), lstm->engine,
                                           NULL));
    TRY(dnnl_primitive_create(&reorder, reorder_pd));
    dnnl_exec_arg_t arguments[2] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
    TRY(dnnl_primitive_execute(reorder, lstm->stream, 2, arguments));
    TRY(dnnl_stream_wait(lstm->stream));
done:
    if (reorder) dnnl_primitive_destroy(reorder);
    if (reorder_pd) dnnl_primitive_desc_destroy(reorder_pd);
    if (from) dnnl_memory_destroy(from);
    desc_destroy(&plain);
    return lstm->error[0] ? dnnl_runtime_error : dnnl_success;
}

/* One primitive for `layers` layers: x [T, B, I], out [T, B, D*H], h_n and c_n [layers*D, B, H]; the weights of the
 * layers and directions one after another; bias is the sum of PyTorch's two. */
static int create_group(onednn_lstm *lstm, int64_t layers, int64_t input, void *weight_ih, void *weight_hh, float *bias,
                        void *x, void *out, void *h_n, float *c_n) {
    onednn_group *group = &lstm->groups[lstm->num_groups++];
    const int64_t T = lstm->seq_len, B = lstm->batch, H = lstm->hidden_size, D = lstm->directions;
    const dnnl_dims_t dims_src = { T, B, input }, dims_dst = { T, B, D * H }, dims_iter = { layers, D, B, H };
    const dnnl_dims_t dims_ih = { layers, D, input, 4, H }, dims_hh = { layers, D, H, 4, H };
    const dnnl_dims_t dims_bias = { layers, D, 4, H };
    desc d[NUM_DESCS];
    memset(d, 0, sizeof d);
    dnnl_primitive_desc_t pd = NULL;
    TRY(desc_create(&d[SRC], 3, dims_src, lstm->type, dnnl_tnc));
    TRY(desc_create(&d[WEIGHTS_LAYER], 5, dims_ih, lstm->type, dnnl_format_tag_any));
    TRY(desc_create(&d[WEIGHTS_ITER], 5, dims_hh, lstm->type, dnnl_format_tag_any));
    TRY(desc_create(&d[BIAS], 4, dims_bias, dnnl_f32, dnnl_ldgo));
    TRY(desc_create(&d[DST], 3, dims_dst, lstm->type, dnnl_tnc));
    TRY(desc_create(&d[DST_ITER], 4, dims_iter, lstm->type, dnnl_ldnc));
    TRY(desc_create(&d[DST_ITER_C], 4, dims_iter, dnnl_f32, dnnl_ldnc));
    TRY(lstm_primitive_desc_create(&pd, lstm->engine,
                                   D == 2 ? dnnl_bidirectional_concat : dnnl_unidirectional_left2right, d));
    TRY(dnnl_primitive_create(&group->primitive, pd));
    TRY(add_argument(lstm, group, DNNL_ARG_SRC_LAYER, &d[SRC], x));
    TRY(add_weights(lstm, group, DNNL_ARG_WEIGHTS_LAYER, dims_ih, weight_ih, pd, 0));
    TRY(add_weights(lstm, group, DNNL_ARG_WEIGHTS_ITER, dims_hh, weight_hh, pd, 1));
    TRY(add_argument(lstm, group, DNNL_ARG_BIAS, &d[BIAS], bias));
    TRY(add_argument(lstm, group, DNNL_ARG_DST_LAYER, &d[DST], out));
    TRY(add_argument(lstm, group, DNNL_ARG_DST_ITER, &d[DST_ITER], h_n));
    TRY(add_argument(lstm, group, DNNL_ARG_DST_ITER_C, &d[DST_ITER_C], c_n));
done:
    if (pd) dnnl_primitive_desc_destroy(pd);
    for (int i = 0; i < NUM_DESCS; i++) desc_destroy(&d[i]);
    return lstm->error[0] ? -1 : 0;
}

void onednn_lstm_free(onednn_lstm *lstm) {
    if (!lstm) return;
    for (int i = 0; i < lstm->num_groups; i++) {
        onednn_group *group = &lstm->groups[i];
        for (int j = 0; j < group->count; j++) dnnl_memory_destroy(group->arguments[j].memory);
        if (group->primitive) dnnl_primitive_destroy(group->primitive);
        free(group->dst);
    }
    if (lstm->stream) dnnl_stream_destroy(lstm->stream);
    if (lstm->engine) dnnl_engine_destroy(lstm->engine);
    free(lstm);
}

/* x [T, B, I], out [T, B, D*H], h_n and c_n [L*D, B, H] and bias [L*D, 4H] stay the caller's and are
 * read and written by each run. weight_ih and weight_hh are the layers' and directions' one after another, copied here.
 * bf16: the values are, else f32.
 * NULL is out of memory; any other failure is told by onednn_lstm_error of a result that still has to be freed. */
onednn_lstm *onednn_lstm_create(int64_t seq_len, int64_t batch, int64_t input_size, int64_t hidden_size,
                                int64_t num_layers, int bidirectional, int bf16, int num_threads, char *weight_ih,
                                char *weight_hh, float *bias, char *x, char *out, char *h_n, float *c_n) {
    onednn_lstm *lstm = calloc(1, sizeof *lstm);
    if (!lstm) return NULL;
    const int64_t D = bidirectional ? 2 : 1, H = hidden_size, bytes = bf16 ? 2 : 4;
    *lstm = (onednn_lstm){
        .seq_len = seq_len, .batch = batch, .hidden_size = H, .directions = D, .type = bf16 ? dnnl_bf16 : dnnl_f32
    };
    omp_set_num_threads(num_threads);
    TRY(dnnl_engine_create(&lstm->engine, dnnl_cpu, 0));
    TRY(dnnl_stream_create(&lstm->stream, lstm->engine, dnnl_stream_default_flags));
    int64_t input = input_size;
    for (int64_t layer = 0; layer < num_layers;) {
        const int64_t layers = D == 1 && input == H ? num_layers - layer : 1;
        char *dst = out;
        if (lstm->num_groups == MAX_GROUPS) {
            snprintf(lstm->error, sizeof lstm->error, "at most %d groups of layers", MAX_GROUPS);
            goto done;
        }
        if (layer + layers < num_layers) {
            dst = calloc((size_t)(seq_len * batch * D * H), (size_t)bytes);
            lstm->groups[lstm->num_groups].dst = dst;
            if (!dst) goto out_of_memory;
        }
        const int64_t state = layer * D * batch * H;
        if (create_group(lstm, layers, input, weight_ih, weight_hh, bias, x, dst, h_n + bytes * state, c_n + state) !=
            0)
            goto done;
        weight_ih += bytes * layers * D * 4 * H * input;
        weight_hh += bytes * layers * D * 4 * H * H;
        bias += layers * D * 4 * H;
        x = dst;
        input = D * H;
        layer += layers;
    }
done:
    return lstm;
out_of_memory:
    onednn_lstm_free(lstm);
    return NULL;
}

/* "" if the last call on it worked. */
const char *onednn_lstm_error(const onednn_lstm *lstm) {
    return lstm->error;
}

/* One forward pass; the type is timed_loop.c's. 0 is success. */
int onednn_lstm_run(void *context) {
    onednn_lstm *lstm = context;
    for (int i = 0; i < lstm->num_groups; i++) {
        onednn_group *group = &lstm->groups[i];
        TRY(dnnl_primitive_execute(group->primitive, lstm->stream, group->count, group->arguments));
    }
    TRY(dnnl_stream_wait(lstm->stream));
done:
    return lstm->error[0] ? -1 : 0;
}

/* The library's version, major * 10000 + minor * 100 + patch: the one that runs, not the header's. */
int onednn_lstm_version(void) {
    const dnnl_version_t *version = dnnl_version();
    return version->major * 10000 + version->minor * 100 + version->patch;
}
