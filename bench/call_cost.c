/* What a call takes that is made from C, beside which bench/accelerate.py tells what Python adds to it. */
#include <time.h>

#include "wavelstm.h"

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds of so many calls; below 0 if one failed. */
double lstm_seconds(int64_t calls, wlstm_lstm *lstm, int64_t seq_len, int64_t batch, const void *x, const void *h_0,
                    const void *c_0, void *out, void *h_n, void *c_n) {
    const double start = now();
    for (int64_t k = 0; k < calls; k++)
        if (wlstm_forward(lstm, seq_len, batch, NULL, x, h_0, c_0, out, h_n, c_n) != WLSTM_OK) return -1;
    return now() - start;
}

double cell_seconds(int64_t calls, wlstm_cell *cell, int64_t batch, const void *x, const void *h, const void *c,
                    void *h_out, void *c_out) {
    const double start = now();
    for (int64_t k = 0; k < calls; k++)
        if (wlstm_cell_forward(cell, batch, x, h, c, h_out, c_out) != WLSTM_OK) return -1;
    return now() - start;
}
