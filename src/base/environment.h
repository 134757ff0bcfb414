/* The WLSTM_* environment variables, read once. A value that is not understood counts as not set, and is named on stderr when
 * WLSTM_VERBOSE is at least 1. */
#ifndef WLI_ENVIRONMENT_H
#define WLI_ENVIRONMENT_H

#include "wavelstm.h"

#include <stdbool.h>

typedef enum wli_isa {
    WLI_ISA_BASELINE,
    WLI_ISA_AVX2,
    WLI_ISA_AVX2_VNNI,
    WLI_ISA_AVX512,
    WLI_ISA_AVX512_VNNI,
    WLI_ISA_AVX512_BF16,
    WLI_ISA_AMX
} wli_isa;

typedef struct wli_environment {
    int num_threads;           /* WLSTM_NUM_THREADS; 0 is not set */
    int verbose;               /* WLSTM_VERBOSE, 0 to 2 */
    wlstm_backend backend;     /* WLSTM_BACKEND; AUTO is not set */
    wlstm_effort effort;       /* WLSTM_EFFORT; DEFAULT is not set */
    wlstm_schedule schedule;   /* WLSTM_SCHEDULE; AUTO is not set */
    wlstm_precision precision; /* WLSTM_PRECISION; DEFAULT is not set */
    wli_isa isa_cap;           /* WLSTM_ISA; AMX, the highest, is not set */
    bool caching;              /* WLSTM_CACHE is not "off" */
    const char
        *cache_directory; /* the user's plan cache: WLSTM_CACHE, else below XDG_CACHE_HOME or HOME; NULL: nowhere */
} wli_environment;

/* Thread-safe; the same answer for the life of the process. */
const wli_environment *wli_environment_get(void);

/* One line on stderr when WLSTM_VERBOSE is at least `level`. */
void wli_verbose(int level, const char *line);

#endif
