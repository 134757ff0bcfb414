#include "ledger.h"

#include <stddef.h>
#include <stdlib.h>

ledger books;

/* A block's size is in the word before it. */
static void *counting_allocate(size_t bytes, void *context) {
    ledger *l = context;
    const long number = atomic_fetch_add(&l->made, 1) + 1;
    if (bytes > atomic_load(&l->largest)) atomic_store(&l->largest, bytes);
    if (number == atomic_load(&l->fail_at)) {
        atomic_store(&l->failed, true);
        return NULL;
    }
    max_align_t *block = malloc(sizeof *block + bytes);
    if (!block) return NULL;
    *(size_t *)block = bytes;
    atomic_fetch_add(&l->live, 1);
    const size_t live = atomic_fetch_add(&l->bytes, bytes) + bytes;
    size_t most = atomic_load(&l->most_bytes);
    while (live > most && !atomic_compare_exchange_weak(&l->most_bytes, &most, live)) continue;
    return block + 1;
}

static void counting_deallocate(void *memory, void *context) {
    ledger *l = context;
    if (!memory) return;
    max_align_t *block = (max_align_t *)memory - 1;
    atomic_fetch_sub(&l->live, 1);
    atomic_fetch_sub(&l->bytes, *(size_t *)block);
    free(block);
}

void ledger_fail_at(long number) {
    atomic_store(&books.made, 0);
    atomic_store(&books.fail_at, number);
    atomic_store(&books.failed, false);
    atomic_store(&books.most_bytes, atomic_load(&books.bytes));
}

long ledger_made(void) {
    return atomic_load(&books.made);
}

int ledger_open(void **state) {
    (void)state;
    return wlstm_set_allocator(counting_allocate, counting_deallocate, &books) == WLSTM_OK ? 0 : -1;
}

wlstm_lstm_config ledger_config(int proj_size, int bidirectional) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = LEDGER_I, config.hidden_size = LEDGER_H, config.num_layers = LEDGER_L;
    config.proj_size = proj_size, config.bidirectional = bidirectional;
    return config;
}

wlstm_status ledger_cell(wlstm_cell **cell) {
    wlstm_cell_config config = WLSTM_CELL_CONFIG_INIT;
    config.input_size = LEDGER_I, config.hidden_size = LEDGER_H;
    return wlstm_cell_create(&config, cell);
}
