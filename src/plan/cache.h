/* Tuned choices, by problem and thread count: in memory, in a file for each machine, shared by processes.
 *
 *     cache_table.c  the choices in memory       cache_json.c  their text        cache_files.c  the text in a directory
 *     cache_places.c the system's directories             cache.c        the process's own, and the public functions
 *
 * A file holds indices into the table of axes, counts of crews, steps and parts, and nothing else that acts, so that a
 * hostile one can at worst be slow; what is out of range makes the whole file invalid, what is not legal for a problem is
 * passed over. */
#ifndef WLI_CACHE_H
#define WLI_CACHE_H

#include "plan/axes.h"
#include "plan/problem.h"
#include "plan/rates.h"
#include "plan/train_choice.h"

typedef struct wli_cache_entry {
    wli_problem problem;
    int threads;
    wli_candidate candidate;       /* of a plan */
    wli_train_choice train_choice; /* of a training problem */
    wlstm_effort effort;           /* MEASURE or PATIENT */
    double untuned_seconds, tuned_seconds;
    bool unsaved; /* tuned or imported since the file was read */
} wli_cache_entry;

enum { WLI_CACHE_RATES = 2, WLI_CACHE_ENTRIES = 4096, WLI_CACHE_THREADS = 1 << 16 };

/* Of malloc: it lives as long as the process, through changes of the library's allocator. */
typedef struct wli_cache_table {
    wli_cache_entry *entries;
    size_t count, capacity;
    wli_rates rates[WLI_CACHE_RATES]; /* of one thread and of more, as the probe measured them; of 0: it did not */
} wli_cache_table;

/* Adds or replaces; false when there is no memory. Of a full table the oldest makes way. Append is for what is known not to be
 * there. */
bool wli_cache_table_append(wli_cache_table *table, const wli_cache_entry *entry);
bool wli_cache_table_put(wli_cache_table *table, const wli_cache_entry *entry);
/* In the place of those of one thread, or of those of more; what nobody probed (0 threads) changes nothing. */
void wli_cache_table_put_rates(wli_cache_table *table, const wli_rates *rates);
const wli_cache_entry *wli_cache_table_find(const wli_cache_table *table, const wli_problem *problem, int threads);
/* Every thread count of the problem, or everything (NULL). */
void wli_cache_table_forget(wli_cache_table *table, const wli_problem *problem);
void wli_cache_table_clear(wli_cache_table *table);

/* How far an entry's (seq_len, batch) is from another problem's, 0 for the same, in |log| of both; negative when the
 * model's shape, the dtype, the precision, training or the threads differ. */
double wli_cache_distance(const wli_cache_entry *entry, const wli_problem *problem, int threads);

/* JSON; NULL when there is no memory. free() it. */
char *wli_cache_encode(const wli_cache_table *table);

/* Errors: FORMAT (the last error says where, `path` first), OUT_OF_MEMORY; then *table is empty. */
wlstm_status wli_cache_decode(const char *path, const char *text, size_t bytes, wli_cache_table *table);

/* A file, whole; *table is empty on failure. */
wlstm_status wli_cache_read(const char *path, wli_cache_table *table);
wlstm_status wli_cache_write(const char *path, const wli_cache_table *table);

/* This machine's file in a directory, in memory of malloc; NULL when there is none. */
char *wli_cache_path(const char *directory);

/* Whether no such file is there, the usual case. */
bool wli_cache_absent(const char *path);

/* The system's directories, NULL after the last: beside the installed library or program that runs, wherever it was moved, and where
 * the build has its sysconfdir, which goes first if it is outside the prefix. The first that has a file in order serves. Thread-safe;
 * the same for the life of the process. */
enum { WLI_SYSTEM_DIRECTORIES = 2 };
const char *const *wli_cache_system_directories(void);

/* Lays the changes over the directory's file: the directory is made, the file replaced whole. A lock that somebody else holds
 * is an error, and never waited for. `forgotten`: what is taken out first; forget_all takes everything. */
wlstm_status wli_cache_merge(const char *directory, const wli_cache_table *changes, const wli_problem *forgotten,
                             bool forget_all);

/* ------------------------------------------------------------------------------------------- the process's own */

typedef enum wli_cache_match { WLI_CACHE_NONE, WLI_CACHE_EXACT, WLI_CACHE_NEAR } wli_cache_match;

/* The entry for the problem, else the nearest one of the same model, among those that are usable. Thread-safe; the first call
 * reads the files. */
wli_cache_match wli_cache_find(const wli_problem *problem, int threads,
                               bool (*usable)(const wli_cache_entry *entry, const void *context), const void *context,
                               wli_cache_entry *found);

/* Keeps a tuned choice, in memory; wlstm_plan_cache_save puts it into the file. */
void wli_cache_keep(const wli_cache_entry *entry);
/* The same, for a program that tunes as it runs, unless WLSTM_CACHE is off: tries to save it. */
void wli_cache_keep_and_save(const wli_cache_entry *entry);

/* The probe's rates of one thread, and of more where those are no more than `threads`; false when nobody probed. */
bool wli_cache_rates(int threads, wli_rates *one, wli_rates *all);
/* At most one of one thread and one of more, each in its place. */
void wli_cache_keep_rates(const wli_rates *rates, int count);

/* Calls `visit` for every entry, the user's over the system's, with the lock held. */
void wli_cache_visit(void (*visit)(const wli_cache_entry *entry, bool system, void *context), void *context);

#endif
