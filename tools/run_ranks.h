/* wlstm-run --ranks: the program that is linked with MPI takes the place of this one, which is not. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include "wavelstm.h"

/* Returns only where it cannot: FILE. */
wlstm_status run_over_ranks(char **argv);

#endif
