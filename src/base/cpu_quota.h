/* How many CPUs' time the process may use, where its control group (a container's, a batch system's) limits that. More threads than
 * this run in turns, and wait for each other at every barrier. */
#ifndef WLI_CPU_QUOTA_H
#define WLI_CPU_QUOTA_H

#include <limits.h>

#define WLI_NO_QUOTA INT_MAX

/* The quota, rounded down but at least 1, or WLI_NO_QUOTA. Read once a process, at the first use: what changes later is not seen, and
 * the child of a fork has its parent's. Thread-safe. */
int wli_cpu_quota(void);

/* What it reads where the system's root directory is `root`: the least quota of the process's own group and of those above, as far as
 * they are mounted; version 1 (cpu.cfs_quota_us, cpu.cfs_period_us) and version 2 (cpu.max). */
int wli_cpu_quota_below(const char *root);

#endif
