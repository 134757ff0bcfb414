/* A call of a pipeline: chunks of time go through the stages, one behind the other.
 *
 *     rank 0   x k+1 -> layers -> out[1]        posts a receive for each chunk of out, which fall into place
 *                                  | MPI_Isend                                ^
 *     rank 1   in[0] (chunk k)  <--'  in[1] waits for chunk k+1               |
 *              in[0] -> layers -> out[0] -------------------------------------' of the last stage */
#include "pipeline.h"

#include <string.h>

enum { CHUNK, OUT, H, C }; /* tags */

/* A chunk goes from stage to stage in pieces that MPI sends off at once, into room of its own. A longer message often waits until
 * its sender is in MPI again, which is when the next chunk is done. */
enum { PIECE_BYTES = 3072, PIECES = 32 };

/* One call, as all ranks know it. */
typedef struct stream {
    wlstm_mpi_pipeline *p;
    const wlm_call *call; /* arrays are rank 0's */
    const wlm_header *header;
    int64_t last; /* steps of the longest row */
} stream;

static size_t element_bytes(const stream *s) {
    return wlm_element_bytes(s->p->stage.dtype);
}

static bool has_stage(const stream *s) {
    return s->p->rank < s->p->stages;
}

static int64_t steps_of(const stream *s, int64_t chunk) {
    const int64_t rest = s->last - chunk * s->p->chunk;
    return rest < s->p->chunk ? rest : s->p->chunk;
}

/* How many rows go on past `step`, of `active` that did before. */
static int64_t rows_past(const stream *s, int64_t step, int64_t active) {
    if (s->header->lengths)
        while (active > 0 && s->p->lengths[active - 1] <= step) active--;
    return active;
}

/* h and c of each stage's cells from rank 0's arrays, or back; rows as they are sorted. */
static void move_states(const stream *s, int tag, bool back, void *whole, void *own, const int64_t *whole_sizes,
                        const int64_t *own_sizes) {
    wlstm_mpi_pipeline *p = s->p;
    const int64_t B = s->header->batch;
    MPI_Datatype element = wlm_element_type(p->stage.dtype), row, rows;
    MPI_Request request = MPI_REQUEST_NULL;
    if (has_stage(s)) {
        MPI_Type_contiguous((int)wlm_sum(own_sizes, p->stage.cells), element, &row);
        MPI_Type_contiguous((int)B, row, &rows);
        MPI_Type_commit(&rows);
        if (back)
            MPI_Isend(own, 1, rows, 0, tag, p->comm, &request);
        else
            MPI_Irecv(own, 1, rows, 0, tag, p->comm, &request);
        MPI_Type_free(&row);
        MPI_Type_free(&rows);
    }
    size_t at = 0;
    for (int r = 0; r < p->stages && p->rank == 0; r++) {
        const int64_t first = p->first_cell[r], cells = p->first_cell[r + 1] - first;
        MPI_Datatype type =
            wlm_states_type(p->whole.dtype, whole_sizes + first, cells, B, p->row_of, B, p->room, p->block_lengths);
        char *blocks = (char *)whole + at;
        if (back)
            MPI_Irecv(blocks, 1, type, r, tag, p->comm, &p->moves[r]);
        else
            MPI_Isend(blocks, 1, type, r, tag, p->comm, &p->moves[r]);
        MPI_Type_free(&type);
        at += (size_t)(wlm_sum(whole_sizes + first, cells) * B) * element_bytes(s);
    }
    MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (p->rank == 0) MPI_Waitall(p->stages, p->moves, MPI_STATUSES_IGNORE);
}

static void take_states(const stream *s) {
    wlstm_mpi_pipeline *p = s->p;
    const wlm_shape *shape = &p->stage;
    const size_t row = (size_t)s->header->batch * element_bytes(s);
    if (s->header->h_0)
        move_states(s, H, false, (void *)(uintptr_t)s->call->h_0, p->h, p->whole.h_sizes, shape->h_sizes);
    else if (has_stage(s))
        memset(p->h, 0, row * (size_t)wlm_sum(shape->h_sizes, shape->cells));
    if (s->header->c_0)
        move_states(s, C, false, (void *)(uintptr_t)s->call->c_0, p->c, p->whole.c_sizes, shape->c_sizes);
    else if (has_stage(s))
        memset(p->c, 0, row * (size_t)wlm_sum(shape->c_sizes, shape->cells));
}

static void give_states(const stream *s) {
    wlstm_mpi_pipeline *p = s->p;
    if (s->header->h_n) move_states(s, H, true, s->call->h_n, p->h_end, p->whole.h_sizes, p->stage.h_sizes);
    if (s->header->c_n) move_states(s, C, true, s->call->c_n, p->c_end, p->whole.c_sizes, p->stage.c_sizes);
}

/* Of states [cells, active, .] rows `left` on have ended: they move to `end` [cells, batch, .], the others close up. */
static void end_rows(const stream *s, const int64_t *sizes, int64_t active, int64_t left, char *states, char *end) {
    size_t from = 0, to = 0, at_end = 0;
    for (int64_t cell = 0; cell < s->p->stage.cells; cell++) {
        const size_t row = (size_t)sizes[cell] * element_bytes(s);
        memcpy(end + at_end + (size_t)left * row, states + from + (size_t)left * row, (size_t)(active - left) * row);
        memmove(states + to, states + from, (size_t)left * row);
        from += (size_t)active * row, to += (size_t)left * row, at_end += (size_t)s->header->batch * row;
    }
}

/* Rank 0's x of a chunk, [steps, active, I] or [active, steps, I]: as it lies, or gathered. */
static const void *chunk_of_x(const stream *s, int64_t first, int64_t steps, int64_t active, char *room) {
    const wlstm_mpi_pipeline *p = s->p;
    const int64_t T = s->header->seq_len, B = s->header->batch;
    const size_t step = (size_t)p->stage.input_size * element_bytes(s);
    const char *x = s->call->x;
    if (!p->stage.batch_first && !s->header->lengths) return x + (size_t)(first * B) * step;
    if (p->stage.batch_first) {
        for (int64_t b = 0; b < active; b++)
            memcpy(room + (size_t)(b * steps) * step, x + (size_t)(p->row_of[b] * T + first) * step,
                   (size_t)steps * step);
    } else {
        for (int64_t t = 0; t < steps; t++)
            for (int64_t b = 0; b < active; b++)
                memcpy(room + (size_t)(t * active + b) * step, x + (size_t)((first + t) * B + p->row_of[b]) * step,
                       step);
    }
    return room;
}

/* Rank 0 waits for all chunks of out from the start. Past a row's end out is 0. */
static void post_results(const stream *s) {
    wlstm_mpi_pipeline *p = s->p;
    const int64_t T = s->header->seq_len, B = s->header->batch, size = p->whole.out_size;
    int64_t active = B;
    if (s->header->lengths) memset(s->call->out, 0, (size_t)(T * B * size) * element_bytes(s));
    for (int64_t k = 0; k < wlm_chunks(p, s->last); k++) {
        const int64_t first = k * p->chunk, steps = steps_of(s, k);
        active = rows_past(s, first, active);
        if (!p->stage.batch_first && !s->header->lengths) {
            MPI_Irecv((char *)s->call->out + (size_t)(first * B * size) * element_bytes(s), (int)(steps * B * size),
                      wlm_element_type(p->stage.dtype), p->stages - 1, OUT, p->comm, &p->results[k]);
            continue;
        }
        const wlm_rows rows = { p->stage.dtype, p->stage.batch_first, T, B, size, first, steps, active, p->row_of };
        MPI_Datatype type = wlm_rows_type(&rows, p->room);
        MPI_Irecv(s->call->out, 1, type, p->stages - 1, OUT, p->comm, &p->results[k]);
        MPI_Type_free(&type);
    }
}

/* The rows' own steps in a chunk, NULL where all go on to its end. */
static const int64_t *lengths_of(const stream *s, int64_t first, int64_t steps, int64_t active) {
    const wlstm_mpi_pipeline *p = s->p;
    if (!s->header->lengths || p->lengths[active - 1] >= first + steps) return NULL;
    for (int64_t b = 0; b < active; b++) {
        const int64_t rest = p->lengths[b] - first;
        p->chunk_lengths[b] = rest < steps ? rest : steps;
    }
    return p->chunk_lengths;
}

/* Sends or receives `elements` of a chunk that has at most `most`, in pieces. requests [PIECES], all of them null. */
static void move_chunk(const stream *s, bool sends, int other, char *chunk, int64_t elements, int64_t most,
                       MPI_Request *requests) {
    const MPI_Datatype type = wlm_element_type(s->p->stage.dtype);
    const int64_t least = (most + PIECES - 1) / PIECES, short_one = PIECE_BYTES / (int64_t)element_bytes(s);
    const int64_t piece = least > short_one ? least : short_one;
    for (int64_t at = 0; at < elements; at += piece) {
        char *from = chunk + (size_t)at * element_bytes(s);
        const int count = (int)(elements - at < piece ? elements - at : piece);
        if (sends)
            MPI_Isend(from, count, type, other, CHUNK, s->p->comm, requests++);
        else
            MPI_Irecv(from, count, type, other, CHUNK, s->p->comm, requests++);
    }
}

/* Chunk k of the stage below, of so many rows: all ranks know how long chunks are. */
static void receive_chunk(const stream *s, int64_t k, int64_t rows, MPI_Request *requests) {
    wlstm_mpi_pipeline *p = s->p;
    const int64_t size = p->stage.input_size;
    move_chunk(s, false, p->rank - 1, p->in[k % 2], steps_of(s, k) * rows * size, p->chunk * p->max_batch * size,
               requests);
}

static void send_chunk(const stream *s, int64_t k, int64_t rows, MPI_Request *requests) {
    wlstm_mpi_pipeline *p = s->p;
    const int64_t size = p->stage.out_size, elements = steps_of(s, k) * rows * size;
    if (p->rank + 1 < p->stages)
        move_chunk(s, true, p->rank + 1, p->out[k % 2], elements, p->chunk * p->max_batch * size, requests);
    else
        MPI_Isend(p->out[k % 2], (int)elements, wlm_element_type(p->stage.dtype), 0, OUT, p->comm, requests);
}

/* Two buffers each way: a chunk is received while the one before is run, and sent while the next one is. What failed is
 * sent all the same, so that nobody waits in vain. */
static void run_stage(const stream *s, wlm_failure *failure) {
    wlstm_mpi_pipeline *p = s->p;
    const wlm_shape *shape = &p->stage;
    const int64_t chunks = wlm_chunks(p, s->last);
    MPI_Request received[2][PIECES], sent[2][PIECES];
    for (int i = 0; i < 2 * PIECES; i++)
        received[i / PIECES][i % PIECES] = sent[i / PIECES][i % PIECES] = MPI_REQUEST_NULL;
    int64_t active = s->header->batch;
    if (p->rank > 0) receive_chunk(s, 0, active, received[0]);
    for (int64_t k = 0; k < chunks; k++) {
        const int64_t first = k * p->chunk, steps = steps_of(s, k), left = rows_past(s, first, active);
        const int own = (int)(k % 2), next = 1 - own;
        if (left < active) {
            end_rows(s, shape->h_sizes, active, left, p->h, p->h_end);
            end_rows(s, shape->c_sizes, active, left, p->c, p->c_end);
            active = left;
        }
        const void *x = p->in[own];
        if (p->rank == 0) {
            x = chunk_of_x(s, first, steps, active, p->in[own]);
        } else {
            if (k + 1 < chunks) receive_chunk(s, k + 1, rows_past(s, first + p->chunk, active), received[next]);
            MPI_Waitall(PIECES, received[own], MPI_STATUSES_IGNORE);
        }
        MPI_Waitall(PIECES, sent[own], MPI_STATUSES_IGNORE);
        if (failure->status == WLSTM_OK)
            (void)wlm_note(failure, wlstm_plan_execute(p->plan, steps, active, lengths_of(s, first, steps, active), x,
                                                       p->h, p->c, p->out[own], p->h, p->c));
        send_chunk(s, k, active, sent[own]);
    }
    end_rows(s, shape->h_sizes, active, 0, p->h, p->h_end);
    end_rows(s, shape->c_sizes, active, 0, p->c, p->c_end);
    MPI_Waitall(2 * PIECES, sent[0], MPI_STATUSES_IGNORE);
}

static void run(const stream *s, wlm_failure *failure) {
    wlstm_mpi_pipeline *p = s->p;
    take_states(s);
    if (p->rank == 0) post_results(s);
    if (has_stage(s)) run_stage(s, failure);
    if (p->rank == 0) MPI_Waitall((int)wlm_chunks(p, s->last), p->results, MPI_STATUSES_IGNORE);
    give_states(s);
}

wlstm_status wlstm_mpi_pipeline_execute(wlstm_mpi_pipeline *pipeline, int64_t seq_len, int64_t batch,
                                        const int64_t *lengths, const void *x, const void *h_0, const void *c_0,
                                        void *out, void *h_n, void *c_n) {
    if (!pipeline) return wlm_refuse_alone("pipeline: a pointer expected, got NULL");
    wlstm_mpi_pipeline *p = pipeline;
    const wlm_call call = { seq_len, batch, lengths, x, h_0, c_0, out, h_n, c_n };
    wlm_header header;
    wlm_failure failure = { 0 };
    (void)wlm_call_begin(p->comm, &p->whole, p->max_seq_len, p->max_batch, &call, &header, &failure);
    wlstm_status status = wlm_settle(p->comm, &failure);
    if (status != WLSTM_OK || batch == 0) return status;
    if (p->rank == 0) {
        wlm_sort_rows(lengths, batch, p->row_of, p->row_room);
        for (int64_t b = 0; b < batch && lengths; b++) p->lengths[b] = lengths[p->row_of[b]];
    }
    if (header.lengths) MPI_Bcast(p->lengths, (int)batch, MPI_INT64_T, 0, p->comm);
    const stream s = { p, &call, &header, header.lengths ? p->lengths[0] : seq_len };
    run(&s, &failure);
    return wlm_settle(p->comm, &failure);
}
