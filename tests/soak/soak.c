/* soak [--minutes M] [--threads N] [--seed S]
 *
 * By hand, before a release: N host threads (4 by default) run random problems for M minutes (20), by plans of random
 * precision, schedule, threads and effort, by lstms that all of them share, as streams and in training, each result
 * checked; in rounds of some seconds, after each of which the library has given back all memory and the process is no larger than it was. */
#include "base/number.h"
#include "compare.h"
#include "problem.h"
#include "random.h"
#include "reference/compare.h"
#include "training.h"

#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stream_model.h"

enum { MOST_THREADS = 64, SHARED = 6, ROUND_SECONDS = 10, WARM_ROUNDS = 3 };
static const int64_t allowed_growth = INT64_C(64) << 20; /* bytes: what malloc keeps of its arenas */

static atomic_long live;
static atomic_int_fast64_t runs, searches;
static atomic_bool wrong;
static problem shared[SHARED];
static outcome expected[SHARED];
static double until;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void *allocate(size_t bytes, void *context) {
    (void)context;
    void *memory = malloc(bytes);
    if (memory) atomic_fetch_add(&live, 1);
    return memory;
}

static void deallocate(void *memory, void *context) {
    (void)context;
    if (memory) atomic_fetch_sub(&live, 1);
    free(memory);
}

static int64_t resident_bytes(void) {
    long pages = 0, resident = 0;
    FILE *stream = fopen("/proc/self/statm", "r");
    if (!stream || fscanf(stream, "%ld %ld", &pages, &resident) != 2) resident = 0;
    if (stream) fclose(stream);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static void complain(const problem *p, const char *what) {
    fprintf(stderr, "soak: %s: %s: %s\n", p->name, what, wlstm_last_error());
    atomic_store(&wrong, true);
}

static bool close_to(const problem *p, wlstm_precision precision, const outcome *got, const outcome *wanted) {
    for (int64_t k = 0; k < problem_out_count(p); k++)
        if (!wli_close_enough(p->config.dtype, precision, tensor_at(p->config.dtype, got->out, k),
                              tensor_at(p->config.dtype, wanted->out, k)))
            return false;
    for (int64_t k = 0; k < problem_c_count(p); k++)
        if (!wli_close_enough(p->config.dtype, precision, tensor_at(p->config.dtype, got->c_n, k),
                              tensor_at(p->config.dtype, wanted->c_n, k)))
            return false;
    return true;
}

static wlstm_plan_options draw_options(const problem *p, uint64_t *stream) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch;
    options.num_threads = (int)random_between(stream, 1, 4);
    options.backend = (wlstm_backend)random_between(stream, WLSTM_BACKEND_AUTO, WLSTM_BACKEND_NATIVE);
    options.schedule = (wlstm_schedule)random_between(stream, WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_GANGS);
    options.chunk_steps = random_between(stream, 0, 5);
    options.effort = random_between(stream, 0, 49) == 0 ? WLSTM_EFFORT_MEASURE : WLSTM_EFFORT_ESTIMATE;
    options.time_limit = 0.02;
    options.precision =
        p->config.dtype == WLSTM_F64 ? WLSTM_PRECISION_DEFAULT : (wlstm_precision)random_between(stream, 0, 3);
    return options;
}

/* One problem of this thread's own. */
static void run_own(uint64_t *stream) {
    problem p = problem_draw(stream);
    problem_build(&p, stream);
    wlstm_plan_options options = draw_options(&p, stream), by_reference = WLSTM_PLAN_OPTIONS_INIT;
    by_reference.max_seq_len = p.seq_len, by_reference.max_batch = p.batch;
    by_reference.backend = WLSTM_BACKEND_REFERENCE, by_reference.num_threads = 1;
    by_reference.precision = options.precision;
    wlstm_plan *plan, *reference;
    outcome got = { 0 }, wanted = { 0 };
    const wlstm_status status = wlstm_plan_create(p.lstm, &options, &plan);
    if (status == WLSTM_OK) {
        if (wlstm_plan_create(p.lstm, &by_reference, &reference) != WLSTM_OK) complain(&p, "reference");
        if (problem_execute(&p, plan, &got) != WLSTM_OK || problem_execute(&p, reference, &wanted) != WLSTM_OK)
            complain(&p, "execute");
        else if (!close_to(&p, options.precision, &got, &wanted))
            complain(&p, wlstm_plan_describe(plan));
        wlstm_plan_free(reference);
        outcome_free(&got);
        outcome_free(&wanted);
        atomic_fetch_add(&runs, 1);
        if (options.effort == WLSTM_EFFORT_MEASURE) atomic_fetch_add(&searches, 1);
    } else if (status != WLSTM_ERROR_UNSUPPORTED) {
        complain(&p, "plan");
    }
    wlstm_plan_free(plan);
    problem_free(&p);
}

static void run_shared(uint64_t *stream) {
    const int which = (int)random_between(stream, 0, SHARED - 1);
    const problem *p = &shared[which];
    outcome got;
    if (problem_forward(p, &got) != WLSTM_OK)
        complain(p, "wlstm_forward");
    else if (!close_to(p, WLSTM_PRECISION_FULL, &got, &expected[which]))
        complain(p, "shared");
    outcome_free(&got);
    atomic_fetch_add(&runs, 1);
}

/* Ends the process where one has not what comes of it alone. */
static void run_streams(uint64_t *stream) {
    problem p = problem_draw(stream);
    p.config.bidirectional = 0;
    problem_build(&p, stream);
    wlstm_streams_options options = WLSTM_STREAMS_OPTIONS_INIT;
    options.max_streams = random_between(stream, 1, 30), options.num_threads = (int)random_between(stream, 1, 2);
    stream_model m = stream_model_make(p.lstm, &options, stream);
    for (int k = 0; k < 40; k++) stream_model_any(&m, options.max_streams);
    stream_model_get(&m);
    stream_model_free(&m);
    problem_free(&p);
    atomic_fetch_add(&runs, 1);
}

static void train(uint64_t *stream) {
    problem p = problem_draw_for_training(stream);
    p.config.dropout = (double)random_between(stream, 0, 2) / 4;
    problem_build(&p, stream);
    const int64_t recompute_steps = p.config.bidirectional ? 0 : random_between(stream, 0, p.seq_len);
    wlstm_trainer *trainer = problem_trainer(&p, recompute_steps, (int)random_between(stream, 1, 3),
                                             (wlstm_schedule)random_between(stream, 0, 3));
    gradients got = gradients_create(&p, stream), wanted = gradients_like(&p, &got);
    outcome o, of_reference;
    if (problem_train(&p, trainer, *stream, NULL, &o) != WLSTM_OK) complain(&p, "trainer");
    void *mask = problem_mask(&p, trainer, NULL);
    if (problem_back(trainer, NULL, &got) != WLSTM_OK) complain(&p, "backward");
    problem_reference(&p, mask, &of_reference, &wanted);
    if (!outcomes_agree(&p, "trainer", &o, &of_reference, false) || !gradients_agree(&p, "soak", &got, &wanted, false))
        complain(&p, "training");
    test_release(mask);
    outcome_free(&o), outcome_free(&of_reference);
    gradients_free(&wanted, false), gradients_free(&got, true);
    wlstm_trainer_free(trainer);
    problem_free(&p);
    atomic_fetch_add(&runs, 1);
}

static void *work(void *argument) {
    static void (*const kinds[])(uint64_t *) = { run_shared, run_own, run_own, run_streams, train };
    uint64_t *stream = argument;
    while (now() < until && !atomic_load(&wrong)) kinds[random_between(stream, 0, 4)](stream);
    return NULL;
}

static void make_shared(uint64_t *stream) {
    for (int k = 0; k < SHARED; k++) {
        shared[k] = problem_draw(stream);
        problem_build(&shared[k], stream);
        if (problem_run(&shared[k], WLSTM_BACKEND_REFERENCE, &expected[k]) != WLSTM_OK)
            complain(&shared[k], "reference");
    }
}

static void free_shared(void) {
    for (int k = 0; k < SHARED; k++) {
        problem_free(&shared[k]);
        outcome_free(&expected[k]);
    }
}

/* Some seconds, ended by all memory given back. */
static void run_round(uint64_t *stream, int threads) {
    pthread_t ids[MOST_THREADS];
    uint64_t streams[MOST_THREADS];
    make_shared(stream);
    until = now() + ROUND_SECONDS;
    for (int k = 0; k < threads; k++) {
        streams[k] = random_bits(*stream, k);
        if (pthread_create(&ids[k], NULL, work, &streams[k]) != 0) abort();
    }
    for (int k = 0; k < threads; k++) pthread_join(ids[k], NULL);
    free_shared();
    if (atomic_load(&live) != 0) {
        fprintf(stderr, "soak: %ld allocations are not given back\n", atomic_load(&live));
        atomic_store(&wrong, true);
    }
}

static int usage(void) {
    fprintf(stderr, "Usage: soak [--minutes M] [--threads N] [--seed S]\n");
    return 2;
}

int main(int argc, char **argv) {
    int64_t minutes = 20, threads = 4, seed = (int64_t)time(NULL);
    for (int k = 1; k < argc; k += 2) {
        int64_t *number = strcmp(argv[k], "--minutes") == 0   ? &minutes
                          : strcmp(argv[k], "--threads") == 0 ? &threads
                          : strcmp(argv[k], "--seed") == 0    ? &seed
                                                              : NULL;
        if (!number || k + 1 == argc || !wli_parse_integer(argv[k + 1], 1, INT64_MAX, number)) return usage();
    }
    if (minutes > 1440 || threads > MOST_THREADS) return usage();
    setenv("WLSTM_CACHE", "off", 1);
    /* oneDNN keeps what it made for the last thousand shapes. */
    setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "0", 1), setenv("DNNL_PRIMITIVE_CACHE_CAPACITY", "0", 1);
    if (wlstm_set_allocator(allocate, deallocate, NULL) != WLSTM_OK) return EXIT_FAILURE;
    printf("seed %" PRId64 "\n", seed);
    uint64_t stream = random_bits((uint64_t)seed, 0);
    const double end = now() + 60.0 * (double)minutes;
    int64_t most = 0, resident = 0;
    for (int round = 0; now() < end && !atomic_load(&wrong); round++) {
        run_round(&stream, (int)threads);
        resident = resident_bytes();
        if (round < WARM_ROUNDS && resident > most) most = resident;
        printf("round %d: %" PRId64 " runs, %" PRId64 " searches, %" PRId64 " MiB\n", round + 1,
               (int64_t)atomic_load(&runs), (int64_t)atomic_load(&searches), resident >> 20);
        fflush(stdout);
        if (round >= WARM_ROUNDS && resident > most + allowed_growth) {
            fprintf(stderr, "soak: %" PRId64 " MiB after %" PRId64 "\n", resident >> 20, most >> 20);
            atomic_store(&wrong, true);
        }
    }
    return atomic_load(&wrong) ? EXIT_FAILURE : EXIT_SUCCESS;
}
