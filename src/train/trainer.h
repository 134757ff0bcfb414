/* A trainer from the inside: flat parameters and gradients, weights packed both ways, scratch; private to src/train and
 * api/trainer.c. */
#ifndef WLI_TRAINER_H
#define WLI_TRAINER_H

#include "kernels/dispatch.h"
#include "kernels/operands.h"
#include "model/model.h"
#include "plan/train_choice.h"
#include "schedule/barrier.h"

/* Pairs of (step, row) whose products are summed by themselves: one chain of sums over all of a long sequence would
 * lose digits. Blocks are numbered by the problem alone, so that no schedule moves a sum. */
enum { WLI_BLOCK_PAIRS = 256 };

/* Rows of a gradient that are summed together, and its columns: the block that they are made of stays in the L2. */
enum { WLI_GROUP_ROWS = 64, WLI_GROUP_COLUMNS = 256, WLI_PIECE_ROWS = 128 };

/* A weight [rows, columns] as PyTorch keeps it, and its panels (layout.h) for A W^T and for A W. */
typedef struct wli_train_weight {
    int64_t offset; /* in the flat arrays */
    int64_t rows, columns;
    void *panels; /* of depth `columns` */
    void *back;   /* of depth `rows` */
} wli_train_weight;

/* A cell; the strides are elements from one row to the next. */
typedef struct wli_train_cell {
    int64_t I, H, P, R;
    int64_t h_offset, c_offset;  /* as in wli_cell_weights */
    wli_train_weight ih, hh, hr; /* hr has no rows without projection */
    int64_t bias_ih, bias_hh;    /* their offsets, -1 without bias */
    void *bias;                  /* [4H padded] b_ih + b_hh */
    int64_t gate_stride, c_stride, h_stride;
    void *dh, *dc;        /* [max_batch, h_stride], [max_batch, c_stride] */
    atomic_bool complete; /* of a layer's first cell: the pass back has all gradients of the layer's parameters */
    /* With recompute_steps: a block's rows that a window leaves to the one before, by their number in the block: of dG, x, h,
     * o tanh(c) and dh. */
    struct {
        void *gates, *x, *h, *m, *dh;
    } left;
} wli_train_cell;

/* Scratch of one thread. */
typedef struct wli_train_worker {
    wli_gathered gathered;
    const void **a, **b; /* [rows at once] rows of products */
    void **h;            /* [max_batch] */
    void *turned;        /* [WLI_GROUP_ROWS, turned_stride] dG^T of a block */
    void *product;       /* [WLI_GROUP_ROWS, WLI_GROUP_COLUMNS] */
    void *piece;         /* [WLI_PIECE_ROWS, I's stride] d_x on its way to the caller's rows */
} wli_train_worker;

/* What the threads of a crew share. */
typedef struct wli_crew {
    wli_barrier barrier;
    wli_counter forward, backward; /* chunks whose outputs, whose gradients of inputs are there */
    void *unprojected;             /* with projection, [directions][max_batch, c_stride]: o tanh(c), or its gradient */
    void *projected;               /* [directions][max_batch, h_stride] */
    void *windows[2]; /* the gradient of a layer's input, of a chunk's or all pairs; with many crews in turn */
    void *blocks[2];  /* the panels of a block's rows of x, h and o tanh(c), in turn */
} wli_crew;

/* What the threads of a pass share. */
typedef struct wli_train_shared {
    void *zeros;        /* [widest columns] */
    wli_barrier team;   /* of all threads */
    wli_barrier *gangs; /* [threads] */
    wli_crew *crews;    /* [wli_most_crews] */
} wli_train_shared;

typedef struct wli_tape wli_tape;

struct wlstm_trainer {
    wli_model *model; /* names and shapes; its values are those of creation */
    int64_t max_seq_len, max_batch, recompute_steps;
    int threads;
    wlstm_schedule schedule;
    wli_train_choice choice; /* of passes over max_seq_len steps of max_batch rows; all others go by the rule */
    /* Multiply-adds that are worth a thread: of a step, in which threads meet, and of a pass, for which a team gathers. */
    int64_t step_work, pass_work;
    size_t element;
    const wli_native *native;
    const wli_training *kernels;
    uint64_t id; /* no other trainer of the process has it */

    int64_t count; /* of all parameters */
    void *parameters, *gradients;
    wlstm_gradients_function watch; /* whom each cell's complete gradients are told, if anyone */
    void *watch_context;
    int64_t untold;   /* layers of the pass that nobody was told of yet, from the first on */
    void *moments[2]; /* the optimizer's, zeros at first */
    int num_moments;  /* how many of them count */
    int64_t updates;  /* how many there were */
    double *squares;  /* [wli_norm_blocks(count)] */
    /* Parameters change behind the trainer's back once they were handed out: what was packed is then compared. */
    void *packed_values; /* [count] */
    bool handed_out;
    uint64_t version;        /* of the parameters, from 1; it moves on with each change that is seen */
    uint64_t packed_version; /* of the panels, of `back` */
    uint64_t back_version;

    wli_train_cell *cells;                /* [layers * directions] */
    int64_t rows_at_once, gathered_depth; /* a worker's room for pointers to rows, and for copies of rows so wide */
    wli_train_worker *workers;
    wli_train_shared shared;
    void *own_tape;
    size_t bytes, own_tape_bytes;
    void *memory;
};

static inline int64_t wli_padded(const wlstm_trainer *trainer, int64_t columns) {
    return (columns + trainer->kernels->lanes - 1) / trainer->kernels->lanes * trainer->kernels->lanes;
}

static inline char *wli_elements(const wlstm_trainer *trainer, const void *base, int64_t offset) {
    return (char *)(uintptr_t)base + (size_t)offset * trainer->element;
}

static inline wli_train_cell *wli_trainer_cell(const wlstm_trainer *trainer, int64_t layer, int direction) {
    return &trainer->cells[layer * trainer->model->num_directions + direction];
}

/* Elements from one row to the next of a layer's output, both directions'. */
static inline int64_t wli_output_width(const wlstm_trainer *trainer, int64_t layer) {
    return trainer->model->num_directions * wli_trainer_cell(trainer, layer, 0)->R;
}

static inline int64_t wli_smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* Steps of a chunk of the backward pass: so many that a block of pairs is complete at its end, or with two directions
 * all, as each layer needs both ends of the one above. */
static inline int64_t wli_backward_chunk(const wlstm_trainer *trainer, int64_t seq_len, int64_t batch) {
    const int64_t steps = (WLI_BLOCK_PAIRS + batch - 1) / batch;
    return trainer->model->num_directions == 2 || steps > seq_len ? seq_len : steps;
}

/* A trainer of the checked sizes by exactly so many threads; AUTO is the library's choice. Shares the model. */
wlstm_status wli_trainer_make(wli_model *model, int64_t max_seq_len, int64_t max_batch, int64_t recompute_steps,
                              int threads, wlstm_schedule schedule, wlstm_trainer **trainer);

/* The parameters have changed. */
void wli_trainer_changed(wlstm_trainer *trainer);

#endif
