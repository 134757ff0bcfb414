/* A directory of a test's own, and files with any content in it. */
#ifndef SCRATCH_DIR_H
#define SCRATCH_DIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char scratch_directory[256];

/* For cmocka's group set-up; 0 is success. */
static inline int scratch_create(void **state) {
    (void)state;
    const char *root = getenv("TMPDIR");
    snprintf(scratch_directory, sizeof scratch_directory, "%s/wavelstm-test-XXXXXX", root != NULL ? root : "/tmp");
    return mkdtemp(scratch_directory) != NULL ? 0 : -1;
}

/* How many files are there: what a failed write leaves behind is seen here. */
static inline int scratch_count(void) {
    int count = 0;
    DIR *directory = opendir(scratch_directory);
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count - 2;
}

static inline int scratch_clear(void **state) {
    (void)state;
    DIR *directory = opendir(scratch_directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char path[sizeof scratch_directory + sizeof entry->d_name + 1];
        snprintf(path, sizeof path, "%s/%s", scratch_directory, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(path) != 0) rmdir(path);
    }
    closedir(directory);
    return 0;
}

static inline int scratch_remove(void **state) {
    scratch_clear(state);
    return rmdir(scratch_directory);
}

/* The same with folders in it. */
static inline int scratch_remove_all(void **state) {
    (void)state;
    char command[sizeof scratch_directory + 8];
    snprintf(command, sizeof command, "rm -r '%s'", scratch_directory);
    return system(command);
}

/* The path of `name` in the directory; four may be in use at once. */
static inline const char *scratch_path(const char *name) {
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", scratch_directory, name);
    return path;
}

static inline const char *scratch_write(const char *name, const void *bytes, size_t count) {
    const char *path = scratch_path(name);
    FILE *stream = fopen(path, "wb");
    if (stream == NULL || (count > 0 && fwrite(bytes, 1, count, stream) != count) || fclose(stream) != 0) abort();
    return path;
}

/* wlstm_last_error() without the "<path>: " that it begins with; the whole when it begins otherwise. */
static inline const char *scratch_error(const char *error, const char *path) {
    size_t length = strlen(path);
    return strncmp(error, path, length) == 0 && strncmp(error + length, ": ", 2) == 0 ? error + length + 2 : error;
}

#endif
