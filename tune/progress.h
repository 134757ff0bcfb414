/* How far the tuning is, on stderr: a bar with the time left on a terminal, a line for each problem elsewhere. */
#ifndef TUNE_PROGRESS_H
#define TUNE_PROGRESS_H

#include <stdbool.h>

typedef struct progress {
    int done, all;
    double begin;         /* seconds of the monotonic clock */
    double expected_each; /* before the first is done */
    bool terminal;
} progress;

progress progress_start(int all, double expected_each);

/* Before a problem, and after one: `outcome` says what came of it. */
void progress_show(const progress *p, const char *what);
void progress_done(progress *p, const char *what, const char *outcome);

/* Takes the bar away. */
void progress_end(const progress *p);

#endif
