#include "options.h"

#include "base/number.h"
#include "base/precision.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_COLUMN = 19 };

const char *const cli_efforts[] = { "estimate", "measure", "patient", NULL };

int cli_refuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", cli_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\nTry '%s --help'.\n", cli_name);
    va_end(arguments);
    return EXIT_USAGE;
}

int cli_wrong(const char *option, const char *expected, const char *got) {
    return cli_refuse("%s: %s expected, got %s", option, expected, got[0] ? got : "nothing");
}

/* ------------------------------------------------------------------------------------------------------ values */

int cli_take_text(const cli_option *option, const char *value) {
    *(const char **)option->to = value;
    return 0;
}

int cli_take_flag(const cli_option *option, const char *value) {
    (void)value;
    *(bool *)option->to = true;
    return 0;
}

int cli_take_list(const cli_option *option, const char *value) {
    cli_list *list = option->to;
    list->count = 0;
    for (const char *text = value;; text++) {
        int64_t integer;
        if (!wli_take_integer(&text, 1, list->largest, &integer) || (*text != ',' && *text != '\0') ||
            list->count == CLI_LIST) {
            char expected[96];
            snprintf(expected, sizeof expected, "integers from 1 to %" PRId64 " with commas between them, %d at most",
                     list->largest, CLI_LIST);
            return cli_wrong(option->name, expected, value);
        }
        list->values[list->count++] = integer;
        if (*text == '\0') return 0;
    }
}

int cli_find(const char *const *words, const char *text, size_t length) {
    for (int k = 0; words[k]; k++)
        if (strlen(words[k]) == length && strncmp(words[k], text, length) == 0) return k;
    return -1;
}

int cli_word(const char *option, const char *const *words, const char *value, int *which) {
    *which = cli_find(words, value, strlen(value));
    if (*which >= 0) return 0;
    char expected[96] = "";
    for (int k = 0; words[k]; k++) {
        const size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%s", k == 0 ? "" : words[k + 1] ? ", " : " or ", words[k]);
    }
    return cli_wrong(option, expected, value);
}

int cli_take_precision(const cli_option *option, const char *value) {
    int which;
    const int wrong = cli_word(option->name, wli_precision_names + WLSTM_PRECISION_FULL, value, &which);
    if (wrong == 0) *(wlstm_precision *)option->to = (wlstm_precision)(WLSTM_PRECISION_FULL + which);
    return wrong;
}

/* ------------------------------------------------------------------------------------------------------ options */

static void print_option(const cli_option *option) {
    const char *space = option->argument ? " " : "", *argument = option->argument ? option->argument : "";
    int column = printf("  %s%s%s", option->name, space, argument);
    if (column > HELP_COLUMN - 2) column = printf("\n") - 1;
    for (const char *line = option->help; line; column = 0) {
        const int length = (int)strcspn(line, "\n");
        printf("%*s%.*s\n", HELP_COLUMN - column, "", length, line);
        line = line[length] ? line + length + 1 : NULL;
    }
}

static int print_version(const cli_option *option, const char *value) {
    (void)value;
    printf("%s %s\n%s\n", cli_name, wlstm_version(), wlstm_build_info());
    *(bool *)option->to = true;
    return 0;
}

int cli_parse(int argc, char **argv, const cli_option *options, int count, const char *usage, const char *ending,
              bool *finished) {
    cli_option all[CLI_OPTIONS + 2];
    struct option table[CLI_OPTIONS + 3] = { { NULL, 0, NULL, 0 } };
    bool help = false;
    int entries = 0;
    *finished = false;
    if (count > CLI_OPTIONS) abort(); /* the program's own table */
    memcpy(all, options, (size_t)count * sizeof *options);
    all[count++] = (cli_option){ "--help", NULL, cli_take_flag, &help, "this text" };
    all[count++] =
        (cli_option){ "--version", NULL, print_version, finished, "version, instruction set, oneDNN's version" };
    /* Numbers that are none of getopt_long's characters. */
    for (int k = 0; k < count; k++)
        if (all[k].take) table[entries++] = (struct option){ all[k].name + 2, all[k].argument != NULL, NULL, 256 + k };
    for (int found; (found = getopt_long(argc, argv, "", table, NULL)) != -1;) {
        if (found < 256) { /* getopt_long has said what is wrong */
            fprintf(stderr, "Try '%s --help'.\n", cli_name);
            return EXIT_USAGE;
        }
        const int status = all[found - 256].take(&all[found - 256], optarg);
        if (status != 0 || *finished) return status;
        if (!help) continue;
        fputs(usage, stdout);
        for (int k = 0; k < count; k++) print_option(&all[k]);
        fputs(ending, stdout);
        *finished = true;
        return 0;
    }
    return 0;
}
