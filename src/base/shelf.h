/* Objects that are made on first use and kept for all who ask: packed weights, primitives. Each has a place, and
 * among those of its place a key. */
#ifndef WLI_SHELF_H
#define WLI_SHELF_H

#include "base/lock.h"
#include "wavelstm.h"

enum { WLI_SHELF_KEY_BYTES = 96 };

typedef struct wli_shelved {
    char key[WLI_SHELF_KEY_BYTES];
    void *object;
    void (*destroy)(void *object);
    struct wli_shelved *next;
} wli_shelved;

typedef struct wli_shelf {
    int64_t places;
    wli_shelved **lists; /* [places], of who holds the lock; whole objects only */
    bool in_use;         /* whether any list has one */
    wli_turn making;
} wli_shelf;

/* An empty one; false when there is no memory. */
bool wli_shelf_make(wli_shelf *shelf, int64_t places);

/* Destroys all objects, which nobody uses any more; free also the shelf, which may be all zeros. */
void wli_shelf_clear(wli_shelf *shelf);
void wli_shelf_free(wli_shelf *shelf);

/* The object of this place and key, made by make(context) where there is none. Thread-safe: one is made at a time.
 * Errors: make's, OUT_OF_MEMORY. */
wlstm_status wli_shelf_get(wli_shelf *shelf, int64_t place, const char *key,
                           wlstm_status (*make)(void *context, void **object), void (*destroy)(void *object),
                           void *context, void **object);

/* Runs work(context) while no other object is made on the shelf, nor other work done: for what there is to do, later and
 * by many threads, on objects that were made. In a fork's child it is as if never begun. */
void wli_shelf_work(wli_shelf *shelf, void (*work)(void *context), void *context);

#endif
