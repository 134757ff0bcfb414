/* The CPU quota of control groups: in trees of this test's own, version 1, version 2 and none; and in a real group of version 1, where
 * one can be made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <omp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cpu_quota.h"
#include "plan/plan.h"
#include "scratch_dir.h"

/* A line of mountinfo: what a hierarchy mounts, where, and its type and options. */
#define V1(root, controllers)                                                                                          \
    "32 31 0:29 " root " /sys/fs/cgroup/" controllers " rw - cgroup cgroup rw," controllers "\n"
#define V2(root) "31 23 0:28 " root " /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"

/* Writes a file below the scratch directory, and the folders that lead to it. */
static void write_below(const char *path, const char *text) {
    char folder[512];
    for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
        snprintf(folder, sizeof folder, "%s/%.*s", scratch_directory, (int)(slash - path), path);
        mkdir(folder, 0700);
    }
    scratch_write(path, text, strlen(text));
}

/* A tree with nothing but what the process is told of its hierarchies and its groups. */
static void make_tree(const char *mountinfo, const char *groups) {
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'/*", scratch_directory);
    assert_int_equal(system(command), 0);
    write_below("proc/self/mountinfo", mountinfo);
    write_below("proc/self/cgroup", groups);
}

static int remove_tree(void **state) {
    make_tree("", "");
    char command[600];
    snprintf(command, sizeof command, "rm -r '%s'/proc", scratch_directory);
    return system(command) != 0 || scratch_remove(state);
}

static void expect_quota(int expected) {
    assert_int_equal(wli_cpu_quota_below(scratch_directory), expected);
}

static void version_2_is_read(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int quota;
    } files[] = { { "max 100000\n", WLI_NO_QUOTA },
                  { "200000 100000\n", 2 },
                  { "350000 100000\n", 3 },
                  { "50000 100000\n", 1 },
                  { "1 1000000\n", 1 },
                  { "9000000000000000000 1\n", WLI_NO_QUOTA },
                  { "", WLI_NO_QUOTA },
                  { "200000", WLI_NO_QUOTA },
                  { "200000 0\n", WLI_NO_QUOTA },
                  { "-1 100000\n", WLI_NO_QUOTA },
                  { "99999999999999999999 100000\n", WLI_NO_QUOTA } };
    make_tree(V2("/"), "0::/user/job\n");
    expect_quota(WLI_NO_QUOTA);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        write_below("sys/fs/cgroup/user/job/cpu.max", files[i].text);
        expect_quota(files[i].quota);
    }
}

static void the_least_above_counts(void **state) {
    (void)state;
    make_tree(V2("/"), "0::/user/job/step\n");
    write_below("sys/fs/cgroup/user/job/step/cpu.max", "400000 100000\n");
    expect_quota(4);
    write_below("sys/fs/cgroup/user/cpu.max", "300000 100000\n");
    expect_quota(3);
    write_below("sys/fs/cgroup/user/job/cpu.max", "max 100000\n");
    expect_quota(3);
    write_below("sys/fs/cgroup/cpu.max", "100000 50000\n");
    expect_quota(2);
    write_below("sys/fs/cgroup/user/other/cpu.max", "1000 100000\n");
    expect_quota(2);
}

static void version_1_is_read(void **state) {
    (void)state;
    make_tree(V1("/", "memory") V1("/", "cpu,cpuacct"), "7:memory:/elsewhere\n4:cpu,cpuacct:/jobs/7\n0::/\n");
    expect_quota(WLI_NO_QUOTA);
    write_below("sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us", "-1\n");
    write_below("sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_period_us", "100000\n");
    expect_quota(WLI_NO_QUOTA);
    write_below("sys/fs/cgroup/cpu,cpuacct/jobs/7/cpu.cfs_quota_us", "250000\n");
    expect_quota(2);
    write_below("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_quota_us", "50000\n");
    write_below("sys/fs/cgroup/cpu,cpuacct/jobs/cpu.cfs_period_us", "50000\n");
    expect_quota(1);
}

/* Its group is mounted as the topmost, while /proc/self/cgroup has the name that the group has outside. */
static void a_container_finds_its_own(void **state) {
    (void)state;
    make_tree(V1("/docker/4f", "cpu"), "3:cpuset:/docker/4f\n2:cpu:/docker/4f/inner\n");
    write_below("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
    write_below("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    expect_quota(3);
    write_below("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "200000\n");
    write_below("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
    expect_quota(2);
    /* A name that is not below what is mounted, as of another container or outside of a namespace. */
    make_tree(V2("/docker/4f"), "0::/docker/4f2\n");
    write_below("sys/fs/cgroup/cpu.max", "300000 100000\n");
    write_below("sys/fs/cgroup/2/cpu.max", "100000 100000\n");
    expect_quota(3);
    make_tree(V2("/"), "0::/../outside\n");
    write_below("sys/fs/cgroup/cpu.max", "300000 100000\n");
    write_below("sys/fs/outside/cpu.max", "100000 100000\n");
    expect_quota(3);
}

static void both_versions_at_once(void **state) {
    (void)state;
    make_tree(V1("/", "cpu") "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n", "1:cpu:/a\n0::/b\n");
    write_below("sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "400000\n");
    write_below("sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n");
    expect_quota(4);
    write_below("sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n");
    expect_quota(2);
}

static void a_system_without_groups_has_none(void **state) {
    (void)state;
    make_tree("22 1 0:21 / /proc rw - proc proc rw\n", "");
    expect_quota(WLI_NO_QUOTA);
    assert_int_equal(wli_cpu_quota_below("/nowhere"), WLI_NO_QUOTA);
}

/* ---- A real group. ---- */

/* In a process of its own, as a quota is read once: joins the group; whether plans of no and of two named threads are as they should. */
static int run_in_group(const char *group) {
    char path[512];
    snprintf(path, sizeof path, "%s/cgroup.procs", group);
    FILE *procs = fopen(path, "w");
    if (!procs || fprintf(procs, "%d\n", (int)getpid()) < 0 || fclose(procs) != 0) return 2;
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    config.input_size = 16, config.hidden_size = 256;
    options.max_seq_len = 20, options.max_batch = 4;
    wlstm_lstm *lstm;
    wlstm_plan *by_default = NULL, *named = NULL;
    if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK) return 3;
    omp_set_num_threads(4);
    if (wlstm_plan_create(lstm, &options, &by_default) != WLSTM_OK) return 3;
    options.num_threads = 2;
    if (wlstm_plan_create(lstm, &options, &named) != WLSTM_OK) return 3;
    const bool right = wli_cpu_quota() == 1 && wli_default_threads() == 1 &&
                       strstr(wlstm_plan_describe(by_default), ", 1 thread, ") &&
                       (omp_get_num_procs() < 2 || strstr(wlstm_plan_describe(named), ", 2 threads "));
    wlstm_plan_free(by_default);
    wlstm_plan_free(named);
    wlstm_lstm_free(lstm);
    return right ? 0 : 1;
}

static void a_real_quota_bounds_the_default(void **state) {
    (void)state;
    char group[64], path[128];
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/wavelstm-test-%d", (int)getpid());
    if (mkdir(group, 0700) != 0) {
        print_message("no quota can be set: no control groups of version 1, or not root\n");
        skip();
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
    FILE *quota = fopen(path, "r+");
    const bool set = quota && fputs("150000\n", quota) >= 0;
    const bool closed = quota && fclose(quota) == 0;
    int status = -1;
    const pid_t child = fork();
    if (child == 0) _exit(run_in_group(group));
    const bool ended = waitpid(child, &status, 0) == child;
    rmdir(group);
    assert_true(set && closed && ended);
    assert_int_equal(status, 0);
}

int main(void) {
    unsetenv("WLSTM_NUM_THREADS");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_2_is_read),
        cmocka_unit_test(the_least_above_counts),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(a_container_finds_its_own),
        cmocka_unit_test(both_versions_at_once),
        cmocka_unit_test(a_system_without_groups_has_none),
        cmocka_unit_test(a_real_quota_bounds_the_default),
    };
    return cmocka_run_group_tests(tests, scratch_create, remove_tree);
}
