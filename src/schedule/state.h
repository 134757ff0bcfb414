/* The memory of a sequence and of its threads, and one run through it; private to src/schedule. */
#ifndef WLI_STATE_H
#define WLI_STATE_H

#include "schedule/barrier.h"
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

/* Scratch, drawn for one direction, B rows, chunks of S steps:
 *
 *     | c of each layer [B, H'] | layer 0: chunk k, chunk k-1 | layer 1: ... | zeros [R] | worker 0: G [S*B, columns] ... | worker 1 ...
 *
 * With one direction a layer hands its output on a chunk at a time, so two chunks of it are kept whatever T is: the one being
 * written, and the one before, whose last step is the next h. With two directions the layer above starts at both ends, so a
 * layer's whole output is kept, two layers' in turn. */
struct wli_sequence {
    wli_sequence_spec spec;
    size_t element, bytes;
    void *memory;
    char *zeros;    /* [widest R] */
    char *h_copy;   /* [max_batch, R]: h_0 where out overwrites it, as a cell's h_out may be h */
    char **c;       /* [cells] pointers to [max_batch, c_stride] */
    char **between; /* [cells or 2][2 or 1] outputs on their way to the next layer */
    wli_rows rows;
    wli_worker *workers; /* [threads] */
    char *tokens;        /* [layers][4][parts] addresses that stand for (layer, chunk, part) in task dependences */
    wli_barrier barrier;
};

/* One call on its way through the layers. */
typedef struct wli_run {
    wli_sequence *sequence;
    const wli_call *call;
    int64_t parts, chunk_steps;
} wli_run;

/* A piece of work: steps [first_step, end_step) of one layer and direction, for one part of the batch and a range of the units. */
typedef struct wli_item {
    int64_t layer;
    int direction;
    int64_t first_step, end_step, part;
    wli_panel_range range;
    wli_barrier *barrier; /* waited at after each step by all who share it; NULL: nobody shares it */
    int threads;          /* that share it */
} wli_item;

/* Project, then step by step. */
wlstm_status wli_item_run(const wli_run *run, wli_worker *worker, const wli_item *item);

/* All steps of one layer and direction for one part, chunk by chunk. */
wlstm_status wli_item_run_chunks(const wli_run *run, wli_worker *worker, wli_item item);

/* An item over the units of its layer. */
wli_item wli_item_whole(const wli_run *run, int64_t layer, int direction, int64_t part);

/* A call of one step by one thread through one cell, and its way. */
bool wli_is_single_step(const wli_sequence *sequence, const wli_call *call);
wlstm_status wli_run_single_step(wli_sequence *sequence, const wli_call *call);

/* Elements from one row to the next of an output [.., width] between layers. */
int64_t wli_output_stride(const wli_sequence *sequence, int64_t width);

/* The schedules. Those for several threads are for native kernels, which do not fail. */
wlstm_status wli_run_part(const wli_run *run, wli_worker *worker, int64_t part);
void wli_run_parts(const wli_run *run, int threads);
void wli_run_wavefront(const wli_run *run, int threads);
void wli_run_gang(const wli_run *run, int threads);

#endif
