/* wlstm-tune: tunes this machine, once.
 *
 * read the arguments -> probe the machine, for plans -> for each problem and thread count: search, keep, save -> the table */
#include "api/module.h"
#include "base/allocator.h"
#include "base/environment.h"
#include "base/precision.h"
#include "base/status.h"
#include "busy.h"
#include "grid.h"
#include "interrupt.h"
#include "limit.h"
#include "machine.h"
#include "plan/cache.h"
#include "plan/fingerprint.h"
#include "plan/plan.h"
#include "plan/search.h"
#include "progress.h"
#include "table.h"
#include "train/tuning.h"
#include "tune_arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int fail(void) {
    fprintf(stderr, "wlstm-tune: %s\n", wlstm_last_error());
    return EXIT_FAILURE;
}

/* Another process may be writing just now: some tries, and then it is a failure. */
static wlstm_status save(double patience) {
    const struct timespec pause = { 0, 50000000 };
    wlstm_status status = wlstm_plan_cache_save(NULL);
    for (double waited = 0; status == WLSTM_ERROR_FILE && waited < patience; waited += 0.05) {
        nanosleep(&pause, NULL);
        status = wlstm_plan_cache_save(NULL);
    }
    return status;
}

/* ------------------------------------------------------------------------------------------------------ tuning */

/* What there is to tune and what came of it. */
typedef struct session {
    const tune_arguments *given;
    bool keeping;      /* in the plan cache; or WLSTM_CACHE is off */
    wlstm_lstm *model; /* of --model */
    wli_problem *problems;
    int num_problems;
    machine *probed;
    wli_cache_entry *tuned; /* [num_problems * num_threads] */
    int num_tuned;
    progress bar;
} session;

static wlstm_status load_model(session *s) {
    const tune_arguments *given = s->given;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = given->prefix;
    wlstm_status status = wlstm_lstm_load(given->model, &options, &s->model);
    if (status == WLSTM_OK) status = wlstm_lstm_set_precision(s->model, given->precision);
    if (status != WLSTM_OK) return status;
    const wlstm_dtype dtype = s->model->module.model->dtype;
    if (given->training && dtype == WLSTM_BF16)
        return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: f32 or f64 parameters expected with --family train, got bf16",
                        given->model);
    const wlstm_precision precision =
        given->training ? WLSTM_PRECISION_FULL : wli_precision_choose(dtype, given->precision);
    for (int b = 0; b < given->batches.count; b++)
        for (int t = 0; t < given->seq_lens.count; t++)
            if (!wli_problem_of(s->model->module.model, precision, given->seq_lens.values[t], given->batches.values[b],
                                &s->problems[s->num_problems++]))
                return wli_fail(WLSTM_ERROR_UNSUPPORTED, "%s: layers of one size expected, got a stack of unlike cells",
                                given->model);
    return WLSTM_OK;
}

static wlstm_status collect_problems(session *s) {
    const tune_arguments *given = s->given;
    const int grid_size = (int)(sizeof grid / sizeof grid[0]);
    const int count = given->model          ? given->batches.count * given->seq_lens.count
                      : given->num_problems ? given->num_problems
                                            : grid_size;
    const size_t runs = (size_t)count * (size_t)given->threads.count;
    s->problems = wli_calloc((size_t)count * sizeof *s->problems);
    s->tuned = wli_calloc(runs * sizeof *s->tuned);
    if (!s->problems || !s->tuned) return wli_out_of_memory("problems", runs * sizeof *s->tuned);
    wlstm_status status = given->model ? load_model(s) : WLSTM_OK;
    for (int i = 0; i < count && status == WLSTM_OK && !given->model; i++) {
        wli_problem *problem = &s->problems[s->num_problems++];
        status = wli_problem_parse(given->num_problems ? given->problems[i] : grid[i], problem);
        if (given->precision && problem->precision == WLSTM_PRECISION_FULL && problem->dtype == WLSTM_F32)
            problem->precision = given->precision;
    }
    for (int i = 0; i < s->num_problems; i++) s->problems[i].training = given->training;
    return status;
}

static int ascending(const void *a, const void *b) {
    const int left = *(const int *)a, right = *(const int *)b;
    return (left > right) - (left < right);
}

/* What is measured beside other programs is not what an idle machine would show: said, and gone on. */
static void look_for_others(int threads) {
    const busy_signs signs = busy_look(threads);
    char text[BUSY_TEXT];
    if (busy_tell(&signs, text))
        fprintf(
            stderr,
            "wlstm-tune: warning: other programs seem to use this machine (%s): what is found may not be the best when "
            "it is idle\n",
            text);
}

/* At one thread and at each count asked for; the cost model gets the first and the last. Training has none. */
static wlstm_status probe(session *s) {
    int threads[CLI_LIST + 1] = { 1 }, count = 1;
    for (int i = 0; i < s->given->threads.count; i++) threads[i + 1] = (int)s->given->threads.values[i];
    qsort(threads, (size_t)s->given->threads.count + 1, sizeof threads[0], ascending);
    for (int i = 1; i <= s->given->threads.count; i++)
        if (threads[i] != threads[count - 1]) threads[count++] = threads[i];
    look_for_others(threads[count - 1]);
    if (s->given->training) return WLSTM_OK;
    s->probed = machine_probe(threads, count);
    if (!s->probed) return wli_out_of_memory("the machine probe", 256 << 20);
    const wli_rates rates[WLI_CACHE_RATES] = { *machine_at(s->probed, 1), *machine_at(s->probed, threads[count - 1]) };
    wli_cache_keep_rates(rates, count > 1 ? 2 : 1);
    return WLSTM_OK;
}

/* Fills in what is found for an entry's problem and threads; whether it is worth keeping. */
static wlstm_status search_forward(const session *s, wlstm_lstm *lstm, wli_cache_entry *entry, bool *found) {
    const wli_setting setting = { .model = lstm->module.model,
                                  .seq_len = entry->problem.seq_len,
                                  .batch = entry->problem.batch,
                                  .threads = entry->threads,
                                  .precision = entry->problem.precision };
    const wli_search_request request = { lstm->module.model, setting, s->given->effort, s->given->time_limit,
                                         &interrupted };
    wli_search_result result;
    wlstm_status status = wli_search(&request, &result);
    if (status != WLSTM_OK) return status;
    entry->candidate = result.tuned;
    entry->untuned_seconds = result.untuned_seconds, entry->tuned_seconds = result.tuned_seconds;
    *found = result.looked;
    return WLSTM_OK;
}

static wlstm_status search_training(const session *s, wlstm_lstm *lstm, wli_cache_entry *entry, bool *found) {
    wlstm_trainer *trainer;
    wli_train_result result;
    wlstm_status status = wli_trainer_make(lstm->module.model, entry->problem.seq_len, entry->problem.batch, 0,
                                           entry->threads, WLSTM_SCHEDULE_AUTO, &trainer);
    if (status == WLSTM_OK)
        status = wli_train_search(trainer, s->given->effort, s->given->time_limit, &interrupted, &result);
    wlstm_trainer_free(trainer);
    if (status != WLSTM_OK) return status;
    entry->train_choice = result.tuned;
    entry->untuned_seconds = result.untuned_seconds, entry->tuned_seconds = result.tuned_seconds;
    *found = result.tried > 0;
    return WLSTM_OK;
}

/* Searches one problem at one thread count, and keeps what it finds. */
static wlstm_status tune(session *s, wlstm_lstm *lstm, const wli_problem *problem, int threads) {
    wli_cache_entry entry = { .problem = *problem, .threads = threads, .effort = s->given->effort };
    bool found;
    wlstm_status status = (problem->training ? search_training : search_forward)(s, lstm, &entry, &found);
    if (status != WLSTM_OK) return status;
    interrupt_hold();
    if (found) wli_cache_keep(&entry);
    s->tuned[s->num_tuned++] = entry;
    if (s->keeping) (void)wlstm_plan_cache_save(NULL); /* also at the end, where it has to succeed */
    interrupt_release();
    return WLSTM_OK;
}

static wlstm_status tune_problem(session *s, const wli_problem *problem) {
    char name[WLI_PROBLEM_NAME_BYTES], what[WLI_PROBLEM_NAME_BYTES + 32], outcome[96];
    const wlstm_lstm_config config = wli_problem_config(problem);
    wlstm_lstm *lstm = s->model;
    wli_problem_format(problem, name);
    wlstm_status status = lstm ? WLSTM_OK : wlstm_lstm_create(&config, &lstm);
    for (int i = 0; i < s->given->threads.count && status == WLSTM_OK && !interrupted; i++) {
        snprintf(what, sizeof what, "%s threads %" PRId64, name, s->given->threads.values[i]);
        progress_show(&s->bar, what);
        status = tune(s, lstm, problem, (int)s->given->threads.values[i]);
        if (status != WLSTM_OK) break;
        const wli_cache_entry *entry = &s->tuned[s->num_tuned - 1];
        snprintf(outcome, sizeof outcome, "%.1f us untuned, %.1f us tuned", 1e6 * entry->untuned_seconds,
                 1e6 * entry->tuned_seconds);
        progress_done(&s->bar, what, outcome);
    }
    if (lstm != s->model) wlstm_lstm_free(lstm);
    return status;
}

/* The end of the progress, and what was tuned. */
static void print_table(void *context) {
    const session *s = context;
    progress_end(&s->bar);
    if (interrupted)
        fprintf(stderr, "wlstm-tune: interrupted%s\n",
                !s->num_tuned ? ""
                : s->keeping  ? "; what was done is kept"
                              : "; what was done:");
    if (s->num_tuned == 0) return;
    table_head(s->probed != NULL);
    for (int i = 0; i < s->num_tuned; i++) {
        const wli_cache_entry *entry = &s->tuned[i];
        const double least =
            s->probed ? limit_forward_seconds(&entry->problem, machine_at(s->probed, entry->threads)) : 0;
        table_row(entry, least / entry->tuned_seconds);
    }
    table_means(s->tuned, s->num_tuned);
}

static int tune_all(session *s) {
    wlstm_status status = collect_problems(s);
    if (status == WLSTM_OK) status = probe(s);
    if (status == WLSTM_OK && s->keeping) { /* what cannot be written shows before hours of work */
        interrupt_hold();
        status = save(5);
        interrupt_release();
    }
    if (status != WLSTM_OK) return fail();
    const double limit = s->given->time_limit > 0                   ? s->given->time_limit
                         : s->given->effort == WLSTM_EFFORT_PATIENT ? 10
                                                                    : 2;
    s->bar = progress_start(s->num_problems * s->given->threads.count, limit);
    for (int i = 0; i < s->num_problems && status == WLSTM_OK && !interrupted; i++)
        status = tune_problem(s, &s->problems[i]);
    interrupt_hold(); /* to the end */
    if (status != WLSTM_OK && !interrupted) fail();
    print_table(s);
    if (s->keeping && save(5) != WLSTM_OK) return fail();
    return interrupted ? 128 + interrupted : status == WLSTM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run_search(const tune_arguments *given) {
    session s = { .given = given, .keeping = wli_environment_get()->caching };
    if (!s.keeping) fprintf(stderr, "wlstm-tune: note: WLSTM_CACHE is off: nothing is kept\n");
    const int error = interrupt_watch(print_table, &s);
    if (error != 0) {
        fprintf(stderr, "wlstm-tune: cannot watch for signals: %s\n", strerror(error));
        return EXIT_FAILURE;
    }
    const int exit_status = tune_all(&s);
    wlstm_lstm_free(s.model);
    machine_free(s.probed);
    wli_free(s.problems);
    wli_free(s.tuned);
    return exit_status;
}

/* -------------------------------------------------------------------------------------------------- the others */

static void show_entry(const wli_cache_entry *entry, bool system, void *context) {
    (void)system;
    if ((*(int *)context)++ == 0) table_head(false);
    table_row(entry, 0);
}

/* This machine's file of a directory, and what plans make of it; whether they read it. */
static bool show_file(const char *directory, bool passed) {
    char *path = wli_cache_path(directory);
    wli_cache_table table = { 0 };
    bool read = false;
    if (!path)
        printf("%s: out of memory\n", directory);
    else if (wli_cache_absent(path))
        printf("%s: absent\n", path);
    else if (passed)
        printf("%s: passed over: the system's before it was read\n", path);
    else if (!(read = wli_cache_read(path, &table) == WLSTM_OK)) {
        const char *error = wlstm_last_error();
        const size_t length = strlen(path);
        const bool names_it = strncmp(error, path, length) == 0 && error[length] == ':';
        printf("%s: passed over: %s\n", path, names_it ? error + length + 2 : error);
    } else
        printf("%s: read, %zu %s\n", path, table.count, table.count == 1 ? "entry" : "entries");
    wli_cache_table_clear(&table);
    free(path);
    return read;
}

static int show(void) {
    const wli_fingerprint *f = wli_fingerprint_get();
    int count = 0;
    bool passed = false;
    printf("%s, %" PRId64 " cores, %s, wavelstm %s, oneDNN %s\n", f->cpu, f->cores, f->isa, f->library,
           f->onednn[0] ? f->onednn : "none");
    (void)show_file(wli_environment_get()->cache_directory, false);
    for (const char *const *directory = wli_cache_system_directories(); *directory; directory++)
        passed = show_file(*directory, passed) || passed;
    printf("\n");
    wli_cache_visit(show_entry, &count);
    if (count == 0) printf("nothing is tuned\n");
    return EXIT_SUCCESS;
}

static int forget(const tune_arguments *given) {
    wlstm_status status = given->num_problems ? WLSTM_OK : wlstm_plan_cache_forget(NULL);
    for (int i = 0; i < given->num_problems && status == WLSTM_OK; i++)
        status = wlstm_plan_cache_forget(given->problems[i]);
    return status == WLSTM_OK ? EXIT_SUCCESS : fail();
}

/* A cache that is there and cannot be read is not taken for an empty one. */
static int export_to(const char *file) {
    char *path = wli_cache_path(wli_environment_get()->cache_directory);
    wlstm_status status = path ? WLSTM_OK : wli_out_of_memory("path", 0);
    if (path && !wli_cache_absent(path)) status = wlstm_plan_cache_load(NULL);
    free(path);
    if (status == WLSTM_OK) status = wlstm_plan_cache_export(file);
    return status == WLSTM_OK ? EXIT_SUCCESS : fail();
}

static int run(const tune_arguments *given) {
    const bool only_measures = given->action == TUNE_SEARCH && !wli_environment_get()->caching;
    if (!wli_environment_get()->cache_directory && !only_measures) {
        fprintf(stderr, "wlstm-tune: --cache: a directory expected, got none: WLSTM_CACHE is off, or neither it nor "
                        "XDG_CACHE_HOME nor HOME is set\n");
        return EXIT_FAILURE;
    }
    switch (given->action) {
    case TUNE_SHOW:
        return show();
    case TUNE_FORGET:
        return forget(given);
    case TUNE_EXPORT:
        return export_to(given->file);
    case TUNE_IMPORT:
        return wlstm_plan_cache_import(given->file) == WLSTM_OK && save(5) == WLSTM_OK ? EXIT_SUCCESS : fail();
    default:
        return run_search(given);
    }
}

int main(int argc, char **argv) {
    tune_arguments given;
    bool finished;
    int exit_status = tune_parse_arguments(argc, argv, &given, &finished);
    if (exit_status == 0 && !finished) exit_status = run(&given);
    if (fflush(stdout) != 0 && exit_status == 0) {
        fprintf(stderr, "wlstm-tune: standard output: cannot write: %s\n", strerror(errno));
        exit_status = EXIT_FAILURE;
    }
    return exit_status;
}
