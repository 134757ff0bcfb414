#include "base/processor_caches.h"

#include "base/lock.h"
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static int64_t sizes[3];

static int64_t system_value(int name, int64_t otherwise) {
    const long value = name < 0 ? -1 : sysconf(name);
    return value > 0 ? value : otherwise;
}

int64_t wli_cache_file_bytes(const char *path, int64_t otherwise) {
    FILE *stream = fopen(path, "r");
    int64_t value = 0;
    char unit = '\0';
    if (!stream) return otherwise;
    int read = fscanf(stream, "%9" SCNd64 "%c", &value, &unit);
    fclose(stream);
    const int64_t factor = unit == 'K' ? 1 << 10 : unit == 'M' ? 1 << 20 : 0;
    return read == 2 && value > 0 && factor > 0 ? value * factor : otherwise;
}

/* The C library may add up the L3 of all the packages' core complexes, of which a core reaches one: what is shared by the cores
 * around the first processor is in sysfs. */
static void find_sizes(void) {
    int l1 = -1, l2 = -1, l3 = -1;
#if defined(_SC_LEVEL2_CACHE_SIZE)
    l1 = _SC_LEVEL1_DCACHE_SIZE, l2 = _SC_LEVEL2_CACHE_SIZE, l3 = _SC_LEVEL3_CACHE_SIZE;
#endif
    sizes[0] = system_value(l1, 32 << 10);
    sizes[1] = system_value(l2, 512 << 10);
    const int64_t all = system_value(l3, 16 << 20);
    const int64_t own = wli_cache_file_bytes("/sys/devices/system/cpu/cpu0/cache/index3/size", all);
    sizes[2] = own < all ? own : all;
}

const int64_t *wli_cache_sizes(void) {
    static wli_once once;
    wli_once_run(&once, find_sizes);
    return sizes;
}
