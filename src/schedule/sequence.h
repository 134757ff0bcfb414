/* A whole sequence through a stack of layers: which rows of which tensors each project and step works on, in which
 * order, and by which threads. */
#ifndef WLI_SEQUENCE_H
#define WLI_SEQUENCE_H

#include "kernels/step.h"
#include "model/call.h"

/* How threads share the work:
 *   SERIAL     one thread, chunk by chunk through all layers
 *   WAVEFRONT  OpenMP tasks: layer l at chunk k beside layer l+1 at chunk k-1, for each part of the batch; with two
 *              directions both of a layer side by side
 *   GANG       threads in gangs. A gang owns layers, directions and parts of the batch, each of its threads a share of
 *              the units, for all time; a barrier a step in the gang, and between gangs they wait as a wavefront does */
typedef enum wli_schedule { WLI_SERIAL, WLI_WAVEFRONT, WLI_GANG } wli_schedule;

/* How a sequence is run: a field for each axis of choice (plan/axes.c), all of one type. */
typedef struct wli_choice {
    int64_t schedule;     /* a wli_schedule */
    int64_t thread_share; /* one in so many of the threads there are */
    /* GANG: among how many gangs the layers and the directions are shared, 0 is 1; what these and the parts leave of
     * the threads shares the units. */
    int64_t gang_layers, gang_directions;
    /* Of the batch: part p works on rows p, p + parts, ..., longest first, so that all finish together. */
    int64_t parts;
    int64_t chunk_steps;   /* the most steps of a chunk */
    int64_t gate_rows;     /* rows of G (steps times rows of a part) projected at once, at least a part's */
    int64_t project, step; /* each a wli_gemm_kind */
    int64_t lanes;         /* an index for wli_native_at */
    /* What follows from them. */
    int64_t threads;
    const wli_native *native;
} wli_choice;

/* Among how many threads of a gang the units are shared. */
static inline int64_t wli_choice_shares(const wli_choice *choice) {
    return choice->schedule == WLI_GANG
               ? choice->threads / (choice->gang_layers * choice->gang_directions * choice->parts)
               : 1;
}

typedef struct wli_sequence_spec {
    const wli_model *model;
    const wli_cell_kernels *cells; /* [num_layers * num_directions], packed as the choice says */
    int64_t max_seq_len, max_batch;
    wli_choice choice;
} wli_sequence_spec;

/* The state and scratch memory of one run at a time. */
typedef struct wli_sequence wli_sequence;

/* Allocates the scratch, and packs what weights of the cells nobody has packed. */
wlstm_status wli_sequence_make(const wli_sequence_spec *spec, wli_sequence **sequence);
void wli_sequence_destroy(wli_sequence *sequence);
size_t wli_sequence_bytes(const wli_sequence *sequence);

/* Whether a run would be on the calling thread alone, whatever the spec. */
bool wli_runs_alone(void);

/* One forward call, its arguments valid and within the spec, T and B at least 1. Allocates nothing of ours. Inside
 * somebody's parallel region, and in the child of a process that had threads when it forked, it runs on the calling
 * thread alone: the result is the same. */
wlstm_status wli_sequence_run(wli_sequence *sequence, const wli_call *call);

#endif
