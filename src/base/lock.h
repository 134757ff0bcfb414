/* What threads exclude each other by, so that a fork at any moment leaves a child in which nothing is locked: the threads that were
 * inside are gone there.
 *
 * The lock is for moments, and a fork waits for it: nobody reads files, calls a user's allocator or locks again inside. What takes
 * longer is a turn, which a fork does not wait for: in the child it is free, and what its holder was making is as if never begun. */
#ifndef WLI_LOCK_H
#define WLI_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>

/* The one lock of the process, of every table that threads share. */
void wli_lock(void);
void wli_unlock(void);

/* How many forks, and one, made this process: a mark of another generation is that of a thread that is gone. Never 0. It changes in a
 * child's only thread, so that it is read without the lock. */
extern unsigned wli_generation;

/* All zeros is free. */
typedef struct wli_turn {
    unsigned generation; /* in which it was taken; 0: given back */
} wli_turn;

/* Both with the lock held; the first opens it while it waits for the turn. */
void wli_turn_take(wli_turn *turn);
void wli_turn_give(wli_turn *turn);

/* As pthread_once, in which a child may wait for a thread that is gone where glibc's own is not called. `make` runs without the lock,
 * and in a child anew over what a thread that is gone had begun. */
typedef struct wli_once {
    atomic_bool done;
    wli_turn turn;
} wli_once;

void wli_once_run(wli_once *once, void (*make)(void));

#endif
