#define _XOPEN_SOURCE 700 /* realpath */

#include "io/output_file.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/text.h"

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

static wlstm_status copy_path(const char *path, char **copy) {
    *copy = wli_strdup(path);
    return *copy == NULL ? wli_out_of_memory("path", strlen(path) + 1) : WLSTM_OK;
}

static wlstm_status not_followed(const char *path) {
    char target[256], shown[128];
    ssize_t length = readlink(path, target, sizeof target);
    return wli_fail(WLSTM_ERROR_FILE,
                    "%s: a regular file or a new name expected, got a link to '%s', which is not there: name that file "
                    "itself",
                    path, wli_printable(target, length < 0 ? 0 : (size_t)length, shown, sizeof shown));
}

// The name of the regular file that a link leads to. A link in /proc may lead to one without a name.
static wlstm_status follow(const char *path, const struct stat *file, char **resolved) {
    char *real = realpath(path, NULL);
    struct stat named;
    wlstm_status status;
    if (real == NULL || lstat(real, &named) != 0 || named.st_dev != file->st_dev || named.st_ino != file->st_ino)
        status =
            wli_fail(WLSTM_ERROR_FILE,
                     "%s: a regular file or a new name expected, got a link to a file that has no name any more", path);
    else
        status = copy_path(real, resolved);
    free(real);
    return status;
}

// Where the file really goes, and the regular file that is there; about->st_mode is 0 if there is none.
static wlstm_status resolve(const char *path, char **resolved, struct stat *about) {
    *resolved = NULL;
    about->st_mode = 0;
    if (path[0] == '\0') return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got an empty one");
    struct stat itself;
    if (lstat(path, &itself) != 0) return errno == ENOENT ? copy_path(path, resolved) : cannot_write(path, errno);
    if (stat(path, about) != 0)
        return errno == ENOENT && S_ISLNK(itself.st_mode) ? not_followed(path) : cannot_write(path, errno);
    if (!S_ISREG(about->st_mode))
        return wli_fail(WLSTM_ERROR_FILE,
                        "%s: a regular file or a new name expected, got a %s, in whose place no result is put: name a "
                        "file",
                        path, wli_file_kind(about->st_mode));
    if (access(path, W_OK) != 0) return cannot_write(path, errno); // a rename would replace what its owner has locked
    return S_ISLNK(itself.st_mode) ? follow(path, about, resolved) : copy_path(path, resolved);
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

// As the old file has them, whatever the umask. Who may not give files away, and file systems without owners or modes, are no
// failure: the group alone may do.
static void keep_owner_and_mode(int descriptor, const struct stat *old) {
    int kept = fchown(descriptor, old->st_uid, old->st_gid);
    if (kept != 0) kept = fchown(descriptor, (uid_t)-1, old->st_gid);
    // what the old group might do is not for another one
    (void)fchmod(descriptor, old->st_mode & (kept == 0 ? 0777 : 0707));
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
    struct stat old;
    wlstm_status status = resolve(path, &created->path, &old);
    if (status != WLSTM_OK) goto failed;
    size_t capacity = strlen(created->path) + 64;
    created->temporary = wli_alloc(capacity);
    if (created->temporary == NULL) {
        status = wli_out_of_memory("path", capacity);
        goto failed;
    }
    const bool exists = old.st_mode != 0;
    const mode_t mode = exists ? old.st_mode & 0777 : 0666;
    int descriptor = open_beside(created->path, mode, created->temporary, capacity);
    if (descriptor < 0) {
        status = cannot_write(path, errno);
        goto failed;
    }
    if (exists) keep_owner_and_mode(descriptor, &old);
    created->stream = fdopen(descriptor, "wb");
    if (created->stream == NULL) {
        status = wli_out_of_memory(path, sizeof(FILE));
        close(descriptor);
        unlink(created->temporary);
        goto failed;
    }
    // what is buffered, a child of a fork that exits would write as well
    (void)setvbuf(created->stream, NULL, _IONBF, 0);
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
