/* What is wrong on one rank is every rank's error: the same status and sentence, handles NULL, and nobody waits.
 *
 *     test_mpi_errors kill|kill-training    the last rank is killed in the midst of a call: mpirun ends the others */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/safetensors.h"
#include "ranks.h"
#include "wavelstm_mpi.h"

enum { T = 6, B = 5, I = 3, H = 4, L = 3 };

static ranks r;
static char path[64];
static float x[T * B * (I + 1)], out[T * B * 2 * H], h_n[2 * L * B * H];

/* Allocations of this program, by the linker's --wrap: the library's, the one's over MPI, and this test's. */
static int fail_at, allocations;
void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *memory, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *memory, size_t bytes);

static bool fails(void) {
    return __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED) == fail_at;
}

void *__wrap_malloc(size_t bytes) {
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes) {
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *memory, size_t bytes) {
    return fails() ? NULL : __real_realloc(memory, bytes);
}

/* All ranks have this status, and a sentence, the same on all, with these words. */
static void require_agreed(wlstm_status status, wlstm_status expected, const char *words) {
    char sentence[1024] = "";
    require(status == expected, "%d expected, got %d (%s)", expected, status, wlstm_mpi_last_error());
    snprintf(sentence, sizeof sentence, "%s", wlstm_mpi_last_error());
    MPI_Bcast(sentence, (int)sizeof sentence, MPI_BYTE, 0, MPI_COMM_WORLD);
    require(strcmp(sentence, wlstm_mpi_last_error()) == 0, "\"%s\" as on rank 0, got \"%s\"", sentence,
            wlstm_mpi_last_error());
    require(strstr(sentence, words) != NULL, "\"%s\" in \"%s\"", words, sentence);
}

static wlstm_lstm *make(int bidirectional, int64_t input_size) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    config.input_size = input_size, config.hidden_size = H, config.num_layers = L, config.bidirectional = bidirectional;
    require(wlstm_lstm_create(&config, &lstm) == WLSTM_OK, "%s", wlstm_last_error());
    return lstm;
}

static wlstm_plan_options options_of(int64_t max_seq_len) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = max_seq_len, options.max_batch = B, options.num_threads = 1;
    return options;
}

static void rank_last_says(char *words, size_t bytes, const char *what) {
    snprintf(words, bytes, "rank %d: %s", r.count - 1, what);
}

static void a_missing_file_on_one_rank(void) {
    const bool last = r.rank == r.count - 1;
    char words[128];
    wlstm_lstm *stage = NULL, *lstm = NULL;
    rank_last_says(words, sizeof words, "/nowhere/model.safetensors");
    wlstm_status status = wlstm_lstm_load(last ? "/nowhere/model.safetensors" : path, NULL, &lstm);
    require_agreed(wlstm_mpi_agree(MPI_COMM_WORLD, status, NULL), WLSTM_ERROR_FILE, words);
    wlstm_lstm_free(lstm);
    require(wlstm_mpi_agree(MPI_COMM_WORLD, WLSTM_OK, NULL) == WLSTM_OK, "all well");
    /* The file has three layers: of more ranks the last one reads none. */
    if (r.count <= L) {
        status = wlstm_mpi_load_layers(MPI_COMM_WORLD, last ? "/nowhere/model.safetensors" : path, NULL, &stage);
        require_agreed(status, WLSTM_ERROR_FILE, words);
        require(stage == NULL, "no stage");
    }
    status = wlstm_mpi_load_layers(MPI_COMM_WORLD, r.rank == 0 ? "/nowhere/model.safetensors" : path, NULL, &stage);
    require_agreed(status, WLSTM_ERROR_FILE, "rank 0: /nowhere/model.safetensors");
    require(stage == NULL, "no stage");
    status = wlstm_mpi_load_layers(MPI_COMM_WORLD, last ? NULL : path, NULL, &stage);
    rank_last_says(words, sizeof words, "path: a pointer");
    require_agreed(status, WLSTM_ERROR_INVALID_ARGUMENT, words);
    wlstm_load_options part = WLSTM_LOAD_OPTIONS_INIT;
    part.first_layer = 2, part.num_layers = 2;
    status = wlstm_mpi_load_layers(MPI_COMM_WORLD, path, &part, &stage);
    require_agreed(status, WLSTM_ERROR_INVALID_ARGUMENT, "rank 0: num_layers: 0 (all) to 1");
    part.num_layers = 0, part.struct_size = 8;
    status = wlstm_mpi_load_layers(MPI_COMM_WORLD, path, last ? &part : NULL, &stage);
    rank_last_says(words, sizeof words, "options->struct_size");
    require_agreed(status, WLSTM_ERROR_INVALID_ARGUMENT, words);
}

/* Layers 0 and 2, or of layer 1 a half: no stack of one layer. */
static void a_file_with_a_gap(void) {
    static const float values[4 * H * H];
    wli_st_output tensors[] = {
        { .name = "weight_ih_l0", .ndim = 2, .shape = { 4 * H, H }, .dtype = WLSTM_F32, .values = values },
        { .name = "weight_hh_l0", .ndim = 2, .shape = { 4 * H, H }, .dtype = WLSTM_F32, .values = values },
        { .name = "weight_ih_l2", .ndim = 2, .shape = { 4 * H, H }, .dtype = WLSTM_F32, .values = values },
        { .name = "weight_hh_l2", .ndim = 2, .shape = { 4 * H, H }, .dtype = WLSTM_F32, .values = values },
    };
    char gap[80];
    wlstm_lstm *stage;
    snprintf(gap, sizeof gap, "%s-gap", path);
    if (r.rank == 0) require(wli_safetensors_write(gap, tensors, 4) == WLSTM_OK, "%s", wlstm_last_error());
    require_agreed(wlstm_mpi_load_layers(MPI_COMM_WORLD, gap, NULL, &stage), WLSTM_ERROR_MISSING, "weight_ih_l1");
    tensors[2].name = "weight_ih_l1";
    if (r.rank == 0) require(wli_safetensors_write(gap, tensors, 3) == WLSTM_OK, "%s", wlstm_last_error());
    require_agreed(wlstm_mpi_load_layers(MPI_COMM_WORLD, gap, NULL, &stage), WLSTM_ERROR_MISSING, "weight_hh_l1");
    require(stage == NULL, "no stage");
    if (r.rank == 0) require(unlink(gap) == 0, "%s", gap);
}

static void two_directions_are_refused_by_name(void) {
    wlstm_lstm *lstm = make(1, I), *stage;
    wlstm_plan_options options = options_of(T);
    wlstm_mpi_pipeline *pipeline;
    char both[80];
    snprintf(both, sizeof both, "%s-bi", path);
    if (r.rank == 0) require(wlstm_lstm_save(lstm, both, NULL) == WLSTM_OK, "%s", wlstm_last_error());
    require_agreed(wlstm_mpi_load_layers(MPI_COMM_WORLD, both, NULL, &stage), WLSTM_ERROR_UNSUPPORTED,
                   "one direction expected, got two");
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? lstm : NULL, &options, &pipeline),
                   WLSTM_ERROR_UNSUPPORTED, "one direction expected, got two on rank 0");
    require(pipeline == NULL, "no pipeline");
    if (r.rank == 0) require(unlink(both) == 0, "%s", both);
    wlstm_lstm_free(lstm);
}

static void bfloat16_arrays_are_refused_by_name(void) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_plan_options options = options_of(T);
    wlstm_lstm *lstm;
    wlstm_mpi_pipeline *pipeline;
    config.input_size = I, config.hidden_size = H, config.dtype = WLSTM_BF16;
    require(wlstm_lstm_create(&config, &lstm) == WLSTM_OK, "%s", wlstm_last_error());
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? lstm : NULL, &options, &pipeline),
                   WLSTM_ERROR_UNSUPPORTED, "arrays of f32 or f64 expected, got WLSTM_BF16 on rank 0");
    require(pipeline == NULL, "no pipeline");
    wlstm_lstm_free(lstm);
}

static void stages_that_are_no_stack(void) {
    wlstm_lstm *lstm = make(0, I);
    const bool last = r.rank == r.count - 1;
    char words[128];
    wlstm_plan_options options = options_of(T);
    wlstm_mpi_pipeline *pipeline;
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? NULL : lstm, &options, &pipeline),
                   WLSTM_ERROR_INVALID_ARGUMENT, "stage: the lowest layers on rank 0");
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, lstm, &options, &pipeline), WLSTM_ERROR_INVALID_ARGUMENT,
                   "stage: input_size 4, as wide as the h of rank 0, expected, got 3 on rank 1");
    options.max_seq_len = last ? T + 1 : T;
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? lstm : NULL, &options, &pipeline),
                   WLSTM_ERROR_INVALID_ARGUMENT,
                   "options: max_seq_len 6, max_batch 5 on all ranks expected, got 7, 5 on rank");
    options.max_seq_len = T, options.chunk_steps = last ? -1 : 0;
    rank_last_says(words, sizeof words, "chunk_steps: 0 to");
    require_agreed(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? lstm : NULL, &options, &pipeline),
                   WLSTM_ERROR_INVALID_ARGUMENT, words);
    rank_last_says(words, sizeof words, "options: a pointer");
    options.chunk_steps = 0;
    require_agreed(
        wlstm_mpi_pipeline_create(MPI_COMM_WORLD, r.rank == 0 ? lstm : NULL, last ? NULL : &options, &pipeline),
        WLSTM_ERROR_INVALID_ARGUMENT, words);
    require(pipeline == NULL, "no pipeline");
    wlstm_lstm_free(lstm);
}

static void bad_arguments_of_a_call(void) {
    wlstm_lstm *stage, *lstm = make(0, I), *other = make(0, I + 1);
    const int64_t lengths[B] = { 1, 2, T + 1, 1, 1 };
    const bool last = r.rank == r.count - 1;
    wlstm_plan_options options = options_of(T);
    wlstm_mpi_pipeline *pipeline;
    char words[128];
    require(wlstm_mpi_load_layers(MPI_COMM_WORLD, path, NULL, &stage) == WLSTM_OK, "%s", wlstm_mpi_last_error());
    require(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &pipeline) == WLSTM_OK, "%s",
            wlstm_mpi_last_error());
#define BOTH(T_, B_, lengths_, x_, out_, h_n_, sentence)                                                               \
    do {                                                                                                               \
        require_agreed(wlstm_mpi_pipeline_execute(pipeline, T_, B_, lengths_, x_, NULL, NULL, out_, h_n_, NULL),       \
                       WLSTM_ERROR_INVALID_ARGUMENT, sentence);                                                        \
        require_agreed(wlstm_mpi_forward(MPI_COMM_WORLD, lstm, T_, B_, lengths_, x_, NULL, NULL, out_, h_n_, NULL),    \
                       WLSTM_ERROR_INVALID_ARGUMENT, sentence);                                                        \
    } while (0)
    BOTH(0, B, NULL, x, out, NULL, "rank 0: seq_len: 1 to ");
    BOTH(T, -1, NULL, x, out, NULL, "rank 0: batch: 0 to ");
    BOTH(T, B, lengths, x, out, NULL, "rank 0: lengths[2]: 1 to 6 expected, got 7");
    BOTH(T, B, NULL, NULL, out, NULL, "rank 0: x: an array expected, got NULL");
    BOTH(T, B, NULL, x, NULL, NULL, "rank 0: out: an array expected, got NULL");
    BOTH(T, B, NULL, x, out, out + 1, "rank 0: out: an array of its own expected, got one that overlaps h_n");
    rank_last_says(words, sizeof words, "seq_len, batch: 6, 5 as on rank 0 expected, got 5, 5");
    BOTH(last ? T - 1 : T, B, NULL, x, out, NULL, words);
#undef BOTH
    require_agreed(wlstm_mpi_pipeline_execute(pipeline, T + 1, B, NULL, x, NULL, NULL, out, NULL, NULL),
                   WLSTM_ERROR_INVALID_ARGUMENT, "seq_len: 1 to 6 expected, got 7");
    rank_last_says(words, sizeof words, "lstm: input_size 3 as on rank 0 expected, got 4");
    require_agreed(wlstm_mpi_forward(MPI_COMM_WORLD, last ? other : lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL),
                   WLSTM_ERROR_INVALID_ARGUMENT, words);
    rank_last_says(words, sizeof words, "lstm: a pointer expected");
    require_agreed(wlstm_mpi_forward(MPI_COMM_WORLD, last ? NULL : lstm, T, B, NULL, x, NULL, NULL, out, NULL, NULL),
                   WLSTM_ERROR_INVALID_ARGUMENT, words);
    /* It serves as before. */
    require(wlstm_mpi_pipeline_execute(pipeline, T, B, NULL, x, NULL, NULL, out, h_n, NULL) == WLSTM_OK, "%s",
            wlstm_mpi_last_error());
    require(wlstm_mpi_forward(MPI_COMM_NULL, lstm, T, B, NULL, x, NULL, NULL, out, h_n, NULL) ==
                WLSTM_ERROR_INVALID_ARGUMENT,
            "MPI_COMM_NULL");
    wlstm_mpi_pipeline_free(pipeline);
    wlstm_lstm_free(stage);
    wlstm_lstm_free(lstm);
    wlstm_lstm_free(other);
}

static wlstm_trainer *make_trainer(int64_t input_size) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm = make(0, input_size);
    wlstm_trainer *trainer;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1;
    require(wlstm_trainer_create(lstm, &options, &trainer) == WLSTM_OK, "%s", wlstm_last_error());
    wlstm_lstm_free(lstm);
    return trainer;
}

static wlstm_status forward(wlstm_trainer *trainer) {
    return wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, 0, 0, NULL);
}

static wlstm_status backward(wlstm_trainer *trainer, int deterministic) {
    return wlstm_mpi_trainer_backward(MPI_COMM_WORLD, trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0,
                                      deterministic);
}

/* The pass of one rank does not begin, or has other gradients: the others' has, and nobody waits for it. */
static void a_trainer_that_cannot_go_back(void) {
    wlstm_trainer *trainer = make_trainer(I), *other = make_trainer(I + 1);
    char words[128];
    for (int rank = 0; rank < r.count; rank += r.count - 1) {
        const bool fails = r.rank == rank;
        require((fails || forward(trainer) == WLSTM_OK) && forward(other) == WLSTM_OK, "%s", wlstm_last_error());
        snprintf(words, sizeof words, "rank %d: tape: ", rank);
        require_agreed(backward(trainer, 0), WLSTM_ERROR_INVALID_ARGUMENT, words);
        require(forward(trainer) == WLSTM_OK, "%s", wlstm_last_error());
        snprintf(words, sizeof words, "rank %d: trainer: a pointer expected", rank);
        require_agreed(backward(fails ? NULL : trainer, 1), WLSTM_ERROR_INVALID_ARGUMENT, words);
        if (!fails) require(forward(trainer) == WLSTM_OK, "%s", wlstm_last_error());
        snprintf(words, sizeof words, "rank %d: trainer: one of the lstm", rank > 0 ? rank : 1);
        require_agreed(backward(fails ? other : trainer, 0), WLSTM_ERROR_INVALID_ARGUMENT, words);
        require(forward(trainer) == WLSTM_OK, "%s", wlstm_last_error());
        snprintf(words, sizeof words, "rank %d: deterministic: ", rank > 0 ? rank : 1);
        require_agreed(backward(trainer, fails), WLSTM_ERROR_INVALID_ARGUMENT, words);
        /* It serves as before, and nobody watches any more. */
        require(forward(trainer) == WLSTM_OK && backward(trainer, 0) == WLSTM_OK, "%s", wlstm_mpi_last_error());
        require(fails || (forward(trainer) == WLSTM_OK &&
                          wlstm_trainer_backward(trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0) == WLSTM_OK),
                "%s", wlstm_last_error());
        require(wlstm_mpi_trainer_backward(MPI_COMM_NULL, trainer, NULL, out, NULL, NULL, NULL, NULL, NULL, 0, 0) ==
                    WLSTM_ERROR_INVALID_ARGUMENT,
                "MPI_COMM_NULL");
        wlstm_trainer_free(trainer);
        trainer = make_trainer(I);
    }
    wlstm_trainer_free(trainer);
    wlstm_trainer_free(other);
}

static wlstm_status training(void) {
    wlstm_trainer_options options = WLSTM_TRAINER_OPTIONS_INIT;
    wlstm_lstm *lstm = NULL;
    wlstm_trainer *trainer = NULL;
    options.max_seq_len = T, options.max_batch = B, options.num_threads = 1;
    wlstm_status own = wlstm_lstm_load(path, NULL, &lstm);
    if (own == WLSTM_OK) own = wlstm_trainer_create(lstm, &options, &trainer);
    if (own == WLSTM_OK) own = forward(trainer);
    wlstm_status status = wlstm_mpi_agree(MPI_COMM_WORLD, own, NULL);
    for (int deterministic = 0; deterministic < 2 && status == WLSTM_OK; deterministic++) {
        status = backward(trainer, deterministic);
        if (status == WLSTM_OK) status = wlstm_mpi_agree(MPI_COMM_WORLD, forward(trainer), NULL);
    }
    wlstm_trainer_free(trainer);
    wlstm_lstm_free(lstm);
    return status;
}

static wlstm_status layers(void) {
    wlstm_plan_options options = options_of(T);
    wlstm_lstm *stage = NULL;
    wlstm_mpi_pipeline *pipeline = NULL;
    wlstm_status status = wlstm_mpi_load_layers(MPI_COMM_WORLD, path, NULL, &stage);
    require(status == WLSTM_OK || stage == NULL, "no stage");
    if (status == WLSTM_OK) status = wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &pipeline);
    if (status == WLSTM_OK)
        status = wlstm_mpi_pipeline_execute(pipeline, T, B, NULL, x, NULL, NULL, out, h_n, NULL);
    else
        require(pipeline == NULL, "no pipeline");
    wlstm_mpi_pipeline_free(pipeline);
    wlstm_lstm_free(stage);
    return status;
}

static wlstm_status rows(void) {
    static const int64_t lengths[B] = { 2, 6, 1, 6, 3 };
    wlstm_lstm *lstm = NULL;
    wlstm_status status = wlstm_mpi_agree(MPI_COMM_WORLD, wlstm_lstm_load(path, NULL, &lstm), NULL);
    if (status == WLSTM_OK)
        status = wlstm_mpi_forward(MPI_COMM_WORLD, lstm, T, B, lengths, x, NULL, NULL, out, h_n, NULL);
    if (status == WLSTM_OK) status = wlstm_mpi_plan_cache_broadcast(MPI_COMM_WORLD);
    wlstm_lstm_free(lstm);
    return status;
}

/* Each allocation of one rank fails once: OUT_OF_MEMORY on all, or it was not needed. */
static void no_memory_on_one_rank(wlstm_status (*work)(void), int rank) {
    char words[128];
    snprintf(words, sizeof words, "rank %d: ", rank);
    for (int at = 1, left = 1; left; at++) {
        allocations = 0, fail_at = r.rank == rank ? at : 0;
        const wlstm_status status = work();
        left = allocations >= at;
        fail_at = 0;
        MPI_Bcast(&left, 1, MPI_INT, rank, MPI_COMM_WORLD);
        if (status != WLSTM_OK) require_agreed(status, WLSTM_ERROR_OUT_OF_MEMORY, words);
    }
}

int main(int argc, char **argv) {
    r = ranks_begin(&argc, &argv);
    if (argc > 1) {
        if (r.rank == r.count - 1) raise(SIGKILL);
        if (strcmp(argv[1], "kill") == 0) wlstm_mpi_plan_cache_broadcast(MPI_COMM_WORLD);
        wlstm_trainer *trainer = make_trainer(I);
        forward(trainer);
        backward(trainer, 0);
        pause();
    }
    int id = (int)getpid();
    MPI_Bcast(&id, 1, MPI_INT, 0, MPI_COMM_WORLD);
    snprintf(path, sizeof path, "/tmp/wavelstm-test-ranks-%d.safetensors", id);
    wlstm_lstm *lstm = make(0, I);
    if (r.rank == 0) require(wlstm_lstm_save(lstm, path, NULL) == WLSTM_OK, "%s", wlstm_last_error());
    wlstm_lstm_free(lstm);
    MPI_Barrier(MPI_COMM_WORLD);
    a_missing_file_on_one_rank();
    a_file_with_a_gap();
    two_directions_are_refused_by_name();
    bfloat16_arrays_are_refused_by_name();
    stages_that_are_no_stack();
    bad_arguments_of_a_call();
    a_trainer_that_cannot_go_back();
    for (int rank = 0; rank < 2; rank++) {
        no_memory_on_one_rank(layers, rank);
        no_memory_on_one_rank(rows, rank);
        no_memory_on_one_rank(training, rank);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (r.rank == 0) require(unlink(path) == 0, "%s", path);
    MPI_Finalize();
    return 0;
}
