#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char last_error[WLI_ERROR_BYTES];

wlstm_status wli_fail(wlstm_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    return status;
}

void wli_error_save(char text[WLI_ERROR_BYTES]) {
    memcpy(text, last_error, WLI_ERROR_BYTES);
}

void wli_error_restore(const char text[WLI_ERROR_BYTES]) {
    memcpy(last_error, text, WLI_ERROR_BYTES);
}

wlstm_status wli_out_of_memory(const char *what, size_t bytes) {
    return wli_fail(WLSTM_ERROR_OUT_OF_MEMORY, "%s: %zu bytes of memory expected, got none", what, bytes);
}

const char *wlstm_last_error(void) {
    return last_error;
}

const char *wlstm_status_string(wlstm_status status) {
    switch (status) {
    case WLSTM_OK:
        return "success";
    case WLSTM_ERROR_INVALID_ARGUMENT:
        return "invalid argument";
    case WLSTM_ERROR_OUT_OF_MEMORY:
        return "out of memory";
    case WLSTM_ERROR_FILE:
        return "file cannot be read or written";
    case WLSTM_ERROR_FORMAT:
        return "file breaks its format";
    case WLSTM_ERROR_MISSING:
        return "no such parameter or tensor";
    case WLSTM_ERROR_UNSUPPORTED:
        return "not supported";
    case WLSTM_ERROR_BACKEND:
        return "oneDNN failed";
    }
    return "unknown status";
}
