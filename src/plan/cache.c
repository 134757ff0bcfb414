#include "plan/cache.h"

#include "base/environment.h"
#include "base/lock.h"
#include "base/status.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The user's tier and the system's; what the process tunes goes into the first. Of who holds the lock, as is all below. */
static wli_cache_table user, system_tier;
static bool have_read, unsaved_rates[WLI_CACHE_RATES];
static wli_turn reading;

/* Whether there is a file in order. One that is not there is the usual case; any other trouble is worth a line to those who asked for
 * lines. */
static bool read_tier(const char *directory, wli_cache_table *table) {
    char *path = wli_cache_path(directory), line[WLI_ERROR_BYTES + 64];
    if (!path || wli_cache_absent(path)) {
        free(path);
        return false;
    }
    const wlstm_status status = wli_cache_read(path, table);
    if (status != WLSTM_OK) {
        snprintf(line, sizeof line, "plan cache ignored: %s", wlstm_last_error());
        wli_verbose(status == WLSTM_ERROR_FILE ? 2 : 1, line);
    }
    free(path);
    return status == WLSTM_OK;
}

static void read_tiers(wli_cache_table *of_user, wli_cache_table *of_system) {
    const wli_environment *environment = wli_environment_get();
    char error[WLI_ERROR_BYTES];
    wli_error_save(error);
    if (environment->cache_directory) (void)read_tier(environment->cache_directory, of_user);
    const char *const *directory = environment->caching ? wli_cache_system_directories() : NULL;
    while (directory && *directory && !read_tier(*directory, of_system)) directory++;
    wli_error_restore(error);
}

/* Locks, with what the files hold in memory. */
static void enter(void) {
    wli_lock();
    if (have_read) return;
    wli_turn_take(&reading);
    if (!have_read) {
        wli_cache_table of_user = { 0 }, of_system = { 0 };
        wli_unlock();
        read_tiers(&of_user, &of_system);
        wli_lock();
        user = of_user, system_tier = of_system;
        have_read = true;
    }
    wli_turn_give(&reading);
}

/* The entries of the problem's model and thread count, the user's first; without memory some of them. */
static void collect_like(const wli_problem *problem, int threads, wli_cache_table *like) {
    const wli_cache_table *tiers[] = { &user, &system_tier };
    bool room = true;
    enter();
    for (int tier = 0; tier < 2; tier++)
        for (size_t i = 0; i < tiers[tier]->count && room; i++)
            if (wli_cache_distance(&tiers[tier]->entries[i], problem, threads) >= 0)
                room = wli_cache_table_append(like, &tiers[tier]->entries[i]);
    wli_unlock();
}

/* usable() takes its time and may lock. */
wli_cache_match wli_cache_find(const wli_problem *problem, int threads,
                               bool (*usable)(const wli_cache_entry *entry, const void *context), const void *context,
                               wli_cache_entry *found) {
    wli_cache_table like = { 0 };
    double least = -1;
    collect_like(problem, threads, &like);
    for (size_t i = 0; i < like.count && least != 0; i++) {
        const double distance = wli_cache_distance(&like.entries[i], problem, threads);
        if ((least >= 0 && distance >= least) || !usable(&like.entries[i], context)) continue;
        least = distance;
        *found = like.entries[i];
    }
    wli_cache_table_clear(&like);
    return least < 0 ? WLI_CACHE_NONE : least == 0 ? WLI_CACHE_EXACT : WLI_CACHE_NEAR;
}

void wli_cache_keep(const wli_cache_entry *entry) {
    wli_cache_entry kept = *entry;
    kept.unsaved = true;
    enter();
    (void)wli_cache_table_put(&user, &kept);
    wli_unlock();
}

void wli_cache_keep_and_save(const wli_cache_entry *entry) {
    if (!wli_environment_get()->caching) return;
    wli_cache_keep(entry);
    if (wli_environment_get()->cache_directory && wlstm_plan_cache_save(NULL) != WLSTM_OK)
        wli_verbose(1, wlstm_last_error());
}

/* The user's over the system's. */
static const wli_rates *rates_in_use(int index) {
    return user.rates[index].threads ? &user.rates[index] : &system_tier.rates[index];
}

bool wli_cache_rates(int threads, wli_rates *one, wli_rates *all) {
    enter();
    const wli_rates *single = rates_in_use(0), *several = rates_in_use(1);
    *one = *single;
    *all = several->threads && several->threads <= threads ? *several : *single;
    wli_unlock();
    return one->threads > 0;
}

void wli_cache_keep_rates(const wli_rates *rates, int count) {
    enter();
    for (int i = 0; i < count; i++) {
        wli_cache_table_put_rates(&user, &rates[i]);
        unsaved_rates[rates[i].threads > 1] = true;
    }
    wli_unlock();
}

void wli_cache_visit(void (*visit)(const wli_cache_entry *entry, bool system, void *context), void *context) {
    enter();
    for (size_t i = 0; i < user.count; i++) visit(&user.entries[i], false, context);
    for (size_t i = 0; i < system_tier.count; i++) {
        const wli_cache_entry *entry = &system_tier.entries[i];
        if (!wli_cache_table_find(&user, &entry->problem, entry->threads)) visit(entry, true, context);
    }
    wli_unlock();
}

/* ------------------------------------------------------------------------------------------- the public functions */

/* The directory meant, or NULL with the error set. */
static const char *directory_or_user(const char *directory) {
    if (!directory) directory = wli_environment_get()->cache_directory;
    if (!directory)
        wli_fail(WLSTM_ERROR_FILE,
                 "directory: one expected, got NULL and no WLSTM_CACHE, XDG_CACHE_HOME or HOME (or off)");
    return directory;
}

/* Copies `from` over `to`: all of its entries or, without memory, some. */
static bool lay_over(wli_cache_table *to, const wli_cache_table *from, bool unsaved) {
    bool room = true;
    for (size_t i = 0; i < from->count && room; i++) {
        wli_cache_entry entry = from->entries[i];
        entry.unsaved = unsaved;
        room = wli_cache_table_put(to, &entry);
    }
    for (int i = 0; i < WLI_CACHE_RATES; i++) wli_cache_table_put_rates(to, &from->rates[i]);
    return room;
}

/* The table goes over the user's tier, and is gone. With the lock held, which is given back. */
static wlstm_status take_over(wli_cache_table *table, bool unsaved) {
    const bool room = lay_over(&user, table, unsaved);
    for (int i = 0; i < WLI_CACHE_RATES; i++)
        if (table->rates[i].threads) unsaved_rates[i] = unsaved;
    wli_unlock();
    const wlstm_status status = room ? WLSTM_OK : wli_out_of_memory("plan cache", table->count);
    wli_cache_table_clear(table);
    return status;
}

static wlstm_status read_over(const char *path, bool unsaved) {
    wli_cache_table table;
    const wlstm_status status = wli_cache_read(path, &table);
    if (status != WLSTM_OK) return status;
    enter();
    return take_over(&table, unsaved);
}

wlstm_status wlstm_plan_cache_load(const char *directory) {
    directory = directory_or_user(directory);
    if (!directory) return WLSTM_ERROR_FILE;
    char *path = wli_cache_path(directory);
    if (!path) return wli_out_of_memory("path", strlen(directory));
    wlstm_status status = read_over(path, false);
    free(path);
    return status;
}

/* What is to be saved, taken out in one moment: the file system may be slow, and plans are not to wait for it. */
static bool collect(bool only_unsaved, bool with_system, wli_cache_table *table) {
    bool room = true;
    memset(table, 0, sizeof *table);
    enter();
    if (with_system) room = lay_over(table, &system_tier, false);
    for (size_t i = 0; i < user.count && room; i++)
        if (user.entries[i].unsaved || !only_unsaved) room = wli_cache_table_put(table, &user.entries[i]);
    for (int i = 0; i < WLI_CACHE_RATES; i++)
        if (unsaved_rates[i] || !only_unsaved) wli_cache_table_put_rates(table, &user.rates[i]);
    wli_unlock();
    return room;
}

static bool same_entry(const wli_cache_entry *a, const wli_cache_entry *b) {
    return memcmp(&a->candidate, &b->candidate, sizeof a->candidate) == 0 &&
           memcmp(&a->train_choice, &b->train_choice, sizeof a->train_choice) == 0 && a->effort == b->effort &&
           a->tuned_seconds == b->tuned_seconds && a->untuned_seconds == b->untuned_seconds;
}

/* What was saved is not unsaved any more, unless it was tuned again meanwhile. */
static void mark_saved(const wli_cache_table *saved) {
    enter();
    for (size_t i = 0; i < user.count; i++) {
        const wli_cache_entry *entry = wli_cache_table_find(saved, &user.entries[i].problem, user.entries[i].threads);
        if (entry && same_entry(entry, &user.entries[i])) user.entries[i].unsaved = false;
    }
    for (int i = 0; i < WLI_CACHE_RATES; i++)
        if (saved->rates[i].threads) unsaved_rates[i] = false;
    wli_unlock();
}

wlstm_status wlstm_plan_cache_save(const char *directory) {
    const bool own = !directory;
    wli_cache_table changes;
    directory = directory_or_user(directory);
    if (!directory) return WLSTM_ERROR_FILE;
    wlstm_status status = WLSTM_OK;
    if (!collect(own, false, &changes))
        status = wli_out_of_memory("plan cache", changes.count);
    else if (!own || changes.count || changes.rates[0].threads || changes.rates[1].threads)
        status = wli_cache_merge(directory, &changes, NULL, false);
    if (status == WLSTM_OK && own) mark_saved(&changes);
    wli_cache_table_clear(&changes);
    return status;
}

wlstm_status wlstm_plan_cache_export(const char *path) {
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got NULL");
    wli_cache_table all;
    wlstm_status status =
        collect(false, true, &all) ? wli_cache_write(path, &all) : wli_out_of_memory("plan cache", all.count);
    wli_cache_table_clear(&all);
    return status;
}

wlstm_status wlstm_plan_cache_import(const char *path) {
    if (!path) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "path: a file name expected, got NULL");
    return read_over(path, true);
}

wlstm_status wlstm_plan_cache_export_text(char *text, size_t capacity, size_t *bytes) {
    if (!bytes || (!text && capacity > 0))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", bytes ? "text" : "bytes");
    wli_cache_table all;
    char *encoded = collect(false, true, &all) ? wli_cache_encode(&all) : NULL;
    wli_cache_table_clear(&all);
    if (!encoded) return wli_out_of_memory("plan cache", 0);
    *bytes = strlen(encoded);
    wlstm_status status = WLSTM_OK;
    if (capacity >= *bytes)
        memcpy(text, encoded, *bytes);
    else if (capacity > 0)
        status = wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "capacity: at least %zu expected, got %zu", *bytes, capacity);
    free(encoded);
    return status;
}

wlstm_status wlstm_plan_cache_import_text(const char *text, size_t bytes) {
    if (!text) return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "text: a pointer expected, got NULL");
    wli_cache_table table;
    const wlstm_status status = wli_cache_decode("text", text, bytes, &table);
    if (status != WLSTM_OK) return status;
    wli_lock();
    wli_turn_take(&reading); /* a thread that is reading goes first */
    have_read = true;
    wli_turn_give(&reading);
    return take_over(&table, true);
}

wlstm_status wlstm_plan_cache_forget(const char *problem) {
    wli_problem parsed;
    wlstm_status status = problem ? wli_problem_parse_entry(problem, &parsed) : WLSTM_OK;
    if (status != WLSTM_OK) return status;
    const wli_problem *forgotten = problem ? &parsed : NULL;
    enter();
    wli_cache_table_forget(&user, forgotten);
    wli_cache_table_forget(&system_tier, forgotten);
    if (!problem) memset(unsaved_rates, 0, sizeof unsaved_rates);
    wli_unlock();
    const char *directory = wli_environment_get()->cache_directory;
    if (!directory) return WLSTM_OK;
    /* Without a file there is nothing to forget, and no directory to make for that. */
    char *path = wli_cache_path(directory);
    if (!path) return wli_out_of_memory("path", strlen(directory));
    const bool nothing = wli_cache_absent(path);
    free(path);
    static const wli_cache_table none;
    return nothing ? WLSTM_OK : wli_cache_merge(directory, &none, forgotten, !problem);
}
