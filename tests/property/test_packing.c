/* Weights packed by a plan's threads have the bytes that one thread gives them, whichever slices the threads have, and so
 * have results, and weights packed from blocks of rows; scratch is zero; where a plan may have no threads, the calling
 * one packs, and OpenMP's settings stay what they were. Where pages lie is not tested: it shows on machines of several
 * sockets alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compare.h"
#include "random.h"
#include "schedule/state.h"

enum { PROBLEMS = 12, MOST_LAYERS = 3, MOST_CELLS = 2 * MOST_LAYERS, CHOICES = 6, T = 16, B = 6, HOSTS = 4 };
enum { MOST_INPUT = 300, MOST_HIDDEN = 420, SECONDS = 60 };

static uint64_t stream;
static const wli_native *native; /* for the model drawn last */

/* All of it NaN, so that what nobody writes shows. */
static void *allocate_nan(size_t bytes, void *context) {
    (void)context;
    void *memory = malloc(bytes);
    if (memory) memset(memory, 0xFF, bytes);
    return memory;
}

static void deallocate(void *memory, void *context) {
    (void)context;
    free(memory);
}

/* Large enough for threads, as a rule. */
static wli_model *draw_model(void) {
    const wli_model_spec spec = { .dtype = random_flag(&stream) ? WLSTM_F32 : WLSTM_F64,
                                  .num_layers = random_between(&stream, 1, MOST_LAYERS),
                                  .input_size = random_between(&stream, 1, MOST_INPUT),
                                  .hidden_size = random_between(&stream, 60, MOST_HIDDEN),
                                  .proj_size = random_between(&stream, 0, 2) ? 0 : random_between(&stream, 1, 59),
                                  .bias = random_flag(&stream),
                                  .bidirectional = random_flag(&stream) };
    wli_model *model;
    assert_int_equal(wli_model_create(&spec, &model), WLSTM_OK);
    native = wli_native_get(wli_product_of(
        spec.dtype, (wlstm_precision)random_between(&stream, WLSTM_PRECISION_FULL, WLSTM_PRECISION_INT8)));
    assert_int_equal(wli_model_reset(&model, (uint64_t)random_between(&stream, 0, 1000)), WLSTM_OK);
    return model;
}

/* Somewhere. */
static void put_nan(const wli_model *model) {
    const wli_parameter *p = &model->parameters[random_between(&stream, 0, model->num_parameters - 1)];
    wli_put(model->dtype, p->values, (size_t)random_between(&stream, 0, (int64_t)p->count - 1), NAN);
}

static wli_choice draw_choice_of(const wli_model *model, int64_t threads) {
    return (wli_choice){ .schedule = random_flag(&stream) ? WLI_GANG : WLI_WAVEFRONT,
                         .threads = threads,
                         .parts = random_between(&stream, 1, B),
                         .gang_layers = random_between(&stream, 0, model->num_layers),
                         .gang_directions = random_between(&stream, 0, model->num_directions),
                         .gate_rows = T * B,
                         .chunk_steps = T };
}

static wli_choice draw_choice(const wli_model *model) {
    static const int thread_counts[] = { 2, 3, 4, 5, 8 };
    return draw_choice_of(model, thread_counts[random_between(&stream, 0, 4)]);
}

/* A sequence and its cells, whose weights it may have packed. */
typedef struct made {
    wli_cell_kernels cells[MOST_CELLS];
    wli_sequence *sequence;
    wlstm_status status;
} made;

/* Cells packed from the source, or NULL: later. */
static void make_cells(wli_model *model, const wli_rows_source *source, made *m) {
    m->status = WLSTM_OK;
    m->sequence = NULL;
    for (int64_t i = 0; i < model->num_layers * model->num_directions && m->status == WLSTM_OK; i++)
        m->status = wli_cell_kernels_make(&(wli_cell_spec){ .weights = &model->cells[i],
                                                            .dtype = model->dtype,
                                                            .shelf = &model->derived,
                                                            .place = i,
                                                            .source = source,
                                                            .first_parameter = i * wli_model_cell_parameters(model),
                                                            .bias = model->bias,
                                                            .native = native,
                                                            .project = &wli_multiply_native,
                                                            .step = &wli_multiply_native,
                                                            .project_rows = T * B,
                                                            .step_rows = B },
                                          &m->cells[i]);
}

static void make(wli_model *model, wli_choice choice, made *m) {
    make_cells(model, NULL, m);
    const wli_sequence_spec spec = { model, m->cells, T, B, choice };
    if (m->status == WLSTM_OK) m->status = wli_sequence_make(&spec, &m->sequence);
}

/* Copies of what is packed. */
typedef struct packed_bytes {
    void *panels[3 * MOST_CELLS];
    bool finite[3 * MOST_CELLS];
} packed_bytes;

/* Whether all of a weight is. */
static bool is_finite(const wli_cell_weights *w, wlstm_dtype dtype, wli_matrix which) {
    const void *const weight = which == WLI_WEIGHT_IH   ? w->weight_ih
                               : which == WLI_WEIGHT_HH ? w->weight_hh
                                                        : w->weight_hr;
    const int64_t H = w->hidden_size;
    const int64_t count = which == WLI_WEIGHT_IH   ? 4 * H * w->input_size
                          : which == WLI_WEIGHT_HH ? 4 * H * w->state_size
                                                   : w->proj_size * H;
    for (int64_t k = 0; k < count; k++)
        if (!isfinite(tensor_at(dtype, weight, k))) return false;
    return true;
}

static void keep(const wli_model *model, const made *m, packed_bytes *kept) {
    for (int64_t i = 0; i < 3 * model->num_layers * model->num_directions; i++) {
        const wli_cell_kernels *cell = &m->cells[i / 3];
        const wli_packed *packed = (const wli_gemm *[]){ &cell->ih, &cell->hh, &cell->hr }[i % 3]->packed;
        kept->panels[i] = NULL;
        if (!packed) continue;
        kept->finite[i] = is_finite(cell->weights, model->dtype, (wli_matrix)(i % 3));
        assert_int_equal(packed->finite, kept->finite[i]);
        for (size_t k = packed->bytes - WLI_PANELS_PADDING; k < packed->bytes; k++) /* was written */
            assert_int_equal(((const char *)packed->panels)[k], 0);
        kept->panels[i] = malloc(packed->bytes);
        assert_non_null(kept->panels[i]);
        memcpy(kept->panels[i], packed->panels, packed->bytes);
    }
}

/* Whether it was made, and all it needs is packed, to the same bytes. */
static bool packed_alike(const wli_model *model, const made *m, const packed_bytes *kept) {
    bool alike = m->status == WLSTM_OK;
    for (int64_t i = 0; i < 3 * model->num_layers * model->num_directions && alike; i++) {
        const wli_cell_kernels *cell = &m->cells[i / 3];
        const wli_packed *packed = (const wli_gemm *[]){ &cell->ih, &cell->hh, &cell->hr }[i % 3]->packed;
        if (!packed) continue;
        alike = packed->whole && packed->finite == kept->finite[i] &&
                memcmp(packed->panels, kept->panels[i], packed->bytes) == 0;
    }
    return alike;
}

static void forget(wli_model *model, packed_bytes *kept) {
    for (int64_t i = 0; i < 3 * model->num_layers * model->num_directions; i++) free(kept->panels[i]);
}

static const wli_choice alone = { .threads = 1, .parts = 1, .gate_rows = T * B, .chunk_steps = T };

/* As one thread packs them, and takes them off the shelf again. */
static void pack_alone(wli_model *model, packed_bytes *kept) {
    made m;
    make(model, alone, &m);
    assert_int_equal(m.status, WLSTM_OK);
    keep(model, &m, kept);
    wli_sequence_destroy(m.sequence);
    wli_shelf_clear(&model->derived);
}

static void threads_pack_what_one_does(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        wli_model *model = draw_model();
        packed_bytes kept;
        made m;
        if (random_flag(&stream)) put_nan(model);
        pack_alone(model, &kept);
        for (int k = 0; k < CHOICES; k++) {
            make(model, draw_choice(model), &m);
            assert_true(packed_alike(model, &m, &kept));
            wli_sequence_destroy(m.sequence);
            wli_shelf_clear(&model->derived);
        }
        forget(model, &kept);
        wli_model_release(model);
    }
}

/* Those who come while another packs, or after a sequence for which there was no memory. */
static void who_comes_later_has_the_same(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        wli_model *model = draw_model();
        packed_bytes kept;
        made m[HOSTS];
        bool alike[HOSTS];
        wli_choice too_large = alone, choices[HOSTS];
        if (random_flag(&stream)) put_nan(model);
        pack_alone(model, &kept);
        too_large.gate_rows = INT64_C(1) << 58;
        make(model, too_large, m);
        assert_int_equal(m->status, WLSTM_ERROR_OUT_OF_MEMORY);
        wli_sequence_destroy(m->sequence);
        for (int i = 0; i < HOSTS; i++) choices[i] = draw_choice(model);
#pragma omp parallel for num_threads(HOSTS)
        for (int i = 0; i < HOSTS; i++) {
            make(model, choices[i], &m[i]);
            alike[i] = packed_alike(model, &m[i], &kept);
        }
        for (int i = 0; i < HOSTS; i++) {
            assert_true(alike[i]);
            wli_sequence_destroy(m[i].sequence);
        }
        forget(model, &kept);
        wli_model_release(model);
    }
}

static wlstm_status read_rows(void *context, int64_t parameter, int64_t first, int64_t rows, void *to) {
    const wli_model *model = context;
    const wli_parameter *from = &model->parameters[parameter];
    const size_t row_bytes = (size_t)from->shape[1] * wli_dtype_size(model->dtype);
    memcpy(to, (const char *)from->values + (size_t)first * row_bytes, (size_t)rows * row_bytes);
    return WLSTM_OK;
}

/* Those that come in blocks, as a compact model's do: of a few panels, or all at once. */
static void blocks_of_rows_are_packed_alike(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        wli_model *model = draw_model();
        const wli_values values = { read_rows, model };
        const int64_t panel = WLI_PANEL_VECTORS * native->lanes * 2 * MOST_HIDDEN * (int64_t)sizeof(double);
        wli_rows_source source = { .values = values,
                                   .dtype = model->dtype,
                                   .room_bytes = (size_t)(panel * random_between(&stream, 1, 20)) };
        packed_bytes kept;
        made m;
        if (random_flag(&stream)) put_nan(model);
        pack_alone(model, &kept);
        source.room = malloc(source.room_bytes);
        assert_non_null(source.room);
        make_cells(model, &source, &m);
        assert_true(packed_alike(model, &m, &kept));
        free(source.room);
        forget(model, &kept);
        wli_model_release(model);
    }
}

static void scratch_is_zero(void **state) {
    (void)state;
    for (int n = 0; n < PROBLEMS; n++) {
        wli_model *model = draw_model();
        made m;
        make(model, draw_choice(model), &m);
        assert_int_equal(m.status, WLSTM_OK);
        const unsigned char *byte = memset(m.sequence->memory, 0xFF, m.sequence->bytes);
        wli_zero_scratch(m.sequence);
        for (size_t k = 0; k < m.sequence->bytes; k++)
            if (byte[k]) fail_msg("byte %zu of %zu is not zero", k, m.sequence->bytes);
        wli_sequence_destroy(m.sequence);
        wli_model_release(model);
    }
}

static double x[T * B * MOST_INPUT], outs[2][T * B * 2 * MOST_HIDDEN];

/* out [T, B, D*R] by a sequence of its own, and of its own packing. */
static void run(wli_model *model, wli_choice choice, void *out) {
    made m;
    make(model, choice, &m);
    assert_int_equal(m.status, WLSTM_OK);
    assert_int_equal(wli_sequence_run(m.sequence, &(wli_call){ .seq_len = T, .batch = B, .x = x, .out = out }),
                     WLSTM_OK);
    wli_sequence_destroy(m.sequence);
    wli_shelf_clear(&model->derived);
}

static void plans_of_any_threads_give_the_same(void **state) {
    (void)state;
    static const int thread_counts[] = { 1, 2, 3, 5 };
    for (int n = 0; n < PROBLEMS / 2; n++) {
        wli_model *model = draw_model();
        random_fill(model->dtype, x, T * B * MOST_INPUT, random_bits(stream, 0), 0);
        memset(outs, 0, sizeof outs);
        run(model, alone, outs[0]);
        for (int k = 0; k < 4; k++) {
            memset(outs[1], 0, sizeof outs[1]);
            run(model, draw_choice_of(model, thread_counts[k]), outs[1]);
            assert_memory_equal(outs[0], outs[1], sizeof outs[0]);
        }
        wli_model_release(model);
    }
}

/* A table of kernels that notes who packs by it. */
static const wli_native *noted;
static pthread_t caller;
static atomic_int others;

static bool pack_noting(const wli_pack_args *args, wli_panel_range range) {
    if (!pthread_equal(pthread_self(), caller)) atomic_fetch_add(&others, 1);
    return noted->pack(args, range);
}

typedef struct settings {
    int threads, dynamic, levels;
} settings;

static settings current_settings(void) {
    return (settings){ omp_get_max_threads(), omp_get_dynamic(), omp_get_max_active_levels() };
}

/* How often somebody else than the caller packs for a gang of two; -1 where OpenMP's settings are others afterwards. */
static int packed_by_others(wli_model *model) {
    const settings before = current_settings();
    made m;
    caller = pthread_self(), others = 0;
    make(model, (wli_choice){ WLI_GANG, .threads = 2, .parts = 1, .gate_rows = T * B, .chunk_steps = T }, &m);
    wli_sequence_destroy(m.sequence);
    wli_shelf_clear(&model->derived);
    const settings after = current_settings();
    return m.status == WLSTM_OK && memcmp(&before, &after, sizeof before) == 0 ? atomic_load(&others) : -1;
}

static int packed_by_others_in_a_region(wli_model *model) {
    const int levels = omp_get_max_active_levels();
    int count = -1;
    omp_set_max_active_levels(3);
#pragma omp parallel num_threads(2)
#pragma omp single
    count = packed_by_others(model);
    omp_set_max_active_levels(levels);
    return count;
}

/* A hang ends by SIGALRM. */
static int packed_by_others_in_a_child(wli_model *model) {
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        alarm(SECONDS);
        _exit(packed_by_others(model));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_caller_packs_where_no_other_may(void **state) {
    (void)state;
    wli_model_spec spec = { .dtype = WLSTM_F32, .num_layers = 1, .input_size = 40, .hidden_size = 40 };
    wli_model *small, *large;
    assert_int_equal(wli_model_create(&spec, &small), WLSTM_OK);
    spec.hidden_size = 400;
    assert_int_equal(wli_model_create(&spec, &large), WLSTM_OK);
    noted = wli_native_get(WLI_PRODUCT_F32);
    wli_native noting = *noted;
    noting.pack = pack_noting, native = &noting;
    int team = 1;
    omp_set_num_threads(7); /* which nobody else asks for */
#pragma omp parallel num_threads(2)
#pragma omp single
    team = omp_get_num_threads();
    assert_int_equal(packed_by_others(small), 0);
    assert_int_equal(packed_by_others(large) > 0, team > 1);
    assert_int_equal(packed_by_others_in_a_region(large), 0);
    assert_int_equal(packed_by_others_in_a_child(large), 0);
    wli_model_release(small), wli_model_release(large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_pack_what_one_does),         cmocka_unit_test(who_comes_later_has_the_same),
        cmocka_unit_test(blocks_of_rows_are_packed_alike),    cmocka_unit_test(scratch_is_zero),
        cmocka_unit_test(plans_of_any_threads_give_the_same), cmocka_unit_test(the_caller_packs_where_no_other_may),
    };
    stream = random_test_stream();
    if (wlstm_set_allocator(allocate_nan, deallocate, NULL) != WLSTM_OK) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
