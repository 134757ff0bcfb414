/* What threads of this machine pay for working together, in seconds. */
#ifndef MACHINE_MEETINGS_H
#define MACHINE_MEETINGS_H

#include <stdio.h>

typedef struct meeting_costs {
    double region;  /* an empty parallel region */
    double barrier; /* the gangs' barrier, of two threads */
    double wait;    /* what one gang has done is seen by another that waits for it */
    double task;    /* an OpenMP task with three dependences and nothing to do */
} meeting_costs;

/* Each the least of many short rounds of two threads; the guess of the rates where no two run at once. */
meeting_costs meetings_measure(void);

void meetings_print(const meeting_costs *costs, FILE *out);

#endif
