/* Ctrl-C, and SIGTERM: the work at hand is given up at its next piece; if that takes long, wherever it is. */
#ifndef INTERRUPT_H
#define INTERRUPT_H

#include <stdatomic.h>

/* The signal that came; 0: none yet. */
extern atomic_int interrupted;

/* Waits for the signals in a thread of its own; called before there are others. Who does not end within most of a second after one is
 * ended: by last_words(context), and the exit status 128 + signal. A second signal, some time after, ends the process at once. Returns 0, or an errno. */
int interrupt_watch(void (*last_words)(void *context), void *context);

/* Between these two nothing is ended: what is done there is done whole. */
void interrupt_hold(void);
void interrupt_release(void);

#endif
