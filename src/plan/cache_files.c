#define _DEFAULT_SOURCE /* flock */
#include "plan/cache.h"

#include "base/status.h"
#include "io/input_file.h"
#include "io/output_file.h"
#include "plan/fingerprint.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const uint64_t largest_file = 32 << 20;

wlstm_status wli_cache_read(const char *path, wli_cache_table *table) {
    FILE *stream;
    uint64_t size;
    memset(table, 0, sizeof *table);
    wlstm_status status = wli_input_open(path, &stream, &size);
    if (status != WLSTM_OK) return status;
    char *text = NULL;
    if (size > largest_file)
        status = wli_fail(WLSTM_ERROR_FORMAT, "%s: at most 32 MiB expected, got more", path);
    else if (!(text = malloc((size_t)size + 1)))
        status = wli_out_of_memory("plan cache", (size_t)size);
    if (status == WLSTM_OK) status = wli_input_read(stream, path, text, (size_t)size);
    fclose(stream);
    if (status == WLSTM_OK) status = wli_cache_decode(path, text, (size_t)size, table);
    free(text);
    return status;
}

bool wli_cache_absent(const char *path) {
    struct stat about;
    return stat(path, &about) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

wlstm_status wli_cache_write(const char *path, const wli_cache_table *table) {
    char *text = wli_cache_encode(table);
    if (!text) return wli_out_of_memory("plan cache", 0);
    wli_output *output;
    wlstm_status status = wli_output_create(path, &output);
    if (status == WLSTM_OK) {
        status = wli_output_write(output, text, strlen(text));
        if (status == WLSTM_OK) status = wli_output_write(output, "\n", 1);
        if (status == WLSTM_OK) status = wli_output_finish(output);
        if (status == WLSTM_OK)
            status = wli_output_commit(output);
        else
            wli_output_discard(output);
    }
    free(text);
    return status;
}

static char *join(const char *directory, const char *name, const char *ending) {
    const size_t bytes = strlen(directory) + strlen(name) + strlen(ending) + 2;
    char *path = malloc(bytes);
    if (path) snprintf(path, bytes, "%s/%s%s", directory, name, ending);
    return path;
}

char *wli_cache_path(const char *directory) {
    return join(directory, wli_fingerprint_get()->id, ".json");
}

/* mkdir -p, for the owner alone, as the XDG base directory specification has it. */
static wlstm_status make_directory(const char *directory) {
    char *path = join(directory, "", "");
    if (!path) return wli_out_of_memory("path", strlen(directory));
    int error = 0;
    for (char *slash = path + 1; *slash && error == 0; slash++) {
        if (*slash != '/') continue;
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) error = errno;
        *slash = '/';
    }
    free(path);
    struct stat about;
    if (stat(directory, &about) == 0 && S_ISDIR(about.st_mode))
        return WLSTM_OK; /* also where a parent may not be written to */
    return wli_fail(WLSTM_ERROR_FILE, "%s: cannot make the directory: %s", directory,
                    strerror(error ? error : ENOTDIR));
}

/* What writers that were killed left behind, minutes ago. */
static void remove_leftovers(const char *directory) {
    const time_t long_ago = time(NULL) - 600;
    DIR *stream = opendir(directory);
    if (!stream) return;
    for (struct dirent *file; (file = readdir(stream));) {
        struct stat about;
        const size_t length = strlen(file->d_name);
        if (strncmp(file->d_name, ".wlstm-", 7) == 0 && length > 4 && strcmp(file->d_name + length - 4, ".tmp") == 0 &&
            fstatat(dirfd(stream), file->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(about.st_mode) &&
            about.st_mtime < long_ago)
            (void)unlinkat(dirfd(stream), file->d_name, 0);
    }
    closedir(stream);
}

/* An open descriptor that holds the lock, to be closed; -1 with the status of why not. A file system without locks is written to
 * without one: the file is still whole, though of two that write at once one may be lost. */
static int take_lock(const char *directory, wlstm_status *status) {
    char *path = join(directory, wli_fingerprint_get()->id, ".lock");
    if (!path) {
        *status = wli_out_of_memory("path", strlen(directory));
        return -1;
    }
    int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0600);
    *status = WLSTM_OK;
    if (descriptor < 0)
        *status = wli_fail(WLSTM_ERROR_FILE, "%s: cannot open: %s", path, strerror(errno));
    else if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        *status = wli_fail(WLSTM_ERROR_FILE, "%s: no other writer expected, somebody holds the lock", path);
        close(descriptor);
        descriptor = -1;
    }
    free(path);
    return descriptor;
}

/* What is not in order is replaced: nothing in it could be used. What is there and cannot be read may be in order, and stays. */
static wlstm_status merge_locked(const char *path, const wli_cache_table *changes, const wli_problem *forgotten,
                                 bool forget_all) {
    wli_cache_table table;
    char error[WLI_ERROR_BYTES];
    wli_error_save(error);
    const wlstm_status found = wli_cache_read(path, &table);
    if (found == WLSTM_ERROR_OUT_OF_MEMORY || (found == WLSTM_ERROR_FILE && !wli_cache_absent(path))) return found;
    wli_error_restore(error);
    if (found == WLSTM_OK && (forget_all || forgotten)) wli_cache_table_forget(&table, forget_all ? NULL : forgotten);
    bool room = true;
    for (size_t i = 0; i < changes->count && room; i++) room = wli_cache_table_put(&table, &changes->entries[i]);
    for (int i = 0; i < WLI_CACHE_RATES; i++) wli_cache_table_put_rates(&table, &changes->rates[i]);
    wlstm_status status = room ? wli_cache_write(path, &table) : wli_out_of_memory("plan cache", table.count);
    wli_cache_table_clear(&table);
    return status;
}

wlstm_status wli_cache_merge(const char *directory, const wli_cache_table *changes, const wli_problem *forgotten,
                             bool forget_all) {
    wlstm_status status = make_directory(directory);
    if (status != WLSTM_OK) return status;
    const int lock = take_lock(directory, &status);
    if (lock < 0) return status;
    remove_leftovers(directory);
    char *path = wli_cache_path(directory);
    status = path ? merge_locked(path, changes, forgotten, forget_all) : wli_out_of_memory("path", strlen(directory));
    free(path);
    (void)flock(lock, LOCK_UN); /* a child of a fork meanwhile has the descriptor too, and keeps it */
    close(lock);
    return status;
}
