/* What is benchmarked: a problem of the grammar in plan/problem.h, or a stack of cells of unlike sizes, for which it has no name:
 *
 *     t<seq_len>b<batch>i<input_size>h<hidden_size>h<hidden_size>...[-nobias][-f64|-bf16|[-bf16arrays][-int8]]      bottom-up */
#ifndef BENCH_PROBLEMS_H
#define BENCH_PROBLEMS_H

#include "plan/problem.h"

enum { MOST_CELLS = 16 };

typedef struct bench_problem {
    wli_problem problem; /* of a stack: that of as many layers of its top cell's size */
    int cells;           /* of a stack, else 0 */
    int64_t hidden_sizes[MOST_CELLS];
    char name[WLI_PROBLEM_NAME_BYTES];
} bench_problem;

/* INVALID_ARGUMENT says what is wrong. */
wlstm_status bench_problem_parse(const char *name, bench_problem *problem);

wlstm_status bench_problem_lstm(const bench_problem *problem, wlstm_lstm **lstm);

/* As wli_problem_flops. */
double bench_problem_flops(const bench_problem *problem);

#endif
