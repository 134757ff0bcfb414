/* An allocator for tests of memory: counts, and fails when told to; and a small lstm and cell that are made with it. */
#ifndef TEST_SUPPORT_LEDGER_H
#define TEST_SUPPORT_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <wavelstm.h>

enum { LEDGER_I = 9, LEDGER_H = 7, LEDGER_L = 2 };

typedef struct ledger {
    atomic_long made, live, fail_at;
    atomic_size_t largest;           /* bytes asked for at once */
    atomic_size_t bytes, most_bytes; /* that are live, and the most since ledger_fail_at */
    atomic_bool failed;
} ledger;

extern ledger books;

/* Makes it the library's allocator; for cmocka's group set-up. */
int ledger_open(void **state);

/* Starts to count anew; allocation `number` (from 1; 0: none) gets NULL. */
void ledger_fail_at(long number);

/* How many were made since. */
long ledger_made(void);

/* L layers, I to H, projected to proj_size if that is not 0; a cell I to H. */
wlstm_lstm_config ledger_config(int proj_size, int bidirectional);
wlstm_status ledger_cell(wlstm_cell **cell);

#endif
