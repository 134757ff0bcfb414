/* The programs' command lines: a table of options, from which --help, getopt_long's own table and the errors come. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "wavelstm.h"

#include <stdbool.h>

enum { EXIT_USAGE = 2, CLI_OPTIONS = 24, CLI_LIST = 64, CLI_THREADS = 4096 };

typedef struct cli_option {
    const char *name, *argument; /* "--model", "FILE"; NULL: it takes none */
    /* 0 to go on, else the exit status, the reason being on stderr. NULL: the option is there for --help alone. */
    int (*take)(const struct cli_option *option, const char *value);
    void *to;         /* what take sets */
    const char *help; /* lines of up to 101 characters, newlines between them */
} cli_option;

/* The program's name, which each defines. */
extern const char cli_name[];

/* Takes the options out of argv, the operands moving to its end: `optind` (getopt.h) is the first. *finished after
 * --help, which prints `usage`, the options and `ending`, and after --version. 0 to go on, else the exit status, the
 * reason being on stderr. */
int cli_parse(int argc, char **argv, const cli_option *options, int count, const char *usage, const char *ending,
              bool *finished);

/* What is wrong, as printf prints it, and the way to --help: EXIT_USAGE. */
int cli_refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same for "OPTION: EXPECTED expected, got GOT". */
int cli_wrong(const char *option, const char *expected, const char *got);

/* -------------------------------------------------------------------------------------------- what take may be */

int cli_take_text(const cli_option *option, const char *value); /* to a const char * */
int cli_take_flag(const cli_option *option, const char *value); /* to a bool */
/* full, bf16 or int8, to a wlstm_precision */
int cli_take_precision(const cli_option *option, const char *value);

/* Integers from 1 to `largest` with commas between them, in the order given. */
typedef struct cli_list {
    int64_t largest, values[CLI_LIST];
    int count;
} cli_list;
int cli_take_list(const cli_option *option, const char *value); /* to a cli_list */

/* -------------------------------------------------------------------------------------------- words */

/* What --effort may be, in the order of wlstm_effort from WLSTM_EFFORT_ESTIMATE. */
extern const char *const cli_efforts[];

/* Which of the words, behind whose last is NULL, the first `length` bytes of text are: its index, or -1. */
int cli_find(const char *const *words, const char *text, size_t length);

/* Which of them all of the value is: its index in *which, or wrong usage of that option. */
int cli_word(const char *option, const char *const *words, const char *value, int *which);

#endif
