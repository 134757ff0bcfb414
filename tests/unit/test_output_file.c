/* Result files: a regular file or a new name gets the whole result, and nothing else that is there is ever replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/output_file.h"
#include "scratch_dir.h"
#include "wavelstm.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static wlstm_status write_new(const char *path) {
    wli_output *output;
    wlstm_status status = wli_output_create(path, &output);
    if (status != WLSTM_OK) return status;
    assert_int_equal(wli_output_write(output, "new", 3), WLSTM_OK);
    assert_int_equal(wli_output_finish(output), WLSTM_OK);
    return wli_output_commit(output);
}

static void expect_content(const char *path, const char *content) {
    char got[16] = "";
    FILE *stream = fopen(path, "rb");
    assert_non_null(stream);
    got[fread(got, 1, sizeof got - 1, stream)] = '\0';
    fclose(stream);
    assert_string_equal(got, content);
}

/* It is refused in these words, stays what it is, and nothing is left beside it. */
static void expect_refused(const char *path, const char *sentence) {
    struct stat before, after;
    const int files = scratch_count();
    assert_int_equal(lstat(path, &before), 0);
    assert_int_equal(write_new(path), WLSTM_ERROR_FILE);
    assert_string_equal(scratch_error(wlstm_last_error(), path), sentence);
    assert_int_equal(lstat(path, &after), 0);
    assert_true(before.st_dev == after.st_dev && before.st_ino == after.st_ino && before.st_mode == after.st_mode);
    assert_int_equal(scratch_count(), files);
}

static const char *make_link(const char *target, const char *name) {
    const char *link = scratch_path(name);
    assert_int_equal(symlink(target, link), 0);
    return link;
}

/* As /dev/stdout leads to what the shell made of it. */
static const char *link_to_descriptor(int descriptor, const char *name) {
    char target[64];
    snprintf(target, sizeof target, "/proc/self/fd/%d", descriptor);
    return make_link(target, name);
}

#define NOT_REPLACED(kind)                                                                                             \
    "a regular file or a new name expected, got a " kind ", in whose place no result is put: name a file"

static void what_is_no_file_is_refused(void **state) {
    (void)state;
    const char *fifo = scratch_path("fifo"), *directory = scratch_path("directory");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    expect_refused(fifo, NOT_REPLACED("pipe"));
    expect_refused(make_link("fifo", "to_fifo"), NOT_REPLACED("pipe"));
    assert_int_equal(mkdir(directory, 0700), 0);
    expect_refused(directory, NOT_REPLACED("directory"));
    expect_refused(make_link("directory", "to_directory"), NOT_REPLACED("directory"));
    expect_refused(make_link("/dev/null", "to_device"), NOT_REPLACED("device"));
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    const char *path = scratch_path("socket");
    if (strlen(path) >= sizeof address.sun_path) return; /* a long TMPDIR */
    strcpy(address.sun_path, path);
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    expect_refused(address.sun_path, NOT_REPLACED("socket"));
    close(listener);
}

static void a_link_to_an_open_pipe_is_refused(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const char *link = link_to_descriptor(ends[1], "stdout");
    expect_refused(link, NOT_REPLACED("pipe"));
    expect_refused(make_link("stdout", "to_link"), NOT_REPLACED("pipe"));
    close(ends[0]);
    close(ends[1]);
}

static void a_link_to_an_open_file_goes_by_its_name(void **state) {
    (void)state;
    const char *path = scratch_write("file", "old", 3);
    const int descriptor = open(path, O_RDWR | O_CLOEXEC);
    const char *link = link_to_descriptor(descriptor, "stdout");
    assert_int_equal(write_new(link), WLSTM_OK);
    expect_content(path, "new");
    /* The descriptor has the old file, whose name is the new one's. */
    expect_refused(link, "a regular file or a new name expected, got a link to a file that has no name any more");
    expect_content(path, "new");
    close(descriptor);
}

static void links_to_nothing_are_refused(void **state) {
    (void)state;
    expect_refused(make_link("nothing", "dangling"), "a regular file or a new name expected, got a link to 'nothing', "
                                                     "which is not there: name that file itself");
    expect_refused(make_link("dangling", "to_dangling"), "a regular file or a new name expected, got a link to "
                                                         "'dangling', which is not there: name that file itself");
    expect_refused(make_link("loop", "loop"), "cannot write: Too many levels of symbolic links");
}

static void a_link_to_a_file_stays_one(void **state) {
    (void)state;
    const char *path = scratch_write("old", "old", 3), *link = make_link("old", "link");
    struct stat about;
    assert_int_equal(write_new(link), WLSTM_OK);
    assert_int_equal(lstat(link, &about), 0);
    assert_true(S_ISLNK(about.st_mode));
    expect_content(path, "new");
    assert_int_equal(scratch_count(), 2);
}

static void a_directory_may_be_a_link(void **state) {
    (void)state;
    assert_int_equal(mkdir(scratch_path("directory"), 0700), 0);
    make_link("directory", "link");
    for (int time = 0; time < 2; time++) { /* a new file, and one that is there */
        assert_int_equal(write_new(scratch_path("link/file")), WLSTM_OK);
        expect_content(scratch_path("directory/file"), "new");
    }
    assert_int_equal(unlink(scratch_path("directory/file")), 0);
    assert_int_equal(scratch_count(), 2);
}

static void another_hard_link_keeps_the_old_content(void **state) {
    (void)state;
    const char *path = scratch_write("a", "old", 3), *other = scratch_path("b");
    assert_int_equal(link(path, other), 0);
    assert_int_equal(write_new(path), WLSTM_OK);
    expect_content(path, "new");
    expect_content(other, "old");
}

static void permissions_are_kept(void **state) {
    (void)state;
    const mode_t mask = umask(077);
    struct stat about;
    const char *path = scratch_write("old", "old", 3);
    assert_int_equal(chmod(path, 0664), 0);
    const bool given_away = chown(path, 12345, 23456) == 0; /* as root may */
    assert_int_equal(write_new(path), WLSTM_OK);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0664);
    if (given_away) assert_true(about.st_uid == 12345 && about.st_gid == 23456);
    assert_int_equal(write_new(scratch_path("new")), WLSTM_OK);
    assert_int_equal(stat(scratch_path("new"), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600); /* a new file's follow the umask */
    umask(mask);
}

static void names_of_nothing_are_refused(void **state) {
    (void)state;
    assert_int_equal(write_new(NULL), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_int_equal(write_new(""), WLSTM_ERROR_INVALID_ARGUMENT);
    assert_string_equal(wlstm_last_error(), "path: a file name expected, got an empty one");
    scratch_write("file", "old", 3);
    static const char *const names[] = { "new/", "file/", "none/file", "file/file", "./", "." };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        assert_int_equal(write_new(scratch_path(names[k])), WLSTM_ERROR_FILE);
    expect_content(scratch_path("file"), "old");
    assert_int_equal(scratch_count(), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_is_no_file_is_refused, scratch_clear),
        cmocka_unit_test_teardown(a_link_to_an_open_pipe_is_refused, scratch_clear),
        cmocka_unit_test_teardown(a_link_to_an_open_file_goes_by_its_name, scratch_clear),
        cmocka_unit_test_teardown(links_to_nothing_are_refused, scratch_clear),
        cmocka_unit_test_teardown(a_link_to_a_file_stays_one, scratch_clear),
        cmocka_unit_test_teardown(a_directory_may_be_a_link, scratch_clear),
        cmocka_unit_test_teardown(another_hard_link_keeps_the_old_content, scratch_clear),
        cmocka_unit_test_teardown(permissions_are_kept, scratch_clear),
        cmocka_unit_test_teardown(names_of_nothing_are_refused, scratch_clear),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
