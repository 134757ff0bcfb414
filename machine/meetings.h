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

/* Each of a quick one of many short rounds of two threads; the guess of the rates where no two run at once. */
meeting_costs meetings_measure(void);

/* The time that a tenth of the rounds is quicker than, of those that took any: where a processor's clock lags behind the last
 * tick's, a virtual machine's may, time stands still on it, and the least of all would be 0. The guess where all stood still, or
 * where the threads waited for a processor rather than for each other. Sorts the rounds. */
double meetings_quick_round(double *seconds, int rounds, double guess);

void meetings_print(const meeting_costs *costs, FILE *out);

#endif
