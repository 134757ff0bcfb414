/* How large the caches of this machine are. */
#ifndef WLI_PROCESSOR_CACHES_H
#define WLI_PROCESSOR_CACHES_H

#include <stdint.h>

/* Bytes [3] of L1d, L2 and L3 that one core reaches; a usual size where the system does not say. Thread-safe; the same for the life of
 * the process. */
const int64_t *wli_cache_sizes(void);

/* "32768K" or "32M", as Linux writes a cache's size in `path`, in bytes; `otherwise` where there is no such file, or it says
 * anything else. */
int64_t wli_cache_file_bytes(const char *path, int64_t otherwise);

#endif
