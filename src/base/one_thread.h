/* For libraries that start as many threads as OpenMP's count says. */
#ifndef WLI_ONE_THREAD_H
#define WLI_ONE_THREAD_H

/* Runs work(context) on the calling thread, where OpenMP's count is then 1. The caller's own is never another, not
 * for a moment. */
void wli_as_one_thread(void (*work)(void *context), void *context);

#endif
