#define _DEFAULT_SOURCE /* madvise */
#include "base/allocator.h"

#include "base/status.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

static void *default_allocate(size_t bytes, void *context) {
    (void)context;
    return malloc(bytes);
}

static void default_deallocate(void *memory, void *context) {
    (void)context;
    free(memory);
}

static wlstm_allocate_function user_allocate = default_allocate;
static wlstm_deallocate_function user_deallocate = default_deallocate;
static void *user_context;
static atomic_long live_blocks;

/* A block at least this large starts on a huge page of its own: weights past the L2 lose a third of their speed to TLB misses
 * otherwise. */
static const size_t huge_page = (size_t)2 << 20;

wlstm_status wlstm_set_allocator(wlstm_allocate_function allocate, wlstm_deallocate_function deallocate,
                                 void *context) {
    if (!allocate != !deallocate)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a function expected beside %s, got NULL",
                        allocate ? "deallocate" : "allocate", allocate ? "allocate" : "deallocate");
    if (atomic_load(&live_blocks) != 0)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "wlstm_set_allocator: no object of the library alive expected, got %ld blocks in use",
                        atomic_load(&live_blocks));
    user_allocate = allocate ? allocate : default_allocate;
    user_deallocate = deallocate ? deallocate : default_deallocate;
    user_context = context;
    return WLSTM_OK;
}

/* The user's block is kept in the word before the aligned one. */
void *wli_alloc(size_t bytes) {
    size_t alignment = bytes >= huge_page ? huge_page : WLI_ALIGNMENT;
    if (bytes > SIZE_MAX / 2) return NULL;
    char *block = user_allocate(bytes + alignment + sizeof(void *), user_context);
    if (!block) return NULL;
    uintptr_t aligned = ((uintptr_t)block + sizeof(void *) + alignment - 1) & ~(uintptr_t)(alignment - 1);
    char *memory = block + (aligned - (uintptr_t)block);
    memcpy(memory - sizeof(void *), &block, sizeof(void *));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == huge_page) (void)madvise(memory, bytes & ~(huge_page - 1), MADV_HUGEPAGE);
#endif
    atomic_fetch_add(&live_blocks, 1);
    return memory;
}

void *wli_calloc(size_t bytes) {
    void *memory = wli_alloc(bytes);
    if (memory) memset(memory, 0, bytes);
    return memory;
}

void wli_free(void *memory) {
    if (!memory) return;
    char *block;
    memcpy(&block, (char *)memory - sizeof(void *), sizeof(void *));
    atomic_fetch_sub(&live_blocks, 1);
    user_deallocate(block, user_context);
}

bool wli_can_have(size_t bytes) {
    void *volatile block =
        malloc(bytes); /* volatile: compilers drop a malloc that nobody uses, and take it to succeed */
    const bool there = block != NULL;
    free(block);
    return there;
}

bool wli_size_product(int64_t a, int64_t b, int64_t c, size_t *product) {
    size_t ab;
    return a >= 0 && b >= 0 && c >= 0 && !__builtin_mul_overflow((size_t)a, (size_t)b, &ab) &&
           !__builtin_mul_overflow(ab, (size_t)c, product);
}

void *wli_arena_take(wli_arena *arena, int64_t a, int64_t b, size_t element) {
    size_t start = arena->used, bytes;
    if (!wli_size_product(a, b, (int64_t)element, &bytes) || bytes > SIZE_MAX - WLI_ALIGNMENT ||
        __builtin_add_overflow(start, (bytes + WLI_ALIGNMENT - 1) / WLI_ALIGNMENT * WLI_ALIGNMENT, &arena->used))
        arena->overflow = true;
    return arena->base ? arena->base + start : NULL;
}

char *wli_strdup(const char *text) {
    size_t bytes = strlen(text) + 1;
    char *copy = wli_alloc(bytes);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}
