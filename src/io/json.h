/* jansson, safe beside forks. */
#ifndef WLI_JSON_H
#define WLI_JSON_H

#include "base/lock.h"

#include <jansson.h>

/* Before the first object of a text. jansson draws a seed at its very first one; who finds that begun waits for its end, in the child
 * of a fork meanwhile for ever. */
static inline void wli_json_begin(void) {
    wli_lock();
    json_object_seed(0);
    wli_unlock();
}

#endif
