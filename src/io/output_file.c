#define _XOPEN_SOURCE 700 /* realpath */

#include "io/output_file.h"

#include "allocator.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct wli_output {
    char *path;      /* links resolved */
    char *temporary; /* in the same directory, as a rename does not cross file systems */
    FILE *stream;
};

static wlstm_status cannot_write(const char *path, int error) {
    return wli_fail(WLSTM_ERROR_FILE, "%s: cannot write: %s", path, strerror(error));
}

// Where the file really goes, and the mode of the one that is there; *exists says whether there is one.
static wlstm_status resolve(const char *path, char **resolved, bool *exists, mode_t *mode) {
    char *real = realpath(path, NULL);
    *exists = real != NULL;
    *resolved = NULL;
    *mode = 0666;
    if (real == NULL && errno != ENOENT) return cannot_write(path, errno);
    struct stat about;
    wlstm_status status = WLSTM_OK;
    if (*exists) {
        // a rename would put a file in the place of a device, or of what its owner has locked
        if (stat(real, &about) != 0 || access(real, W_OK) != 0)
            status = cannot_write(path, errno);
        else if (!S_ISREG(about.st_mode))
            status = wli_fail(WLSTM_ERROR_FILE, "%s: cannot write: it is there and not a regular file", path);
        else
            *mode = about.st_mode & 0777;
    }
    if (status == WLSTM_OK) {
        *resolved = wli_strdup(*exists ? real : path);
        if (*resolved == NULL) status = wli_out_of_memory("path", strlen(path) + 1);
    }
    free(real);
    return status;
}

// A new file beside `path`; its name is left in `temporary`. The process's umask applies, as to any new file.
static int open_beside(const char *path, mode_t mode, char *temporary, size_t capacity) {
    static atomic_uint counter;
    const char *slash = strrchr(path, '/');
    int directory = slash == NULL ? 0 : (int)(slash - path + 1);
    for (;;) {
        snprintf(temporary, capacity, "%.*s.wlstm-%ld-%u.tmp", directory, path, (long)getpid(),
                 atomic_fetch_add(&counter, 1));
        int descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
        if (descriptor >= 0 || errno != EEXIST) return descriptor;
    }
}

static void free_output(wli_output *output) {
    wli_free(output->path);
    wli_free(output->temporary);
    wli_free(output);
}

wlstm_status wli_output_create(const char *path, wli_output **output) {
    *output = NULL;
    if (path == NULL) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got NULL");
    wli_output *created = wli_calloc(sizeof *created);
    if (created == NULL) return wli_out_of_memory("output file", sizeof *created);
    bool exists;
    mode_t mode;
    wlstm_status status = resolve(path, &created->path, &exists, &mode);
    if (status != WLSTM_OK) goto failed;
    size_t capacity = strlen(created->path) + 64;
    created->temporary = wli_alloc(capacity);
    if (created->temporary == NULL) {
        status = wli_out_of_memory("path", capacity);
        goto failed;
    }
    int descriptor = open_beside(created->path, mode, created->temporary, capacity);
    if (descriptor < 0) {
        status = cannot_write(path, errno);
        goto failed;
    }
    // the mode of the old file counts whatever the umask; where the file system has no modes, that is no failure
    if (exists) (void)fchmod(descriptor, mode);
    created->stream = fdopen(descriptor, "wb");
    if (created->stream == NULL) {
        status = wli_out_of_memory(path, sizeof(FILE));
        close(descriptor);
        unlink(created->temporary);
        goto failed;
    }
    *output = created;
    return WLSTM_OK;
failed:
    free_output(created);
    return status;
}

wlstm_status wli_output_write(wli_output *output, const void *bytes, size_t count) {
    if (count == 0 || fwrite(bytes, 1, count, output->stream) == count) return WLSTM_OK;
    return cannot_write(output->path, errno);
}

wlstm_status wli_output_finish(wli_output *output) {
    int error = 0;
    if (fflush(output->stream) != 0 || fsync(fileno(output->stream)) != 0) error = errno;
    if (fclose(output->stream) != 0 && error == 0) error = errno;
    output->stream = NULL;
    return error == 0 ? WLSTM_OK : cannot_write(output->path, error);
}

wlstm_status wli_output_commit(wli_output *output) {
    wlstm_status status = WLSTM_OK;
    if (rename(output->temporary, output->path) != 0) {
        status = cannot_write(output->path, errno);
        unlink(output->temporary);
    }
    free_output(output);
    return status;
}

void wli_output_discard(wli_output *output) {
    if (output == NULL) return;
    if (output->stream != NULL) fclose(output->stream);
    unlink(output->temporary);
    free_output(output);
}
