/* A fork after the library was unloaded calls nothing of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *library;

static void a_fork_after_it_is_unloaded(void **state) {
    (void)state;
    for (int n = 0; n < 5; ++n) {
        void *handle = dlopen(library, RTLD_NOW);
        if (!handle) fail_msg("%s", dlerror());
        assert_non_null(dlsym(handle, "wlstm_version"));
        assert_int_equal(dlclose(handle), 0);
        assert_null(dlopen(library, RTLD_NOW | RTLD_NOLOAD));
        fflush(NULL);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(0);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    library = argv[1];
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_fork_after_it_is_unloaded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
