/* FNV-1a, 64 bits (Fowler, Noll, Vo): names that stand for longer texts. */
#ifndef WLI_HASH_H
#define WLI_HASH_H

#include <stdint.h>

#define WLI_HASH_START UINT64_C(0xcbf29ce484222325)

/* The text onto a hash, WLI_HASH_START at first. */
static inline uint64_t wli_hash_text(uint64_t hash, const char *text) {
    for (; *text; text++) hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
