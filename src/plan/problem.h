/* The one problem grammar of benchmark names, command lines, tests and the plan cache:
 *
 *     t<seq_len>b<batch>i<input_size>h<hidden_size>l<num_layers>[p<proj_size>][-bi][-nobias]
 *     [-f64|-bf16|[-bf16arrays][-int8]]
 *
 * for example t200b1i80h320l2-bi. -bf16 and -int8 are f32 arrays with products of that precision, but for -int8 behind
 * -bf16arrays. The order is fixed, numbers have no leading zeros, and a model and a call may have the sizes. */
#ifndef WLI_PROBLEM_H
#define WLI_PROBLEM_H

#include "model/model.h"

typedef struct wli_problem {
    int64_t seq_len, batch, input_size, hidden_size, num_layers, proj_size;
    bool bidirectional, bias;
    wlstm_dtype dtype;
    wlstm_precision precision; /* not DEFAULT */
    bool training; /* a trainer's passes over it: of the plan cache alone, whose name begins with "train/" */
} wli_problem;

enum { WLI_PROBLEM_NAME_BYTES = 160 };

/* INVALID_ARGUMENT says which part is wrong. */
wlstm_status wli_problem_parse(const char *name, wli_problem *problem);

/* As wli_problem_parse, or behind "train/": what the plan cache has entries of. */
wlstm_status wli_problem_parse_entry(const char *name, wli_problem *problem);

void wli_problem_format(const wli_problem *problem, char name[WLI_PROBLEM_NAME_BYTES]);

/* The lstm of the problem's shape, as wlstm_lstm_create makes it. */
wlstm_lstm_config wli_problem_config(const wli_problem *problem);

/* The problem of running the model on (seq_len, batch) in a precision, of which DEFAULT is FULL; false for a stack of
 * unlike cells, whose first layer's sizes it then has. */
bool wli_problem_of(const wli_model *model, wlstm_precision precision, int64_t seq_len, int64_t batch,
                    wli_problem *problem);

/* Floating-point operations of one forward pass: 8H(I+R) + 2HP a row, step, layer and direction (a multiply-add is
 * two). */
double wli_problem_flops(const wli_problem *problem);

#endif
