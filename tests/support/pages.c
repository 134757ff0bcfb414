#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "pages.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* | this | no access | slack, values or values, slack | no access | */
typedef struct region {
    unsigned char *mapping, *first, *values; /* first: the page or pages that are the caller's */
    size_t pages, bytes;
    struct region *next;
} region;

static region *regions;
static unsigned taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static size_t page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

static void require(bool right, const char *what) {
    if (right) return;
    fprintf(stderr, "guarded pages: %s\n", what);
    abort();
}

void *pages_take(size_t bytes) {
    const size_t page = page_bytes(), pages = bytes / page + 1;
    unsigned char *mapping = mmap(NULL, (pages + 3) * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(mapping != MAP_FAILED, "no memory");
    region *r = (region *)(void *)mapping;
    *r = (region){ .mapping = mapping, .first = mapping + 2 * page, .pages = pages, .bytes = bytes };
    require(mprotect(mapping + page, page, PROT_NONE) == 0 && mprotect(r->first + pages * page, page, PROT_NONE) == 0,
            "cannot be made");
    memset(r->first, 0xFF, pages * page);
    pthread_mutex_lock(&lock);
    r->values = taken++ % 4 == 3 ? r->first : r->first + pages * page - bytes;
    r->next = regions;
    regions = r;
    pthread_mutex_unlock(&lock);
    return r->values;
}

static region *find(const void *values, bool take_out) {
    pthread_mutex_lock(&lock);
    region **at = &regions, *found;
    while (*at && (*at)->values != values) at = &(*at)->next;
    found = *at;
    if (found && take_out) *at = found->next;
    pthread_mutex_unlock(&lock);
    require(found != NULL, "not one of ours");
    return found;
}

void pages_protect(const void *values) {
    const region *r = find(values, false);
    require(mprotect(r->first, r->pages * page_bytes(), PROT_READ) == 0, "cannot be protected");
}

static bool untouched(const unsigned char *from, const unsigned char *end) {
    for (; from < end; from++)
        if (*from != 0xFF) return false;
    return true;
}

void pages_give(void *values) {
    if (values == NULL) return;
    region *r = find(values, true);
    const size_t page = page_bytes();
    require(untouched(r->first, r->values) && untouched(r->values + r->bytes, r->first + r->pages * page),
            "something was written beside one");
    munmap(r->mapping, (r->pages + 3) * page);
}
