#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

progress progress_start(int all, double expected_each) {
    return (progress){ .all = all, .begin = now(), .expected_each = expected_each, .terminal = isatty(STDERR_FILENO) };
}

void progress_show(const progress *p, const char *what) {
    enum { WIDTH = 24 };
    static const char full[] = "########################", empty[] = "........................";
    if (!p->terminal) return;
    const double each = p->done ? (now() - p->begin) / p->done : p->expected_each;
    const int seconds = (int)(each * (p->all - p->done) + 0.5), filled = p->all ? WIDTH * p->done / p->all : WIDTH;
    fprintf(stderr, "\r\033[K[%.*s%.*s] %d/%d, %d:%02d left, %s", filled, full, WIDTH - filled, empty, p->done, p->all,
            seconds / 60, seconds % 60, what);
    fflush(stderr);
}

void progress_done(progress *p, const char *what, const char *outcome) {
    p->done++;
    if (!p->terminal) fprintf(stderr, "wlstm-tune: %d/%d %s: %s\n", p->done, p->all, what, outcome);
}

void progress_end(const progress *p) {
    if (p->terminal) fprintf(stderr, "\r\033[K");
}
