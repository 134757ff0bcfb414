/* What training goes on from, in one safetensors file: parameters by their names, as wlstm_lstm_save writes them, so that
 * the file is a model's too; "optimizer.step", a scalar F64; and behind an optimizer that keeps one array of the
 * parameters' shapes "optimizer.momentum_buffer." and each name, behind one that keeps two "optimizer.exp_avg." and
 * "optimizer.exp_avg_sq.". */
#ifndef WLI_TRAINER_FILE_H
#define WLI_TRAINER_FILE_H

#include "model/model.h"

typedef struct wli_trainer_state {
    const wli_model *model; /* names, shapes and the type; not its values */
    void *parameters;       /* flat, in the model's order */
    void *moments[2];       /* likewise */
    int num_moments;        /* 0 to 2 of them count */
    int64_t step;           /* updates so far */
} wli_trainer_state;

/* The file appears whole or not at all. Errors: FILE, INVALID_ARGUMENT (NULL path), OUT_OF_MEMORY. */
wlstm_status wli_trainer_file_write(const char *path, const wli_trainer_state *state);

/* Fills all but the model; moments that the file has not are zeros. Nothing is filled before names, shapes and types are
 * those of the model. Errors: FILE, FORMAT, MISSING, UNSUPPORTED, OUT_OF_MEMORY, INVALID_ARGUMENT (NULL path). */
wlstm_status wli_trainer_file_read(const char *path, wli_trainer_state *state);

#endif
