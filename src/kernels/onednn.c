#include "kernels/onednn.h"

#include "base/allocator.h"
#include "base/lock.h"
#include "base/one_thread.h"
#include "base/status.h"
#include "kernels/onednn_api.h"
#include <stdio.h>
#include <string.h>

/* A row count is run as the largest size that fits, again and again: 13 = 8 + 4 + 1 of a gemm for up to 13..15 rows.
 * More than LARGEST_SIZE rows at once would gain nothing. */
enum { LARGEST_SIZE = 1 << 20, MAX_SIZES = 21 };

/* oneDNN keeps what it makes in tables with locks of its own, and who asks for what another is just making waits for
 * it: in the child of a fork beside that, for ever. So whatever it keeps is made with our lock held.
 *
 * One engine for the process, made on first use: oneDNN's engines are shared freely between threads. */
static dnnl_engine_t engine;
static dnnl_status_t engine_status;
static wli_once engine_once;
static void make_engine(void) {
    wli_lock();
    engine_status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    wli_unlock();
}

static wlstm_status failed(const char *what, dnnl_status_t status) {
    return status == dnnl_out_of_memory
               ? wli_fail(WLSTM_ERROR_OUT_OF_MEMORY, "oneDNN %s: memory expected, got none", what)
               : wli_fail(WLSTM_ERROR_BACKEND, "oneDNN %s: success expected, got status %d", what, (int)status);
}

wlstm_status wli_onednn_check_room(int64_t threads) {
    /* Several times what making one primitive, code and all, was seen to take; and of address space what malloc may
     * reserve at any moment for a thread that has none yet. */
    const size_t own = 32 << 20, reserved = 128 << 20, ample = (size_t)threads * own + (size_t)(threads - 1) * reserved;
    if (wli_can_have(ample)) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_OUT_OF_MEMORY,
                    "backend: %zu bytes for onednn to allocate from expected, got none; native has no need of them",
                    ample);
}

typedef struct sized_primitive {
    int64_t rows;
    descriptor src, dst, scratchpad;
    dnnl_primitive_t primitive;
} sized_primitive;

/* All that primitives and memory objects depend on. */
typedef struct gemm_shape {
    bool inner_product, accumulates;
    int64_t max_rows, depth, columns, ldc;
} gemm_shape;

static bool alike(const gemm_shape *a, const gemm_shape *b) {
    return a->columns == b->columns && a->depth == b->depth && a->max_rows == b->max_rows && a->ldc == b->ldc &&
           a->accumulates == b->accumulates && a->inner_product == b->inner_product;
}

struct wli_onednn_gemm {
    gemm_shape shape;
    descriptor weights_descriptor;
    void *weights_data;
    float *bias_data;
    dnnl_memory_t weights, bias;
    int num_sizes;
    sized_primitive sizes[]; /* rows descending, the last is 1 */
};

static int64_t most_rows(const wli_onednn_gemm_spec *spec) {
    return spec->max_rows < LARGEST_SIZE ? spec->max_rows : LARGEST_SIZE;
}

/* The size after one of so many rows, 0 after the last. */
static int64_t next_size(int64_t rows) {
    int64_t next = 1;
    while (2 * next < rows) next *= 2;
    return rows == 1 ? 0 : next;
}

static const char *name(const wli_onednn_gemm *gemm) {
    return gemm->shape.inner_product ? "inner product" : "matmul";
}

/* The weights, [columns, depth] row-major or as the primitive likes them; an inner product names their dimensions as
 * PyTorch does, a matmul the other way round. */
static dnnl_status_t describe_weights(const gemm_shape *shape, bool any, descriptor *d) {
    const dnnl_dims_t matmul = { shape->depth, shape->columns }, inner_product = { shape->columns, shape->depth };
    return describe(d, 2, shape->inner_product ? inner_product : matmul,
                    any                    ? dnnl_format_tag_any
                    : shape->inner_product ? dnnl_ab
                                           : dnnl_ba);
}

static dnnl_status_t describe_bias(const gemm_shape *shape, descriptor *d) {
    const dnnl_dims_t matmul = { 1, shape->columns }, inner_product = { shape->columns };
    return shape->inner_product ? describe(d, 1, inner_product, dnnl_a) : describe(d, 2, matmul, dnnl_ab);
}

/* The primitive for `size->rows` rows, with the lock held; the first one made chooses the weights' layout, the
 * others take it. */
static dnnl_status_t make_size(wli_onednn_gemm *gemm, sized_primitive *size, bool choose_layout) {
    const gemm_shape *shape = &gemm->shape;
    const dnnl_dims_t src_dims = { size->rows, shape->depth }, dst_dims = { size->rows, shape->columns };
    const dnnl_dims_t dst_strides = { shape->ldc, 1 };
    descriptor any, bias;
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t post_ops = NULL;
    dnnl_primitive_desc_t pd = NULL;
    memset(&any, 0, sizeof any), memset(&bias, 0, sizeof bias);
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success && shape->accumulates) {
        status = dnnl_post_ops_create(&post_ops);
        if (status == dnnl_success) status = append_sum(post_ops);
        if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(attributes, post_ops);
    }
    if (status == dnnl_success) status = describe(&size->src, 2, src_dims, dnnl_ab);
    if (status == dnnl_success) status = describe_strided(&size->dst, dst_dims, dst_strides);
    if (status == dnnl_success) status = describe_weights(shape, true, &any);
    if (status == dnnl_success) status = describe_bias(shape, &bias);
    if (status == dnnl_success)
        status = (shape->inner_product ? make_inner_product : make_matmul)(
            &pd, engine, &size->src, choose_layout ? &any : &gemm->weights_descriptor,
            shape->accumulates ? NULL : &bias, &size->dst, attributes);
    if (status == dnnl_success && choose_layout)
        status = query_descriptor(pd, dnnl_query_weights_md, &gemm->weights_descriptor);
    if (status == dnnl_success) status = query_descriptor(pd, dnnl_query_scratchpad_md, &size->scratchpad);
    if (status == dnnl_success) status = dnnl_primitive_create(&size->primitive, pd);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (post_ops) dnnl_post_ops_destroy(post_ops);
    if (attributes) dnnl_primitive_attr_destroy(attributes);
    descriptor_destroy(&any), descriptor_destroy(&bias);
    return status;
}

/* b [columns, depth] row-major -> the layout the first primitive chose. */
static dnnl_status_t reorder_weights(wli_onednn_gemm *gemm, const float *b) {
    descriptor plain;
    dnnl_memory_t plain_memory = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_stream_t stream = NULL;
    memset(&plain, 0, sizeof plain);
    dnnl_status_t status = describe_weights(&gemm->shape, false, &plain);
    if (status == dnnl_success) status = make_memory(&plain_memory, &plain, engine, (void *)(uintptr_t)b);
    if (status == dnnl_success)
        status = make_memory(&gemm->weights, &gemm->weights_descriptor, engine, gemm->weights_data);
    wli_lock();
    if (status == dnnl_success) status = make_reorder(&pd, &plain, &gemm->weights_descriptor, engine);
    if (status == dnnl_success) status = dnnl_primitive_create(&reorder, pd);
    wli_unlock();
    if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status == dnnl_success) {
        dnnl_exec_arg_t arguments[] = { { DNNL_ARG_FROM, plain_memory }, { DNNL_ARG_TO, gemm->weights } };
        status = dnnl_primitive_execute(reorder, stream, 2, arguments);
    }
    if (status == dnnl_success) status = dnnl_stream_wait(stream);
    if (stream) dnnl_stream_destroy(stream);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (plain_memory) dnnl_memory_destroy(plain_memory);
    descriptor_destroy(&plain);
    return status;
}

static wlstm_status fill(wli_onednn_gemm *gemm, const wli_onednn_gemm_spec *spec) {
    gemm->shape = (gemm_shape){ .inner_product = spec->inner_product,
                                .accumulates = !spec->bias,
                                .max_rows = most_rows(spec),
                                .depth = spec->depth,
                                .columns = spec->columns,
                                .ldc = spec->ldc };
    for (int64_t rows = gemm->shape.max_rows; rows > 0; rows = next_size(rows)) {
        if (wli_onednn_check_room(1) != WLSTM_OK) return WLSTM_ERROR_OUT_OF_MEMORY;
        sized_primitive *size = &gemm->sizes[gemm->num_sizes++];
        size->rows = rows;
        wli_lock();
        dnnl_status_t status = make_size(gemm, size, gemm->num_sizes == 1);
        wli_unlock();
        if (status != dnnl_success) return failed(name(gemm), status);
    }
    size_t weight_bytes = descriptor_bytes(&gemm->weights_descriptor),
           bias_bytes = (size_t)spec->columns * sizeof(float);
    if (!(gemm->weights_data = wli_alloc(weight_bytes))) return wli_out_of_memory("packed weights", weight_bytes);
    if (wli_onednn_check_room(1) != WLSTM_OK) return WLSTM_ERROR_OUT_OF_MEMORY;
    dnnl_status_t status = reorder_weights(gemm, spec->b);
    if (status != dnnl_success) return failed("reorder", status);
    if (spec->bias) {
        descriptor bias;
        if (!(gemm->bias_data = wli_alloc(bias_bytes))) return wli_out_of_memory("bias", bias_bytes);
        memcpy(gemm->bias_data, spec->bias, bias_bytes);
        if ((status = describe_bias(&gemm->shape, &bias)) == dnnl_success) {
            status = make_memory(&gemm->bias, &bias, engine, gemm->bias_data);
            descriptor_destroy(&bias);
        }
        if (status != dnnl_success) return failed("bias", status);
    }
    return WLSTM_OK;
}

typedef struct filling {
    wli_onednn_gemm *gemm;
    const wli_onednn_gemm_spec *spec;
    wlstm_status status;
} filling;

static void fill_alone(void *context) {
    filling *f = context;
    f->status = fill(f->gemm, f->spec);
}

wlstm_status wli_onednn_gemm_make(const wli_onednn_gemm_spec *spec, wli_onednn_gemm **out) {
    *out = NULL;
    if (wli_onednn_check_room(1) != WLSTM_OK) return WLSTM_ERROR_OUT_OF_MEMORY;
    wli_once_run(&engine_once, make_engine);
    if (engine_status != dnnl_success) return failed("engine", engine_status);
    size_t bytes = sizeof(wli_onednn_gemm);
    for (int64_t rows = most_rows(spec); rows > 0; rows = next_size(rows)) bytes += sizeof(sized_primitive);
    wli_onednn_gemm *gemm = wli_calloc(bytes);
    if (!gemm) return wli_out_of_memory("gemm", bytes);
    /* oneDNN chooses the blocking for the thread count of this moment, and one thread is what will run it. */
    filling f = { gemm, spec, WLSTM_OK };
    wli_as_one_thread(fill_alone, &f);
    if (f.status != WLSTM_OK) {
        wli_onednn_gemm_destroy(gemm);
        return f.status;
    }
    *out = gemm;
    return WLSTM_OK;
}

void wli_onednn_gemm_destroy(wli_onednn_gemm *gemm) {
    if (!gemm) return;
    for (int i = 0; i < gemm->num_sizes; i++) {
        sized_primitive *size = &gemm->sizes[i];
        if (size->primitive) dnnl_primitive_destroy(size->primitive);
        descriptor_destroy(&size->src), descriptor_destroy(&size->dst), descriptor_destroy(&size->scratchpad);
    }
    if (gemm->weights) dnnl_memory_destroy(gemm->weights);
    if (gemm->bias) dnnl_memory_destroy(gemm->bias);
    descriptor_destroy(&gemm->weights_descriptor);
    wli_free(gemm->weights_data);
    wli_free(gemm->bias_data);
    wli_free(gemm);
}

size_t wli_onednn_gemm_bytes(const wli_onednn_gemm *gemm) {
    return descriptor_bytes(&gemm->weights_descriptor) +
           (gemm->bias_data ? (size_t)gemm->shape.columns * sizeof(float) : 0);
}

/* Memory objects for the sizes of all gemms of one shape. */
typedef struct equipment {
    gemm_shape shape;
    int num_sizes;
    dnnl_memory_t src[MAX_SIZES], dst[MAX_SIZES], scratchpad[MAX_SIZES];
    struct equipment *next;
} equipment;

struct wli_onednn_runner {
    dnnl_stream_t stream;
    void *scratchpad_data;
    size_t scratchpad_bytes;
    equipment *shapes;
};

static equipment *find(const wli_onednn_runner *runner, const wli_onednn_gemm *gemm) {
    equipment *found = runner->shapes;
    while (found && !alike(&found->shape, &gemm->shape)) found = found->next;
    return found;
}

static dnnl_status_t make_memories(equipment *made, const wli_onednn_gemm *gemm) {
    dnnl_status_t status = dnnl_success;
    for (; made->num_sizes < gemm->num_sizes && status == dnnl_success; made->num_sizes++) {
        const int i = made->num_sizes;
        const sized_primitive *size = &gemm->sizes[i];
        status = make_memory(&made->src[i], &size->src, engine, DNNL_MEMORY_NONE);
        if (status == dnnl_success) status = make_memory(&made->dst[i], &size->dst, engine, DNNL_MEMORY_NONE);
        if (status == dnnl_success)
            status = make_memory(&made->scratchpad[i], &size->scratchpad, engine, DNNL_MEMORY_NONE);
    }
    return status;
}

/* One scratchpad, as large as the largest of them, serves all primitives. */
static wlstm_status make_scratchpad(wli_onednn_runner *runner, const wli_onednn_gemm *gemm) {
    size_t bytes = 1;
    for (int i = 0; i < gemm->num_sizes; i++) {
        const size_t own = descriptor_bytes(&gemm->sizes[i].scratchpad);
        if (own > bytes) bytes = own;
    }
    if (bytes <= runner->scratchpad_bytes) return WLSTM_OK;
    wli_free(runner->scratchpad_data);
    runner->scratchpad_bytes = 0;
    if (!(runner->scratchpad_data = wli_alloc(bytes))) return wli_out_of_memory("scratchpad", bytes);
    runner->scratchpad_bytes = bytes;
    return WLSTM_OK;
}

static dnnl_status_t place_scratchpads(const wli_onednn_runner *runner) {
    dnnl_status_t status = dnnl_success;
    for (const equipment *own = runner->shapes; own; own = own->next)
        for (int i = 0; i < own->num_sizes && status == dnnl_success; i++)
            status = dnnl_memory_set_data_handle(own->scratchpad[i], runner->scratchpad_data);
    return status;
}

static wlstm_status make_runner(wli_onednn_runner **out) {
    wli_onednn_runner *runner = *out = wli_calloc(sizeof *runner);
    if (!runner) return wli_out_of_memory("runner", sizeof *runner);
    if (wli_onednn_check_room(1) != WLSTM_OK) return WLSTM_ERROR_OUT_OF_MEMORY;
    dnnl_status_t status = dnnl_stream_create(&runner->stream, engine, dnnl_stream_default_flags);
    return status == dnnl_success ? WLSTM_OK : failed("stream", status);
}

wlstm_status wli_onednn_runner_equip(wli_onednn_runner **out, const wli_onednn_gemm *gemm) {
    wlstm_status made = *out ? WLSTM_OK : make_runner(out);
    if (made != WLSTM_OK) return made;
    wli_onednn_runner *runner = *out;
    if (find(runner, gemm)) return WLSTM_OK;
    equipment *added = wli_calloc(sizeof *added);
    if (!added) return wli_out_of_memory("runner", sizeof *added);
    added->shape = gemm->shape;
    added->next = runner->shapes, runner->shapes = added;
    if ((made = make_scratchpad(runner, gemm)) != WLSTM_OK) return made;
    if (wli_onednn_check_room(1) != WLSTM_OK) return WLSTM_ERROR_OUT_OF_MEMORY;
    dnnl_status_t status = make_memories(added, gemm);
    if (status == dnnl_success) status = place_scratchpads(runner);
    return status == dnnl_success ? WLSTM_OK : failed("memory", status);
}

void wli_onednn_runner_destroy(wli_onednn_runner *runner) {
    if (!runner) return;
    while (runner->shapes) {
        equipment *own = runner->shapes;
        runner->shapes = own->next;
        for (int i = 0; i < own->num_sizes; i++) {
            if (own->src[i]) dnnl_memory_destroy(own->src[i]);
            if (own->dst[i]) dnnl_memory_destroy(own->dst[i]);
            if (own->scratchpad[i]) dnnl_memory_destroy(own->scratchpad[i]);
        }
        wli_free(own);
    }
    if (runner->stream) dnnl_stream_destroy(runner->stream);
    wli_free(runner->scratchpad_data);
    wli_free(runner);
}

wlstm_status wli_onednn_run(wli_onednn_runner *runner, const wli_onednn_gemm *gemm, int64_t rows, const float *a,
                            float *c) {
    const equipment *own = find(runner, gemm);
    for (int i = 0; rows > 0; i++) {
        const sized_primitive *size = &gemm->sizes[i];
        for (; rows >= size->rows;
             rows -= size->rows, a += size->rows * gemm->shape.depth, c += size->rows * gemm->shape.ldc) {
            dnnl_exec_arg_t arguments[] = { { DNNL_ARG_SRC, own->src[i] },
                                            { DNNL_ARG_WEIGHTS, gemm->weights },
                                            { DNNL_ARG_DST, own->dst[i] },
                                            { DNNL_ARG_SCRATCHPAD, own->scratchpad[i] },
                                            { DNNL_ARG_BIAS, gemm->bias } };
            dnnl_status_t status = dnnl_memory_set_data_handle(own->src[i], (void *)(uintptr_t)a);
            if (status == dnnl_success) status = dnnl_memory_set_data_handle(own->dst[i], c);
            if (status == dnnl_success)
                status = dnnl_primitive_execute(size->primitive, runner->stream, gemm->bias ? 5 : 4, arguments);
            if (status != dnnl_success) return failed(name(gemm), status);
        }
    }
    return WLSTM_OK;
}

void wli_onednn_version(char text[WLI_ONEDNN_VERSION_BYTES]) {
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, WLI_ONEDNN_VERSION_BYTES, "%d.%d.%d", version->major, version->minor, version->patch);
}
