#include "base/shelf.h"

#include "base/allocator.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>

bool wli_shelf_make(wli_shelf *shelf, int64_t places) {
    *shelf = (wli_shelf){ .places = places, .lists = wli_calloc((size_t)places * sizeof *shelf->lists) };
    return shelf->lists;
}

void wli_shelf_clear(wli_shelf *shelf) {
    for (int64_t place = 0; shelf->in_use && place < shelf->places; place++)
        while (shelf->lists[place]) {
            wli_shelved *shelved = shelf->lists[place];
            shelf->lists[place] = shelved->next;
            shelved->destroy(shelved->object);
            wli_free(shelved);
        }
    shelf->in_use = false;
}

void wli_shelf_free(wli_shelf *shelf) {
    wli_shelf_clear(shelf);
    wli_free(shelf->lists);
}

static wli_shelved *find(const wli_shelf *shelf, int64_t place, const char *key) {
    wli_shelved *shelved = shelf->lists[place];
    while (shelved && strcmp(shelved->key, key) != 0) shelved = shelved->next;
    return shelved;
}

static void add(wli_shelf *shelf, int64_t place, wli_shelved *shelved) {
    shelved->next = shelf->lists[place];
    shelf->lists[place] = shelved;
    shelf->in_use = true;
}

/* What is in no list yet; without the lock, as it takes long and memory of the user's. */
static wlstm_status make_shelved(const char *key, wlstm_status (*make)(void *context, void **object),
                                 void (*destroy)(void *object), void *context, wli_shelved **out) {
    wli_shelved *shelved = *out = wli_calloc(sizeof *shelved);
    if (!shelved) return wli_out_of_memory("packed weights", sizeof *shelved);
    wlstm_status status = make(context, &shelved->object);
    if (status != WLSTM_OK) {
        wli_free(shelved);
        *out = NULL;
        return status;
    }
    snprintf(shelved->key, sizeof shelved->key, "%s", key);
    shelved->destroy = destroy;
    return WLSTM_OK;
}

wlstm_status wli_shelf_get(wli_shelf *shelf, int64_t place, const char *key,
                           wlstm_status (*make)(void *context, void **object), void (*destroy)(void *object),
                           void *context, void **object) {
    wlstm_status status = WLSTM_OK;
    wli_lock();
    wli_shelved *shelved = find(shelf, place, key);
    if (!shelved) {
        wli_turn_take(&shelf->making);
        shelved = find(shelf, place, key); /* another may have made it meanwhile */
        if (!shelved) {
            wli_unlock();
            status = make_shelved(key, make, destroy, context, &shelved);
            wli_lock();
            if (shelved) add(shelf, place, shelved);
        }
        wli_turn_give(&shelf->making);
    }
    wli_unlock();
    *object = shelved ? shelved->object : NULL;
    return status;
}

void wli_shelf_work(wli_shelf *shelf, void (*work)(void *context), void *context) {
    wli_lock();
    wli_turn_take(&shelf->making);
    wli_unlock();
    work(context);
    wli_lock();
    wli_turn_give(&shelf->making);
    wli_unlock();
}
