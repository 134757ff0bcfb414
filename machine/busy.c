#define _DEFAULT_SOURCE /* getloadavg */
#include "busy.h"

#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

busy_signs busy_look(int threads) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    busy_signs signs = { .load = -1, .cores = cores > 0 ? (int)cores : 1 };
    if (getloadavg(&signs.load, 1) != 1) signs.load = -1;
    signs.stretch = machine_stretch(threads);
    return signs;
}

/* A machine is never quite idle, and a large one has room for a little of something else. */
bool busy_tell(const busy_signs *signs, char text[BUSY_TEXT]) {
    const double least_load = 0.5, share = 0.1, most_stretch = 1.2;
    const double most_load = share * signs->cores > least_load ? share * signs->cores : least_load;
    char load[64] = "", stretch[80] = "";
    if (signs->load > most_load)
        snprintf(load, sizeof load, "load average %.1f on %d %s", signs->load, signs->cores,
                 signs->cores == 1 ? "core" : "cores");
    if (signs->stretch > most_stretch)
        snprintf(stretch, sizeof stretch, "equal runs took %.2f times their least time on average", signs->stretch);
    snprintf(text, BUSY_TEXT, "%s%s%s", load, load[0] && stretch[0] ? ", " : "", stretch);
    return text[0] != '\0';
}
