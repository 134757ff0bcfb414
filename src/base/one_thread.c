#include "base/one_thread.h"

#include <omp.h>

void wli_as_one_thread(void (*work)(void *context), void *context) {
    if (omp_get_max_threads() == 1) {
        work(context);
        return;
    }
    /* A region has a count of its own, which ends with it. */
#pragma omp parallel num_threads(1)
    {
        omp_set_num_threads(1);
        work(context);
    }
}
