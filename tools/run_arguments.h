/* wlstm-run's command line. */
#ifndef RUN_ARGUMENTS_H
#define RUN_ARGUMENTS_H

#include "wavelstm.h"

#include <stdbool.h>

/* Over the ranks of an MPI program, where it is named. */
typedef enum run_ranks { RUN_ALONE, RUN_ROWS, RUN_LAYERS } run_ranks;

typedef struct run_arguments {
    const char *model, *prefix, *input, *output, *h0, *c0, *hn, *cn, *lengths;
    bool batch_first, convert;
    wlstm_dtype dtype; /* if convert */
    wlstm_effort effort;
    wlstm_schedule schedule;
    wlstm_precision precision;
    bool compare; /* with full */
    bool compact;
    run_ranks ranks;
    int threads; /* 0: the library's default */
} run_arguments;

/* 0 to go on, else the exit status, the reason being on stderr; *finished after --help and --version. */
int run_parse_arguments(int argc, char **argv, run_arguments *given, bool *finished);

#endif
