/* Whether other programs use the machine that is about to be measured. */
#ifndef MACHINE_BUSY_H
#define MACHINE_BUSY_H

#include <stdbool.h>

typedef struct busy_signs {
    double load;    /* average of the last minute; negative where the system does not say */
    int cores;      /* of the machine */
    double stretch; /* how long equal runs took, their mean over the least: 1 where nobody disturbs */
} busy_signs;

/* Some tens of milliseconds on as many threads. */
busy_signs busy_look(int threads);

enum { BUSY_TEXT = 160 };

/* What shows that the machine is busy, in words; false, and "", where nothing does. */
bool busy_tell(const busy_signs *signs, char text[BUSY_TEXT]);

#endif
