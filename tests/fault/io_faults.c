/* To be preloaded: calls that touch files in one folder fail when they are told to, as on a disk that is full, broken or
 * gone. From the environment:
 *
 *     IO_FAULTS_FOLDER  what paths begin with whose calls count
 *     IO_FAULTS_KIND    any: every such call counts; room: those that need room on the disk; write: those that change
 *                       anything; read: those that read a file's bytes
 *     IO_FAULTS_AT      the call that fails, from 1; 0: none
 *     IO_FAULTS_ON      1: and all after it
 *     IO_FAULTS_ERROR   errno; of read 0: the file has only half its bytes from then on
 *     IO_FAULTS_LOG     a file that gets how many calls there were and the name of the first that failed */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

typedef enum kind { ANY, WRITE = 1, ROOM = 2, READ = 4 } kind;

enum { DESCRIPTORS = 256 };
static atomic_bool ours[DESCRIPTORS]; /* opened in the folder */
static atomic_long calls;
static const char *failed = "none";

/* The next one of that name; function pointers have no other way out of dlsym in ISO C. */
#define REAL(name) (*(__typeof__(&(name)) *)&(void *){ dlsym(RTLD_NEXT, #name) })

static long number_of(const char *variable) {
    const char *text = getenv(variable);
    return text ? strtol(text, NULL, 10) : 0;
}

static bool counts(kind what) {
    const char *wanted = getenv("IO_FAULTS_KIND");
    if (!wanted || strcmp(wanted, "any") == 0) return true;
    return (what & (strcmp(wanted, "room") == 0 ? ROOM : strcmp(wanted, "write") == 0 ? WRITE : READ)) != 0;
}

/* Whether this call is to fail; errno says why. */
static bool is_due(const char *name, kind what) {
    const int before = errno;
    if (!counts(what)) return false;
    const long call = atomic_fetch_add(&calls, 1) + 1, at = number_of("IO_FAULTS_AT");
    errno = before;
    if (at == 0 || (number_of("IO_FAULTS_ON") ? call < at : call != at)) return false;
    if (strcmp(failed, "none") == 0) failed = name;
    errno = (int)number_of("IO_FAULTS_ERROR");
    return true;
}

static bool in_folder(const char *path) {
    const char *folder = getenv("IO_FAULTS_FOLDER");
    return folder && path && strncmp(path, folder, strlen(folder)) == 0;
}

static bool is_ours(int descriptor) {
    return descriptor >= 0 && descriptor < DESCRIPTORS && atomic_load(&ours[descriptor]);
}

static void set_ours(int descriptor, bool value) {
    if (descriptor >= 0 && descriptor < DESCRIPTORS) atomic_store(&ours[descriptor], value);
}

#define PATH_FAULT(name, path, what) (in_folder(path) && is_due(name, what))
#define FILE_FAULT(name, descriptor, what) (is_ours(descriptor) && is_due(name, what))

/* The stream goes on with another file, by which its calls fail as the system's do. */
static void break_stream(FILE *stream, const char *path, int flags) {
    const int broken = REAL(open)(path, flags);
    (void)dup2(broken, fileno(stream));
    (void)REAL(close)(broken);
}

/* ------------------------------------------------------------------------------------------------------- by path */

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    if (flags & O_CREAT) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (PATH_FAULT("open", path, flags & O_CREAT ? WRITE | ROOM : ANY)) return -1;
    const int descriptor = REAL(open)(path, flags, mode);
    set_ours(descriptor, in_folder(path));
    return descriptor;
}

int stat(const char *path, struct stat *about) {
    return PATH_FAULT("stat", path, ANY) ? -1 : REAL(stat)(path, about);
}

int lstat(const char *path, struct stat *about) {
    return PATH_FAULT("lstat", path, ANY) ? -1 : REAL(lstat)(path, about);
}

int access(const char *path, int mode) {
    return PATH_FAULT("access", path, mode & W_OK ? WRITE : ANY) ? -1 : REAL(access)(path, mode);
}

char *realpath(const char *path, char *resolved) {
    return PATH_FAULT("realpath", path, ANY) ? NULL : REAL(realpath)(path, resolved);
}

ssize_t readlink(const char *path, char *target, size_t count) {
    return PATH_FAULT("readlink", path, ANY) ? -1 : REAL(readlink)(path, target, count);
}

int rename(const char *from, const char *to) {
    return PATH_FAULT("rename", to, WRITE) ? -1 : REAL(rename)(from, to);
}

int unlink(const char *path) {
    return PATH_FAULT("unlink", path, WRITE) ? -1 : REAL(unlink)(path);
}

int mkdir(const char *path, mode_t mode) {
    return PATH_FAULT("mkdir", path, WRITE | ROOM) ? -1 : REAL(mkdir)(path, mode);
}

DIR *opendir(const char *path) {
    return PATH_FAULT("opendir", path, ANY) ? NULL : REAL(opendir)(path);
}

/* ------------------------------------------------------------------------------------------------- by descriptor */

int close(int descriptor) {
    const bool fails = FILE_FAULT("close", descriptor, ANY);
    const int error = errno;
    set_ours(descriptor, false);
    const int result = REAL(close)(descriptor);
    if (fails) errno = error;
    return fails ? -1 : result;
}

int fstat(int descriptor, struct stat *about) {
    return FILE_FAULT("fstat", descriptor, ANY) ? -1 : REAL(fstat)(descriptor, about);
}

int fchown(int descriptor, uid_t owner, gid_t group) {
    return FILE_FAULT("fchown", descriptor, WRITE) ? -1 : REAL(fchown)(descriptor, owner, group);
}

int fchmod(int descriptor, mode_t mode) {
    return FILE_FAULT("fchmod", descriptor, WRITE) ? -1 : REAL(fchmod)(descriptor, mode);
}

int fsync(int descriptor) {
    return FILE_FAULT("fsync", descriptor, WRITE | ROOM) ? -1 : REAL(fsync)(descriptor);
}

int flock(int descriptor, int operation) {
    return FILE_FAULT("flock", descriptor, ANY) ? -1 : REAL(flock)(descriptor, operation);
}

FILE *fdopen(int descriptor, const char *mode) {
    return FILE_FAULT("fdopen", descriptor, ANY) ? NULL : REAL(fdopen)(descriptor, mode);
}

/* ----------------------------------------------------------------------------------------------------- by stream */

size_t fread(void *bytes, size_t size, size_t count, FILE *stream) {
    if (FILE_FAULT("fread", fileno(stream), READ)) {
        struct stat about;
        char path[64];
        snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(stream));
        if (errno != 0)
            break_stream(stream, "/", O_RDONLY | O_DIRECTORY);
        else if (REAL(fstat)(fileno(stream), &about) == 0)
            (void)truncate(path, about.st_size / 2);
    }
    return REAL(fread)(bytes, size, count, stream);
}

size_t fwrite(const void *bytes, size_t size, size_t count, FILE *stream) {
    if (!FILE_FAULT("fwrite", fileno(stream), WRITE | ROOM)) return REAL(fwrite)(bytes, size, count, stream);
    const size_t half = REAL(fwrite)(bytes, size, count / 2, stream);
    break_stream(stream, "/dev/full", O_WRONLY);
    return half + REAL(fwrite)((const char *)bytes + half * size, size, count - half, stream);
}

int fflush(FILE *stream) {
    return stream && FILE_FAULT("fflush", fileno(stream), WRITE | ROOM) ? EOF : REAL(fflush)(stream);
}

int fclose(FILE *stream) {
    const int descriptor = fileno(stream);
    const bool written = descriptor >= 0 && (fcntl(descriptor, F_GETFL) & O_ACCMODE) != O_RDONLY;
    const bool fails = FILE_FAULT("fclose", descriptor, written ? WRITE | ROOM : ANY);
    const int error = errno;
    set_ours(descriptor, false);
    const int result = REAL(fclose)(stream);
    if (fails) errno = error;
    return fails ? EOF : result;
}

__attribute__((destructor)) static void write_log(void) {
    const char *path = getenv("IO_FAULTS_LOG");
    const int log = path ? REAL(open)(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) : -1;
    if (log < 0) return;
    dprintf(log, "%ld %s\n", atomic_load(&calls), failed);
    (void)REAL(close)(log);
}
