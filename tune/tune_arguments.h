/* wlstm-tune's command line. */
#ifndef TUNE_ARGUMENTS_H
#define TUNE_ARGUMENTS_H

#include "options.h"
#include "plan/problem.h"

typedef enum tune_action { TUNE_SEARCH, TUNE_SHOW, TUNE_FORGET, TUNE_EXPORT, TUNE_IMPORT } tune_action;

typedef struct tune_arguments {
    tune_action action;
    const char *file; /* of --export or --import */
    char *const *problems;
    int num_problems;   /* 0: the grid (to tune), everything (to list or forget) */
    const char *family; /* NULL is not given */
    bool training;      /* --family train */
    const char *model, *prefix;
    cli_list batches, seq_lens, threads;
    wlstm_effort effort;
    wlstm_precision precision; /* of --model, and of problems whose names have none; DEFAULT is not given */
    double time_limit;         /* seconds a problem, 0: the effort's own */
} tune_arguments;

/* 0 to go on, else the exit status, the reason being on stderr; *finished after --help and --version. --cache goes into the
 * environment that the library reads, so this comes before its first call. */
int tune_parse_arguments(int argc, char **argv, tune_arguments *given, bool *finished);

#endif
