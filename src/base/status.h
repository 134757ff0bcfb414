/* How every failure inside the library is reported: a status up the call chain, a sentence in wlstm_last_error(). */
#ifndef WLI_STATUS_H
#define WLI_STATUS_H

#include "wavelstm.h"

#if defined(__GNUC__)
#define WLI_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define WLI_PRINTF(text, first)
#endif

/* Writes this thread's last error ("argument: what was expected, what came") and returns `status`. */
wlstm_status wli_fail(wlstm_status status, const char *format, ...) WLI_PRINTF(2, 3);

/* Puts the last error aside, and back: for what may fail without the caller's call failing. */
enum { WLI_ERROR_BYTES = 512 };
void wli_error_save(char text[WLI_ERROR_BYTES]);
void wli_error_restore(const char text[WLI_ERROR_BYTES]);

/* WLSTM_ERROR_OUT_OF_MEMORY with the name of what could not be had. */
wlstm_status wli_out_of_memory(const char *what, size_t bytes);

#endif
