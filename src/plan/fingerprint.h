/* What a tuned choice depends on besides the problem: a cache file is for one machine and one build of the library. */
#ifndef WLI_FINGERPRINT_H
#define WLI_FINGERPRINT_H

#include "kernels/onednn.h"

typedef struct wli_fingerprint {
    char cpu[64];      /* the processor's own name */
    char isa[64];      /* of all products' kernels */
    int64_t caches[3]; /* bytes of L1d, L2, L3; a usual size where the system does not say */
    int64_t cores;     /* that the system has, whoever may use them */
    const char *library;
    char onednn[WLI_ONEDNN_VERSION_BYTES]; /* "" without it */
    char choices[20];                      /* stands for the table of choices that indices point into */
    char id[20];                           /* a hash of all this, in hexadecimal: the file's name */
} wli_fingerprint;

/* Thread-safe; the same for the life of the process. */
const wli_fingerprint *wli_fingerprint_get(void);

#endif
