/* Memory for everything the library keeps: one hook for users, tests and alignment. */
#ifndef WLI_ALLOCATOR_H
#define WLI_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Cache line: the alignment of every block that wli_alloc returns. */
#define WLI_ALIGNMENT 64

/* At least `bytes` bytes aligned to WLI_ALIGNMENT, large blocks in huge pages, not cleared; NULL when there are none. */
void *wli_alloc(size_t bytes);

/* As wli_alloc, all bits zero. */
void *wli_calloc(size_t bytes);

void wli_free(void *memory);

/* Whether the system would give so much at this moment to who asks malloc, as other libraries do: tried and given back. */
bool wli_can_have(size_t bytes);

/* product = a*b*c, false when it would pass SIZE_MAX or a factor is negative: sizes that input decides go through here. */
bool wli_size_product(int64_t a, int64_t b, int64_t c, size_t *product);

/* Cuts one block into aligned parts. Laying out twice, first with base NULL, measures and then assigns. */
typedef struct wli_arena {
    char *base;
    size_t used;
    bool overflow; /* the sum passed SIZE_MAX */
} wli_arena;

/* The next a*b*element bytes, NULL while measuring. */
void *wli_arena_take(wli_arena *arena, int64_t a, int64_t b, size_t element);

/* A copy of a string by wli_alloc; NULL when there is no memory. */
char *wli_strdup(const char *text);

#endif
