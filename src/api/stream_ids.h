/* The ids of streams. Each is a slot, and above its bits the number of the opening that it came from, so that a closed
 * one is told from its successor in the same slot:
 *
 *     | opening, from 1: 39 bits | slot: 24 bits | */
#ifndef WLI_STREAM_IDS_H
#define WLI_STREAM_IDS_H

#include "base/allocator.h"
#include "wavelstm.h"

#define WLI_STREAMS_MOST (INT64_C(1) << 24)

typedef struct wli_stream_ids {
    int64_t most, open, openings;
    int64_t *ids;   /* [most] of each slot's stream, 0 where there is none */
    int64_t *free;  /* [most] the slots without one are the first most - open; the last of those is next */
    int64_t *named; /* [most] where a call named it: listed + the place */
    int64_t listed; /* how many ids the calls before named: theirs are below */
    int64_t *slots; /* [most] of the streams that a call names */
} wli_stream_ids;

/* Cuts the arrays out of the arena, or measures them. */
void wli_stream_ids_lay_out(wli_stream_ids *ids, int64_t most, wli_arena *arena);

/* All slots without a stream. */
void wli_stream_ids_clear(wli_stream_ids *ids);

/* A new stream's id and slot. Errors: OUT_OF_MEMORY (every slot has a stream). */
wlstm_status wli_stream_ids_open(wli_stream_ids *ids, int64_t *id, int64_t *slot);

/* Any number's slot. Errors: INVALID_ARGUMENT (not the id of an open stream). */
wlstm_status wli_stream_ids_find(const wli_stream_ids *ids, int64_t id, int64_t *slot);

/* The slot of an open stream is without one. */
void wli_stream_ids_close(wli_stream_ids *ids, int64_t slot);

/* ids->slots of any `count` numbers, at least 0. Errors: INVALID_ARGUMENT (one is not the id of an open stream, or
 * named twice). */
wlstm_status wli_stream_ids_list(wli_stream_ids *ids, int64_t count, const int64_t *given);

#endif
