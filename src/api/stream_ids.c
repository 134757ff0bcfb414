#include "api/stream_ids.h"

#include "base/status.h"
#include <inttypes.h>
#include <string.h>

enum { SLOT_BITS = 24, OPENING_BITS = 39 };

void wli_stream_ids_lay_out(wli_stream_ids *ids, int64_t most, wli_arena *arena) {
    ids->most = most;
    ids->ids = wli_arena_take(arena, most, 1, sizeof *ids->ids);
    ids->free = wli_arena_take(arena, most, 1, sizeof *ids->free);
    ids->named = wli_arena_take(arena, most, 1, sizeof *ids->named);
    ids->slots = wli_arena_take(arena, most, 1, sizeof *ids->slots);
}

void wli_stream_ids_clear(wli_stream_ids *ids) {
    ids->open = ids->openings = 0, ids->listed = 1;
    for (int64_t slot = 0; slot < ids->most; slot++) {
        ids->ids[slot] = ids->named[slot] = 0;
        ids->free[slot] = ids->most - 1 - slot;
    }
}

wlstm_status wli_stream_ids_open(wli_stream_ids *ids, int64_t *id, int64_t *slot) {
    if (ids->open == ids->most)
        return wli_fail(WLSTM_ERROR_OUT_OF_MEMORY,
                        "streams: a free one expected, all %" PRId64 " of max_streams are open", ids->most);
    *slot = ids->free[ids->most - ++ids->open];
    /* From 1 again after half a million millions. */
    ids->openings = ids->openings % ((INT64_C(1) << OPENING_BITS) - 1) + 1;
    *id = ids->ids[*slot] = ids->openings << SLOT_BITS | *slot;
    return WLSTM_OK;
}

/* The slot of any number, -1 where it is not the id of an open stream. */
static int64_t slot_of(const wli_stream_ids *ids, int64_t id) {
    const int64_t slot = id & (WLI_STREAMS_MOST - 1);
    return id > 0 && slot < ids->most && ids->ids[slot] == id ? slot : -1;
}

wlstm_status wli_stream_ids_find(const wli_stream_ids *ids, int64_t id, int64_t *slot) {
    *slot = slot_of(ids, id);
    if (*slot >= 0) return WLSTM_OK;
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "id: an open stream's expected, got %" PRId64 ", closed or unknown",
                    id);
}

void wli_stream_ids_close(wli_stream_ids *ids, int64_t slot) {
    ids->ids[slot] = 0;
    ids->free[ids->most - ids->open--] = slot;
}

/* So many different open streams there are not, so that slots holds all before the first error. */
wlstm_status wli_stream_ids_list(wli_stream_ids *ids, int64_t count, const int64_t *given) {
    const int64_t before = ids->listed;
    for (int64_t i = 0; i < count; i++) {
        const int64_t slot = slot_of(ids, given[i]);
        if (slot < 0)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "ids[%" PRId64 "]: an open stream's expected, got %" PRId64 ", closed or unknown", i,
                            given[i]);
        if (ids->named[slot] >= before)
            return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                            "ids[%" PRId64 "]: each stream once expected, got %" PRId64 " again, which is ids[%" PRId64
                            "] too",
                            i, given[i], ids->named[slot] - before);
        ids->named[slot] = before + i, ids->slots[i] = slot;
        ids->listed = before + i + 1;
    }
    return WLSTM_OK;
}
