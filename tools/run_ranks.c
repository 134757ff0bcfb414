#include "run_ranks.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* RUN_OVER_RANKS is where it lies, from this program's folder, wherever that was moved. */
wlstm_status run_over_ranks(char **argv) {
    char path[4096 + sizeof RUN_OVER_RANKS];
    const ssize_t length = readlink("/proc/self/exe", path, 4096);
    if (length < 0 || length == 4096)
        return wli_fail(WLSTM_ERROR_FILE, "/proc/self/exe: cannot read: %s",
                        strerror(length < 0 ? errno : ENAMETOOLONG));
    path[length] = '\0';
    strcpy(strrchr(path, '/') + 1, RUN_OVER_RANKS);
    (void)execv(path, argv);
    return wli_fail(WLSTM_ERROR_FILE, "--ranks: %s, of a wavelstm built with MPI, expected, cannot run it: %s", path,
                    strerror(errno));
}
