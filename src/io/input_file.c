#include "io/input_file.h"

#include "base/status.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

wlstm_status wli_input_open(const char *path, FILE **stream, uint64_t *size) {
    *stream = NULL;
    // O_NONBLOCK: to open a FIFO without a writer would wait for ever
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) return wli_fail(WLSTM_ERROR_FILE, "%s: cannot open: %s", path, strerror(errno));
    struct stat about;
    if (fstat(descriptor, &about) != 0) {
        wlstm_status status = wli_fail(WLSTM_ERROR_FILE, "%s: cannot stat: %s", path, strerror(errno));
        close(descriptor);
        return status;
    }
    if (!S_ISREG(about.st_mode)) {
        close(descriptor);
        return wli_fail(WLSTM_ERROR_FILE, "%s: a regular file expected, got a %s", path, wli_file_kind(about.st_mode));
    }
    *stream = fdopen(descriptor, "rb");
    if (*stream == NULL) {
        close(descriptor);
        return wli_out_of_memory(path, sizeof(FILE));
    }
    // what is buffered, a child of a fork that exits would give back to the file, whose place is the parent's too
    (void)setvbuf(*stream, NULL, _IONBF, 0);
    *size = (uint64_t)about.st_size;
    return WLSTM_OK;
}

wlstm_status wli_input_read(FILE *stream, const char *path, void *bytes, size_t count) {
    if (count == 0 || fread(bytes, 1, count, stream) == count) return WLSTM_OK;
    if (ferror(stream)) return wli_fail(WLSTM_ERROR_FILE, "%s: cannot read: %s", path, strerror(errno));
    return wli_fail(WLSTM_ERROR_FORMAT, "%s: the file became shorter while it was read", path);
}
