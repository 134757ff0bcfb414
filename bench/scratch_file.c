#include "scratch_file.h"

#include "base/status.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[4096 - 32], file[4096];

void scratch_file_remove(void) {
    if (!directory[0]) return;
    unlink(file);
    rmdir(directory);
    directory[0] = '\0';
}

static void remove_and_end(int signal_number) {
    if (directory[0]) {
        unlink(file);
        rmdir(directory);
    }
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void remove_at_any_end(void) {
    static int registered;
    if (registered) return;
    registered = 1;
    atexit(scratch_file_remove);
    const struct sigaction action = { .sa_handler = remove_and_end };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

wlstm_status scratch_file_make(const char **path) {
    const char *below = getenv("TMPDIR");
    if (!below || !below[0]) below = "/tmp";
    char name[sizeof directory];
    *path = NULL;
    if ((size_t)snprintf(name, sizeof name, "%s/wlstm-bench-XXXXXX", below) >= sizeof name)
        return wli_fail(WLSTM_ERROR_FILE, "TMPDIR: a shorter path expected");
    remove_at_any_end();
    if (!mkdtemp(name)) return wli_fail(WLSTM_ERROR_FILE, "%s: cannot make the directory: %s", name, strerror(errno));
    snprintf(file, sizeof file, "%s/model.safetensors", name);
    memcpy(directory, name, sizeof directory);
    *path = file;
    return WLSTM_OK;
}
