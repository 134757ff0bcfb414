/* wavelstm: PyTorch's nn.LSTM and nn.LSTMCell on CPUs.
 *
 * A complete program (see README.md for the CMake lines):
 *
 *     #include <stdio.h>
 *     #include <wavelstm.h>
 *
 *     int main(void) {
 *         static float x[10 * 3 * 100], out[10 * 3 * 20];          // [seq_len, batch, input_size], [seq_len, batch, hidden_size]
 *         wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
 *         config.input_size = 100, config.hidden_size = 20, config.num_layers = 4;
 *         wlstm_lstm *lstm;
 *         if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK ||      // or wlstm_lstm_load("model.safetensors", NULL, &lstm)
 *             wlstm_forward(lstm, 10, 3, NULL, x, NULL, NULL, out, NULL, NULL) != WLSTM_OK)
 *             return fprintf(stderr, "%s\n", wlstm_last_error()), 1;
 *         printf("h of the last layer, last time, first row: %g\n", out[9 * 3 * 20]);
 *         wlstm_lstm_free(lstm);
 *     }
 *
 * Reading order: 1 errors, 2 nn.LSTM, 3 nn.LSTMCell, 4 plans, 5 streams, 6 training, 7 the plan cache,
 * 8 the library.
 *
 * Notation. T seq_len, B batch, I input_size, H hidden_size, L num_layers, D 2 if bidirectional else 1, P proj_size,
 * R = P if P > 0 else H (the width of h). Arrays are dense, row-major (C order), of the module's dtype, aligned to
 * their element at least. Sizes count elements. Unbatched data is batch 1: the memory is the same.
 *
 * The maths, PyTorch's (torch.nn.LSTM and torch.nn.LSTMCell, PyTorch 2.13 documentation), gates in the order i, f, g, o:
 *     i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)        c' = f * c + i * g
 *     f = sigmoid(W_if x + b_if + W_hf h + b_hf)        h' = o * tanh(c')
 *     g =    tanh(W_ig x + b_ig + W_hg h + b_hg)        with projection: h' = W_hr (o * tanh(c'))
 *     o = sigmoid(W_io x + b_io + W_ho h + b_ho)
 * Layer l > 0 reads layer l-1's h of both directions, D*R wide.
 *
 * Threads. "Thread-safe" below means: safe whatever other threads do with other objects, and beside calls that only
 * read the same one. Reading an lstm or cell is forward, plan_create, streams_create, save, get_config,
 * num_parameters, parameter_info, get_parameter and create_from_cells: any number of threads may do so at once.
 * set_parameter, set_precision, reset_parameters, compact and free need the lstm or cell to themselves; a caller who
 * does otherwise makes an error that is not detected. A plan, and a wlstm_streams, is used by one thread at a time.
 * Those of one lstm share its parameters and packed weights and never write to them: they may run, and be freed, at
 * once with each other and with whatever is done to the lstm.
 *
 * Forks. The child of a fork may call everything, whatever other threads of the parent were inside of at that moment; what they were
 * making does not exist there, what they worked in stays allocated. An object that such a thread had to itself (a plan that it ran, an
 * lstm whose parameters it set) is not to be used in the child.
 */
#ifndef WAVELSTM_H
#define WAVELSTM_H

#include <stddef.h>
#include <stdint.h>

/* The version of this header; that of the library is wlstm_version(). */
#define WLSTM_VERSION_MAJOR 0
#define WLSTM_VERSION_MINOR 1
#define WLSTM_VERSION_PATCH 0
#define WLSTM_VERSION_STRING "0.1.0"

#if defined(_WIN32)
#define WLSTM_API
#elif defined(__GNUC__)
#define WLSTM_API __attribute__((visibility("default")))
#else
#define WLSTM_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------------------------------ 1. errors */

/* Every function that can fail returns one of these; 0 is success. On failure each out-parameter that is a handle is
 * NULL, and arrays for results hold nothing of use. */
typedef enum wlstm_status {
    WLSTM_OK = 0,                     /* success */
    WLSTM_ERROR_INVALID_ARGUMENT = 1, /* an argument is NULL, negative, out of range or does not fit the others */
    WLSTM_ERROR_OUT_OF_MEMORY = 2,    /* the allocator had no more */
    WLSTM_ERROR_FILE = 3,             /* the system refused: not there, not readable, disk full */
    WLSTM_ERROR_FORMAT = 4,           /* the file breaks a rule of its format */
    WLSTM_ERROR_MISSING = 5,          /* a parameter or tensor of that name is not there */
    WLSTM_ERROR_UNSUPPORTED = 6,      /* valid, and not built yet, not built in or not of a compact lstm or cell */
    WLSTM_ERROR_BACKEND = 7           /* oneDNN reported a failure */
} wlstm_status;

/* A static English phrase for a status, never NULL. Thread-safe. */
WLSTM_API const char *wlstm_status_string(wlstm_status status);

/* The last failure on the calling thread in one sentence: which argument, what was expected, what came
 * ("seq_len: at least 1 expected, got 0"). "" before the first. Valid until the thread's next failing call.
 * Thread-safe: each thread has its own. */
WLSTM_API const char *wlstm_last_error(void);

/* ---------------------------------------------------------------------------------------------------- 2. nn.LSTM */

/* The type of the parameters, of x, h, c and out. */
typedef enum wlstm_dtype {
    WLSTM_F32 = 0, /* float */
    WLSTM_F64 = 1, /* double */
    WLSTM_BF16 = 2 /* bfloat16, a uint16_t that is the upper half of a float */
} wlstm_dtype;

/* What the products with weight_ih, weight_hh and weight_hr multiply. Biases, activations and c are float whatever it
 * is, and so are arrays but those of WLSTM_BF16, for which h is rounded at each step, c_n at the end of a call, and FULL
 * and BF16 are one; docs/precision.md has the arithmetic and what it costs. f64 accepts DEFAULT and FULL alone. */
typedef enum wlstm_precision {
    WLSTM_PRECISION_DEFAULT = 0, /* of a plan: its lstm's; else WLSTM_PRECISION, which f64 passes over; else FULL */
    WLSTM_PRECISION_FULL = 1,    /* the values themselves */
    WLSTM_PRECISION_BF16 = 2,    /* weights and rows rounded to bfloat16, sums in float */
    WLSTM_PRECISION_INT8 = 3     /* weights and rows as integers of -127 to 127 with a scale a row, integer sums */
} wlstm_precision;

typedef struct wlstm_lstm wlstm_lstm; /* nn.LSTM in eval mode */
typedef struct wlstm_cell wlstm_cell; /* nn.LSTMCell */
typedef struct wlstm_plan wlstm_plan; /* the chosen way to run one lstm */

/* torch.nn.LSTM's arguments. Start from WLSTM_LSTM_CONFIG_INIT, which sets struct_size and PyTorch's defaults.
 *
 * Structs that begin with struct_size may grow at their end in later versions: a program of an older header has the defaults for
 * what it does not know, one of a newer header than the library is refused. */
typedef struct wlstm_lstm_config {
    size_t struct_size;  /* sizeof(wlstm_lstm_config) of the program's header */
    int64_t input_size;  /* I, at least 1 */
    int64_t hidden_size; /* H, at least 1 */
    int64_t num_layers;  /* L, at least 1 */
    int64_t proj_size;   /* P, 0 (none) or less than hidden_size */
    double dropout;      /* 0 to 1; acts in training only, so forward ignores it */
    int bias;            /* 0: no b_ih, b_hh */
    int batch_first;     /* 1: x and out are [B, T, .] ; h and c stay [., B, .] */
    int bidirectional;   /* 1: D = 2 */
    wlstm_dtype dtype;   /* of the parameters, x, h, c and out */
} wlstm_lstm_config;
#define WLSTM_LSTM_CONFIG_INIT                                                                                         \
    { sizeof(wlstm_lstm_config), 0, 0, 1, 0, 0.0, 1, 0, 0, WLSTM_F32 }

/* How a model file is read. Start from WLSTM_LOAD_OPTIONS_INIT. Without convert F64 is run as f64 and all else as f32,
 * so that nobody's arrays are bf16 who did not say so. */
typedef struct wlstm_load_options {
    size_t struct_size; /* sizeof(wlstm_load_options) */
    const char *prefix; /* put before every tensor's name, as in "encoder.lstm."; NULL is none */
    int batch_first;    /* not recorded in a state_dict, so said here (nn.LSTM only) */
    int convert;        /* 1: convert the file's parameters (F64, F32, F16, BF16) to dtype */
    wlstm_dtype dtype;  /* used if convert is 1 */
    int reserved;       /* not read: programs of the first header have rubbish there */
    int compact;        /* 1: as after wlstm_lstm_compact; the file is packed in blocks, and in memory never whole */
    wlstm_precision precision; /* the lstm's, as by wlstm_lstm_set_precision; of a compact one what it is packed for */
    int64_t first_layer;       /* of the file, from 0: the lstm's layer 0; what is below it is left out */
    int64_t num_layers;        /* how many layers from there on; 0: all */
} wlstm_load_options;
#define WLSTM_LOAD_OPTIONS_INIT                                                                                        \
    { sizeof(wlstm_load_options), NULL, 0, 0, WLSTM_F32, 0, 0, WLSTM_PRECISION_DEFAULT, 0, 0 }

/* A new lstm, its parameters drawn from U(-1/sqrt(H), 1/sqrt(H)) with seed 0 (PyTorch's distribution, not its stream).
 * The caller frees it. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, UNSUPPORTED. Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_create(const wlstm_lstm_config *config, wlstm_lstm **lstm);

/* The lstm saved by safetensors.torch.save_file(module.state_dict(), path). Layers, directions, sizes, projection and
 * bias are read from the tensors' names and shapes; tensors without the prefix are left alone. A file that holds an
 * nn.LSTMCell loads as an lstm of one layer. Some of the layers (options->first_layer, num_layers) are an lstm of their
 * own: its layers count from 0, no other layer's tensors are read, but an F64 among them makes it f64 too. NULL options
 * are the defaults. The file is closed again; it is a regular file whose header, of all its tensors, is in order, of at
 * most 16 MiB and with at most 8 dimensions a tensor.
 * Errors: FILE, FORMAT, MISSING (names the tensor, and what the file has instead), UNSUPPORTED, OUT_OF_MEMORY,
 * INVALID_ARGUMENT. Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_load(const char *path, const wlstm_load_options *options, wlstm_lstm **lstm);

/* Any tensor of such a file by its whole name, as the weight of an nn.Linear that follows the lstm: its elements, in C order, into
 * values [count], converted from F64, F32, F16 or BF16 to dtype (to nearest, what is too large to infinity). count is
 * how many elements the tensor has. Where values is NULL, and count 0, only ndim, 0 to 8, and shape [ndim] are told, of a tensor of
 * any dtype; each of those two may be NULL. Nothing is kept of the file, which is as for wlstm_lstm_load. Errors: INVALID_ARGUMENT
 * (NULL, another count), FILE, FORMAT, MISSING (names what the file has), UNSUPPORTED (another dtype), OUT_OF_MEMORY. Thread-safe. */
WLSTM_API wlstm_status wlstm_tensor_read(const char *path, const char *name, wlstm_dtype dtype, void *values,
                                         int64_t count, int *ndim, int64_t shape[8]);

/* One lstm that runs `count` cells bottom-up at each step: cell k reads cell k-1's h. The cells' hidden sizes may
 * differ: then h_0, c_0, h_n, c_n are the layers' [B, H_l] blocks one after another. Copies the parameters and
 * only reads the cells. Errors: INVALID_ARGUMENT (a NULL cell, count below 1, input_size not the hidden_size below, mixed
 * dtypes, bias in some only), OUT_OF_MEMORY. Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_create_from_cells(const wlstm_cell *const *cells, int64_t count, wlstm_lstm **lstm);

/* Writes the parameters to a safetensors file (F32, F64 or BF16) as PyTorch's state_dict would name them; NULL prefix is "".
 * The file appears whole or not at all. Errors: FILE, INVALID_ARGUMENT (NULL, a prefix that is not UTF-8), OUT_OF_MEMORY.
 * Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_save(const wlstm_lstm *lstm, const char *path, const char *prefix);

/* Frees an lstm; plans made by wlstm_plan_create stay usable. NULL is allowed. Not thread-safe. */
WLSTM_API void wlstm_lstm_free(wlstm_lstm *lstm);

/* Fills *config, whose struct_size the caller has set, and no more of it than that. For a stack of unlike cells hidden_size is the last layer's.
 * Errors: INVALID_ARGUMENT (NULL, a struct_size of no header). Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_get_config(const wlstm_lstm *lstm, wlstm_lstm_config *config);

/* Draws every parameter from U(-1/sqrt(H), 1/sqrt(H)); the same seed gives the same numbers everywhere. Plans made before keep
 * the parameters they were made with. Errors: INVALID_ARGUMENT (NULL), OUT_OF_MEMORY (such a plan shares the parameters, and
 * there is no room for new ones: the old ones stay). Not thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_reset_parameters(wlstm_lstm *lstm, uint64_t seed);

/* What products multiply from here on: in wlstm_forward, and in plans whose own precision is DEFAULT. Plans made
 * before keep what they have. A new lstm has DEFAULT, one of cells too, whatever theirs. Errors: INVALID_ARGUMENT
 * (NULL, no wlstm_precision), UNSUPPORTED (BF16 or INT8 with f64; of a compact lstm another than it is packed for). Not
 * thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_set_precision(wlstm_lstm *lstm, wlstm_precision precision);

/* Keeps the weights packed for the native kernels in the lstm's precision (of DEFAULT, what that is now), and the
 * biases with them, and no parameters: from here on the lstm takes about a half of the memory in full precision, and
 * less in bf16 and int8. It runs as before, whatever the batch, sequence length, threads and schedule; choices of
 * the plan cache that need other weights are passed over, and no plan of it searches. What needs the parameters is
 * UNSUPPORTED: setting, getting, resetting and saving them, a stack of compact cells, and another precision or
 * backend where one is named. Names and shapes stay. Plans made before keep the parameters they were made with, and
 * their memory. Until this returns both are there; to load with options->compact takes least. Of a compact lstm
 * nothing. Errors: INVALID_ARGUMENT (NULL), OUT_OF_MEMORY (the lstm has its parameters still). Not thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_compact(wlstm_lstm *lstm);

/* Parameters in PyTorch's order: weight_ih_l0 [4H, I], weight_hh_l0 [4H, R], bias_ih_l0 [4H], bias_hh_l0 [4H],
 * weight_hr_l0 [P, H], then *_l0_reverse, then layer 1. 0 for a NULL lstm. Thread-safe. */
WLSTM_API int64_t wlstm_lstm_num_parameters(const wlstm_lstm *lstm);

/* Name and shape of parameter `index`. *name lives until the parameters next change (wlstm_lstm_set_parameter,
 * wlstm_lstm_reset_parameters) or the lstm is freed; shape[1] is 1 for a bias, whose *ndim is 1.
 * Errors: INVALID_ARGUMENT (NULL, an index that is not below wlstm_lstm_num_parameters). Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_parameter_info(const wlstm_lstm *lstm, int64_t index, const char **name, int *ndim,
                                                 int64_t shape[2]);

/* Copies `count` elements of the lstm's dtype into the parameter; count must be its size. Plans made before keep the
 * parameters they were made with. On failure nothing changes. Errors: MISSING (no such name), INVALID_ARGUMENT (NULL, another
 * count), OUT_OF_MEMORY (as wlstm_lstm_reset_parameters). Not thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_set_parameter(wlstm_lstm *lstm, const char *name, const void *values, int64_t count);

/* Copies the parameter out. Errors: MISSING, INVALID_ARGUMENT, as wlstm_lstm_set_parameter. Thread-safe. */
WLSTM_API wlstm_status wlstm_lstm_get_parameter(const wlstm_lstm *lstm, const char *name, void *values, int64_t count);

/* out, (h_n, c_n) = lstm(x, (h_0, c_0)).
 *
 *     x     [T, B, I]     ([B, T, I] if batch_first)
 *     h_0   [D*L, B, R]   NULL is zeros
 *     c_0   [D*L, B, H]   NULL is zeros
 *     out   [T, B, D*R]   the last layer's h at all times, forward direction first ([B, T, D*R] if batch_first)
 *     h_n   [D*L, B, R]   NULL is not wanted; may be h_0
 *     c_n   [D*L, B, H]   NULL is not wanted; may be c_0
 *     lengths [B]         NULL: every row is T long. Else 1 to T steps each, in any order, as a PackedSequence with
 *                         enforce_sorted=False: out is zero past a row's end, h_n and c_n are those at its own last
 *                         step, the reverse direction starts there.
 *
 * T is at least 1; B may be 0, which gives empty results; T*B is at most 2^40. out, h_n and c_n overlap no other array, except
 * h_n with h_0, c_n with c_0 and, for one layer and direction, out with h_0, each only when they begin at the same address: else
 * the call is refused. NaN and infinity in a row stay in that row.
 *
 * The first call for a (T, B) makes a plan and keeps it with the lstm, later ones that fit it allocate nothing;
 * wlstm_plan_execute avoids even the look-up. A plan fits calls at the thread count that it was made for: WLSTM_NUM_THREADS, else
 * OpenMP's on the calling thread (omp_set_num_threads), asked at every call; inside a parallel region any will do. A call that fits
 * none of the kept plans makes one in the place of one that is too small, or beside those of a few other thread counts. The
 * lstm keeps up to 64 plans (one a thread that was inside at once; a call beside 64 others makes its own and frees it) until its
 * parameters change or it is freed; for a plan's memory see wlstm_plan_create. Thread-safe: concurrent calls use a plan each.
 * Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, BACKEND. Cost: T*B*(8*H*(I+R) + 2*H*P) operations a layer and direction. */
WLSTM_API wlstm_status wlstm_forward(wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const int64_t *lengths,
                                     const void *x, const void *h_0, const void *c_0, void *out, void *h_n, void *c_n);

/* wlstm_forward of rows without padding, as a PackedSequence of PyTorch's has them: longest first, and of each time
 * those that still run, one time after the other. N is the sum of batch_sizes.
 *
 *     batch_sizes [T]     how many rows run at each time: at least 1, and at most those of the time before; B is
 *                         batch_sizes[0]
 *     x     [N, I]        row b at time t lies at batch_sizes[0] + ... + batch_sizes[t-1] + b, also if batch_first
 *     out   [N, D*R]      likewise
 *     h_0, c_0, h_n, c_n  as of wlstm_forward, their rows in this order too: PyTorch's module permutes its caller's by
 *                         sorted_indices and unsorted_indices, here nothing is permuted
 *
 * Results are bit for bit those of wlstm_forward for the same rows with padding and lengths; all else is as there.
 * Errors: also INVALID_ARGUMENT for batch_sizes (NULL, a size below 1 or larger than the one before). Cost:
 * N*(8*H*(I+R) + 2*H*P) operations a layer and direction. */
WLSTM_API wlstm_status wlstm_forward_packed(wlstm_lstm *lstm, int64_t seq_len, const int64_t *batch_sizes,
                                            const void *x, const void *h_0, const void *c_0, void *out, void *h_n,
                                            void *c_n);

/* ------------------------------------------------------------------------------------------------ 3. nn.LSTMCell */

/* torch.nn.LSTMCell's arguments. Start from WLSTM_CELL_CONFIG_INIT. */
typedef struct wlstm_cell_config {
    size_t struct_size;  /* sizeof(wlstm_cell_config) */
    int64_t input_size;  /* I, at least 1 */
    int64_t hidden_size; /* H, at least 1 */
    int bias;            /* 0: no b_ih, b_hh */
    wlstm_dtype dtype;   /* of the parameters, x, h and c */
} wlstm_cell_config;
#define WLSTM_CELL_CONFIG_INIT                                                                                         \
    { sizeof(wlstm_cell_config), 0, 0, 1, WLSTM_F32 }

/* As their wlstm_lstm_ namesakes, errors and threads too (an nn.LSTM's file is MISSING weight_ih); the parameters are
 * weight_ih [4H, I], weight_hh [4H, H], bias_ih [4H], bias_hh [4H]. */
WLSTM_API wlstm_status wlstm_cell_create(const wlstm_cell_config *config, wlstm_cell **cell);
WLSTM_API wlstm_status wlstm_cell_load(const char *path, const wlstm_load_options *options, wlstm_cell **cell);
WLSTM_API wlstm_status wlstm_cell_save(const wlstm_cell *cell, const char *path, const char *prefix);
WLSTM_API void wlstm_cell_free(wlstm_cell *cell);
WLSTM_API wlstm_status wlstm_cell_get_config(const wlstm_cell *cell, wlstm_cell_config *config);
WLSTM_API wlstm_status wlstm_cell_reset_parameters(wlstm_cell *cell, uint64_t seed);
WLSTM_API wlstm_status wlstm_cell_set_precision(wlstm_cell *cell, wlstm_precision precision);
WLSTM_API wlstm_status wlstm_cell_compact(wlstm_cell *cell);
WLSTM_API int64_t wlstm_cell_num_parameters(const wlstm_cell *cell);
WLSTM_API wlstm_status wlstm_cell_parameter_info(const wlstm_cell *cell, int64_t index, const char **name, int *ndim,
                                                 int64_t shape[2]);
WLSTM_API wlstm_status wlstm_cell_set_parameter(wlstm_cell *cell, const char *name, const void *values, int64_t count);
WLSTM_API wlstm_status wlstm_cell_get_parameter(const wlstm_cell *cell, const char *name, void *values, int64_t count);

/* h_out, c_out = cell(x, (h, c)): one step; the caller iterates over time.
 *
 *     x      [B, I]
 *     h, c   [B, H]   NULL is zeros
 *     h_out  [B, H]   may be h
 *     c_out  [B, H]   may be c
 *
 * B is 0 to 2^40. h_out and c_out overlap no other array, except h_out with h and c_out with c, each only when they begin at the
 * same address: else the call is refused. After the first call with the largest batch (on each of the threads that run at once, for
 * each thread count) no call allocates: plans are kept as by wlstm_forward. Thread-safe. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY,
 * BACKEND. Cost: 8*B*H*(I+H) operations. */
WLSTM_API wlstm_status wlstm_cell_forward(wlstm_cell *cell, int64_t batch, const void *x, const void *h, const void *c,
                                          void *h_out, void *c_out);

/* ------------------------------------------------------------------------------------------------------ 4. plans */

/* Who computes. AUTO takes the fastest that covers the lstm: NATIVE, unless measuring (now or in the plan cache) found ONEDNN
 * faster for a part of the work; a plan's description says which it was. ONEDNN and NATIVE have every schedule and thread count;
 * by one plan a call has the same bits each time, by another one of ONEDNN it may have others. */
typedef enum wlstm_backend {
    WLSTM_BACKEND_AUTO = 0,
    WLSTM_BACKEND_REFERENCE = 1, /* the equations in scalar C: all else is tested against them; the fallback */
    WLSTM_BACKEND_ONEDNN = 2,    /* gate GEMMs by oneDNN primitives; f32, not deterministic, where built in */
    WLSTM_BACKEND_NATIVE = 3     /* this library's fused kernels */
} wlstm_backend;

/* How much time choosing may take. The plan cache keeps nothing where it is off, a backend, a schedule or chunk_steps
 * is named, deterministic or recompute_steps is set or the cells are unlike: then every plan or trainer of effort MEASURE
 * or PATIENT searches. */
typedef enum wlstm_effort {
    WLSTM_EFFORT_DEFAULT = 0, /* the environment's WLSTM_EFFORT, else ESTIMATE */
    WLSTM_EFFORT_ESTIMATE =
        1, /* what the plan cache holds for the problem or (a plan) a like one, else a cost model: microseconds */
    WLSTM_EFFORT_MEASURE =
        2, /* what the plan cache holds for the problem, else search by measuring, and keep it there */
    WLSTM_EFFORT_PATIENT = 3 /* as MEASURE, longer and wider; passes over what MEASURE found */
} wlstm_effort;

/* Which thread does what, and when; results are the same. Where the lstm, its sizes, the threads or the backend
 * cannot have the schedule (one thread has SERIAL alone, a single cell no WAVEFRONT), a plan is as by AUTO, and its
 * description says so. */
typedef enum wlstm_schedule {
    WLSTM_SCHEDULE_AUTO = 0,      /* the library's choice */
    WLSTM_SCHEDULE_SERIAL = 1,    /* one thread: a chunk of time through all layers, then the next */
    WLSTM_SCHEDULE_WAVEFRONT = 2, /* OpenMP tasks: layer l at chunk k beside layer l+1 at chunk k-1 */
    WLSTM_SCHEDULE_GANGS = 3      /* threads that own layers, directions, rows and units for the whole call */
} wlstm_schedule;

/* Start from WLSTM_PLAN_OPTIONS_INIT and set max_seq_len and max_batch. Every field but deterministic, which may be
 * any int, and reserved, which is not read, is checked, those not used too. */
typedef struct wlstm_plan_options {
    size_t struct_size;  /* sizeof(wlstm_plan_options) */
    int64_t max_seq_len; /* the largest T it will execute, at least 1 */
    int64_t max_batch;   /* the largest B it will execute, at least 1 */
    int num_threads; /* 0: WLSTM_NUM_THREADS, else OpenMP's default within the CPU quota; at most the cores that the process may use count */
    wlstm_backend backend;   /* AUTO: WLSTM_BACKEND where it can serve, else the library's choice */
    wlstm_effort effort;     /* how much time choosing may take */
    double time_limit;       /* seconds that a search of effort MEASURE or PATIENT takes at most, about; 0: 2 and 10 */
    int deterministic;       /* 1: the same bits for every thread count, effort and rest of the batch on one ISA */
    int reserved;            /* not read: programs of the first header have rubbish there */
    wlstm_schedule schedule; /* AUTO: WLSTM_SCHEDULE, else the library's choice */
    wlstm_precision precision; /* DEFAULT: the lstm's */
    int64_t chunk_steps;       /* the most time steps of a chunk; 0: the library's choice */
} wlstm_plan_options;
#define WLSTM_PLAN_OPTIONS_INIT                                                                                        \
    {                                                                                                                  \
        sizeof(wlstm_plan_options), 0, 0, 0, WLSTM_BACKEND_AUTO, WLSTM_EFFORT_DEFAULT, 0.0, 0, 0, WLSTM_SCHEDULE_AUTO, \
            WLSTM_PRECISION_DEFAULT, 0                                                                                 \
    }

/* A plan for one lstm: packed weights (shared with the lstm's other plans), primitives, schedule, scratch. It keeps what
 * it needs of the lstm, which may be freed first. The caller frees the plan. max_seq_len * max_batch is at most 2^40.
 * Cost: one pass over the weights for the first plan of a kind, by its threads from 2 MiB on, microseconds more for the next;
 * with effort MEASURE or PATIENT a search on all the plan's threads, one at a time in a process, and while it lasts a copy of
 * the parameters and several packings of them (inside a parallel region there is none: such a plan is as by ESTIMATE). A search
 * that fails is no error. Memory: the packed weights, and scratch that does not grow with max_seq_len for one direction or one
 * layer, while a bidirectional stack of L > 1 keeps whole sequences between its layers: up to 2 * max_seq_len * max_batch rows
 * of 2R elements, each of whole cache lines (REFERENCE: some for every stack). oneDNN allocates for itself, by no allocator of
 * the caller's, and ends the process where it gets nothing: so a plan with a part by oneDNN is made only where 32 MiB more can
 * be had at each step, and 160 MiB more for each thread but one, else it is OUT_OF_MEMORY, and a search goes on without such
 * plans. NATIVE ones need none of that. Errors: INVALID_ARGUMENT, OUT_OF_MEMORY, UNSUPPORTED (options->backend or
 * options->precision cannot serve this lstm), BACKEND. Thread-safe. */
WLSTM_API wlstm_status wlstm_plan_create(wlstm_lstm *lstm, const wlstm_plan_options *options, wlstm_plan **plan);

/* wlstm_forward by this plan, for 1 <= T <= max_seq_len and 0 <= B <= max_batch. Allocates nothing (oneDNN where it
 * computes, and the OpenMP runtime for a wavefront's tasks, have small allocations of their own), takes no lock,
 * prints nothing. One thread at a time. It may be called anywhere: inside a parallel region or a task, and in the child of
 * a process that had threads when it forked, it runs on the calling thread alone, with the same result. OpenMP's settings are
 * afterwards what they were. Where memory has run out since the plan was made, the allocations named above may end the process; plans
 * without them run on. Errors: INVALID_ARGUMENT, BACKEND. */
WLSTM_API wlstm_status wlstm_plan_execute(wlstm_plan *plan, int64_t seq_len, int64_t batch, const int64_t *lengths,
                                          const void *x, const void *h_0, const void *c_0, void *out, void *h_n,
                                          void *c_n);

/* wlstm_forward_packed by this plan, for T and batch_sizes[0] up to its maxima; else as wlstm_plan_execute. */
WLSTM_API wlstm_status wlstm_plan_execute_packed(wlstm_plan *plan, int64_t seq_len, const int64_t *batch_sizes,
                                                 const void *x, const void *h_0, const void *c_0, void *out, void *h_n,
                                                 void *c_n);

/* One line for people: "t10b3i100h20l4: project and step native avx2, 1 thread, weights 0.1 MB, scratch 0.1 MB,
 * tuned". The end is "estimated" where a cost model chose, "tuned for" and the problem where a like one was tuned,
 * and missing for REFERENCE, where there is nothing to choose. Of a precision that is not FULL the problem ends in
 * -bf16 or -int8, and of bf16 arrays in -bf16arrays before. Lives as long as the plan; "" for NULL. Thread-safe. */
WLSTM_API const char *wlstm_plan_describe(const wlstm_plan *plan);

/* Bytes of the packed weights (shared) and of this plan's own scratch; either pointer may be NULL.
 * Errors: INVALID_ARGUMENT (a NULL plan). Thread-safe. */
WLSTM_API wlstm_status wlstm_plan_memory(const wlstm_plan *plan, size_t *weight_bytes, size_t *scratch_bytes);

/* Frees a plan; the packed weights go with the last who shares them. NULL is allowed. Not while the plan executes; beside
 * anything else thread-safe. */
WLSTM_API void wlstm_plan_free(wlstm_plan *plan);

/* ----------------------------------------------------------------------------------------------------- 5. streams */

/* Thousands of sequences that share one lstm, whose steps come one at a time: voices, sensors, agents. Whichever of
 * them have a step are computed in one batch, each from its own state, which lies inside: the caller gathers and
 * scatters nothing.
 *
 *     wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
 *     options.max_streams = 1000;
 *     wlstm_streams *streams;
 *     wlstm_streams_create(lstm, &options, &streams);
 *     wlstm_streams_open(streams, &ids[0]);                      // a caller comes
 *     wlstm_streams_step(streams, count, ids, x, out);           // whoever has a step: x [count, I], out [count, R]
 *     wlstm_streams_close(streams, ids[0]);                      // and goes
 *
 * What comes of a stream is, bit for bit, what comes of it alone, whoever shares its batches and however many threads
 * there are, and what a deterministic native plan gives for it. */
typedef struct wlstm_streams wlstm_streams;

/* Start from WLSTM_STREAMS_OPTIONS_INIT and set max_streams. */
typedef struct wlstm_streams_options {
    size_t struct_size;        /* sizeof(wlstm_streams_options) */
    int64_t max_streams;       /* the most that are open at once, 1 to 2^24 */
    int64_t max_batch;         /* the most that one batch has, at most 2^24; 0: the library's choice */
    int num_threads;           /* as of wlstm_plan_options */
    wlstm_precision precision; /* DEFAULT: the lstm's */
} wlstm_streams_options;
#define WLSTM_STREAMS_OPTIONS_INIT                                                                                     \
    { sizeof(wlstm_streams_options), 0, 0, 0, WLSTM_PRECISION_DEFAULT }

/* Room for max_streams streams of an lstm of one direction, none of them open. It keeps what it needs of the lstm,
 * which may be freed first, and the parameters and precision that it has now. The caller frees the streams. The native
 * kernels compute, whatever WLSTM_BACKEND says, by plans of effort ESTIMATE, a few for batches of different sizes.
 * Memory: L*(R+H) elements a stream, the packed weights, which plans of the lstm share, and scratch for max_batch rows.
 * Errors: INVALID_ARGUMENT (a bidirectional lstm: its reverse direction begins at the end of a sequence),
 * OUT_OF_MEMORY, UNSUPPORTED (BF16 or INT8 with f64). Thread-safe. */
WLSTM_API wlstm_status wlstm_streams_create(wlstm_lstm *lstm, const wlstm_streams_options *options,
                                            wlstm_streams **streams);

/* Frees all streams, open ones too. NULL is allowed. Not while a call works on them; beside anything else thread-safe. */
WLSTM_API void wlstm_streams_free(wlstm_streams *streams);

/* Each of the functions below takes no lock and, as wlstm_plan_execute, allocates nothing; on failure it moves nothing:
 * every stream is as it was. One thread at a time calls them on the same streams. Any number may be given as an id: one
 * that is not an open stream's is refused. */

/* A new stream, its state zeros. *id is positive and no other stream's before 2^39 more were opened, so that the id of
 * a closed one is told from its successor's; it means nothing to other streams objects. On failure *id is 0. Errors:
 * INVALID_ARGUMENT (NULL), OUT_OF_MEMORY (max_streams are open). Cost: the state is cleared. */
WLSTM_API wlstm_status wlstm_streams_open(wlstm_streams *streams, int64_t *id);

/* The stream is gone, and its id no longer one. Errors: INVALID_ARGUMENT (NULL, not the id of an open stream). */
WLSTM_API wlstm_status wlstm_streams_close(wlstm_streams *streams, int64_t id);

/* The stream's state is zeros again, as where a new sequence begins. Errors: as wlstm_streams_close. */
WLSTM_API wlstm_status wlstm_streams_reset(wlstm_streams *streams, int64_t id);

/* Copies a stream's state out: h [L, R] and c [L, H], for a stack of unlike cells the layers' one after another; NULL
 * is not wanted. Errors: as wlstm_streams_close. */
WLSTM_API wlstm_status wlstm_streams_get_state(const wlstm_streams *streams, int64_t id, void *h, void *c);

/* Copies such a state in; NULL is zeros. Errors: as wlstm_streams_close. */
WLSTM_API wlstm_status wlstm_streams_set_state(wlstm_streams *streams, int64_t id, const void *h, const void *c);

/* One step of each of `count` different streams: row i of x goes into stream ids[i], and what comes out to row i of
 * out.
 *
 *     ids  [count]      in any order
 *     x    [count, I]
 *     out  [count, R]   the last layer's h
 *
 * count is at least 0; more than max_batch are run in several batches of about equal size. out overlaps no other array.
 * NaN and infinity in a row stay in its stream. It may be called where wlstm_plan_execute may be. Errors:
 * INVALID_ARGUMENT (an id that is not an open stream's, or that comes twice: the error names it and its place). Cost:
 * count*(8*H*(I+R) + 2*H*P) operations a layer; the weights are read once a batch. */
WLSTM_API wlstm_status wlstm_streams_step(wlstm_streams *streams, int64_t count, const int64_t *ids, const void *x,
                                          void *out);

/* Several steps of each, as of wlstm_forward: x [T, count, I], out [T, count, R] ([count, T, .] if the lstm is
 * batch_first), lengths [count] of 1 to T steps each, NULL for T each; out is zero past a row's end. T is 1 to 65536.
 * The results are those of as many wlstm_streams_step, but that bf16 arrays have c rounded at the end of a call.
 * Errors: as wlstm_streams_step, and INVALID_ARGUMENT for seq_len and lengths. */
WLSTM_API wlstm_status wlstm_streams_run(wlstm_streams *streams, int64_t count, const int64_t *ids, int64_t seq_len,
                                         const int64_t *lengths, const void *x, void *out);

/* --------------------------------------------------------------------------------------------------- 6. training */

/* An nn.LSTM in training: its parameters and their gradients in two flat arrays, and the passes between them. A loop is
 *
 *     wlstm_trainer_forward(trainer, T, B, NULL, x, NULL, NULL, out, NULL, NULL, 1, seed, 0, NULL);
 *     ... the loss of out, and d_out, its gradient by out ...
 *     wlstm_trainer_backward(trainer, NULL, d_out, NULL, NULL, NULL, NULL, NULL, 0);
 *     wlstm_trainer_clip_gradients(trainer, 1.0, NULL);
 *     wlstm_trainer_update(trainer, &optimizer);
 *
 * A trainer is used by one thread at a time; different ones are independent of each other, and of the lstm that they
 * were made from. It allocates nothing after its creation. Results are the same bits on one ISA, whatever the number
 * of threads and the rest of the batch, but for the parameters' gradients, which are sums over it. */
typedef struct wlstm_trainer wlstm_trainer;

/* Start from WLSTM_TRAINER_OPTIONS_INIT and set max_seq_len and max_batch. Of schedules SERIAL is layer after layer, by
 * all threads; GANGS and WAVEFRONT have gangs of threads that own layers, which run side by side, a chunk of steps apart,
 * where there are two layers or more of one direction. effort is for passes of max_seq_len steps of max_batch rows; others go
 * by the library's rule. Of MEASURE and PATIENT the creation takes up to about 2 and 10 seconds, unless the plan cache has
 * what it needs or there is nothing to choose (one thread), and meanwhile the memory of one more trainer and a pass's arrays. */
typedef struct wlstm_trainer_options {
    size_t struct_size;        /* sizeof(wlstm_trainer_options) */
    int64_t max_seq_len;       /* the largest T of its passes, at least 1 */
    int64_t max_batch;         /* the largest B of its passes, at least 1 */
    int num_threads;           /* as in wlstm_plan_options */
    wlstm_precision precision; /* DEFAULT or FULL: products multiply the values themselves, whatever the lstm's is */
    int64_t recompute_steps; /* K: tapes keep h and c every K steps, and the rest is computed again; 0: they keep all */
    wlstm_schedule schedule; /* AUTO: WLSTM_SCHEDULE, else the library's choice */
    wlstm_effort effort;     /* how much time choosing may take; DEFAULT: WLSTM_EFFORT, else ESTIMATE */
} wlstm_trainer_options;
#define WLSTM_TRAINER_OPTIONS_INIT                                                                                     \
    { sizeof(wlstm_trainer_options), 0, 0, 0, WLSTM_PRECISION_DEFAULT, 0, WLSTM_SCHEDULE_AUTO, WLSTM_EFFORT_DEFAULT }

/* A trainer with a copy of the lstm's parameters, gradients of zero and a tape of its own for max_seq_len and max_batch.
 * The lstm may be freed first. The caller frees the trainer. max_seq_len * max_batch is at most 2^40. Memory:
 * wlstm_trainer_memory tells it; most is the tape, whose pages the system gives when they are first used. Errors:
 * INVALID_ARGUMENT, OUT_OF_MEMORY, UNSUPPORTED (a precision that is not FULL, recompute_steps with two directions, an
 * lstm that is compact or has bf16 arrays).
 * Thread-safe. */
WLSTM_API wlstm_status wlstm_trainer_create(const wlstm_lstm *lstm, const wlstm_trainer_options *options,
                                            wlstm_trainer **trainer);

/* Frees a trainer; its tapes are of no use then. NULL is allowed. Not thread-safe. */
WLSTM_API void wlstm_trainer_free(wlstm_trainer *trainer);

/* The parameters, all of them one after another in the order of wlstm_lstm_parameter_info, and how many elements of the
 * lstm's dtype they are. They stay the trainer's, and in place until it is freed. The caller may write to them between
 * a backward pass and the next forward pass: an optimizer of the caller's, a broadcast. Either pointer may be NULL.
 * Errors: INVALID_ARGUMENT (a NULL trainer). Not thread-safe, as all functions of a trainer. */
WLSTM_API wlstm_status wlstm_trainer_parameters(wlstm_trainer *trainer, void **values, int64_t *count);

/* Their gradients, in the same order: for a sum over processes, or to write to. Errors: as wlstm_trainer_parameters. */
WLSTM_API wlstm_status wlstm_trainer_gradients(wlstm_trainer *trainer, void **values, int64_t *count);

/* Copies `count` elements into the parameter of that name, and out of it. Errors: MISSING, INVALID_ARGUMENT, as
 * wlstm_lstm_set_parameter. */
WLSTM_API wlstm_status wlstm_trainer_set_parameter(wlstm_trainer *trainer, const char *name, const void *values,
                                                   int64_t count);
WLSTM_API wlstm_status wlstm_trainer_get_parameter(const wlstm_trainer *trainer, const char *name, void *values,
                                                   int64_t count);

/* Copies the parameters into an lstm of the same shape, for wlstm_forward and wlstm_lstm_save; plans of it made before
 * keep what they have. Errors: INVALID_ARGUMENT (NULL, another shape or dtype), OUT_OF_MEMORY (as
 * wlstm_lstm_reset_parameters). Not thread-safe. */
WLSTM_API wlstm_status wlstm_trainer_copy_to(const wlstm_trainer *trainer, wlstm_lstm *lstm);

/* Bytes of a tape for passes of seq_len steps of `batch` rows: about 5H elements a row, step, layer and direction, and
 * between layers D*R more; with recompute_steps K that for K steps, and R + H a row, layer and K steps. Errors: INVALID_ARGUMENT (NULL, sizes below 1 or beyond the trainer's), OUT_OF_MEMORY (more
 * bytes than there can be). */
WLSTM_API wlstm_status wlstm_trainer_tape_bytes(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch,
                                                size_t *bytes);

/* wlstm_forward by the trainer's parameters, which keeps on the tape what the backward pass needs.
 *
 *     x, h_0, c_0, out, h_n, c_n, lengths     as of wlstm_forward, the arrays that may be one too. x and out stay as
 *                         they are until the backward pass, which reads them; h_0, c_0 and lengths are copied
 *     training            1: the config's dropout acts between layers; 0: it does not
 *     seed, first_row     of dropout: the mask follows from the seed, layer, time, unit and first_row + the row's place
 *                         in the batch alone, so that a recomputation, and processes that share a batch, draw the same
 *     tape                memory of at least wlstm_trainer_tape_bytes(trainer, T, B) bytes at any alignment, the
 *                         caller's, until the backward pass; NULL: the trainer's own. Each pass that is still to go
 *                         back has a tape of its own; what was on the tape is lost
 *
 * T is 1 to max_seq_len, B is 0 to max_batch. Errors: INVALID_ARGUMENT. Cost: that of wlstm_forward, and a pass over
 * the parameters if they have changed. */
WLSTM_API wlstm_status wlstm_trainer_forward(wlstm_trainer *trainer, int64_t seq_len, int64_t batch,
                                             const int64_t *lengths, const void *x, const void *h_0, const void *c_0,
                                             void *out, void *h_n, void *c_n, int training, uint64_t seed,
                                             int64_t first_row, void *tape);

/* wlstm_trainer_forward of packed rows, as of wlstm_forward_packed: batch_sizes is copied, and a tape for T steps of
 * batch_sizes[0] rows has room. The pass back by this tape takes d_out, and gives d_x, packed as out and x are. */
WLSTM_API wlstm_status wlstm_trainer_forward_packed(wlstm_trainer *trainer, int64_t seq_len, const int64_t *batch_sizes,
                                                    const void *x, const void *h_0, const void *c_0, void *out,
                                                    void *h_n, void *c_n, int training, uint64_t seed,
                                                    int64_t first_row, void *tape);

/* The gradients of a loss, from those by the results of the forward pass on this tape (NULL: the trainer's own).
 *
 *     d_out, d_h_n, d_c_n     by out, h_n and c_n, of their shapes; NULL is zeros. d_out past a row's end is not read
 *     d_x, d_h_0, d_c_0       by x, h_0 and c_0, of their shapes, written; NULL is not wanted. d_x is zero past a row's
 *                             end. d_h_0 may be d_h_n, and d_c_0 d_c_n; else no array overlaps another
 *     accumulate              0: the parameters' gradients are replaced; 1: added to, as PyTorch's .grad
 *
 * Each is a sum in a fixed order, the parameters' over blocks of 256 pairs of step and row, the others' over blocks of
 * at most 256 gates. Uses the tape up. Errors:
 * INVALID_ARGUMENT (NULL, no forward pass on the tape since the last backward pass, a tape of another trainer,
 * parameters that have changed since; nothing is written). Cost: twice that of wlstm_forward; with recompute_steps three
 * times, and out is written again as it is. */
WLSTM_API wlstm_status wlstm_trainer_backward(wlstm_trainer *trainer, void *tape, const void *d_out, const void *d_h_n,
                                              const void *d_c_n, void *d_x, void *d_h_0, void *d_c_0, int accumulate);

/* Told `count` gradients at `values`, a part of the flat array, that are complete: context is
 * wlstm_trainer_watch_gradients's, dtype the lstm's. */
typedef void (*wlstm_gradients_function)(void *context, wlstm_dtype dtype, void *values, int64_t count);

/* Has each backward pass call `ready` for each layer and direction, the last layer first, as soon as its parameters'
 * gradients are complete: after all of its steps, of one direction in the pass's last chunk of some 256 (step, row). It
 * is called by the thread that called wlstm_trainer_backward, also where the batch has no rows, and may read and write
 * these gradients, during the call and after; it calls no other function of the trainer. NULL: nobody is told, as at
 * first. Errors: INVALID_ARGUMENT (a NULL trainer). */
WLSTM_API wlstm_status wlstm_trainer_watch_gradients(wlstm_trainer *trainer, wlstm_gradients_function ready,
                                                     void *context);

/* Makes all gradients zero. Errors: INVALID_ARGUMENT (NULL). */
WLSTM_API wlstm_status wlstm_trainer_zero_gradients(wlstm_trainer *trainer);

/* Scales the gradients so that the norm of all of them together is at most max_norm, as torch.nn.utils.clip_grad_norm_
 * does it; *total_norm, which may be NULL, is what it was. Errors: INVALID_ARGUMENT (NULL, a max_norm below 0 or NaN). */
WLSTM_API wlstm_status wlstm_trainer_clip_gradients(wlstm_trainer *trainer, double max_norm, double *total_norm);

/* Who makes new parameters of gradients. */
typedef enum wlstm_optimizer_kind {
    WLSTM_OPTIMIZER_SGD = 0,  /* torch.optim.SGD */
    WLSTM_OPTIMIZER_ADAM = 1, /* torch.optim.Adam */
    WLSTM_OPTIMIZER_ADAMW = 2 /* torch.optim.AdamW */
} wlstm_optimizer_kind;

/* Its settings, of PyTorch's names and meanings. Start from WLSTM_OPTIMIZER_INIT, which has PyTorch's defaults for Adam,
 * and with another kind for SGD; AdamW's weight_decay, there 1e-2, is to be set. All may change from update to update;
 * the trainer keeps the moments, SGD's if it has momentum, or Adam's and AdamW's. */
typedef struct wlstm_optimizer {
    size_t struct_size;        /* sizeof(wlstm_optimizer) */
    wlstm_optimizer_kind kind; /* which one */
    int nesterov;              /* SGD: 1: Nesterov's momentum */
    double lr;                 /* the learning rate */
    double momentum;           /* SGD */
    double dampening;          /* SGD: of the momentum */
    double beta1;              /* Adam, AdamW: of the mean of gradients */
    double beta2;              /* Adam, AdamW: of the mean of their squares */
    double eps;                /* Adam, AdamW: added to the root */
    double weight_decay;       /* AdamW: of the parameters themselves; else a part of their gradients */
} wlstm_optimizer;
#define WLSTM_OPTIMIZER_INIT                                                                                           \
    { sizeof(wlstm_optimizer), WLSTM_OPTIMIZER_ADAM, 0, 1e-3, 0.0, 0.0, 0.9, 0.999, 1e-8, 0.0 }

/* One step of an optimizer: new parameters of the parameters, the gradients and the moments. Errors: INVALID_ARGUMENT
 * (NULL, a setting that PyTorch refuses, momentum after updates of Adam or the other way round). */
WLSTM_API wlstm_status wlstm_trainer_update(wlstm_trainer *trainer, const wlstm_optimizer *optimizer);

/* What dropout multiplied the output of `layer`, 0 to L-2, by in the forward pass on this tape (NULL: the trainer's
 * own): 0, or 1 / (1 - p); 1 where it did not act. mask [T, B, D*R], of the lstm's dtype, also if batch_first. Errors:
 * INVALID_ARGUMENT (NULL, no such layer, a tape without a forward pass). */
WLSTM_API wlstm_status wlstm_trainer_dropout_mask(const wlstm_trainer *trainer, const void *tape, int64_t layer,
                                                  void *mask);

/* Bytes of the trainer (parameters, gradients, moments, packed weights, scratch), and of its own tape; either pointer
 * may be NULL. Errors: INVALID_ARGUMENT (a NULL trainer). */
WLSTM_API wlstm_status wlstm_trainer_memory(const wlstm_trainer *trainer, size_t *bytes, size_t *tape_bytes);

/* Writes parameters, moments and the number of updates to one safetensors file, which appears whole or not at all and is
 * a model's file too (wlstm_lstm_load), and reads them back into a trainer of the same shape and dtype: training goes on
 * with the same numbers. A file that does not fit the trainer changes nothing. Errors: INVALID_ARGUMENT (NULL), FILE,
 * FORMAT, MISSING, UNSUPPORTED, OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_trainer_save(const wlstm_trainer *trainer, const char *path);
WLSTM_API wlstm_status wlstm_trainer_load(wlstm_trainer *trainer, const char *path);

/* --------------------------------------------------------------------------------------------- 7. the plan cache */

/* What was measured once on this machine, by wlstm-tune or a plan or trainer of effort MEASURE or PATIENT, and serves
 * every later one of the same problem and thread count; a plan whose (seq_len, batch) was not tuned takes the choices of
 * the nearest that was, a trainer none. It changes how fast results come, and the last bits of a plan's where it chose
 * oneDNN or vectors that round in another way (never in a deterministic plan).
 *
 * In a directory it is one file for each kind of machine (processor, caches, cores, instruction set, versions of this library
 * and of oneDNN). The first plan or trainer of a process reads this machine's file of the user's directory (WLSTM_CACHE
 * below) and one of the system's, which an administrator may fill and which the user's goes before: in etc/wavelstm of the
 * prefix that the library lies in, wherever that was moved (of a program with the static library: that the program lies
 * in), else in the build's sysconfdir/wavelstm, /usr/local/etc/wavelstm by default; the other way round where sysconfdir
 * is outside the prefix, as /etc for /usr. A file that is not in order is passed over as a whole, and one that is not
 * there is no error. Nothing here is needed to run: caches are for home directories that many processes share, so they
 * are read without a lock, replaced whole, and written under a lock that is never waited for. */

/* Reads this machine's file of a directory over what the process knows; NULL is the user's directory. On failure nothing
 * changes, but for OUT_OF_MEMORY, where some of it may be there. Plans and trainers that are there already keep their
 * choices, also below. Cost: milliseconds. Errors: FILE (none there, not readable, NULL where caching is off), FORMAT (not
 * in order, or for another machine: the error names what differs), OUT_OF_MEMORY. Thread-safe, as all of these functions. */
WLSTM_API wlstm_status wlstm_plan_cache_load(const char *directory);

/* Lays what this process tuned or imported over this machine's file of the user's directory (NULL), or all but the system's part
 * of what it knows over that of another one. Makes the directory. The file appears whole or not at all. A plan or trainer
 * of effort MEASURE or PATIENT that searched has tried this itself. Errors: FILE (no directory, not writable, disk full,
 * or another process is writing: try again), OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_save(const char *directory);

/* Writes all that the process knows to one file, for machines of the same kind. Errors: FILE, INVALID_ARGUMENT (NULL),
 * OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_export(const char *path);

/* Reads such a file over what the process knows; wlstm_plan_cache_save keeps it. On failure nothing changes, but for
 * OUT_OF_MEMORY, where some of it may be there. Errors: FILE, FORMAT (as wlstm_plan_cache_load), INVALID_ARGUMENT (NULL),
 * OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_import(const char *path);

/* As wlstm_plan_cache_export, into memory: *bytes is how many there are; text [capacity] has them where capacity is not less, and a
 * capacity of 0 is asking. Errors: INVALID_ARGUMENT (a NULL pointer, a capacity of less but 0), OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_export_text(char *text, size_t capacity, size_t *bytes);

/* As wlstm_plan_cache_import, from memory, so that one process reads for many: one that has read no file yet (has made no
 * plan or trainer, and called none of these functions) will not read any, and has what is in the text alone, with
 * WLSTM_CACHE=off too. Errors: FORMAT, INVALID_ARGUMENT (NULL), OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_import_text(const char *text, size_t bytes);

/* Takes one problem ("t10b3i100h20l4", or of trainers "train/t10b3i100h20l4"; every thread count of it) or everything (NULL)
 * out of what the process knows and out of the user's file, if there is one. Errors: INVALID_ARGUMENT (not a problem), FILE
 * (as wlstm_plan_cache_save), OUT_OF_MEMORY. */
WLSTM_API wlstm_status wlstm_plan_cache_forget(const char *problem);

/* ------------------------------------------------------------------------------------------------ 8. the library */

/* Environment variables, read once at the first use. An argument that is not its default goes first, then the environment, then
 * the default. A value that is not understood counts as not set.
 *
 *     WLSTM_VERBOSE      0 to 2, default 0: messages on stderr, none at 0; each plan and trainer made,
 *                        each value not understood, a plan cache that is not in order and a search that failed at 1;
 *                        what a search measures and a plan cache that is there and cannot be read at 2
 *     WLSTM_ISA          the widest instruction set used, in this order: baseline (neon: ARM's), avx2, avx2_vnni, avx512,
 *                        avx512_vnni, avx512_bf16, amx; avx2 and avx512 are without VNNI; default: all that the machine has
 *     WLSTM_BACKEND      auto, reference, onednn, native: the backend where a plan's is AUTO, and of wlstm_forward; passed over
 *                        where it cannot serve (onednn with f64, with deterministic, or not built in)
 *     WLSTM_SCHEDULE     auto, serial, wavefront, gangs: the schedule where a plan's or a trainer's is AUTO, and of wlstm_forward
 *     WLSTM_PRECISION    full, bf16, int8: the precision where a plan's and its lstm's are DEFAULT, of wlstm_forward
 *                        and wlstm_cell_forward; f64 passes it over
 *     WLSTM_NUM_THREADS  1 to 65536: the threads where a plan's num_threads is 0, and of wlstm_forward; default: OpenMP's,
 *                        at most the CPU quota of the process's control group (a container's) and those above it, rounded
 *                        down, at least 1, read once a process (a fork's child keeps its parent's)
 *     WLSTM_EFFORT       default, estimate, measure, patient: the effort where a plan's or a trainer's is DEFAULT, and of
 *                        wlstm_forward
 *     WLSTM_CACHE        the directory of the user's plan cache, or off: plans and trainers use none, and only a
 *                        directory or file that a call names is read or written; default:
 *                        XDG_CACHE_HOME/wavelstm if that is an absolute path, else HOME/.cache/wavelstm */

/* "0.1.0" of the library that runs, which may be newer than the header's WLSTM_VERSION_STRING. Static.
 * Thread-safe. */
WLSTM_API const char *wlstm_version(void);

/* Version, instruction set in use and oneDNN's version in one line, for bug reports. Static. Thread-safe. */
WLSTM_API const char *wlstm_build_info(void);

/* The two functions of wlstm_set_allocator. */
typedef void *(*wlstm_allocate_function)(size_t bytes, void *context);
typedef void (*wlstm_deallocate_function)(void *memory, void *context);

/* Where the library gets memory from here on: allocate returns malloc-like memory (aligned for any type) or NULL. Set it
 * once, before anything else is called; two NULLs restore malloc and free. Both functions are called by every thread that uses
 * the library, at once. oneDNN's, the JSON parser's and the plan cache's own small allocations at creation and loading do not
 * pass through it. Errors: INVALID_ARGUMENT (only one of the two NULL, or memory from the former allocator still in use). Not
 * thread-safe: no other call of the library may run. */
WLSTM_API wlstm_status wlstm_set_allocator(wlstm_allocate_function allocate, wlstm_deallocate_function deallocate,
                                           void *context);

#ifdef __cplusplus
}
#endif

#endif
