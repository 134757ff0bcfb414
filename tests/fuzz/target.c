#define _POSIX_C_SOURCE 200809L
#include "target.h"

#include <dirent.h>
#include <omp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char directory[200];

void fuzz_failed(const char *file, int line, const char *condition) {
    /* stderr may be in memory */
    dprintf(STDERR_FILENO, "%s:%d: %s does not hold; the last error: %s\n", file, line, condition, wlstm_last_error());
    abort();
}

static void remove_directory(void) {
    DIR *stream = opendir(directory);
    if (stream == NULL) return;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2) (void)unlinkat(dirfd(stream), entry->d_name, 0);
    closedir(stream);
    rmdir(directory);
}

const char *fuzz_path(const char *name) {
    static char paths[4][300];
    static int next;
    if (directory[0] == '\0') {
        const char *root = getenv("TMPDIR");
        snprintf(directory, sizeof directory, "%s/wavelstm-fuzz-XXXXXX", root != NULL ? root : "/tmp");
        if (mkdtemp(directory) == NULL) {
            perror(directory);
            abort();
        }
        atexit(remove_directory);
    }
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

const char *fuzz_write(const char *name, const void *bytes, size_t count) {
    const char *path = fuzz_path(name);
    FILE *stream = fopen(path, "wb");
    if (stream == NULL || (count > 0 && fwrite(bytes, 1, count, stream) != count) || fclose(stream) != 0) {
        perror(path);
        abort();
    }
    return path;
}

unsigned char *fuzz_read(const char *name, size_t *count) {
    FILE *stream = fopen(fuzz_path(name), "rb");
    *count = 0;
    if (stream == NULL) return NULL;
    fseek(stream, 0, SEEK_END);
    const long size = ftell(stream);
    rewind(stream);
    unsigned char *bytes = size < 0 ? NULL : malloc((size_t)size + 1);
    if (bytes == NULL || fread(bytes, 1, (size_t)size, stream) != (size_t)size) abort();
    fclose(stream);
    *count = (size_t)size;
    return bytes;
}

static bool is_printable(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) return false;
    return true;
}

void fuzz_check_failure(wlstm_status status) {
    REQUIRE(status == WLSTM_ERROR_FORMAT || status == WLSTM_ERROR_UNSUPPORTED || status == WLSTM_ERROR_MISSING ||
            status == WLSTM_ERROR_OUT_OF_MEMORY || status == WLSTM_ERROR_INVALID_ARGUMENT);
    REQUIRE(wlstm_last_error()[0] != '\0' && is_printable(wlstm_last_error()));
}

/* ------------------------------------------------------------------------------------------------- what is printed */

static FILE *kept_stdout, *kept_stderr, *caught;
static char *text;
static size_t text_bytes;

void fuzz_catch(void) {
    (void)omp_get_max_threads(); /* at first use OpenMP loads tools, whose C++ keeps what stdout is then */
    caught = open_memstream(&text, &text_bytes);
    if (caught == NULL) abort();
    kept_stdout = stdout, kept_stderr = stderr;
    stdout = stderr = caught; /* variables, in glibc */
}

const char *fuzz_caught(void) {
    static char *last;
    stdout = kept_stdout, stderr = kept_stderr;
    fclose(caught);
    free(last);
    last = text;
    return last;
}

/* ------------------------------------------------------------------------------------------------------- numbers */

int64_t fuzz_between(fuzz_source *source, int64_t low, int64_t high) {
    uint64_t drawn = 0;
    for (uint64_t most = 0; most < (uint64_t)(high - low) && source->left > 0; most = most << 8 | 0xff, source->left--)
        drawn = drawn << 8 | *source->at++;
    return low + (int64_t)(drawn % ((uint64_t)(high - low) + 1));
}
