/* One rank's part of a stack whose layers are over ranks: made in pipeline.c, run in stream.c. */
#ifndef WLM_PIPELINE_H
#define WLM_PIPELINE_H

#include "parts.h"

/* Arrays of a chunk are laid out as the stages', with `active` rows: [steps, active, size], or [active, steps, size]. Rows are sorted
 * by length, so that those that go on are the first ones. */
struct wlstm_mpi_pipeline {
    MPI_Comm comm; /* of its own */
    int rank, ranks, stages;
    wlm_shape stage;     /* of this rank; without one no cells */
    wlm_shape whole;     /* on rank 0 */
    int64_t *first_cell; /* [stages + 1], of `whole`, on rank 0 */
    wlstm_plan *plan;
    int64_t max_seq_len, max_batch, chunk;
    void *in[2], *out[2];                                 /* two chunks each */
    void *h, *c;                                          /* [cells, active, .], one cell's after the other's */
    void *h_end, *c_end;                                  /* [cells, batch, .]: of rows that have ended */
    int64_t *lengths, *chunk_lengths, *row_of, *row_room; /* [max_batch]; row_of on rank 0 */
    MPI_Aint *room; /* on rank 0, [max_batch * cells of the largest stage]; block_lengths too */
    int *block_lengths;
    MPI_Request *results; /* on rank 0, a chunk of out each */
    MPI_Request *moves;   /* on rank 0, h or c of each stage */
    char description[512];
};

/* How many chunks of time a call of these steps has. */
static inline int64_t wlm_chunks(const wlstm_mpi_pipeline *p, int64_t steps) {
    return (steps + p->chunk - 1) / p->chunk;
}

#endif
