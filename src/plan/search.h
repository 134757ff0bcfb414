/* The search for the fastest choice, by measuring. */
#ifndef WLI_SEARCH_H
#define WLI_SEARCH_H

#include "plan/axes.h"

#include <stdatomic.h>

typedef struct wli_search_request {
    wli_model *model; /* is only read; a copy of it is run */
    wli_setting setting;
    wlstm_effort effort;    /* MEASURE or PATIENT */
    double time_limit;      /* seconds, 0: the effort's own */
    const atomic_int *stop; /* when it is not 0 any more the search fails; or NULL */
} wli_search_request;

typedef struct wli_search_result {
    wli_candidate untuned, tuned;
    /* Of one forward pass; of a part of it scaled up, where a whole one takes long. */
    double untuned_seconds, tuned_seconds;
    int tried;   /* candidates that were measured */
    bool looked; /* whether there was time to measure one, if there are any */
} wli_search_result;

/* Coordinate descent over the axes from the choice of a program on a machine that nobody probed or tuned, which wins
 * ties. Candidates that the model takes to be far slower are left out. PATIENT tries every value of each axis, then
 * candidates at random until the time is over. Errors: OUT_OF_MEMORY, BACKEND (even the untuned choice gives no
 * right result, or it was stopped). */
wlstm_status wli_search(const wli_search_request *request, wli_search_result *result);

/* One search at a time in a process, of plans and of trainers: two would measure each other. */
void wli_search_turn_take(void);
void wli_search_turn_give(void);

#endif
