/* The memory of a sequence and of its threads, and one run through it; private to src/schedule. */
#ifndef WLI_STATE_H
#define WLI_STATE_H

#include "schedule/barrier.h"
#include "schedule/failure.h"
#include "schedule/graph.h"
#include "schedule/rows.h"
#include "schedule/sequence.h"

static inline int64_t wli_smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static inline int64_t wli_larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The most rows of a part. */
static inline int64_t wli_part_rows(const wli_sequence_spec *spec) {
    return (spec->max_batch + spec->choice.parts - 1) / spec->choice.parts;
}

/* What one thread needs to run items. */
typedef struct wli_worker {
    wli_cell_workspace workspace;
    void *gates;              /* [gate_rows, columns], and a vector of padding */
    const void **x_rows;      /* [gate_rows] */
    const void **h_prev_rows; /* [rows of a part] */
    void **h_rows;            /* [rows of a part] */
    float *widened;           /* where arrays are narrower: [gate_rows or rows of a part, stride] of x, then of h_0 */
} wli_worker;

/* What one step of one cell needs, side by side: beside weights that fill an L1 each line elsewhere comes from the
 * L2. */
typedef struct wli_single_step {
    wli_prepared_step prepared; /* for `rows`, where they are `few` tiles */
    int64_t rows;
    bool few;
    bool dense;                       /* c is worked on without gaps between its rows */
    bool in_place;                    /* h_out may be h */
    size_t x_bytes, h_bytes, c_bytes; /* of a row of the caller's */
    size_t c_stride;                  /* bytes from one of our rows of c to the next */
    void *gates, *c;
    const wli_cell_kernels *cell;
    void (*run)(const wli_prepared_step *prepared, const void *const *x, const void *const *h_prev, void *gates,
                void *c, void *const *h);
    size_t h_at, c_at; /* bytes into a stream's state */
} wli_single_step;

/* Scratch, drawn for one direction, B rows, chunks of S steps:
 *
 *     | c of each layer [B, H'] | layer 0: chunk k, chunk k-1 | layer 1: ... | zeros [R] | worker 0: G [S*B, columns] ... | ...
 *
 * With one direction a layer hands its output on a chunk at a time, so two chunks of it are kept whatever T is: the
 * one being written, and the one before, whose last step is the next h. With two directions the layer above starts
 * at both ends, so a layer's whole output is kept, two layers' in turn. Where the caller's arrays are narrower than
 * what cells compute in, two chunks of each direction of the last layer are kept too, and narrowed into out. */
struct wli_sequence {
    int64_t single_layers; /* of single_steps; 0 where calls of one step take the way of all */
    wli_sequence_spec spec;
    size_t element, bytes, worker_bytes; /* of all scratch; of each worker, at its end */
    size_t array_element;                /* of the caller's arrays */
    bool narrows;                        /* they are narrower, and */
    bool rounds; /* h becomes what they hold before the next product, which would not round it so itself */
    int64_t widened_stride;
    char *staged[2][2]; /* [direction][half] of the last layer's output, where it narrows: a row at each step */
    void *memory;
    char *zeros;    /* [widest R] */
    char *h_copy;   /* [max_batch, widest R]: h_0 where out overwrites it, as a cell's h_out may be h */
    char **c;       /* [cells] pointers to [max_batch, c_stride] */
    char **between; /* [cells or 2][2 or 1] outputs on their way to the next layer */
    wli_rows rows;
    wli_packed_rows packed; /* of a packed call */
    wli_worker *workers;    /* [threads] */
    /* What stands for nodes in task dependences: [1 + token_layers * directions * parts * token_window]. Layers so
     * far from each other, and chunks of a chain, have the same in turn. */
    char *tokens;
    int64_t token_layers, token_window;
    wli_counter *done;     /* [chains] how many chunks are done, where gangs wait for each other */
    wli_barrier *barriers; /* [threads] of each gang */
    wli_failure failure;   /* of threads other than the calling one */
    wli_single_step single_steps[];
};

/* One call on its way through the layers. */
typedef struct wli_run {
    wli_sequence *sequence;
    const wli_call *call;
    wli_graph graph;
} wli_run;

/* A call of one step by one thread through one direction of native kernels: whether that is the spec's, what it
 * needs, and its way. */
bool wli_is_single_step(const wli_sequence_spec *spec);
void wli_single_steps_make(wli_sequence *sequence);
wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call);

/* Cuts the scratch memory out of the arena, or measures it. */
void wli_lay_out(wli_sequence *sequence, wli_arena *arena);

/* Each thread, where there are many, is the first to touch what it will use: scratch, which becomes all zeros, and the
 * cells' packed weights, those that nobody has packed. */
void wli_zero_scratch(wli_sequence *sequence);
void wli_fill_weights(wli_sequence *sequence);

/* Elements from one row to the next of an output [.., width] between layers. */
int64_t wli_output_stride(const wli_sequence *sequence, int64_t width);

/* Everything but who runs which node when: `run_nodes` runs the graph's nodes, each after those it needs. */
typedef wlstm_status wli_run_nodes(const wli_run *run, void *context);
wlstm_status wli_sequence_run_by(wli_sequence *sequence, const wli_call *call, wli_run_nodes *run_nodes, void *context);

#endif
