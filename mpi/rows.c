/* Rows of arrays as MPI types, so that MPI gathers and scatters them. */
#include "parts.h"

/* The type, committed, in the place of one that was a step to it. */
static MPI_Datatype finished(MPI_Datatype type, MPI_Datatype *step) {
    MPI_Type_commit(&type);
    MPI_Type_free(step);
    return type;
}

/* A row's step is one piece; its places are those of the array. */
MPI_Datatype wlm_rows_type(const wlm_rows *of, MPI_Aint *room) {
    const MPI_Aint row_step = (MPI_Aint)of->size * (MPI_Aint)wlm_element_bytes(of->dtype);
    const MPI_Aint row = row_step * (MPI_Aint)(of->batch_first ? of->seq_len : 1);
    const MPI_Aint time = row_step * (MPI_Aint)(of->batch_first ? 1 : of->batch);
    MPI_Datatype step, rows, resized, steps;
    for (int64_t b = 0; b < of->count; b++)
        room[b] = (MPI_Aint)of->first_step * time + (MPI_Aint)(of->rows ? of->rows[b] : b) * row;
    MPI_Type_contiguous((int)of->size, wlm_element_type(of->dtype), &step);
    if (of->batch_first) {
        MPI_Type_contiguous((int)of->steps, step, &steps);
        MPI_Type_create_hindexed_block((int)of->count, 1, room, steps, &rows);
        MPI_Type_free(&step);
        return finished(rows, &steps);
    }
    MPI_Type_create_hindexed_block((int)of->count, 1, room, step, &rows);
    MPI_Type_create_resized(rows, 0, time, &resized);
    MPI_Type_contiguous((int)of->steps, resized, &steps);
    MPI_Type_free(&step);
    MPI_Type_free(&rows);
    return finished(steps, &resized);
}

MPI_Datatype wlm_states_type(wlstm_dtype dtype, const int64_t *sizes, int64_t cells, int64_t batch, const int64_t *rows,
                             int64_t count, MPI_Aint *room, int *lengths) {
    const MPI_Aint element = (MPI_Aint)wlm_element_bytes(dtype);
    MPI_Aint cell_at = 0;
    MPI_Datatype type;
    for (int64_t cell = 0; cell < cells; cell++) {
        for (int64_t b = 0; b < count; b++) {
            room[cell * count + b] = cell_at + (MPI_Aint)((rows ? rows[b] : b) * sizes[cell]) * element;
            lengths[cell * count + b] = (int)sizes[cell];
        }
        cell_at += (MPI_Aint)(batch * sizes[cell]) * element;
    }
    MPI_Type_create_hindexed((int)(cells * count), lengths, room, wlm_element_type(dtype), &type);
    MPI_Type_commit(&type);
    return type;
}
