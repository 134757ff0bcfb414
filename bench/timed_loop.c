/* Times a function from C, so that the caller's language adds nothing to a call of ten microseconds, and runs one
 * function on many host threads at once. Used by bench/peers.py through ctypes; knows nothing of LSTMs. */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef int (*timed_call)(void *context); /* 0 is success */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Calls until both limits are reached or `seconds` is full; each call's own time goes to seconds[0..capacity).
 * Returns how many calls were made, or -1 if one failed. */
int64_t timed_loop(timed_call call, void *context, double least_seconds, int64_t least_calls, double *seconds,
                   int64_t capacity) {
    double start = now(), before = start;
    int64_t calls = 0;
    while (calls < capacity && (calls < least_calls || before - start < least_seconds)) {
        if (call(context) != 0) return -1;
        double after = now();
        seconds[calls++] = after - before;
        before = after;
    }
    return calls;
}

typedef struct stream {
    timed_call call;
    void *context;
    pthread_mutex_t *gate; /* closed until all threads are there */
    const double *limit;   /* seconds to run; read once the gate is open */
    double seconds;        /* taken */
    int64_t calls;         /* -1: a call failed */
} stream;

static void *run_stream(void *argument) {
    stream *own = argument;
    pthread_mutex_lock(own->gate);
    pthread_mutex_unlock(own->gate);
    double start = now(), limit = start + *own->limit, end;
    do {
        own->calls++;
        int failed = own->call(own->context);
        end = now();
        if (failed) {
            own->calls = -1;
            break;
        }
    } while (end < limit);
    own->seconds = end - start;
    return NULL;
}

/* Each of `count` host threads calls with its own context for `seconds`. Returns calls a second summed over the
 * threads, or -1 if a call failed, -2 if the threads could not be made. */
double timed_streams(timed_call call, void *const *contexts, int64_t count, double seconds) {
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    stream *streams = calloc((size_t)count, sizeof *streams);
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    double rate = -2.0;
    if (threads && streams) {
        int64_t made = 0;
        pthread_mutex_lock(&gate);
        for (; made < count; made++) {
            streams[made] = (stream){ call, contexts[made], &gate, &seconds, 0.0, 0 };
            if (pthread_create(&threads[made], NULL, run_stream, &streams[made]) != 0) break;
        }
        if (made < count) seconds = 0.0; /* those that were made do one call and end */
        pthread_mutex_unlock(&gate);
        if (made == count) rate = 0.0;
        for (int64_t i = 0; i < made; i++) {
            pthread_join(threads[i], NULL);
            if (rate >= 0.0) rate = streams[i].calls < 0 ? -1.0 : rate + (double)streams[i].calls / streams[i].seconds;
        }
    }
    free(threads);
    free(streams);
    return rate;
}
