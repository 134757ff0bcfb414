#include "base/cpu_quota.h"

#include "base/lock.h"
#include "base/number.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES = 4096 };

/* A mounted hierarchy that may hold quotas. */
typedef struct hierarchy {
    bool unified;           /* version 2 */
    char root[PATH_BYTES];  /* the group that is mounted */
    char point[PATH_BYTES]; /* where */
} hierarchy;

static bool has_word(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = list;; at++) {
        const size_t here = strcspn(at, ",:\n");
        if (here == length && strncmp(at, word, length) == 0) return true;
        at += here;
        if (*at != ',') return false;
    }
}

/* A line of mountinfo: "32 31 0:29 ROOT POINT rw,relatime - TYPE SOURCE rw,cpu", and optional fields before the dash. */
static bool parse_mount(const char *line, hierarchy *found) {
    char type[16], options[256];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(rest, " - %15s %*s %255s", type, options) != 2) return false;
    found->unified = strcmp(type, "cgroup2") == 0;
    if (!found->unified && (strcmp(type, "cgroup") != 0 || !has_word(options, "cpu"))) return false;
    return sscanf(line, "%*s %*s %*s %4095s %4095s", found->root, found->point) == 2;
}

/* A line of /proc/self/cgroup, "4:cpu,cpuacct:/jobs/7" or version 2's "0::/jobs/7": the process's group, if it is of this hierarchy. */
static const char *parse_group(char *line, bool unified) {
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group || !(unified ? group == controllers + 1 : has_word(controllers + 1, "cpu"))) return NULL;
    line[strcspn(line, "\n")] = '\0';
    return group + 1;
}

/* The two numbers of a quota in a group's file, or the first of two files; false where there are none, or "max" or -1. */
static bool read_number(const char *group, const char *name, int64_t *first, int64_t *second) {
    char path[4 * PATH_BYTES], text[64];
    const char *at = text;
    snprintf(path, sizeof path, "%s/%s", group, name);
    FILE *stream = fopen(path, "r");
    if (!stream) return false;
    const bool read = fgets(text, sizeof text, stream) != NULL;
    fclose(stream);
    if (!read || !wli_take_integer(&at, 1, INT64_MAX, first)) return false;
    return !second || (*at++ == ' ' && wli_take_integer(&at, 1, INT64_MAX, second));
}

static int quota_of(const char *group, bool unified) {
    int64_t quota, period;
    const bool limited = unified ? read_number(group, "cpu.max", &quota, &period)
                                 : read_number(group, "cpu.cfs_quota_us", &quota, NULL) &&
                                       read_number(group, "cpu.cfs_period_us", &period, NULL);
    if (!limited || quota / period >= WLI_NO_QUOTA) return WLI_NO_QUOTA;
    return quota >= period ? (int)(quota / period) : 1;
}

/* The least of a group and of those above it. A container may see its group mounted as the topmost, and be told its name outside, or
 * "/../NAME", which is not to be seen. */
static int least_quota(const char *root, const hierarchy *in, const char *group) {
    const size_t mounted = strcmp(in->root, "/") == 0 ? 0 : strlen(in->root);
    const bool below = strncmp(group, in->root, mounted) == 0 && (group[mounted] == '/' || group[mounted] == '\0') &&
                       !strstr(group, "/../");
    char path[3 * PATH_BYTES];
    const int top = snprintf(path, sizeof path, "%s%s", root, in->point);
    const int end = snprintf(path, sizeof path, "%s%s%s", root, in->point, below ? group + mounted : "");
    if (end >= (int)sizeof path) return WLI_NO_QUOTA;
    int least = WLI_NO_QUOTA;
    for (char *cut = path + end;; cut = strrchr(path, '/')) {
        *cut = '\0';
        const int quota = quota_of(path, in->unified);
        least = quota < least ? quota : least;
        if (cut <= path + top) return least;
    }
}

static FILE *open_below(const char *root, const char *name) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return fopen(path, "r");
}

static int quota_in(const char *root, const hierarchy *in) {
    int least = WLI_NO_QUOTA;
    char *line = NULL;
    size_t room = 0;
    FILE *groups = open_below(root, "proc/self/cgroup");
    while (groups && getline(&line, &room, groups) > 0) {
        const char *group = parse_group(line, in->unified);
        const int quota = group ? least_quota(root, in, group) : WLI_NO_QUOTA;
        least = quota < least ? quota : least;
    }
    free(line);
    if (groups) fclose(groups);
    return least;
}

int wli_cpu_quota_below(const char *root) {
    int least = WLI_NO_QUOTA;
    hierarchy found;
    char *line = NULL;
    size_t room = 0;
    FILE *mounts = open_below(root, "proc/self/mountinfo");
    while (mounts && getline(&line, &room, mounts) > 0) {
        const int quota = parse_mount(line, &found) ? quota_in(root, &found) : WLI_NO_QUOTA;
        least = quota < least ? quota : least;
    }
    free(line);
    if (mounts) fclose(mounts);
    return least;
}

static int of_process;

static void read_quota(void) {
    of_process = wli_cpu_quota_below("");
}

int wli_cpu_quota(void) {
    static wli_once once;
    wli_once_run(&once, read_quota);
    return of_process;
}
