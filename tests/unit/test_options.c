/* The programs' command lines: what a table of options takes, prints and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "options.h"
#include "scratch_dir.h"

#include <getopt.h>

const char cli_name[] = "prog";

static struct {
    const char *file;
    bool flag;
    cli_list list;
    int word;
} given;

static int take_word(const cli_option *option, const char *value) {
    static const char *const words[] = { "one", "two", "three", NULL };
    return cli_word(option->name, words, value, option->to);
}

static const cli_option options[] = {
    { "--file", "FILE", cli_take_text, &given.file, "a file\nof two lines" },
    { "--flag", NULL, cli_take_flag, &given.flag, "a flag" },
    { "--integers", "LIST", cli_take_list, &given.list, "integers" },
    { "--longest-of-all", "WORD", take_word, &given.word, "a word" },
    { "--other_*", NULL, NULL, NULL, "somebody else's" },
};

/* What was printed while `arguments` (separated by blanks) were parsed; the status and whether it finished. */
static int parse(const char *arguments, bool *finished, char printed[1000]) {
    static char copy[500];
    char *argv[20] = { copy };
    int argc = 0;
    snprintf(copy, sizeof copy, "path/to/prog %s", arguments);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) argv[argc++] = word;
    memset(&given, 0, sizeof given);
    given.list.largest = 50;
    optind = 0;
    fflush(stdout);
    const int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO);
    FILE *file = fopen(scratch_path("printed"), "w+");
    assert_true(file && dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    const int status =
        cli_parse(argc, argv, options, sizeof options / sizeof options[0], "usage\n", "ending\n", finished);
    fflush(stdout);
    dup2(out, STDOUT_FILENO), dup2(err, STDERR_FILENO);
    close(out), close(err);
    rewind(file);
    printed[fread(printed, 1, 999, file)] = '\0';
    fclose(file);
    return status;
}

static void options_set_what_the_table_says(void **state) {
    (void)state;
    bool finished;
    char printed[1000];
    assert_int_equal(parse("--file=a operand --flag --integers 3,1,50 --longest-of-all three", &finished, printed), 0);
    assert_string_equal(printed, "");
    assert_false(finished);
    assert_string_equal(given.file, "a");
    assert_true(given.flag && given.word == 2 && given.list.count == 3);
    assert_true(given.list.values[0] == 3 && given.list.values[1] == 1 && given.list.values[2] == 50);
    assert_int_equal(optind, 7); /* the operand, behind all options */
}

static void help_is_the_table(void **state) {
    (void)state;
    bool finished;
    char printed[1000];
    assert_int_equal(parse("--help --no-such", &finished, printed), 0);
    assert_true(finished);
    assert_string_equal(printed, "usage\n"
                                 "  --file FILE      a file\n"
                                 "                   of two lines\n"
                                 "  --flag           a flag\n"
                                 "  --integers LIST  integers\n"
                                 "  --longest-of-all WORD\n"
                                 "                   a word\n"
                                 "  --other_*        somebody else's\n"
                                 "  --help           this text\n"
                                 "  --version        version, instruction set, oneDNN's version\n"
                                 "ending\n");
}

static void wrong_usage_is_told_with_the_way_out(void **state) {
    (void)state;
    static const struct {
        const char *arguments, *message;
    } wrong[] = {
        { "--no-such", "path/to/prog: unrecognized option '--no-such'" },
        { "--other_*", "path/to/prog: unrecognized option '--other_*'" },
        { "--flag=1", "path/to/prog: option '--flag' doesn't allow an argument" },
        { "--file", "path/to/prog: option '--file' requires an argument" },
        { "-f", "path/to/prog: invalid option -- 'f'" },
        { "--longest-of-all four", "prog: --longest-of-all: one, two or three expected, got four" },
        { "--longest-of-all=", "prog: --longest-of-all: one, two or three expected, got nothing" },
        { "--integers 1,51",
          "prog: --integers: integers from 1 to 50 with commas between them, 64 at most expected, got 1,51" },
    };
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        bool finished;
        char printed[1000], expected[300];
        snprintf(expected, sizeof expected, "%s\nTry 'prog --help'.\n", wrong[k].message);
        assert_int_equal(parse(wrong[k].arguments, &finished, printed), EXIT_USAGE);
        assert_string_equal(printed, expected);
        assert_false(finished);
    }
}

static void lists_are_plain_integers_with_commas(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "0", "1,", ",1", "1,,2", "+1", "-1", "0x1", "1e0", "1.", "inf", "99999999999999999999"
    };
    bool finished;
    char printed[1000], longest[200] = "--integers 1";
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        char arguments[100];
        snprintf(arguments, sizeof arguments, "--integers %s", wrong[k]);
        assert_int_equal(parse(arguments, &finished, printed), EXIT_USAGE);
    }
    for (int k = 1; k < CLI_LIST; k++) strcat(longest, ",2");
    assert_int_equal(parse(longest, &finished, printed), 0);
    assert_int_equal(given.list.count, CLI_LIST);
    assert_int_equal(parse(strcat(longest, ",2"), &finished, printed), EXIT_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_set_what_the_table_says),
        cmocka_unit_test(help_is_the_table),
        cmocka_unit_test(wrong_usage_is_told_with_the_way_out),
        cmocka_unit_test(lists_are_plain_integers_with_commas),
    };
    setenv("LC_ALL", "C", 1);
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
