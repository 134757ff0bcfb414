/* Models and calls out of bytes, for the targets that compare results. */
#ifndef FUZZ_DRAW_H
#define FUZZ_DRAW_H

#include "problem.h"
#include "target.h"

/* Every option of an nn.LSTM and of a call but dropout, small sizes; not yet built. */
problem draw_problem(fuzz_source *source);

wlstm_precision draw_precision(fuzz_source *source, const problem *p);

#endif
