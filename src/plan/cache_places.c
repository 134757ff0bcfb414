#define _GNU_SOURCE /* dl_iterate_phdr */
#include "plan/cache.h"

#include "base/lock.h"

#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char beside[PATH_MAX];
static const char *directories[WLI_SYSTEM_DIRECTORIES + 1];

/* Which of the files that the process has loaded this code is in. */
typedef struct loaded {
    uintptr_t address;
    int looked_into;
    bool found, program;
    char name[PATH_MAX]; /* as it was loaded */
} loaded;

/* The program comes first; what it was started as may be no path. */
static int look_into(struct dl_phdr_info *info, size_t size, void *context) {
    loaded *self = context;
    (void)size;
    self->program = self->looked_into++ == 0;
    for (int i = 0; i < info->dlpi_phnum && !self->found; i++) {
        const uintptr_t start = (uintptr_t)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
        self->found = info->dlpi_phdr[i].p_type == PT_LOAD && self->address >= start &&
                      self->address - start < info->dlpi_phdr[i].p_memsz;
    }
    if (!self->found) return 0;
    snprintf(self->name, sizeof self->name, "%s", self->program ? "/proc/self/exe" : info->dlpi_name);
    return 1;
}

/* Where it lies. The loader's own lock stays locked in the child of a fork meanwhile, so a fork waits. */
static bool find_loaded(loaded *self, char file[PATH_MAX]) {
    wli_lock();
    (void)dl_iterate_phdr(look_into, self);
    wli_unlock();
    return self->found && realpath(self->name, file) != NULL;
}

static void strip_last(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) *slash = '\0';
}

/* From the folder of the shared library, or of a program that has the static one in it, as the build says they lie to each other. */
static bool find_beside(void) {
    static const char up[] = "../";
    loaded self = { .address = (uintptr_t)&look_into };
    char file[PATH_MAX];
    if (!find_loaded(&self, file)) return false;
    const char *way = self.program ? WLI_SYSTEM_CACHE_FROM_PROGRAM : WLI_SYSTEM_CACHE_FROM_LIBRARY;
    for (strip_last(file); strncmp(way, up, strlen(up)) == 0; way += strlen(up)) strip_last(file);
    const int length = snprintf(beside, sizeof beside, "%s/%s", file, way);
    return length > 0 && (size_t)length < sizeof beside;
}

static void find_directories(void) {
    int count = 0;
    const bool moved = find_beside() && strcmp(beside, WLI_SYSTEM_CACHE) != 0;
    if (moved && WLI_SYSTEM_CACHE_IN_PREFIX) directories[count++] = beside;
    directories[count++] = WLI_SYSTEM_CACHE;
    if (moved && !WLI_SYSTEM_CACHE_IN_PREFIX) directories[count++] = beside;
}

const char *const *wli_cache_system_directories(void) {
    static wli_once once;
    wli_once_run(&once, find_directories);
    return directories;
}
