/* The memory of a sequence and of its threads, and one run through it; private to src/schedule. */
#ifndef WLI_STATE_H
#define WLI_STATE_H

#include "schedule/barrier.h"
#include "schedule/graph.h"
#include "schedule/rows.h"
#include "schedule/sequence.h"

/* What one thread needs to run items. */
typedef struct wli_worker {
    wli_cell_workspace workspace;
    void *gates;              /* [gate_rows, columns], and a vector of padding */
    const void **x_rows;      /* [gate_rows] */
    const void **h_prev_rows; /* [rows of a part] */
    void **h_rows;            /* [rows of a part] */
} wli_worker;

/* What one step of one cell needs, side by side: beside weights that fill an L1 each line elsewhere comes from the L2. */
typedef struct wli_single_step {
    wli_prepared_step prepared; /* for `rows`, where they are `few` tiles */
    int64_t rows;
    bool few, dense, in_place; /* dense: c is worked on without gaps between its rows; in_place: h_out may be h */
    size_t x_bytes, h_bytes, c_bytes, c_stride; /* of a row, of the caller's and between ours of c */
    void *gates, *c;
    const wli_cell_kernels *cell;
    void (*run)(const wli_prepared_step *prepared, const void *const *x, const void *const *h_prev, void *gates,
                void *c, void *const *h);
} wli_single_step;

/* Scratch, drawn for one direction, B rows, chunks of S steps:
 *
 *     | c of each layer [B, H'] | layer 0: chunk k, chunk k-1 | layer 1: ... | zeros [R] | worker 0: G [S*B, columns] ... | worker 1 ...
 *
 * With one direction a layer hands its output on a chunk at a time, so two chunks of it are kept whatever T is: the one being
 * written, and the one before, whose last step is the next h. With two directions the layer above starts at both ends, so a
 * layer's whole output is kept, two layers' in turn. */
struct wli_sequence {
    int64_t single_layers; /* of single_steps; 0 where calls of one step take the way of all */
    wli_sequence_spec spec;
    size_t element, bytes;
    void *memory;
    char *zeros;    /* [widest R] */
    char *h_copy;   /* [max_batch, widest R]: h_0 where out overwrites it, as a cell's h_out may be h */
    char **c;       /* [cells] pointers to [max_batch, c_stride] */
    char **between; /* [cells or 2][2 or 1] outputs on their way to the next layer */
    wli_rows rows;
    wli_worker *workers; /* [threads] */
    char *tokens; /* [1 + token_layers * directions * parts * token_window] that stand for nodes in task dependences */
    int64_t token_layers,
        token_window;      /* layers, chunks of a lane, that share theirs in turn with those so many before */
    wli_counter *done;     /* [lanes] how many chunks are done, where gangs wait for each other */
    wli_barrier *barriers; /* [threads] of each gang */
    wli_single_step single_steps[];
};

/* One call on its way through the layers. */
typedef struct wli_run {
    wli_sequence *sequence;
    const wli_call *call;
    wli_graph graph;
} wli_run;

/* The units that one of `units` threads computes, who meet at the barrier after each step. */
typedef struct wli_share {
    int member, units;
    wli_barrier *barrier; /* NULL: nobody else is there */
} wli_share;

/* A piece of work: steps [first_step, end_step) of one layer and direction, for one part of the batch and a share of the units.
 * */
typedef struct wli_item {
    int64_t layer;
    int direction;
    int64_t first_step, end_step, part;
    wli_share share;
} wli_item;

/* Project, then step by step. */
wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item);

/* A node's item, or a share of it; NULL is the whole. */
wlstm_status wli_node_run(const wli_run *run, wli_worker *worker, const wli_node *node, const wli_share *share);

/* A call of one step by one thread through one direction of native kernels: whether that is the spec's, what it needs, and its way. */
bool wli_is_single_step(const wli_sequence_spec *spec);
void wli_single_steps_make(wli_sequence *sequence);
wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call);

/* Elements from one row to the next of an output [.., width] between layers. */
int64_t wli_output_stride(const wli_sequence *sequence, int64_t width);

/* Everything but who runs which node when: `run_nodes` runs the graph's nodes, each after those it needs. */
typedef wlstm_status wli_run_nodes(const wli_run *run, void *context);
wlstm_status wli_sequence_run_by(wli_sequence *sequence, const wli_call *call, wli_run_nodes *run_nodes, void *context);

/* Gangs of `units` threads own layers, directions and parts of the batch. */
typedef struct wli_grid {
    int64_t layers, directions, parts, units;
} wli_grid;

/* The grid of a run by gangs: the spec's, fewer where the batch has fewer rows. */
wli_grid wli_grid_of(const wli_run *run);

/* Which of the gangs owns a node: layers, directions and parts in turn where there are fewer gangs. */
int64_t wli_grid_owner(const wli_grid *grid, int64_t gangs, const wli_node *node);

/* The order in which gangs go through the graph. */
static inline wli_order wli_grid_order(const wli_grid *grid) {
    return grid->layers > 1 ? WLI_BY_FRONT : WLI_BY_CHUNK;
}

/* The schedules for several threads, for native kernels, which do not fail. */
void wli_run_wavefront(const wli_run *run, int threads);
void wli_run_gangs(const wli_run *run, wli_grid grid);

#endif
